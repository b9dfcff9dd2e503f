#include "runner/transport/ranks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "runner/base/stop.h"
#include "runner/transport/transport_mpi.h"

/* A launcher that kills all when one fails is to find the one first that says why. */
static const double speaker_first_s = 1;

/* Without PMIx, or another MPI's launcher: rank 0 alone says so. */
static enum qsv_status fail_apart(const struct qsv_rank_info *info, int mpi_ranks,
                                  struct qsv_error *err)
{
    struct qsv_strbuf found = {0};
    if (mpi_ranks)
        qsv_strbuf_printf(&found, ", but MPI knows of %d", mpi_ranks);
    qsv_fail(err, QSV_EUSAGE,
             "the launcher has started %u programs%s: they are no ranks of one job, because the "
             "launcher and this MPI do not find each other; with srun set scheduler.mpi to pmix "
             "(srun --mpi=pmix), or scheduler.launcher to mpirun",
             info->ranks, found.len ? found.text : "");
    qsv_strbuf_fini(&found);
    if (info->rank != 0) {
        if (err)
            *err->text = '\0';
        qsv_clock_nap_s(speaker_first_s);
    }
    return QSV_EUSAGE;
}

/* What can be told before MPI begins, which ends the program itself where it can't. */
static enum qsv_status check_launcher(const struct qsv_rank_info *info, struct qsv_error *err)
{
    if (info->way == QSV_WAY_NONE && info->ranks > 1)
        return fail_apart(info, 0, err);
    if (info->way == QSV_WAY_PMI && info->rank == 0)
        fputs("qsvit: started through PMI; an Open MPI that was built without it ends here: "
              "then set scheduler.mpi to pmix (srun --mpi=pmix)\n",
              stderr);
    return QSV_OK;
}

static enum qsv_status check_size(const struct qsv_rank_info *info, const struct qsv_transport *t,
                                  struct qsv_error *err)
{
    if (info->ranks == 0 || info->ranks == (uint32_t)t->size)
        return QSV_OK;
    return fail_apart(info, t->size, err);
}

/* Of a stop. What is left of the ten seconds in which all must be over is for the launcher. */
enum { LONGEST_STOP_S = 8 };
/* Rank 0 decides that a rank hangs; the others wait for it. */
static const double longest_end_s = 30;

static const volatile sig_atomic_t *watch_signals(bool tells)
{
    const volatile sig_atomic_t *stop = qsv_stop_on_signals();
    qsv_stop_within(LONGEST_STOP_S, qsv_status_exit(QSV_ESTOPPED),
                    tells ? "qsvit: stopped in the middle of something long; the same command goes "
                            "on\n"
                          : NULL);
    return stop;
}

static _Noreturn void abort_all(enum qsv_status st, const struct qsv_error *err)
{
    if (st)
        fprintf(stderr, "qsvit: %s\n", err->text);
    fflush(NULL);
    qsv_mpi_abort(qsv_status_exit(st));
}

static enum qsv_status run_mpi(const struct qsv_rank_info *info, qsv_ranks_work *work,
                               void *context, struct qsv_error *err)
{
    struct qsv_transport *mpi;
    qsv_stop_on_signals(); /* one may come while MPI begins */
    enum qsv_status st = check_launcher(info, err);
    if (!st)
        st = qsv_mpi_begin(&mpi, err);
    if (st)
        return st;
    struct qsv_ranks r = {true, mpi->size > 1 ? mpi : NULL, &qsv_clock_system, NULL, false};
    st = check_size(info, mpi, err);
    if (!st) {
        r.stop = watch_signals(mpi->rank == 0); /* behind MPI_Init, which has handlers of its own */
        st = work(&r, context, err);
    }
    if (r.stuck || !qsv_mpi_end(mpi, r.clock, mpi->rank == 0 ? longest_end_s : INFINITY))
        abort_all(st, err);
    return st;
}

enum qsv_status qsv_ranks_run(const struct qsv_rank_info *info, qsv_ranks_work *work, void *context,
                              struct qsv_error *err)
{
    if (info->launched)
        return run_mpi(info, work, context, err);
    struct qsv_ranks r = {false, NULL, &qsv_clock_system, watch_signals(true), false};
    return work(&r, context, err);
}
