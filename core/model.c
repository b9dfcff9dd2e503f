#include "core/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/affine.h"
#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/fold.h"
#include "core/models/models.h"

enum { MAX_TIME_STEPS = 64 };

void qsv_model_destroy(struct qsv_model *m)
{
    if (!m)
        return;
    qsv_graph_fini(&m->graph);
    qsv_tensors_fini(&m->tensors);
    qsv_share_destroy(m->share);
    free(m->path);
    free(m);
}

static enum qsv_status check_options(const struct qsv_model_options *o, const char *path,
                                     struct qsv_error *err)
{
    if (o->time_steps < 1 || o->time_steps > MAX_TIME_STEPS)
        return qsv_fail(err, QSV_EINPUT, "%s: %u time steps, expected 1..%d", path, o->time_steps,
                        MAX_TIME_STEPS);
    for (uint32_t c = 0; c < o->input.c && c < QSV_MAX_CHANNELS; c++)
        if (!isfinite(o->mean[c]) || !isfinite(o->std[c]) || o->std[c] <= 0)
            return qsv_fail(err, QSV_EINPUT,
                            "%s: channel %u has mean %g and standard deviation %g, expected finite "
                            "numbers and the second above 0",
                            path, c, (double)o->mean[c], (double)o->std[c]);
    return QSV_OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

/* "a.b.weight" -> is "a.b" the name of a layer or norm of the graph? */
static bool used(const struct qsv_graph *g, const char *tensor)
{
    static const char *const layer_parts[] = {".weight", ".bias", ".multiplier", ".shift"};
    static const char *const norm_parts[] = {".weight", ".bias", ".running_mean", ".running_var"};
    const char *dot = strrchr(tensor, '.');
    size_t n = dot ? (size_t)(dot - tensor) : 0;
    for (int p = 0; p < 4; p++) {
        for (size_t i = 0; i < g->n_layers && ends_with(tensor, layer_parts[p]); i++)
            if (strlen(g->layers[i].name) == n && !memcmp(g->layers[i].name, tensor, n))
                return true;
        for (size_t i = 0; i < g->n_norms && ends_with(tensor, norm_parts[p]); i++)
            if (strlen(g->norms[i].name) == n && !memcmp(g->norms[i].name, tensor, n))
                return true;
    }
    return false;
}

static void drop_unused(struct qsv_model *m)
{
    struct qsv_tensors *t = &m->tensors;
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (used(&m->graph, t->v[i].name)) {
            t->v[kept++] = t->v[i];
            continue;
        }
        free(t->v[i].name);
        free(t->v[i].data);
        free(t->v[i].defect);
    }
    t->n = kept;
}

static bool is_real(const struct qsv_tensor *t)
{
    return t->format == QSV_F32 || t->format == QSV_F16;
}

/* Without a vector's exponent. */
static float value_at(const struct qsv_tensor *t, size_t i)
{
    float v;
    if (t->format == QSV_F16)
        return qsv_half_to_float((uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8));
    memcpy(&v, t->data + 4 * i, sizeof v);
    return v;
}

static enum qsv_status check_finite(const struct qsv_model *m, struct qsv_error *err)
{
    for (size_t i = 0; i < m->tensors.n; i++) {
        const struct qsv_tensor *t = &m->tensors.v[i];
        for (size_t k = 0; is_real(t) && k < qsv_tensor_count(t); k++)
            if (!isfinite(value_at(t, k)))
                return qsv_fail(err, QSV_EINPUT,
                                "%s: tensor '%s' holds %g at %zu, expected finite "
                                "numbers",
                                m->path, t->name, (double)value_at(t, k), k);
    }
    return QSV_OK;
}

static void hash_model(struct qsv_model *m, struct qsv_hash *h)
{
    const struct qsv_model_options *o = &m->options;
    qsv_hash_add_string(h, m->architecture);
    qsv_hash_add_u64(h, m->folded);
    qsv_hash_add_u64(h, o->heads);
    qsv_hash_add_u64(h, o->time_steps);
    qsv_hash_add_u64(h, o->input.c);
    qsv_hash_add_u64(h, o->input.h);
    qsv_hash_add_u64(h, o->input.w);
    qsv_hash_add(h, o->mean, o->input.c * sizeof *o->mean);
    qsv_hash_add(h, o->std, o->input.c * sizeof *o->std);
    for (size_t i = 0; i < m->tensors.n; i++) {
        const struct qsv_tensor *t = &m->tensors.v[i];
        qsv_hash_add_string(h, t->name);
        qsv_hash_add_u64(h, t->format);
        qsv_hash_add_u64(h, t->rank);
        for (uint32_t k = 0; k < t->rank; k++)
            qsv_hash_add_u64(h, t->shape[k]);
        if (qsv_affine_has_exponent(t))
            qsv_hash_add(h, &t->exponent, sizeof t->exponent);
        qsv_hash_add(h, t->data, t->bytes);
    }
    m->hash = qsv_hash_end(h);
}

/* A folded model is known by what only it has: multipliers, or layers that are left out. */
static bool is_folded(const struct qsv_tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (ends_with(t->v[i].name, ".multiplier") || t->v[i].format == QSV_NONE)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct qsv_tensor *)a)->name, ((const struct qsv_tensor *)b)->name);
}

static enum qsv_status build_graph(struct qsv_model *m, struct qsv_error *err)
{
    const struct qsv_architecture *arch = qsv_architecture_recognise(&m->tensors);
    if (!arch)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: no known architecture has these %zu tensors%s%s; known: %s", m->path,
                        m->tensors.n, m->tensors.n ? ", the first " : "",
                        m->tensors.n ? m->tensors.v[0].name : "", qsv_architecture_names());
    struct qsv_builder b = {.graph = &m->graph,
                            .tensors = &m->tensors,
                            .folded = m->folded,
                            .err = err,
                            .path = m->path};
    m->architecture = arch->name;
    arch->build(&b, &m->options);
    if (b.status)
        return b.status;
    m->classes = m->graph.nodes[m->graph.n_nodes - 1].out.c;
    enum qsv_status st = qsv_fold_links(&m->graph, err);
    return st ? qsv_fail_in(err, st, "%s", m->path) : QSV_OK;
}

enum qsv_status qsv_model_create(struct qsv_model **out, struct qsv_tensors *tensors,
                                 const struct qsv_model_options *options, const char *path,
                                 struct qsv_error *err)
{
    struct qsv_model *m = qsv_alloc(1, sizeof *m);
    *out = NULL;
    if (!m || !(m->path = qsv_strdup(path))) {
        free(m);
        qsv_tensors_fini(tensors);
        return qsv_fail_memory(err, path);
    }
    m->tensors = *tensors;
    *tensors = (struct qsv_tensors){0};
    m->options = *options;
    m->folded = is_folded(&m->tensors);
    struct qsv_hash *h = NULL;
    enum qsv_status st = check_options(options, path, err);
    if (!st)
        st = build_graph(m, err);
    if (!st) {
        drop_unused(m);
        st = check_finite(m, err);
    }
    if (!st && !(h = qsv_hash_begin()))
        st = qsv_fail_memory(err, path);
    if (st) {
        qsv_model_destroy(m);
        return st;
    }
    qsort(m->tensors.v, m->tensors.n, sizeof *m->tensors.v, by_name);
    hash_model(m, h);
    for (size_t i = 0; i < m->tensors.n; i++)
        m->source_bytes += m->tensors.v[i].bytes;
    *out = m;
    return QSV_OK;
}

static void borrow(struct qsv_tensors *t, const void *const *shared)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->v[i].data);
        t->v[i].data = (uint8_t *)(uintptr_t)shared[i];
        t->v[i].borrowed = true;
    }
}

enum qsv_status qsv_model_share(struct qsv_model *m, struct qsv_error *err)
{
    const size_t n = m->tensors.n;
    struct qsv_share_piece *pieces = qsv_alloc(n, sizeof *pieces);
    const void **shared = qsv_alloc(n, sizeof *shared);
    enum qsv_status st = pieces && shared ? QSV_OK : qsv_fail_memory(err, m->path);
    for (size_t i = 0; !st && i < n; i++)
        pieces[i] = (struct qsv_share_piece){m->tensors.v[i].data, m->tensors.v[i].bytes};
    if (!st)
        st = qsv_share_create(&m->share, m->hash, pieces, n, shared, err);
    if (!st)
        borrow(&m->tensors, shared);
    free(pieces);
    free(shared);
    return st ? qsv_fail_in(err, st, "%s", m->path) : QSV_OK;
}
