#include "results/figures.h"

#include <math.h>

#include "results/view.h"

double qsv_saved(double now, double before)
{
    return 100.0 * (before - now) / before;
}

static void add_energy(struct qsv_energy *sum, const struct qsv_energy *e)
{
    sum->compute_pj += e->compute_pj;
    sum->sram_pj += e->sram_pj;
    sum->dram_pj += e->dram_pj;
    sum->total_pj += e->total_pj;
}

static struct qsv_energy divide(struct qsv_energy e, double n)
{
    return (struct qsv_energy){e.compute_pj / n, e.sram_pj / n, e.dram_pj / n, e.total_pj / n};
}

/* Energy is compared on the shards that the baseline is recorded on too. */
static double energy_saved(const struct qsv_ledger *l, const struct qsv_view_trial *t,
                           enum qsv_image_set set)
{
    double own = 0, baseline = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct qsv_evaluation *e = t->evaluations[i];
        const struct qsv_evaluation *b =
            e->set == set ? qsv_ledger_evaluation(l, l->baseline, e->record.shard) : NULL;
        if (!b)
            continue;
        own += e->energy.total_pj;
        baseline += b->energy.total_pj;
    }
    return baseline > 0 ? qsv_saved(own, baseline) : NAN;
}

static struct qsv_figures figures_of(const struct qsv_ledger *l, const struct qsv_view_trial *t,
                                     enum qsv_image_set set)
{
    struct qsv_figures f = {.metrics = {.trial_id = t->row->id, .bytes = t->row->bytes}};
    struct qsv_energy energy = {0};
    for (size_t i = 0; i < t->n; i++) {
        if (t->evaluations[i]->set != set)
            continue;
        qsv_metrics_add(&f.metrics, &t->evaluations[i]->record);
        add_energy(&energy, &t->evaluations[i]->energy);
    }
    uint64_t n = f.metrics.n_images;
    f.metrics.energy = divide(energy, n ? (double)n : NAN);
    f.energy_saved = energy_saved(l, t, set);
    f.all_images = n && n == (set == QSV_JUDGE ? l->partition.n_judge : l->partition.n_decide);
    return f;
}

void qsv_figures_compute(struct qsv_figures figures[2], const struct qsv_ledger *l,
                         const struct qsv_view_trial *trial)
{
    figures[QSV_JUDGE] = figures_of(l, trial, QSV_JUDGE);
    figures[QSV_DECIDE] = figures_of(l, trial, QSV_DECIDE);
}

enum qsv_image_set qsv_figures_shown(const struct qsv_figures figures[2])
{
    const struct qsv_figures *judge = &figures[QSV_JUDGE], *decide = &figures[QSV_DECIDE];
    bool judged = judge->all_images || judge->metrics.n_images >= decide->metrics.n_images;
    return judged ? QSV_JUDGE : QSV_DECIDE;
}

double qsv_lif_samples(const struct qsv_ledger *l, uint32_t lif, uint64_t n_images)
{
    const struct qsv_lif_row *row = &l->lifs[lif];
    return (double)row->channels * row->height * row->width * l->time_steps * (double)n_images;
}
