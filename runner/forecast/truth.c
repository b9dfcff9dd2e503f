#include "runner/forecast/truth.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/base/real.h"
#include "core/base/rng.h"
#include "jobs/setting.h"

static const double int3_kl = 0.05;         /* nats, of all layers at int3 */
static const double drop_a_nat = 40;        /* points */
static const double noise = 0.1;            /* of a setting's drop, standard deviation */
static const double firing_rate = 0.2;      /* of inputs */
static const double baseline_top1 = 0.79;   /* of images */
static const double gained_for_lost = 0.25; /* answers that turn right, to those that turn wrong */

struct qsv_truth {
    const struct qsv_model *model;
    uint64_t seed;
    double (*kl)[QSV_N_FORMATS]; /* [n_layers] */
    uint64_t *ac;                /* [n_sites] of one image */
    uint64_t *sums;              /* [n_sites] scratch */
};

static void fill_kl(struct qsv_truth *t)
{
    const struct qsv_graph *g = &t->model->graph;
    struct qsv_rng r;
    double sum = 0;
    qsv_rng_seed(&r, t->seed);
    for (size_t l = 0; l < g->n_layers; l++) {
        double level = qsv_exp(qsv_rng_unit(&r) * 4.6) * sqrt((double)g->layers[l].n_weights);
        double fall = 0.4 + 2 * qsv_rng_unit(&r);
        for (int f = QSV_F16; f < QSV_N_FORMATS; f++) {
            double bits = fmin(qsv_format_info((enum qsv_format)f)->bits, 8);
            /* codes may suit a layer more or less; at none there are no codes */
            double suited = f == QSV_NONE ? 1 : 0.7 + 0.6 * qsv_rng_unit(&r);
            t->kl[l][f] = level * qsv_exp(-fall * (bits - 2)) * suited;
        }
        sum += t->kl[l][QSV_INT3];
    }
    for (size_t l = 0; l < g->n_layers; l++)
        for (int f = QSV_F16; f < QSV_N_FORMATS; f++)
            t->kl[l][f] *= int3_kl / sum;
}

static void fill_ac(struct qsv_truth *t)
{
    const struct qsv_graph *g = &t->model->graph;
    for (size_t l = 0; l < g->n_layers; l++)
        if (g->layers[l].spike_input)
            t->ac[l] =
                (uint64_t)(firing_rate * (double)g->layers[l].macs * t->model->options.time_steps);
}

enum qsv_status qsv_truth_create(struct qsv_truth **out, const struct qsv_model *model,
                                 uint64_t seed, struct qsv_error *err)
{
    size_t n_layers = model->graph.n_layers, n_sites = n_layers + model->graph.n_attentions;
    struct qsv_truth *t = *out = qsv_alloc(1, sizeof *t);
    if (t) {
        t->model = model;
        t->seed = seed;
        t->kl = qsv_alloc(n_layers, sizeof *t->kl);
        t->ac = qsv_alloc(n_sites, sizeof *t->ac);
        t->sums = qsv_alloc(n_sites, sizeof *t->sums);
    }
    if (!t || !t->kl || !t->ac || !t->sums) {
        qsv_truth_destroy(t);
        *out = NULL;
        return qsv_fail_memory(err, "a simulated truth");
    }
    fill_kl(t);
    fill_ac(t);
    return QSV_OK;
}

void qsv_truth_destroy(struct qsv_truth *t)
{
    if (!t)
        return;
    free(t->kl);
    free(t->ac);
    free(t->sums);
    free(t);
}

/* About normal, the same for the same setting and set of images. */
static double deviation(const struct qsv_truth *t, uint64_t trial_id, uint64_t set)
{
    uint64_t key[3] = {t->seed, trial_id, set};
    struct qsv_rng r;
    double sum = 0;
    qsv_rng_seed(&r, qsv_hash_bytes(key, sizeof key));
    for (int i = 0; i < 12; i++)
        sum += qsv_rng_unit(&r);
    return sum - 6;
}

void qsv_truth_answer(const struct qsv_truth *t, const uint8_t *formats, enum qsv_image_set set,
                      uint64_t n_images, enum qsv_format affine,
                      const struct qsv_energy_constants *energy, struct qsv_metrics *out)
{
    const struct qsv_graph *g = &t->model->graph;
    double n = (double)n_images, kl = 0;
    for (size_t l = 0; l < g->n_layers; l++)
        kl += t->kl[l][formats[l]];
    *out = (struct qsv_metrics){.trial_id = qsv_setting_id(formats, (uint32_t)g->n_layers),
                                .n_images = n_images};
    double drop = fmin(drop_a_nat * kl * (1 + noise * deviation(t, out->trial_id, set)), 70);
    double lost = fmax(drop, 0) * n / 100 / (1 - gained_for_lost);
    out->kl_sum = kl * n;
    out->kl_square_sum = 2 * kl * kl * n;
    out->n_only_baseline = (uint64_t)rint(lost);
    out->n_only_trial = (uint64_t)rint(lost * gained_for_lost);
    out->n_top1 = (uint64_t)rint(baseline_top1 * n) + out->n_only_trial - out->n_only_baseline;
    for (size_t i = 0; i < g->n_layers + g->n_attentions; i++) {
        const bool left_out = i < g->n_layers && formats[i] == QSV_NONE;
        t->sums[i] = left_out ? 0 : t->ac[i] * n_images;
        out->ac_ops += t->sums[i];
    }
    qsv_cost_bytes(&out->bytes, t->model, affine, formats);
    qsv_cost_energy(&out->energy, t->model, affine, formats, t->sums, n_images, energy);
}
