#include "runner/base/pace.h"

#include <stddef.h>

#include "core/base/clock.h"

static const double first_nap_s = 20e-6, longest_nap_s = 4e-3, growth = 1.5;

static double system_now_s(void *context)
{
    (void)context;
    return qsv_clock_monotonic_s();
}

static double system_unix_s(void *context)
{
    (void)context;
    return qsv_clock_unix_s();
}

static void system_nap(void *context, double seconds)
{
    (void)context;
    qsv_clock_nap_s(seconds);
}

const struct qsv_clock qsv_clock_system = {NULL, system_now_s, system_unix_s, system_nap};

void qsv_wait_reset(struct qsv_wait *w)
{
    w->nap_s = 0;
}

void qsv_wait_nap(struct qsv_wait *w, const struct qsv_clock *clock)
{
    w->nap_s = w->nap_s > 0 ? w->nap_s * growth : first_nap_s;
    if (w->nap_s > longest_nap_s)
        w->nap_s = longest_nap_s;
    clock->nap(clock->context, w->nap_s);
}
