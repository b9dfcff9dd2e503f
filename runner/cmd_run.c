#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "jobs/nearest.h"
#include "runner/commands.h"
#include "runner/inputs.h"
#include "runner/stop.h"
#include "runner/sweep.h"
#include "runner/transport_mpi.h"
#include "runner/verdict.h"
#include "schedulers/cores.h"
#include "schedulers/launcher.h"
#include "schedulers/local.h"

struct values {
    const char *spec, *run, *paths_from, *launcher, *status_file;
    uint64_t ranks, threads;
    bool fresh, dry_run;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "SPEC", 0, NULL, offsetof(struct values, spec), false, "cluster.yaml", 0,
     "the sweep's spec (qsvit help spec)"},
    {QSV_OPTION_TEXT, "run", 0, "FOLDER", offsetof(struct values, run), false, NULL, 0,
     "the run's folder, in place of the spec's"},
    {QSV_OPTION_TEXT, "paths-from", 0, "FOLDER", offsetof(struct values, paths_from), false, NULL,
     0, "where the spec's relative paths are taken from, in place of its own folder"},
    {QSV_OPTION_TEXT, "launcher", 0, "NAME", offsetof(struct values, launcher), false, NULL, 0,
     "local, srun or mpirun, in place of the spec's"},
    {QSV_OPTION_COUNT, "ranks", 0, "N", offsetof(struct values, ranks), false, NULL, 65536,
     "MPI ranks to start, in place of the spec's; one coordinates, 1 does everything itself"},
    {QSV_OPTION_COUNT, "threads", 0, "N", offsetof(struct values, threads), false, NULL, 1024,
     "threads of each rank, in place of the spec's"},
    {QSV_OPTION_FLAG, "fresh", 0, NULL, offsetof(struct values, fresh), false, NULL, 0,
     "start over: what is in the run's folder is moved to <run>.old-<n>"},
    {QSV_OPTION_FLAG, "dry-run", 0, NULL, offsetof(struct values, dry_run), false, NULL, 0,
     "check everything that the spec names, say what would be done, evaluate nothing"},
    {QSV_OPTION_TEXT, "status-file", 0, "FILE", offsetof(struct values, status_file), false, NULL,
     0, "for scripts: write the exit status there; a launcher has one of its own"},
    {.type = QSV_OPTION_END},
};

/* Rank 0 knows how it ends; what the user has to mend is found by every rank, and the first of them
 * has the others killed. */
static void note_end(const struct values *v, uint32_t rank, enum qsv_status st)
{
    int exit_status = qsv_status_exit(st);
    if (rank == 0 || exit_status == qsv_status_exit(QSV_EINPUT))
        qsv_verdict_note(v->status_file, exit_status);
}

static char *join_arguments(int argc, char **argv)
{
    struct qsv_strbuf b = {0};
    for (int i = 0; i < argc; i++)
        qsv_strbuf_printf(&b, "%s%s", i ? " " : "", argv[i]);
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}

static char *name_libraries(bool mpi)
{
    struct qsv_strbuf b = {0};
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    if (mpi)
        qsv_strbuf_printf(&b, "%s, ", qsv_mpi_library());
    qsv_strbuf_printf(&b, "HDF5 %u.%u.%u", major, minor, release);
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}

static enum qsv_status replace_text(char **field, const char *text, struct qsv_error *err)
{
    char *copy = text ? qsv_strdup(text) : NULL;
    if (!text)
        return QSV_OK;
    if (!copy)
        return qsv_fail_memory(err, text);
    free(*field);
    *field = copy;
    return QSV_OK;
}

static enum qsv_status read_spec(struct qsv_spec **out, const struct values *v,
                                 struct qsv_error *err)
{
    enum qsv_status st = qsv_spec_read_from(out, v->spec, v->paths_from, err);
    if (st)
        return st;
    if (v->ranks)
        (*out)->ranks = (uint32_t)v->ranks;
    if (v->threads)
        (*out)->threads = (uint32_t)v->threads;
    st = replace_text(&(*out)->run, v->run, err);
    if (!st)
        st = replace_text(&(*out)->scheduler.launcher, v->launcher, err);
    if (st) {
        qsv_spec_destroy(*out);
        *out = NULL;
    }
    return st;
}

static enum qsv_status launch(const struct qsv_spec *spec, const struct qsv_invocation *in,
                              struct qsv_error *err)
{
    const struct qsv_launcher *launcher = qsv_launcher_find(spec->scheduler.launcher);
    const struct qsv_launch how = {spec->ranks, qsv_spec_cores(spec), in->argv, &spec->scheduler};
    if (!launcher)
        return qsv_spec_fail(spec, "scheduler.launcher", err, "found '%s', expected one of: %s%s",
                             spec->scheduler.launcher, qsv_launcher_names(),
                             qsv_suggest(spec->scheduler.launcher, qsv_launcher_names()).text);
    return launcher->run(&how, err);
}

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

static enum qsv_status take_part(struct qsv_sweep *s, const struct qsv_rank_info *info,
                                 const struct values *v, struct qsv_error *err)
{
    bool stuck = false;
    enum qsv_status st = check_size(info, s->transport, err);
    if (st)
        return st;
    if (s->transport->rank == 0)
        qsv_verdict_begin(v->status_file);
    /* Behind MPI_Init, which has handlers of its own. */
    s->stop = watch_signals(s->transport->rank == 0);
    if (s->transport->size == 1) {
        s->transport = NULL;
        return qsv_sweep_alone(s, err);
    }
    if (s->transport->rank == 0)
        st = qsv_sweep_coordinate(s, &stuck, err);
    else if ((st = qsv_sweep_work(s, err)))
        stuck = true;
    note_end(v, info->rank, st);
    if (stuck)
        abort_all(st, err);
    return st;
}

static enum qsv_status run_ranks(struct qsv_sweep *s, const struct qsv_rank_info *info,
                                 const struct values *v, struct qsv_error *err)
{
    struct qsv_transport *mpi;
    qsv_stop_on_signals(); /* one may come while MPI begins */
    enum qsv_status st = check_launcher(info, err);
    if (!st)
        st = qsv_mpi_begin(&mpi, err);
    if (st)
        return st;
    char *libraries = name_libraries(true);
    s->libraries = libraries;
    s->transport = mpi;
    st = take_part(s, info, v, err);
    if (!qsv_mpi_end(mpi, s->clock, mpi->rank == 0 ? longest_end_s : INFINITY))
        abort_all(st, err);
    free(libraries);
    return st;
}

static enum qsv_status run_alone(struct qsv_sweep *s, struct qsv_error *err)
{
    char *libraries = name_libraries(false);
    s->libraries = libraries;
    s->stop = watch_signals(true);
    enum qsv_status st = qsv_sweep_alone(s, err);
    free(libraries);
    return st;
}

static void describe_places(const struct qsv_spec *spec, struct qsv_strbuf *out)
{
    const bool here = !strcmp(spec->scheduler.launcher, "local");
    uint32_t ranks = spec->ranks;
    if (!ranks && here)
        ranks = qsv_local_ranks(qsv_cores_available(), qsv_spec_cores(spec));
    qsv_strbuf_puts(out, "ranks      ");
    if (ranks > 1)
        qsv_strbuf_printf(out, "%u, of which one coordinates", ranks);
    else
        qsv_strbuf_puts(out, ranks ? "1" : "as many as the launcher starts");
    qsv_strbuf_printf(out, "; each computes with %u thread%s\n", spec->threads,
                      spec->threads == 1 ? "" : "s");
}

static enum qsv_status dry_run(const struct qsv_spec *spec, FILE *out, struct qsv_error *err)
{
    struct qsv_inputs in;
    enum qsv_status st = qsv_inputs_load(&in, spec, err);
    if (st)
        return st;
    struct qsv_strbuf text = {0};
    qsv_inputs_describe(&in, &text);
    describe_places(spec, &text);
    qsv_inputs_fini(&in);
    return qsv_print(out, &text, err);
}

static enum qsv_status run_spec(struct qsv_spec *spec, const struct qsv_invocation *in,
                                struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_rank_info info = qsv_rank_info_read();
    struct qsv_sweep sweep = {.spec = spec,
                              .fresh = v->fresh,
                              .clock = &qsv_clock_system,
                              .out = in->out,
                              .log = stderr,
                              .terminal = isatty(STDERR_FILENO)};
    if (v->dry_run)
        return info.rank == 0 ? dry_run(spec, in->out, err) : QSV_OK;
    if (!info.launched && spec->ranks != 1)
        return launch(spec, in, err);
    char *command_line = join_arguments(in->argc, in->argv);
    sweep.command_line = command_line;
    enum qsv_status st = info.launched ? run_ranks(&sweep, &info, v, err) : run_alone(&sweep, err);
    free(command_line);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    struct qsv_spec *spec;
    enum qsv_status st = read_spec(&spec, in->values, err);
    if (!st) {
        st = run_spec(spec, in, err);
        qsv_spec_destroy(spec);
    }
    note_end(in->values, qsv_rank_info_read().rank, st);
    return st;
}

const struct qsv_command qsv_cmd_run = {
    .name = "run",
    .summary = "Runs a sweep, or goes on with one",
    .synopsis = "[SPEC] [--run FOLDER] [--ranks N] [--threads N]\n    [--launcher NAME] [--fresh] "
                "[--dry-run]",
    .details = "Searches for the cheapest setting within the spec's constraint, writes the\n"
               "selected network and prints a summary. Starts mpirun itself where no MPI\n"
               "launcher has started it.\n"
               "\n"
               "What is recorded in the run's folder is not evaluated again: after an\n"
               "interruption the same command goes on. Ends with status 75 when it was asked\n"
               "to stop (INT, TERM, USR1) or a rank was lost, 3 where no setting meets the\n"
               "constraint.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
