#include "runner/worker/outcome.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/cost.h"
#include "core/score.h"

enum qsv_status qsv_outcome_init(struct qsv_outcome *o, const struct qsv_model *model,
                                 const uint8_t *formats, uint32_t n_images, size_t n_potentials,
                                 struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    *o = (struct qsv_outcome){.n_images = n_images, .mac_ops = qsv_cost_mac_ops(model, formats)};
    size_t n_logits;
    if (qsv_mul_size(n_images, model->classes, &n_logits)) {
        o->logits = qsv_alloc(n_logits, sizeof *o->logits);
        o->lif_spikes = qsv_alloc(g->n_lifs, sizeof *o->lif_spikes);
        o->site_ac = qsv_alloc(g->n_layers + g->n_attentions, sizeof *o->site_ac);
        o->potentials = qsv_alloc(n_potentials, sizeof *o->potentials);
    }
    if (o->logits && o->lif_spikes && o->site_ac && o->potentials)
        return QSV_OK;
    qsv_outcome_fini(o);
    return qsv_fail_memory(err, "a network's outcome");
}

void qsv_outcome_fini(struct qsv_outcome *o)
{
    free(o->logits);
    free(o->lif_spikes);
    free(o->site_ac);
    free(o->potentials);
    *o = (struct qsv_outcome){0};
}

struct qsv_engine_output qsv_outcome_from(const struct qsv_outcome *o,
                                          const struct qsv_model *model, uint32_t first)
{
    return (struct qsv_engine_output){.logits = o->logits + (size_t)first * model->classes,
                                      .lif_spikes = o->lif_spikes,
                                      .site_ac = o->site_ac,
                                      .potentials = o->potentials};
}

/* One image's part of the sums. */
static void add_image(struct qsv_record *r, uint32_t i, const struct qsv_score *trial,
                      const struct qsv_score *baseline, double kl)
{
    double diff = trial->loss - baseline->loss;
    r->n_top1 += trial->top1;
    r->n_top5 += trial->top5;
    r->n_only_trial += trial->top1 && !baseline->top1;
    r->n_only_baseline += baseline->top1 && !trial->top1;
    r->loss_sum += trial->loss;
    r->loss_diff_sum += diff;
    r->loss_diff_square_sum += diff * diff;
    r->kl_sum += kl;
    r->kl_square_sum += kl * kl;
    if (trial->top1)
        r->correct[i / 8] |= (uint8_t)(1 << i % 8);
}

static void add_images(struct qsv_record *r, const struct qsv_outcome *trial,
                       const struct qsv_outcome *baseline, const uint32_t *labels, uint32_t classes)
{
    for (uint32_t i = 0; i < trial->n_images; i++) {
        const float *mine = trial->logits + (size_t)i * classes;
        const float *theirs = baseline->logits + (size_t)i * classes;
        struct qsv_score a, b;
        qsv_score(&a, mine, classes, labels[i]);
        qsv_score(&b, theirs, classes, labels[i]);
        add_image(r, i, &a, &b, trial == baseline ? 0 : qsv_score_kl(theirs, mine, classes));
        if (r->label) {
            r->label[i] = (uint16_t)labels[i];
            r->answer[i] = (uint16_t)a.answer;
            r->loss[i] = a.loss;
        }
    }
}

static void add_operations(struct qsv_record *r, const struct qsv_outcome *trial,
                           const struct qsv_record_shape *shape)
{
    for (uint32_t i = 0; i < shape->n_lifs; i++)
        r->lif_spikes[i] = trial->lif_spikes[i];
    for (uint32_t i = 0; i < shape->n_sites; i++) {
        r->site_ac[i] = trial->site_ac[i];
        r->ac_ops += trial->site_ac[i];
    }
    r->mac_ops = trial->mac_ops * trial->n_images;
}

static uint64_t distance(const int64_t *a, const int64_t *b, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
    return sum;
}

/* Potentials are in 1/256 of a unit, summed over images, time steps and pixels. */
static void add_drift(struct qsv_record *r, const struct qsv_outcome *trial,
                      const struct qsv_outcome *baseline, const struct qsv_model *model)
{
    const struct qsv_graph *g = &model->graph;
    size_t at = 0;
    double sum = 0;
    for (size_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_lif *lif = &g->lifs[i];
        double neurons = (double)lif->shape.c * lif->shape.h * lif->shape.w;
        r->lif_drift[i] = distance(trial->potentials + at, baseline->potentials + at, lif->shape.c);
        sum += (double)r->lif_drift[i] /
               (256.0 * (double)lif->v_th * trial->n_images * model->options.time_steps * neurons);
        at += lif->shape.c;
    }
    r->drift = g->n_lifs ? sum / (double)g->n_lifs : 0;
}

enum qsv_status qsv_outcome_record(struct qsv_record *r, const struct qsv_outcome *trial,
                                   const struct qsv_outcome *baseline, const uint32_t *labels,
                                   const struct qsv_model *model,
                                   const struct qsv_record_shape *shape, struct qsv_error *err)
{
    enum qsv_status st = qsv_record_init(r, shape, trial->n_images, trial == baseline, err);
    if (st)
        return st;
    add_images(r, trial, baseline, labels, model->classes);
    add_operations(r, trial, shape);
    add_drift(r, trial, baseline, model);
    return QSV_OK;
}
