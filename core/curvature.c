#include "core/curvature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linear.h"
#include "core/quantizers/pending.h"

static const double DAMPING = 0.01, LEAST_MEAN = 1e-9;

void qsv_curvature_fini(struct qsv_curvature *c)
{
    free(c->h);
    free(c->diagonal);
    free(c->order);
    free(c->factor);
    free(c->wh);
    *c = (struct qsv_curvature){0};
}

static void damp(struct qsv_curvature *c)
{
    double mean = 0;
    for (size_t i = 0; i < c->k; i++)
        mean += c->h[i * c->k + i];
    mean /= (double)c->k;
    c->damping = DAMPING * (mean > LEAST_MEAN ? mean : LEAST_MEAN);
    for (size_t i = 0; i < c->k; i++)
        c->diagonal[i] = c->h[i * c->k + i] += c->damping;
}

struct input {
    double diagonal;
    uint32_t index;
};

static int by_diagonal(const void *a, const void *b)
{
    const struct input *x = a, *y = b;
    if (x->diagonal != y->diagonal)
        return x->diagonal < y->diagonal ? -1 : 1;
    return x->index > y->index ? -1 : 1;
}

static enum qsv_status order_inputs(struct qsv_curvature *c, struct qsv_error *err)
{
    struct input *inputs = qsv_alloc(c->k, sizeof *inputs);
    if (!inputs)
        return qsv_fail_memory(err, "statistics");
    for (size_t i = 0; i < c->k; i++)
        inputs[i] = (struct input){c->diagonal[i], (uint32_t)i};
    qsort(inputs, c->k, sizeof *inputs, by_diagonal);
    for (size_t i = 0; i < c->k; i++)
        c->order[i] = inputs[i].index;
    free(inputs);
    return QSV_OK;
}

static enum qsv_status factorize(struct qsv_curvature *c, struct qsv_error *err)
{
    const size_t k = c->k;
    c->order = qsv_alloc(k, sizeof *c->order);
    c->factor = qsv_alloc_aligned(k * k, sizeof *c->factor);
    if (!c->order || !c->factor)
        return qsv_fail_memory(err, "statistics");
    enum qsv_status st = order_inputs(c, err);
    for (size_t i = 0; !st && i < k; i++)
        for (size_t j = 0; j <= i; j++)
            c->factor[i * k + j] = c->h[c->order[i] * k + c->order[j]];
    return st ? st : qsv_cholesky(c->factor, k, err);
}

enum qsv_status qsv_multiply(double *out, const double *a, const double *matrix, size_t rows,
                             size_t k, const struct qsv_moments *kernels, struct qsv_error *err)
{
    struct qsv_pending p;
    enum qsv_status st = qsv_pending_init(&p, kernels, rows, err);
    memset(out, 0, rows * k * sizeof *out);
    for (size_t at = 0; !st && at < k; at += QSV_PENDING) {
        const size_t end = k - at < QSV_PENDING ? k : at + QSV_PENDING;
        for (size_t r = 0; r < rows; r++)
            for (size_t i = at; i < end; i++)
                if (a[r * k + i] != 0)
                    qsv_pending_add(&p, r, (uint32_t)i, a[r * k + i]);
        qsv_pending_apply(&p, out, matrix, k, 0, k);
        qsv_pending_clear(&p);
    }
    qsv_pending_fini(&p);
    return st;
}

static enum qsv_status multiply_weights(struct qsv_curvature *c, const float *weights,
                                        struct qsv_error *err)
{
    const size_t n = c->rows * c->k;
    double *w = qsv_alloc_aligned(n, sizeof *w);
    c->wh = qsv_alloc_aligned(n, sizeof *c->wh);
    enum qsv_status st = w && c->wh ? QSV_OK : qsv_fail_memory(err, "statistics");
    for (size_t i = 0; !st && i < n; i++)
        w[i] = (double)weights[i];
    if (!st)
        st = qsv_multiply(c->wh, w, c->h, c->rows, c->k, c->kernels, err);
    free(w);
    return st;
}

static enum qsv_status check_finite(const double *h, size_t k, struct qsv_error *err)
{
    for (size_t i = 0; i < k * k; i++)
        if (!isfinite(h[i]))
            return qsv_fail(err, QSV_EINPUT, "second moment (%zu, %zu) of the inputs is %g", i / k,
                            i % k, h[i]);
    return QSV_OK;
}

enum qsv_status qsv_curvature_init(struct qsv_curvature *c, double *h, const float *weights,
                                   size_t rows, size_t k, struct qsv_error *err)
{
    *c = (struct qsv_curvature){.k = k, .rows = rows, .h = h, .kernels = qsv_moments_choose()};
    c->diagonal = qsv_alloc(k, sizeof *c->diagonal);
    enum qsv_status st = c->diagonal ? QSV_OK : qsv_fail_memory(err, "statistics");
    if (!st)
        st = check_finite(h, k, err);
    if (!st) {
        damp(c);
        st = weights ? multiply_weights(c, weights, err) : QSV_OK;
    }
    if (!st && weights)
        st = factorize(c, err);
    if (st)
        qsv_curvature_fini(c);
    return st;
}

enum qsv_status qsv_curvature_loss(double *loss, const struct qsv_curvature *c,
                                   const double *difference, struct qsv_error *err)
{
    const size_t k = c->k;
    double *product = qsv_alloc_aligned(c->rows * k, sizeof *product);
    enum qsv_status st = product ? QSV_OK : qsv_fail_memory(err, "a loss");
    if (!st)
        st = qsv_multiply(product, difference, c->h, c->rows, k, c->kernels, err);
    *loss = 0;
    for (size_t r = 0; !st && r < c->rows; r++) {
        const double *d = difference + r * k;
        const double row =
            c->kernels->dot(d, product + r * k, k) - c->damping * c->kernels->dot(d, d, k);
        *loss += row > 0 ? row : 0;
    }
    free(product);
    return st;
}
