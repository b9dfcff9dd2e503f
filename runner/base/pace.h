/* Time as the coordinator and the workers see it, so that tests bring a clock of their own; and
 * waiting without spinning: MPI's blocking calls burn a core, naps that grow do not.
 */
#ifndef QSV_PACE_H
#define QSV_PACE_H

struct qsv_clock {
    void *context;
    double (*now_s)(void *context);  /* monotonic */
    double (*unix_s)(void *context); /* for records */
    void (*nap)(void *context, double seconds);
};

extern const struct qsv_clock qsv_clock_system;

/* A wait for something that comes in its own time: {0} to begin with. */
struct qsv_wait {
    double nap_s; /* the next nap; 0: not waiting */
};

/* Something came: the next nap is a short one. */
void qsv_wait_reset(struct qsv_wait *w);
/* Naps for tens of microseconds at first, half as long again each time, four milliseconds at most.
 */
void qsv_wait_nap(struct qsv_wait *w, const struct qsv_clock *clock);

#endif
