/* Who may hold a run's lock: a process of a host, told from a later one of the same number by when
 * it started, and by its pid namespace from one of another container; and the batch job it is part
 * of. As a line of text.
 */
#ifndef QSV_HOLDER_H
#define QSV_HOLDER_H

#include <stdbool.h>

enum { QSV_HOLDER_LINE = 320 }; /* bytes, with the NUL */

struct qsv_holder {
    char host[65], space[33];
    long pid; /* 0: the line could not be read */
    unsigned long long start_ticks;
    double since_unix_s;
    char job[33];  /* SLURM_JOB_ID; "-": none */
    long restarts; /* of the job */
};

void qsv_holder_of_self(struct qsv_holder *h);
void qsv_holder_format(char line[QSV_HOLDER_LINE], const struct qsv_holder *h);
bool qsv_holder_parse(struct qsv_holder *h, const char *line);

enum qsv_holder_fate {
    QSV_HOLDER_ALIVE,  /* its process runs on this host */
    QSV_HOLDER_DEAD,   /* its process was of this host and is gone, or its job was requeued since */
    QSV_HOLDER_UNKNOWN /* of another host or container, which can't be looked at from here */
};
enum qsv_holder_fate qsv_holder_fate(const struct qsv_holder *h);

#endif
