#include "jobs/constraint.h"

#include <inttypes.h>
#include <math.h>

bool qsv_constraint_bounds_drop(const struct qsv_spec *spec)
{
    return !isnan(spec->constraint.max_top1_drop);
}

bool qsv_constraint_bounds_size(const struct qsv_spec *spec)
{
    return spec->constraint.max_bytes || spec->constraint.target_avg_bits > 0;
}

bool qsv_constraint_bounds_energy(const struct qsv_spec *spec)
{
    return spec->constraint.max_energy_pj > 0;
}

/* A NaN is no answer, so it meets nothing. */
static double excess(double value, double limit)
{
    if (value <= limit)
        return 0;
    return isnan(value) ? INFINITY : value - limit;
}

static double drop_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    if (!qsv_constraint_bounds_drop(spec))
        return 0;
    return excess(qsv_metrics_drop_bound(m), spec->constraint.max_top1_drop);
}

/* Of size and energy: as shares of their limits. */
static double size_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    const double bytes = (double)spec->constraint.max_bytes;
    const double bits = spec->constraint.target_avg_bits;
    return fmax(bytes > 0 ? excess((double)m->bytes.model_bytes / bytes, 1) : 0,
                bits > 0 ? excess(m->bytes.avg_bits / bits, 1) : 0);
}

static double energy_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    double limit = spec->constraint.max_energy_pj;
    return qsv_constraint_bounds_energy(spec) ? excess(m->energy.total_pj / limit, 1) : 0;
}

bool qsv_constraint_drop_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return drop_excess(spec, m) == 0;
}

bool qsv_constraint_size_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return size_excess(spec, m) == 0;
}

double qsv_constraint_bytes_over(const struct qsv_spec *spec, const struct qsv_bytes *b)
{
    const double bits = spec->constraint.target_avg_bits;
    double over = -INFINITY;
    if (spec->constraint.max_bytes)
        over = (double)b->model_bytes - (double)spec->constraint.max_bytes;
    if (bits > 0 && b->avg_bits > 0) {
        const double n_weights = rint(8 * (double)b->weights_bytes / b->avg_bits);
        over = fmax(over, (double)b->weights_bytes - bits * n_weights / 8);
    }
    return over;
}

bool qsv_constraint_energy_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return energy_excess(spec, m) == 0;
}

double qsv_constraint_violation(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    double drop = drop_excess(spec, m);
    if (drop > 0)
        drop /= fmax(spec->constraint.max_top1_drop, 1);
    return fmax(drop, fmax(size_excess(spec, m), energy_excess(spec, m)));
}

bool qsv_constraint_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return qsv_constraint_violation(spec, m) == 0;
}

bool qsv_constraint_holds(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return qsv_constraint_drop_met(spec, m) && qsv_constraint_energy_met(spec, m) &&
           (qsv_constraint_bounds_drop(spec) || qsv_constraint_size_met(spec, m));
}

/* What settings are compared by, the first that differs decides. */
static void criteria(const struct qsv_spec *spec, const struct qsv_metrics *m, double out[4])
{
    double bytes = (double)m->bytes.model_bytes, kl = qsv_metrics_kl(m);
    if (qsv_constraint_bounds_drop(spec)) {
        out[0] = drop_excess(spec, m);
        out[1] = energy_excess(spec, m);
        out[2] = bytes;
        out[3] = kl;
    } else {
        out[0] = fmax(size_excess(spec, m), energy_excess(spec, m));
        out[1] = kl;
        out[2] = bytes;
        out[3] = 0;
    }
}

int qsv_constraint_compare(const struct qsv_spec *spec, const struct qsv_metrics *a,
                           const struct qsv_metrics *b)
{
    double x[4], y[4];
    criteria(spec, a, x);
    criteria(spec, b, y);
    for (int i = 0; i < 4; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

void qsv_constraint_print(struct qsv_strbuf *out, const struct qsv_spec *spec)
{
    const char *comma = "";
    if (qsv_constraint_bounds_drop(spec)) {
        qsv_strbuf_printf(out, "top-1 drop at most %g points", spec->constraint.max_top1_drop);
        comma = ", ";
    }
    if (spec->constraint.max_bytes) {
        qsv_strbuf_printf(out, "%sat most %" PRIu64 " bytes", comma, spec->constraint.max_bytes);
        comma = ", ";
    }
    if (spec->constraint.target_avg_bits > 0) {
        qsv_strbuf_printf(out, "%sat most %g bits a weight", comma,
                          spec->constraint.target_avg_bits);
        comma = ", ";
    }
    if (qsv_constraint_bounds_energy(spec)) {
        qsv_strbuf_printf(out, "%sat most %g pJ an image", comma, spec->constraint.max_energy_pj);
        comma = ", ";
    }
    if (!*comma)
        qsv_strbuf_puts(out, "none");
}
