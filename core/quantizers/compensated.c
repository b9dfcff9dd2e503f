/* Codes that lose little in a layer's output, tr(dW H dW^T): docs/quantizers.md.
 *
 * "gptq": input by input, the one that matters most first, each rounded to make up for the errors
 * of those before it. With H = R R^T, R upper triangular in that order, the loss of a row is
 * |e R|^2, e = w - scale x code; when e_0 .. e_(j-1) are fixed, term j is least for the e_j nearest
 * to -(e_0 R_0j + ...) / R_jj. R is the Cholesky factor L of the inputs in the opposite order, with
 * rows and columns turned round; so the loop runs from the last row of L to the first.
 *
 * "compensated": then coordinate descent. With the other codes fixed, a code's best value is the
 * one nearest to q_k + g_k / (scale x H_kk), g = (W - scale x Q) H; the best scale for given codes
 * is W H q / q H q.
 *
 * "searched": that from several scales to begin with, for each row the codes that lose least; their
 * scale is then made larger until the outputs spread as they do with the weights.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quantizers/codes.h"
#include "core/quantizers/pending.h"
#include "core/quantizers/quantizers.h"

enum { SWEEPS = 4, MIN_STARTS = 4, MAX_STARTS = 32, STARTS_WORK = 1 << 28 };
static const double LEAST_NORM = 1e-30, LEAST_SCALE = 1e-12;
static const double MOST_SPREAD = 2; /* beyond, codes have little to do with the weights */
/* Where else than at the scale of least squared error a search begins: from LEAST_START to
 * LEAST_START + START_RANGE of it, spread by the golden ratio, so that any number covers it. */
static const double LEAST_START = 0.55, START_RANGE = 0.95, GOLDEN = 0.6180339887498949;

struct work {
    const struct qsv_quantizer_task *t;
    const struct qsv_curvature *c;
    double *scale; /* [rows] */
    double *q;     /* [rows][k]: codes */
    double *sum;   /* [rows][k]: gptq, errors x L; then codes x H */
    struct qsv_pending pending;
};

static void work_fini(struct work *w)
{
    free(w->scale);
    free(w->q);
    free(w->sum);
    qsv_pending_fini(&w->pending);
}

static enum qsv_status work_init(struct work *w, const struct qsv_quantizer_task *t,
                                 struct qsv_error *err)
{
    size_t n;
    *w = (struct work){.t = t, .c = t->curvature};
    if (!qsv_mul_size(t->rows, t->k, &n))
        return qsv_fail_memory(err, "a layer's codes");
    w->scale = qsv_alloc(t->rows, sizeof *w->scale);
    w->q = qsv_alloc_aligned(n, sizeof *w->q);
    w->sum = qsv_alloc_aligned(n, sizeof *w->sum);
    if (!w->scale || !w->q || !w->sum)
        return qsv_fail_memory(err, "a layer's codes");
    return qsv_pending_init(&w->pending, w->c->kernels, t->rows, err);
}

/* Inputs [first, end) of one row, in the factor's order, the last first. */
static void compensate_block(struct work *w, size_t row, size_t first, size_t end)
{
    const size_t k = w->t->k;
    const float *weight = w->t->weights + row * k;
    double *q = w->q + row * k, *sum = w->sum + row * k;
    const double s = w->scale[row];
    for (size_t i = end; i-- > first;) {
        const double *factor = w->c->factor + i * k;
        const uint32_t at = w->c->order[i], index = (uint32_t)i;
        q[at] = qsv_nearest_code(((double)weight[at] + sum[i] / factor[i]) / s, w->t->format);
        const double error = (double)weight[at] - q[at] * s;
        if (error == 0)
            continue;
        w->c->kernels->add_rows(sum + first, i - first, w->c->factor + first, k, &index, &error, 1);
        qsv_pending_add(&w->pending, row, index, error);
    }
}

static void compensate(struct work *w)
{
    const size_t k = w->t->k;
    for (size_t end = k; end > 0;) {
        const size_t first = end > QSV_PENDING ? end - QSV_PENDING : 0;
        for (size_t r = 0; r < w->t->rows; r++)
            compensate_block(w, r, first, end);
        qsv_pending_apply(&w->pending, w->sum, w->c->factor, k, 0, first);
        qsv_pending_clear(&w->pending);
        end = first;
    }
}

static void descend_block(struct work *w, size_t row, size_t first, size_t end)
{
    const size_t k = w->t->k;
    const double s = w->scale[row], *wh = w->c->wh + row * k;
    double *q = w->q + row * k, *qh = w->sum + row * k;
    for (size_t i = first; i < end; i++) {
        const double gradient = wh[i] - s * qh[i];
        const double code = qsv_nearest_code(q[i] + gradient / w->c->diagonal[i] / s, w->t->format);
        const double change = code - q[i];
        const uint32_t index = (uint32_t)i;
        if (change == 0)
            continue;
        q[i] = code;
        w->c->kernels->add_rows(qh + first, end - first, w->c->h + first, k, &index, &change, 1);
        qsv_pending_add(&w->pending, row, index, change);
    }
}

static void descend(struct work *w)
{
    const size_t k = w->t->k;
    for (size_t first = 0; first < k; first += QSV_PENDING) {
        const size_t end = k - first < QSV_PENDING ? k : first + QSV_PENDING;
        for (size_t r = 0; r < w->t->rows; r++)
            descend_block(w, r, first, end);
        qsv_pending_apply(&w->pending, w->sum, w->c->h, k, 0, first);
        qsv_pending_apply(&w->pending, w->sum, w->c->h, k, end, k);
        qsv_pending_clear(&w->pending);
    }
}

/* The scale with the least loss for the codes: W H q / q H q. */
static void fit_scales(struct work *w)
{
    const size_t k = w->t->k;
    for (size_t r = 0; r < w->t->rows; r++) {
        const double *q = w->q + r * k;
        const double norm = w->c->kernels->dot(q, w->sum + r * k, k);
        const double product = w->c->kernels->dot(q, w->c->wh + r * k, k);
        w->scale[r] = product / (norm > LEAST_NORM ? norm : LEAST_NORM);
        if (w->scale[r] == 0)
            w->scale[r] = LEAST_SCALE;
    }
}

static enum qsv_status refine(struct work *w, struct qsv_error *err)
{
    enum qsv_status st =
        qsv_multiply(w->sum, w->q, w->c->h, w->t->rows, w->t->k, w->c->kernels, err);
    for (int sweep = 0; !st && sweep < SWEEPS; sweep++) {
        fit_scales(w);
        descend(w);
    }
    if (!st)
        fit_scales(w);
    return st;
}

static void give_row(const struct work *w, size_t row)
{
    const size_t k = w->t->k;
    for (size_t i = row * k; i < (row + 1) * k; i++)
        w->t->codes[i] = (int8_t)w->q[i];
    w->t->scale[row] = qsv_scale_of(w->scale[row]);
}

static void choose_scales(double *scale, const struct qsv_quantizer_task *t)
{
    for (size_t r = 0; r < t->rows; r++)
        scale[r] = (double)qsv_scale_choose(t->rule, t->weights + r * t->k, t->curvature->diagonal,
                                            t->k, t->format);
}

static enum qsv_status quantize(const struct qsv_quantizer_task *t, bool refined,
                                struct qsv_error *err)
{
    struct work w;
    enum qsv_status st = work_init(&w, t, err);
    if (!st) {
        choose_scales(w.scale, t);
        compensate(&w);
        st = refined ? refine(&w, err) : QSV_OK;
    }
    for (size_t r = 0; !st && r < t->rows; r++)
        give_row(&w, r);
    work_fini(&w);
    return st;
}

/* As many as the layer's size lets be done in a second or so. */
static int count_starts(const struct qsv_quantizer_task *t)
{
    const double n = STARTS_WORK / ((double)t->rows * (double)t->k * (double)t->k);
    return (int)qsv_clamp(n, MIN_STARTS, MAX_STARTS);
}

static double start_of(int start)
{
    const double turns = start * GOLDEN;
    return start ? LEAST_START + START_RANGE * (turns - (int)turns) : 1;
}

/* How much less a row loses than with codes of 0, at its best scale: (W H q)^2 / q H q. */
static double gain_of(const struct work *w, size_t row)
{
    const size_t at = row * w->t->k;
    const double norm = w->c->kernels->dot(w->q + at, w->sum + at, w->t->k);
    const double product = w->c->kernels->dot(w->q + at, w->c->wh + at, w->t->k);
    return norm > LEAST_NORM ? product * product / norm : 0;
}

/* By how much the outputs of a row spread less, in standard deviations, with its codes at their
 * best scale than with its weights. That scale minimises a squared error, so it shrinks the outputs
 * by their correlation with what they should be, and neurons behind them fire less. */
static double spread_of(const struct work *w, size_t row)
{
    const size_t k = w->t->k, at = row * k;
    const double s = w->scale[row], damping = w->c->damping;
    double wanted = 0, is = s * s * w->c->kernels->dot(w->q + at, w->sum + at, k);
    for (size_t i = at; i < at + k; i++) {
        const double weight = (double)w->t->weights[i], code = s * w->q[i];
        wanted += weight * (w->c->wh[i] - damping * weight);
        is -= damping * code * code;
    }
    return wanted > is && is > LEAST_NORM ? fmin(sqrt(wanted / is), MOST_SPREAD) : 1;
}

/* first [rows]: the scales of the first start; gain [rows]: of what is given so far. */
static enum qsv_status search(struct work *w, const double *first, double *gain,
                              struct qsv_error *err)
{
    const struct qsv_quantizer_task *t = w->t;
    const int starts = count_starts(t);
    enum qsv_status st = QSV_OK;
    for (int start = 0; !st && start < starts; start++) {
        memset(w->sum, 0, t->rows * t->k * sizeof *w->sum);
        for (size_t r = 0; r < t->rows; r++)
            w->scale[r] = first[r] * start_of(start);
        compensate(w);
        st = refine(w, err);
        for (size_t r = 0; !st && r < t->rows; r++) {
            const double is = gain_of(w, r);
            if (start && is <= gain[r])
                continue;
            gain[r] = is;
            w->scale[r] *= spread_of(w, r);
            give_row(w, r);
        }
    }
    return st;
}

static enum qsv_status searched(const struct qsv_quantizer_task *t, struct qsv_error *err)
{
    struct work w;
    double *first = qsv_alloc(t->rows, sizeof *first), *gain = qsv_alloc(t->rows, sizeof *gain);
    enum qsv_status st = work_init(&w, t, err);
    if (!st && (!first || !gain))
        st = qsv_fail_memory(err, "a layer's codes");
    if (!st) {
        choose_scales(first, t);
        st = search(&w, first, gain, err);
    }
    work_fini(&w);
    free(first);
    free(gain);
    return st;
}

static enum qsv_status gptq(const struct qsv_quantizer_task *t, struct qsv_error *err)
{
    return quantize(t, false, err);
}

static enum qsv_status compensated(const struct qsv_quantizer_task *t, struct qsv_error *err)
{
    return quantize(t, true, err);
}

const struct qsv_quantizer_kind qsv_quantizer_gptq = {"gptq", true, false, gptq};
const struct qsv_quantizer_kind qsv_quantizer_compensated = {"compensated", true, false,
                                                             compensated};
const struct qsv_quantizer_kind qsv_quantizer_searched = {"searched", true, true, searched};
