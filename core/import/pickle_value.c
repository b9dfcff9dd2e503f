/* Looking at what a pickle holds. */
#include <stdlib.h>
#include <string.h>

#include "core/import/pickle.h"

void qsv_pickle_fini(struct qsv_pickle *p)
{
    free(p->nodes);
    free(p->cells);
    *p = (struct qsv_pickle){0};
}

const char *qsv_pickle_kind_name(enum qsv_pickle_kind kind)
{
    static const char *const names[] = {
        [QSV_PICKLE_NONE] = "None",
        [QSV_PICKLE_BOOL] = "bool",
        [QSV_PICKLE_INT] = "int",
        [QSV_PICKLE_FLOAT] = "float",
        [QSV_PICKLE_TEXT] = "str",
        [QSV_PICKLE_BYTES] = "bytes",
        [QSV_PICKLE_TUPLE] = "tuple",
        [QSV_PICKLE_LIST] = "list",
        [QSV_PICKLE_SET] = "set",
        [QSV_PICKLE_DICT] = "dict",
        [QSV_PICKLE_GLOBAL] = "class",
        [QSV_PICKLE_CALL] = "object",
        [QSV_PICKLE_PERSISTENT] = "persistent object",
        [QSV_PICKLE_OPAQUE] = "large int",
    };
    return names[kind];
}

static uint32_t first_cell(const struct qsv_pickle *p, uint32_t node)
{
    switch (p->nodes[node].kind) {
    case QSV_PICKLE_TUPLE:
    case QSV_PICKLE_LIST:
    case QSV_PICKLE_SET:
    case QSV_PICKLE_DICT:
        return p->nodes[node].items.first;
    default:
        return 0;
    }
}

size_t qsv_pickle_items(const struct qsv_pickle *p, uint32_t node, uint32_t *out, size_t max)
{
    uint32_t cell = first_cell(p, node);
    if (!cell)
        return 0;
    for (size_t i = 0; i < max && cell; i++, cell = p->cells[cell].next)
        out[i] = p->cells[cell].node;
    return p->nodes[node].items.count;
}

struct qsv_pickle_walk qsv_pickle_walk_dict(const struct qsv_pickle *p, uint32_t dict)
{
    bool is_dict = p->nodes[dict].kind == QSV_PICKLE_DICT;
    return (struct qsv_pickle_walk){p, is_dict ? first_cell(p, dict) : 0};
}

bool qsv_pickle_next(struct qsv_pickle_walk *w, uint32_t *key, uint32_t *value)
{
    if (!w->cell)
        return false;
    const struct qsv_pickle_cell *k = &w->pickle->cells[w->cell], *v = &w->pickle->cells[k->next];
    *key = k->node;
    *value = v->node;
    w->cell = v->next;
    return true;
}

bool qsv_pickle_is_text(const struct qsv_pickle *p, uint32_t node, const char *text)
{
    const struct qsv_pickle_node *n = &p->nodes[node];
    return n->kind == QSV_PICKLE_TEXT && n->text.bytes == strlen(text) &&
           !memcmp(n->text.at, text, n->text.bytes);
}

bool qsv_pickle_is_global(const struct qsv_pickle *p, uint32_t node, const char *module,
                          const char *name)
{
    const struct qsv_pickle_node *n = &p->nodes[node];
    return n->kind == QSV_PICKLE_GLOBAL && qsv_pickle_is_text(p, n->global.module, module) &&
           qsv_pickle_is_text(p, n->global.name, name);
}
