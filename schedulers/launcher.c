#define _GNU_SOURCE
#include "schedulers/launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schedulers/handover.h"
#include "schedulers/program.h"

#define LAUNCHER(name) &qsv_launcher_##name,
const struct qsv_launcher *const qsv_launchers[] = {
#include "schedulers/launchers.inc"
    NULL,
};
#undef LAUNCHER

#define LAUNCHER(name) ", " #name
static const char names[] =
#include "schedulers/launchers.inc"
    ;
#undef LAUNCHER

const char *qsv_launcher_names(void)
{
    return names + 2;
}

const struct qsv_launcher *qsv_launcher_find(const char *name)
{
    for (size_t i = 0; qsv_launchers[i]; i++)
        if (!strcmp(qsv_launchers[i]->name, name))
            return qsv_launchers[i];
    return NULL;
}

enum qsv_status qsv_launcher_become(const struct qsv_launcher *l, const struct qsv_launch *launch,
                                    struct qsv_error *err)
{
    struct qsv_words words = {0};
    char *program;
    enum qsv_status st = qsv_program_path(&program, err);
    if (st)
        return st;
    l->words(&words, launch);
    qsv_words_add(&words, program);
    for (size_t i = 1; launch->argv[0] && launch->argv[i]; i++)
        qsv_words_add(&words, launch->argv[i]);
    if (words.failed) {
        st = qsv_fail_memory(err, "the launcher's command line");
    } else {
        execvp(words.list[0], words.list);
        st = qsv_fail(err, QSV_EFAILED, "cannot start %s: %s", words.list[0], strerror(errno));
    }
    free(program);
    qsv_words_fini(&words);
    return st;
}

/* A number in the environment; false where there is none of that name, or it is no number. */
static bool read_number(const char *name, uint32_t *value)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long v = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || v > UINT32_MAX)
        return false;
    *value = (uint32_t)v;
    return true;
}

struct qsv_rank_info qsv_rank_info_read(void)
{
    /* Open MPI's own, then what PMIx, PMI and Slurm tell any MPI. */
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMI_SIZE"};
    struct qsv_rank_info info = {0};
    static const enum qsv_way ways[] = {QSV_WAY_MPI, QSV_WAY_MPI, QSV_WAY_PMI};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks && !info.launched; i++) {
        info.launched = read_number(ranks[i], &info.rank);
        info.way = info.launched ? ways[i] : QSV_WAY_NONE;
    }
    /* A shell that srun started has a step of one task: that is no launch of ours. */
    uint32_t tasks = 0;
    if (!info.launched && read_number("SLURM_STEP_NUM_TASKS", &tasks) && tasks > 1)
        info.launched = read_number("SLURM_PROCID", &info.rank);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && info.launched && !info.ranks; i++)
        read_number(sizes[i], &info.ranks);
    return info;
}

void qsv_launcher_take_output(void)
{
    const char *name = getenv(QSV_HANDOVER_VARIABLE);
    struct qsv_rank_info info = qsv_rank_info_read();
    if (!name || !info.launched || info.rank != 0 || !qsv_handover_take(name))
        return;
    unsetenv(QSV_HANDOVER_VARIABLE);
    /* Ranks are in a process group of their own: with `stty tostop` writing would stop this one. */
    signal(SIGTTOU, SIG_IGN);
}
