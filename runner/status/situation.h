/* What is to be known of a run beside its records: its job in the queue, what the coordinator has
 * said of itself lately, how it ended, what went wrong last. Can be asked on any machine that sees
 * the run's folder.
 */
#ifndef QSV_SITUATION_H
#define QSV_SITUATION_H

#include <stdbool.h>

#include "runner/status/live.h"
#include "schedulers/slurm.h"

struct qsv_situation {
    bool submitted; /* a job was noted */
    struct qsv_slurm_job job;
    char no_queue[256]; /* why the queue can't be asked; "": it was */
    bool goes_on;       /* somebody holds the run */
    bool has_live;
    struct qsv_live live; /* where it goes on */
    double age_s;         /* of live */
    bool ended;
    int status;              /* where the job's script has come to its end */
    struct qsv_strbuf error; /* a line of its log; none: "" */
};

/* Whatever can't be found out stays empty. */
void qsv_situation_find(struct qsv_situation *s, const char *run_folder);
void qsv_situation_fini(struct qsv_situation *s);

/* As lines; nothing for a run without a job that does not go on. */
void qsv_situation_print(const struct qsv_situation *s, struct qsv_strbuf *out);
/* Into a JSON object that stands in *text already, or "" for none. */
enum qsv_status qsv_situation_add_json(const struct qsv_situation *s, const char *run_folder,
                                       struct qsv_strbuf *text, struct qsv_error *err);

#endif
