/* What of a results file follows from the records. People read it; this program does not. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "results/figures.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

static double mean(uint64_t sum, uint64_t n)
{
    return n ? (double)sum / (double)n : NAN;
}

/* Against itself the baseline has no drop, and no doubt about it. */
static void derive_interval(struct qsv_trial_file_row *row, const struct qsv_metrics *m)
{
    row->drop_low = row->drop_high = m->n_images ? 0 : NAN;
    if (m->n_images && !row->is_baseline)
        qsv_metrics_drop_interval(m, &row->drop_low, &row->drop_high);
}

void qsv_trial_derive(struct qsv_trial_file_row *row, const struct qsv_ledger *l,
                      const struct qsv_trial_row *trial, const struct qsv_figures figures[2],
                      enum qsv_image_set set)
{
    const struct qsv_recorded_search *search = qsv_ledger_search(l);
    const struct qsv_metrics *m = &figures[set].metrics;
    *row = (struct qsv_trial_file_row){
        .trial = *trial,
        .is_baseline = trial->id == l->baseline,
        .is_selected = search && trial->id == search->row.selected,
        .set = (uint8_t)set,
        .all_images = figures[set].all_images,
        .n_images = m->n_images,
        .only_trial = m->n_only_trial,
        .only_baseline = m->n_only_baseline,
        .ac_ops = mean(m->ac_ops, m->n_images),
        .mac_ops = mean(m->mac_ops, m->n_images),
        .top1 = qsv_metrics_top1(m),
        .top5 = qsv_metrics_top5(m),
        .top1_drop = qsv_metrics_top1_drop(m),
        .loss = qsv_metrics_loss(m),
        .kl = qsv_metrics_kl(m),
        .kl_error = qsv_metrics_kl_error(m),
        .drift = qsv_metrics_drift(m),
        .weights_saved =
            qsv_saved((double)trial->bytes.weights_bytes, (double)l->f32.weights_bytes),
        .model_saved = qsv_saved((double)trial->bytes.model_bytes, (double)l->f32.model_bytes),
        .energy_saved = figures[set].energy_saved,
        .energy = m->energy,
        .wall_s = m->wall_s,
    };
    derive_interval(row, m);
}

/* Sums over a trial's records on the images of its set. */
struct sums {
    uint64_t *lif_spikes, *lif_drift; /* [trial][lif] */
    uint64_t *site_ac;                /* [trial][site] */
    double *rates, *drift;            /* [trial][lif] */
};

static bool allocate(struct sums *s, size_t n, const struct qsv_record_shape *shape)
{
    size_t lifs, sites;
    if (!qsv_mul_size(n, shape->n_lifs, &lifs) || !qsv_mul_size(n, shape->n_sites, &sites))
        return false;
    s->lif_spikes = qsv_alloc(lifs, sizeof *s->lif_spikes);
    s->lif_drift = qsv_alloc(lifs, sizeof *s->lif_drift);
    s->site_ac = qsv_alloc(sites, sizeof *s->site_ac);
    s->rates = qsv_alloc(lifs, sizeof *s->rates);
    s->drift = qsv_alloc(lifs, sizeof *s->drift);
    return s->lif_spikes && s->lif_drift && s->site_ac && s->rates && s->drift;
}

static void free_sums(struct sums *s)
{
    free(s->lif_spikes);
    free(s->lif_drift);
    free(s->site_ac);
    free(s->rates);
    free(s->drift);
}

static void add(uint64_t *sum, const uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += v[i];
}

static void sum_trial(struct sums *s, size_t at, const struct qsv_record_shape *shape,
                      const struct qsv_view_trial *t, uint8_t set)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct qsv_record *r = &t->evaluations[i]->record;
        if (t->evaluations[i]->set != set)
            continue;
        add(s->lif_spikes + at * shape->n_lifs, r->lif_spikes, shape->n_lifs);
        add(s->lif_drift + at * shape->n_lifs, r->lif_drift, shape->n_lifs);
        add(s->site_ac + at * shape->n_sites, r->site_ac, shape->n_sites);
    }
}

/* A firing rate is spikes a neuron and time step; drift is in firing thresholds, the potentials
 * being recorded in 1/256. */
static void rate_trial(struct sums *s, size_t at, const struct qsv_ledger *l, uint64_t n_images)
{
    for (uint32_t i = 0; i < l->shape.n_lifs; i++) {
        size_t k = at * l->shape.n_lifs + i;
        double samples = qsv_lif_samples(l, i, n_images);
        s->rates[k] = (double)s->lif_spikes[k] / samples;
        s->drift[k] = (double)s->lif_drift[k] / 256 / samples / l->lifs[i].v_th;
    }
}

static enum qsv_status write_sums(hid_t file, const struct sums *s, const struct qsv_ledger *l,
                                  struct qsv_error *err)
{
    const struct {
        struct qsv_matrix matrix;
        uint32_t width;
        const void *data;
    } all[] = {
        {{"firing_rates", "[trial, lif] over the images of the trial's set",
          "spikes a neuron and time step", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE},
         l->shape.n_lifs,
         s->rates},
        {{"drift", "[trial, lif] membrane potentials against the baseline's (docs/metrics.md)",
          "firing thresholds", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE},
         l->shape.n_lifs,
         s->drift},
        {{"lif_spikes", "[trial, lif] over the images of the trial's set", "spikes", H5T_STD_U64LE,
          H5T_NATIVE_UINT64},
         l->shape.n_lifs,
         s->lif_spikes},
        {{"lif_drift", "[trial, lif] sums that /drift comes from", "1/256 of a potential",
          H5T_STD_U64LE, H5T_NATIVE_UINT64},
         l->shape.n_lifs,
         s->lif_drift},
        {{"site_ac", "[trial, site] over the images of the trial's set", "accumulates",
          H5T_STD_U64LE, H5T_NATIVE_UINT64},
         l->shape.n_sites,
         s->site_ac},
    };
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && !st; i++)
        st = qsv_matrix_write(file, &all[i].matrix, l->n_trials, all[i].width, all[i].data, err);
    return st;
}

enum qsv_status qsv_derived_write(hid_t file, const struct qsv_view *v, struct qsv_error *err)
{
    const struct qsv_ledger *l = v->ledger;
    struct sums sums = {0};
    struct qsv_trial_file_row *rows = qsv_alloc(l->n_trials, sizeof *rows);
    enum qsv_status st = QSV_OK;
    if (!rows || !allocate(&sums, l->n_trials, &l->shape))
        st = qsv_fail_memory(err, "figures of trials");
    for (size_t i = 0; i < l->n_trials && !st; i++) {
        struct qsv_figures figures[2];
        qsv_figures_compute(figures, l, &v->trials[i]);
        qsv_trial_derive(&rows[i], l, v->trials[i].row, figures, qsv_figures_shown(figures));
        sum_trial(&sums, i, &l->shape, &v->trials[i], rows[i].set);
        rate_trial(&sums, i, l, rows[i].n_images);
    }
    if (!st)
        st = qsv_table_write(file, &qsv_trial_table, rows, l->n_trials, true, err);
    if (!st)
        st = qsv_settings_write(file, l, rows, l->n_trials, true, err);
    if (!st)
        st = write_sums(file, &sums, l, err);
    free_sums(&sums);
    free(rows);
    return st;
}
