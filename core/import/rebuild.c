#include "core/import/rebuild.h"

#include <string.h>

enum { MAX_ARGS = 8, MAX_WRAPPERS = 4 };

/* A call, with its arguments spread. */
struct call {
    uint32_t callee, args[MAX_ARGS];
    size_t n;
};

enum maker { TENSOR_V2, TENSOR_V3, PARAMETER, PARAMETER_WITH_STATE, UNKNOWN };

static const struct {
    const char *module, *name;
    size_t n_args; /* at least */
} makers[] = {
    [TENSOR_V2] = {"torch._utils", "_rebuild_tensor_v2", 4},
    [TENSOR_V3] = {"torch._utils", "_rebuild_tensor_v3", 7},
    [PARAMETER] = {"torch._utils", "_rebuild_parameter", 1},
    [PARAMETER_WITH_STATE] = {"torch._utils", "_rebuild_parameter_with_state", 1},
};

static enum maker maker_of(const struct qsv_pickle *p, uint32_t callee)
{
    for (int i = 0; i < UNKNOWN; i++)
        if (qsv_pickle_is_global(p, callee, makers[i].module, makers[i].name))
            return (enum maker)i;
    return UNKNOWN;
}

bool qsv_rebuild_is_tensor(const struct qsv_pickle *p, uint32_t node)
{
    const struct qsv_pickle_node *n = &p->nodes[node];
    return n->kind == QSV_PICKLE_CALL && maker_of(p, n->call.callee) != UNKNOWN;
}

static int printed(size_t bytes)
{
    return bytes < 100 ? (int)bytes : 100;
}

static enum qsv_status fail_global(struct qsv_error *err, const struct qsv_pickle *p, uint32_t node,
                                   const char *before, const char *after)
{
    const struct qsv_pickle_node *n = &p->nodes[node];
    if (n->kind != QSV_PICKLE_GLOBAL)
        return qsv_fail(err, QSV_EINPUT, "%s something without a name%s", before, after);
    const struct qsv_pickle_node *module = &p->nodes[n->global.module],
                                 *name = &p->nodes[n->global.name];
    return qsv_fail(err, QSV_EINPUT, "%s '%.*s.%.*s'%s", before, printed(module->text.bytes),
                    (const char *)module->text.at, printed(name->text.bytes),
                    (const char *)name->text.at, after);
}

/* Follows the parameters around a tensor to the call that makes it. */
static enum qsv_status unwrap(struct call *c, enum maker *maker, const struct qsv_pickle *p,
                              uint32_t node, struct qsv_error *err)
{
    for (int i = 0; i < MAX_WRAPPERS; i++) {
        const struct qsv_pickle_node *n = &p->nodes[node];
        if (n->kind != QSV_PICKLE_CALL)
            return qsv_fail(err, QSV_EINPUT, "is a Python %s, not a tensor",
                            qsv_pickle_kind_name(n->kind));
        c->callee = n->call.callee;
        c->n = qsv_pickle_items(p, n->call.args, c->args, MAX_ARGS);
        *maker = maker_of(p, c->callee);
        if (*maker == UNKNOWN)
            return fail_global(err, p, c->callee, "is made by calling",
                               ", which is unknown and never run");
        if (n->call.changed)
            return qsv_fail(err, QSV_EINPUT, "is given a state that only Python could apply");
        if (c->n < makers[*maker].n_args)
            return qsv_fail(err, QSV_EINPUT, "is made by '%s' of only %zu arguments",
                            makers[*maker].name, c->n);
        if (*maker == TENSOR_V2 || *maker == TENSOR_V3)
            return QSV_OK;
        node = c->args[0];
    }
    return qsv_fail(err, QSV_EINPUT, "is a parameter of a parameter, more than %d times",
                    MAX_WRAPPERS);
}

static enum qsv_status get_size(uint64_t *out, uint64_t max, const struct qsv_pickle *p,
                                uint32_t node, const char *what, struct qsv_error *err)
{
    const struct qsv_pickle_node *n = &p->nodes[node];
    if (n->kind != QSV_PICKLE_INT)
        return qsv_fail(err, QSV_EINPUT, "has a %s that is a Python %s, not an int", what,
                        qsv_pickle_kind_name(n->kind));
    if (n->integer < 0 || (uint64_t)n->integer > max)
        return qsv_fail(err, QSV_EINPUT, "has a %s of %lld, expected 0 to %llu", what,
                        (long long)n->integer, (unsigned long long)max);
    *out = (uint64_t)n->integer;
    return QSV_OK;
}

static const struct qsv_element *element_of(const struct qsv_pickle *p, uint32_t storage,
                                            uint32_t type, bool typed)
{
    for (const struct qsv_element *e = qsv_elements; e->torch; e++) {
        if (typed ? qsv_pickle_is_global(p, storage, "torch", e->storage) ||
                        qsv_pickle_is_global(p, storage, "torch.cuda", e->storage)
                  : qsv_pickle_is_global(p, type, "torch", e->torch))
            return e;
    }
    return NULL;
}

/* ('storage', class, key, location, elements), outside of the pickle. Version 3 has storages
 * without a type, and the type beside them. */
static enum qsv_status read_storage(struct qsv_rebuilt *out, const struct qsv_pickle *p,
                                    const struct call *c, bool typed, struct qsv_error *err)
{
    const struct qsv_pickle_node *storage = &p->nodes[c->args[0]];
    uint32_t id[5];
    if (storage->kind != QSV_PICKLE_PERSISTENT || qsv_pickle_items(p, storage->id, id, 5) < 5 ||
        !qsv_pickle_is_text(p, id[0], "storage") || p->nodes[id[2]].kind != QSV_PICKLE_TEXT)
        return qsv_fail(err, QSV_EINPUT, "does not lie in one of the file's storages");
    uint32_t type = typed ? id[1] : c->args[6];
    out->view.element = element_of(p, id[1], type, typed);
    if (!out->view.element)
        return fail_global(err, p, type, "is of type", "; only f32, f16, bf16 and f64 are read");
    out->key = id[2];
    return QSV_OK;
}

static enum qsv_status read_view(struct qsv_strided *v, const struct qsv_pickle *p,
                                 const struct call *c, struct qsv_error *err)
{
    uint32_t size[QSV_MAX_RANK], stride[QSV_MAX_RANK];
    size_t rank = qsv_pickle_items(p, c->args[2], size, QSV_MAX_RANK);
    if (rank > QSV_MAX_RANK || rank != qsv_pickle_items(p, c->args[3], stride, QSV_MAX_RANK))
        return qsv_fail(err, QSV_EINPUT, "has %zu sizes, expected at most %d and as many strides",
                        rank, QSV_MAX_RANK);
    v->rank = (uint32_t)rank;
    enum qsv_status st = get_size(&v->offset, INT64_MAX, p, c->args[1], "storage offset", err);
    for (size_t i = 0; !st && i < rank; i++) {
        uint64_t n = 0;
        st = get_size(&n, UINT32_MAX, p, size[i], "size", err);
        v->shape[i] = (uint32_t)n;
        if (!st)
            st = get_size(&v->stride[i], INT64_MAX, p, stride[i], "stride", err);
    }
    return st;
}

enum qsv_status qsv_rebuild_tensor(struct qsv_rebuilt *out, const struct qsv_pickle *p,
                                   uint32_t node, struct qsv_error *err)
{
    struct call c;
    enum maker maker = UNKNOWN;
    uint32_t item;
    *out = (struct qsv_rebuilt){0};
    enum qsv_status st = unwrap(&c, &maker, p, node, err);
    if (!st)
        st = read_storage(out, p, &c, maker == TENSOR_V2, err);
    if (!st)
        st = read_view(&out->view, p, &c, err);
    size_t metadata = maker == TENSOR_V2 ? 6 : 7; /* a note that elements are to be negated */
    if (!st && c.n > metadata && qsv_pickle_items(p, c.args[metadata], &item, 1))
        st = qsv_fail(err, QSV_EINPUT, "is a negated or conjugated view");
    return st;
}
