#include "jobs/metrics.h"

#include <math.h>

void qsv_metrics_add(struct qsv_metrics *m, const struct qsv_record *r)
{
    m->trial_id = r->trial_id;
    m->n_images += r->n_images;
    m->n_top1 += r->n_top1;
    m->n_top5 += r->n_top5;
    m->n_only_trial += r->n_only_trial;
    m->n_only_baseline += r->n_only_baseline;
    m->loss_sum += r->loss_sum;
    m->loss_diff_sum += r->loss_diff_sum;
    m->loss_diff_square_sum += r->loss_diff_square_sum;
    m->kl_sum += r->kl_sum;
    m->kl_square_sum += r->kl_square_sum;
    m->ac_ops += r->ac_ops;
    m->mac_ops += r->mac_ops;
    m->drift_sum += r->drift * r->n_images;
    m->wall_s += r->wall_s;
}

static double per_cent(uint64_t part, uint64_t whole)
{
    return 100.0 * (double)part / (double)whole;
}

double qsv_metrics_top1(const struct qsv_metrics *m)
{
    return per_cent(m->n_top1, m->n_images);
}

double qsv_metrics_top5(const struct qsv_metrics *m)
{
    return per_cent(m->n_top5, m->n_images);
}

double qsv_metrics_top1_drop(const struct qsv_metrics *m)
{
    return 100.0 * ((double)m->n_only_baseline - (double)m->n_only_trial) / (double)m->n_images;
}

double qsv_metrics_drop_error(const struct qsv_metrics *m)
{
    const double n = (double)m->n_images;
    const double lost = (double)m->n_only_baseline, won = (double)m->n_only_trial;
    return 100 * sqrt(lost + won - (lost - won) * (lost - won) / n) / n;
}

double qsv_metrics_drop_bound(const struct qsv_metrics *m)
{
    return (qsv_metrics_top1_drop(m) + m->caution.margin * qsv_metrics_drop_error(m)) /
           (1 - m->caution.reserve);
}

double qsv_metrics_loss(const struct qsv_metrics *m)
{
    return m->loss_sum / (double)m->n_images;
}

double qsv_metrics_kl(const struct qsv_metrics *m)
{
    return m->kl_sum / (double)m->n_images;
}

double qsv_metrics_kl_error(const struct qsv_metrics *m)
{
    if (m->n_images < 2)
        return NAN;
    double n = (double)m->n_images;
    double variance = (m->kl_square_sum - m->kl_sum * m->kl_sum / n) / (n - 1);
    return variance < 0 ? 0 : sqrt(variance / n); /* below 0: rounding */
}

double qsv_metrics_drift(const struct qsv_metrics *m)
{
    return m->drift_sum / (double)m->n_images;
}

void qsv_metrics_drop_interval(const struct qsv_metrics *m, double *low, double *high)
{
    const double z = 1.959963984540054; /* 97.5 % of the normal distribution */
    double lost = (double)m->n_only_baseline + 0.5, won = (double)m->n_only_trial + 0.5;
    double n = (double)m->n_images + 2;
    double drop = (lost - won) / n;
    double half = z * sqrt(lost + won - (lost - won) * (lost - won) / n) / n;
    *low = 100 * fmax(drop - half, -1);
    *high = 100 * fmin(drop + half, 1);
}
