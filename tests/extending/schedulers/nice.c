/* mpirun at the lowest priority: for a machine that somebody works at. */
#include "schedulers/launcher.h"

static void words(struct qsv_words *out, const struct qsv_launch *launch)
{
    static const char *const nice[] = {"nice", "-n", "19", NULL};
    qsv_words_add_list(out, nice);
    qsv_launcher_mpirun.words(out, launch);
}

static enum qsv_status run(const struct qsv_launch *launch, struct qsv_error *err)
{
    return qsv_launcher_become(&qsv_launcher_nice, launch, err);
}

const struct qsv_launcher qsv_launcher_nice = {
    .name = "nice",
    .summary = "mpirun, at the lowest priority",
    .run = run,
    .words = words,
};
