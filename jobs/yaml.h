/* A YAML file as a tree of nodes that know their lines. The one place that uses libyaml.
 *
 * The YAML of configuration files, and no more: one document whose root is a map, keys are text,
 * no anchors, aliases or tags. What a scalar means is the caller's to say: it is kept as text.
 * Files are hostile: size, depth and number of nodes are limited, and every error has a line.
 */
#ifndef QSV_YAML_H
#define QSV_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

enum {
    QSV_YAML_MAX_BYTES = 1 << 20,
    QSV_YAML_MAX_DEPTH = 16, /* maps and lists in each other */
    QSV_YAML_MAX_NODES = 10000
};

enum qsv_yaml_kind { QSV_YAML_SCALAR, QSV_YAML_LIST, QSV_YAML_MAP };

struct qsv_yaml_node {
    enum qsv_yaml_kind kind;
    unsigned line; /* from 1; in a map, its key's */
    char *key;     /* in a map, unique there; else NULL */
    char *text;    /* scalars, else NULL; UTF-8 */
    bool quoted;   /* scalars: in quotes or a block, so text even where it looks like a number */
    struct qsv_yaml_node *first, *last; /* of a list or map */
    struct qsv_yaml_node *next;         /* in the same list or map */
};

/* path is for messages. QSV_EINPUT for anything that is not such a file; destroy the root. */
enum qsv_status qsv_yaml_parse(struct qsv_yaml_node **out, const char *text, size_t bytes,
                               const char *path, struct qsv_error *err);
void qsv_yaml_destroy(struct qsv_yaml_node *root);

/* No value: empty, or a plain ~ or null. */
bool qsv_yaml_is_null(const struct qsv_yaml_node *node);

/* What was found, for messages: "a list", "a map", "nothing" or the text in quotes, shortened. */
struct qsv_yaml_found {
    char text[80];
};
struct qsv_yaml_found qsv_yaml_describe(const struct qsv_yaml_node *node);

#endif
