/* The stack machine of a pickle: stack, marks and memo, all of them bounded. For pickle.c only. */
#ifndef QSV_MACHINE_H
#define QSV_MACHINE_H

#include "core/base/cursor.h"
#include "core/import/pickle.h"

/* Bounds memory to some 200 MiB; a checkpoint with an optimizer's state has some hundred thousand
 * values. */
enum { QSV_MACHINE_MAX_VALUES = 1 << 22 };

struct qsv_machine_list {
    uint32_t *v;
    size_t n, capacity;
};

struct qsv_machine {
    struct qsv_pickle *p;
    struct qsv_cursor c;
    struct qsv_machine_list stack; /* nodes */
    struct qsv_machine_list marks; /* heights of the stack */
    struct qsv_machine_list memo;  /* node + 1; 0 where nothing was put */
    bool stopped;
    struct qsv_error *err;
};

void qsv_machine_fini(struct qsv_machine *m);

/* Names the place in the pickle. */
enum qsv_status qsv_machine_fail(struct qsv_machine *m, const char *what);

enum qsv_status qsv_machine_add_node(struct qsv_machine *m, struct qsv_pickle_node node,
                                     uint32_t *out);
enum qsv_status qsv_machine_list_push(struct qsv_machine *m, struct qsv_machine_list *l,
                                      uint32_t v);
/* Adds a node and pushes it. */
enum qsv_status qsv_machine_push_node(struct qsv_machine *m, struct qsv_pickle_node node);

/* Height of the stack at the last mark: what lies below is out of reach, as in Python. */
size_t qsv_machine_floor(const struct qsv_machine *m);
enum qsv_status qsv_machine_pop(struct qsv_machine *m, uint32_t *out);
enum qsv_status qsv_machine_top(struct qsv_machine *m, uint32_t *out);
enum qsv_status qsv_machine_pop_mark(struct qsv_machine *m, size_t *height);

/* Moves the stack's values from `height` up into a container; drops them where the target is a
 * CALL. */
enum qsv_status qsv_machine_move_items(struct qsv_machine *m, uint32_t target, size_t height);

/* Puts the top of the stack into the memo. */
enum qsv_status qsv_machine_put(struct qsv_machine *m, uint64_t index);

#endif
