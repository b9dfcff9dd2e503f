/* What a trial did on one set of images: its records added up, and what follows from them.
 */
#ifndef QSV_FIGURES_H
#define QSV_FIGURES_H

#include <stdbool.h>

#include "jobs/metrics.h"
#include "jobs/partition.h"

struct qsv_figures {
    struct qsv_metrics metrics; /* bytes and energy filled in; n_images 0: nothing measured */
    double energy_saved;        /* per cent below the baseline on the same images; NaN: unknown */
    bool all_images;            /* every image of the set is measured */
};

struct qsv_ledger;
struct qsv_view_trial;

/* figures [2], by enum qsv_image_set. */
void qsv_figures_compute(struct qsv_figures figures[2], const struct qsv_ledger *l,
                         const struct qsv_view_trial *trial);

/* The set whose figures speak for a trial: the judging images where all of them are measured, or at
 * least as many as of the deciding ones; else the deciding ones. */
enum qsv_image_set qsv_figures_shown(const struct qsv_figures figures[2]);

/* Per cent that `now` is below `before`. */
double qsv_saved(double now, double before);

/* Neurons x time steps x images of a LIF: its spikes over this are its firing rate. */
double qsv_lif_samples(const struct qsv_ledger *l, uint32_t lif, uint64_t n_images);

#endif
