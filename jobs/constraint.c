#include "jobs/constraint.h"

#include <inttypes.h>
#include <math.h>

bool qsv_constraint_bounds_drop(const struct qsv_spec *spec)
{
    return !isnan(spec->constraint.max_top1_drop);
}

bool qsv_constraint_bounds_energy(const struct qsv_spec *spec)
{
    return spec->constraint.max_energy_pj > 0;
}

/* A NaN is no answer, so it meets nothing. */
static double excess(double value, double limit, double unit)
{
    if (value <= limit)
        return 0;
    return isnan(value) ? INFINITY : (value - limit) / unit;
}

static double drop_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    double limit = spec->constraint.max_top1_drop;
    if (!qsv_constraint_bounds_drop(spec))
        return 0;
    return excess(qsv_metrics_top1_drop(m), limit, fmax(limit, 1));
}

static double bytes_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    double limit = (double)spec->constraint.max_bytes;
    return limit > 0 ? excess((double)m->bytes.model_bytes, limit, limit) : 0;
}

static double energy_excess(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    double limit = spec->constraint.max_energy_pj;
    return qsv_constraint_bounds_energy(spec) ? excess(m->energy.total_pj, limit, limit) : 0;
}

double qsv_constraint_violation(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return fmax(drop_excess(spec, m), fmax(bytes_excess(spec, m), energy_excess(spec, m)));
}

bool qsv_constraint_drop_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return drop_excess(spec, m) == 0;
}

bool qsv_constraint_bytes_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return bytes_excess(spec, m) == 0;
}

bool qsv_constraint_energy_met(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    return energy_excess(spec, m) == 0;
}

static int by_value(double a, double b)
{
    return (a > b) - (a < b);
}

int qsv_constraint_compare(const struct qsv_spec *spec, const struct qsv_metrics *a,
                           const struct qsv_metrics *b)
{
    int violation = by_value(qsv_constraint_violation(spec, a), qsv_constraint_violation(spec, b));
    int bytes = by_value((double)a->bytes.model_bytes, (double)b->bytes.model_bytes);
    int kl = by_value(qsv_metrics_kl(a), qsv_metrics_kl(b));
    if (violation)
        return violation;
    if (qsv_constraint_bounds_drop(spec))
        return bytes ? bytes : kl;
    return kl ? kl : bytes;
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
    if (qsv_constraint_bounds_energy(spec)) {
        qsv_strbuf_printf(out, "%sat most %g pJ an image", comma, spec->constraint.max_energy_pj);
        comma = ", ";
    }
    if (!*comma)
        qsv_strbuf_puts(out, "none");
}
