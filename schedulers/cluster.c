/* The launchers that reach other machines: srun in a Slurm job, and mpirun, in a job of any batch
 * system that it knows or with a list of hosts among its options.
 */
#include "schedulers/launcher.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* Blanks part an option from what belongs to it. */
static void add_option(struct qsv_words *out, const char *option)
{
    for (option += strspn(option, " "); *option; option += strspn(option, " ")) {
        size_t n = strcspn(option, " ");
        char *word = qsv_strndup(option, n);
        if (word)
            qsv_words_add(out, word);
        out->failed |= !word;
        free(word);
        option += n;
    }
}

static void add_options(struct qsv_words *out, const struct qsv_launch *launch)
{
    for (size_t i = 0; i < launch->how->launcher_options.n; i++)
        add_option(out, launch->how->launcher_options.v[i]);
}

/* Whether the spec's own options say where ranks are put: they count then. */
static bool are_placed(const struct qsv_launch *launch, const char *const *words)
{
    const struct qsv_spec_texts *given = &launch->how->launcher_options;
    for (size_t i = 0; i < given->n; i++)
        for (const char *const *w = words; *w; w++)
            if (strstr(given->v[i], *w))
                return true;
    return false;
}

/* Since Slurm 22.05 srun no longer takes over what sbatch was told of it. */
static void place_tasks(struct qsv_words *out, const struct qsv_launch *launch)
{
    static const char *const own[] = {"cpu-bind", NULL};
    if (launch->cores < 2)
        return;
    qsv_words_addf(out, "--cpus-per-task=%u", launch->cores);
    if (!are_placed(launch, own))
        qsv_words_add(out, "--cpu-bind=cores");
}

/* Without --kill-on-bad-exit a job whose rank died hangs until its time limit. */
static void srun_words(struct qsv_words *out, const struct qsv_launch *launch)
{
    qsv_words_add(out, "srun");
    qsv_words_addf(out, "--mpi=%s", launch->how->mpi);
    qsv_words_add(out, "--kill-on-bad-exit=1");
    if (launch->ranks)
        qsv_words_addf(out, "--ntasks=%u", launch->ranks);
    place_tasks(out, launch);
    add_options(out, launch);
}

/* By itself mpirun binds a rank to one core, whatever its threads. */
static void place_ranks(struct qsv_words *out, const struct qsv_launch *launch)
{
    static const char *const own[] = {"map-by", "bind-to", "rankfile", "-rf", "cpus-per", NULL};
    if (launch->cores < 2 || are_placed(launch, own))
        return;
    qsv_words_add(out, "--map-by");
    qsv_words_addf(out, "slot:PE=%u", launch->cores);
}

static void mpirun_words(struct qsv_words *out, const struct qsv_launch *launch)
{
    qsv_words_add(out, "mpirun");
    if (launch->ranks) {
        qsv_words_add(out, "-np");
        qsv_words_addf(out, "%u", launch->ranks);
    }
    place_ranks(out, launch);
    add_options(out, launch);
}

static enum qsv_status run_srun(const struct qsv_launch *launch, struct qsv_error *err)
{
    if (!getenv("SLURM_JOB_ID"))
        return qsv_fail(err, QSV_EUSAGE,
                        "scheduler.launcher is 'srun', but this is no Slurm job: hand the sweep to "
                        "Slurm with qsvit submit, or run it on this machine with --launcher local");
    return qsv_launcher_become(&qsv_launcher_srun, launch, err);
}

static enum qsv_status run_mpirun(const struct qsv_launch *launch, struct qsv_error *err)
{
    return qsv_launcher_become(&qsv_launcher_mpirun, launch, err);
}

const struct qsv_launcher qsv_launcher_srun = {
    .name = "srun",
    .summary = "srun, in a Slurm job",
    .run = run_srun,
    .words = srun_words,
};

const struct qsv_launcher qsv_launcher_mpirun = {
    .name = "mpirun",
    .summary = "mpirun, on the machines of a job or of a list of hosts",
    .run = run_mpirun,
    .words = mpirun_words,
};
