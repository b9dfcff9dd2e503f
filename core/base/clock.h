/* Time: monotonic for durations, unix for records, a thread's for work on cores that others use. */
#ifndef QSV_CLOCK_H
#define QSV_CLOCK_H

double qsv_clock_monotonic_s(void);
double qsv_clock_unix_s(void);
double qsv_clock_thread_s(void); /* processor time of the calling thread */
void qsv_clock_nap_s(double seconds);

/* "2026-01-31T12:00:00Z" into buf. */
void qsv_clock_utc(double unix_s, char buf[24]);

#endif
