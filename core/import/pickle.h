/* A reader of Python pickles, protocols 2 to 5, that runs nothing.
 *
 * A pickle is a program for a stack machine that may name any class and call any function. Here the
 * machine only draws what the program describes: constants, containers, and for each class, call or
 * object an inert node that says what would have been called with what. Values refer to each other
 * by number and may be shared or contain themselves, so whoever walks them must bound the walk.
 */
#ifndef QSV_PICKLE_H
#define QSV_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum qsv_pickle_kind {
    QSV_PICKLE_NONE,
    QSV_PICKLE_BOOL,
    QSV_PICKLE_INT,
    QSV_PICKLE_FLOAT,
    QSV_PICKLE_TEXT,
    QSV_PICKLE_BYTES,
    QSV_PICKLE_TUPLE,
    QSV_PICKLE_LIST,
    QSV_PICKLE_SET,
    QSV_PICKLE_DICT,
    QSV_PICKLE_GLOBAL,     /* a class or function by name */
    QSV_PICKLE_CALL,       /* what calling something would give */
    QSV_PICKLE_PERSISTENT, /* something that lies outside the pickle */
    QSV_PICKLE_OPAQUE      /* an integer of more than 64 bits, an extension code */
};

struct qsv_pickle_node {
    enum qsv_pickle_kind kind;
    union {
        int64_t integer; /* BOOL, INT */
        double real;
        struct { /* TEXT, BYTES: a part of the input, not NUL-terminated */
            const uint8_t *at;
            size_t bytes;
        } text;
        struct { /* TUPLE, LIST, SET; DICT: key, value, key, value ... */
            uint32_t first, last, count;
        } items;
        struct { /* GLOBAL: the nodes of its names, TEXT */
            uint32_t module, name;
        } global;
        struct { /* CALL */
            uint32_t callee, args;
            bool changed; /* given a state or items afterwards */
        } call;
        uint32_t id; /* PERSISTENT */
    };
};

struct qsv_pickle {
    struct qsv_pickle_node *nodes;
    struct qsv_pickle_cell {
        uint32_t node, next;
    } * cells; /* the items of containers, chained; number 0 ends a chain */
    size_t n_nodes, n_cells, cap_nodes, cap_cells;
    uint32_t root;
};

/* The input must outlive the pickle. Finish with qsv_pickle_fini, also on failure. */
enum qsv_status qsv_pickle_parse(struct qsv_pickle *out, const uint8_t *data, size_t bytes,
                                 struct qsv_error *err);
void qsv_pickle_fini(struct qsv_pickle *p);

/* "dict", "int", ... */
const char *qsv_pickle_kind_name(enum qsv_pickle_kind kind);

/* The first `max` items of a container into out; returns how many it has. 0 for anything else. */
size_t qsv_pickle_items(const struct qsv_pickle *p, uint32_t node, uint32_t *out, size_t max);

/* A walk over a dict's items, or a sequence's by pairs; ends because a chain of cells can't be
 * circular. */
struct qsv_pickle_walk {
    const struct qsv_pickle *pickle;
    uint32_t cell;
};
struct qsv_pickle_walk qsv_pickle_walk_dict(const struct qsv_pickle *p, uint32_t dict);
bool qsv_pickle_next(struct qsv_pickle_walk *w, uint32_t *key, uint32_t *value);

bool qsv_pickle_is_text(const struct qsv_pickle *p, uint32_t node, const char *text);
bool qsv_pickle_is_global(const struct qsv_pickle *p, uint32_t node, const char *module,
                          const char *name);

#endif
