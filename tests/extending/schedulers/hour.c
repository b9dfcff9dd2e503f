/* mpirun for an hour: then the sweep is asked to stop, ends with 75, and goes on when it is started
 * again. */
#include "schedulers/launcher.h"

static void words(struct qsv_words *out, const struct qsv_launch *launch)
{
    static const char *const within[] = {"timeout",       "--foreground", "--preserve-status",
                                         "--signal=USR1", "1h",           NULL};
    qsv_words_add_list(out, within);
    qsv_launcher_mpirun.words(out, launch);
}

static enum qsv_status run(const struct qsv_launch *launch, struct qsv_error *err)
{
    return qsv_launcher_become(&qsv_launcher_hour, launch, err);
}

const struct qsv_launcher qsv_launcher_hour = {
    .name = "hour",
    .summary = "mpirun, for an hour",
    .run = run,
    .words = words,
};
