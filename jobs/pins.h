/* Pins: layer name patterns with a format each, from a spec's `pins:` or a setting's `layers:`.
 *
 * Patterns are fnmatch(3)'s: * matches dots too. The last match wins.
 */
#ifndef QSV_PINS_H
#define QSV_PINS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/format.h"
#include "core/graph.h"

struct qsv_yaml_node;

struct qsv_pin {
    char *pattern;
    enum qsv_format format;
    unsigned line; /* in the file it came from; 0: none */
};

/* Sets formats of the layers that match, in the order of the pins. `path` is for messages. A
 * pattern that matches no layer is QSV_EINPUT. */
enum qsv_status qsv_pins_apply(const struct qsv_pin *pins, size_t n_pins,
                               const struct qsv_graph *graph, const char *path, uint8_t *formats,
                               struct qsv_error *err);

/* From a YAML map (or nothing: no pins); `name` is what it is called there. *pins is set to NULL on
 * failure. */
enum qsv_status qsv_pins_read(struct qsv_pin **pins, size_t *n_pins,
                              const struct qsv_yaml_node *node, const char *name, const char *path,
                              struct qsv_error *err);
void qsv_pins_destroy(struct qsv_pin *pins, size_t n_pins);

/* A format's name as a YAML value. */
enum qsv_status qsv_format_read(enum qsv_format *out, const struct qsv_yaml_node *node,
                                const char *name, const char *path, struct qsv_error *err);

#endif
