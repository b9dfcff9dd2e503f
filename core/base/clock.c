#include "core/base/clock.h"

#include <errno.h>
#include <time.h>

static double read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double qsv_clock_monotonic_s(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double qsv_clock_unix_s(void)
{
    return read_clock(CLOCK_REALTIME);
}

double qsv_clock_thread_s(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void qsv_clock_nap_s(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

void qsv_clock_utc(double unix_s, char buf[24])
{
    /* also what a damaged file calls a time */
    time_t t = unix_s >= -62135596800.0 && unix_s < 253402300800.0 ? (time_t)unix_s : 0;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(buf, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
