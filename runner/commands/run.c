#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "jobs/nearest.h"
#include "runner/program/commands.h"
#include "runner/forecast/dry_run.h"
#include "runner/inputs/inputs.h"
#include "runner/transport/ranks.h"
#include "runner/base/stop.h"
#include "runner/search/sweep.h"
#include "runner/transport/transport_mpi.h"
#include "runner/base/verdict.h"
#include "schedulers/launcher.h"

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
     "check everything that the spec names, say what would be done, how long it takes (forecast "
     "from a short measurement) and how much memory; evaluate nothing"},
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

static enum qsv_status take_part(struct qsv_sweep *s, struct qsv_ranks *r, struct qsv_error *err)
{
    s->transport = r->transport;
    s->clock = r->clock;
    s->stop = r->stop;
    if (!r->transport)
        return qsv_sweep_alone(s, err);
    if (r->transport->rank == 0)
        return qsv_sweep_coordinate(s, &r->stuck, err);
    enum qsv_status st = qsv_sweep_work(s, err);
    r->stuck = st != QSV_OK;
    return st;
}

/* A run's part in it. */
struct part {
    struct qsv_sweep *sweep;
    const struct values *values;
    uint32_t rank;
};

static enum qsv_status work(struct qsv_ranks *r, void *context, struct qsv_error *err)
{
    struct part *p = context;
    char *libraries = name_libraries(r->mpi);
    p->sweep->libraries = libraries;
    if (r->mpi && p->rank == 0)
        qsv_verdict_begin(p->values->status_file);
    enum qsv_status st = take_part(p->sweep, r, err);
    if (r->transport)
        note_end(p->values, p->rank, st);
    free(libraries);
    return st;
}

static enum qsv_status run_spec(struct qsv_spec *spec, const struct qsv_invocation *in,
                                struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_rank_info info = qsv_rank_info_read();
    struct qsv_sweep sweep = {.spec = spec,
                              .fresh = v->fresh,
                              .out = in->out,
                              .log = stderr,
                              .terminal = isatty(STDERR_FILENO)};
    if (v->dry_run)
        return info.rank == 0 ? qsv_dry_run(spec, in->out, err) : QSV_OK;
    if (!info.launched && spec->ranks != 1)
        return launch(spec, in, err);
    char *command_line = join_arguments(in->argc, in->argv);
    sweep.command_line = command_line;
    struct part part = {&sweep, v, info.rank};
    enum qsv_status st = qsv_ranks_run(&info, work, &part, err);
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
