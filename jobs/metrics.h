/* A trial's metrics: its records added up, and what follows from them. */
#ifndef QSV_METRICS_H
#define QSV_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cost.h"
#include "jobs/record.h"

/* How much more than measured decisions take a drop for. All 0: as measured. */
struct qsv_caution {
    double margin;  /* standard errors of it, for chance */
    double reserve; /* share of the bound, below 1, for what images understate that the network has
                       learned from */
};

struct qsv_metrics {
    uint64_t trial_id;
    uint64_t n_images;
    uint64_t n_top1, n_top5, n_only_trial, n_only_baseline;
    double loss_sum, loss_diff_sum, loss_diff_square_sum, kl_sum, kl_square_sum;
    uint64_t ac_ops, mac_ops;
    double drift_sum; /* of records, each weighted by its images */
    double wall_s;
    struct qsv_caution caution;
    struct qsv_bytes bytes;
    struct qsv_energy energy;
};

/* Adds one record's sums; records must come by rising shard, so that float sums are the same in
 * every run. bytes and energy are left alone: core/cost.h fills them. */
void qsv_metrics_add(struct qsv_metrics *m, const struct qsv_record *r);

/* All of them NaN without images. */
double qsv_metrics_top1(const struct qsv_metrics *m); /* per cent */
double qsv_metrics_top5(const struct qsv_metrics *m); /* per cent */
double qsv_metrics_top1_drop(
    const struct qsv_metrics *m); /* percentage points below the baseline on the same images */
/* Its standard error, paired; 0 where no answer became right or wrong. */
double qsv_metrics_drop_error(const struct qsv_metrics *m);
/* What decisions compare with a bound, by the caution: (drop + margin x its standard error) /
 * (1 - reserve). */
double qsv_metrics_drop_bound(const struct qsv_metrics *m);
double qsv_metrics_loss(const struct qsv_metrics *m); /* mean, nats */
double qsv_metrics_kl(const struct qsv_metrics *m);   /* mean, nats */
/* Standard error of the mean; NaN below two images. */
double qsv_metrics_kl_error(const struct qsv_metrics *m);
double qsv_metrics_drift(const struct qsv_metrics *m);

/* 95 % interval of the drop in percentage points, paired: the Wald interval of a difference of
 * matched proportions after adding 1/2 to each cell of the 2x2 table (Agresti and Min, Statistics
 * in Medicine 24:729, 2005). */
void qsv_metrics_drop_interval(const struct qsv_metrics *m, double *low, double *high);

#endif
