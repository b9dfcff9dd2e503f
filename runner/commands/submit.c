#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "results/lock.h"
#include "runner/program/commands.h"
#include "runner/status/submission.h"
#include "schedulers/batch_script.h"
#include "schedulers/program.h"

struct values {
    const char *spec, *run;
    bool dry_run, rewrite;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_TEXT, "config", 'c', "SPEC", offsetof(struct values, spec), false, "cluster.yaml",
     0, "the sweep's spec (qsvit help spec)"},
    {QSV_OPTION_TEXT, "run", 0, "FOLDER", offsetof(struct values, run), false, NULL, 0,
     "the run's folder, in place of the spec's"},
    {QSV_OPTION_FLAG, "dry-run", 0, NULL, offsetof(struct values, dry_run), false, NULL, 0,
     "print the script and what Slurm says to it, submit nothing"},
    {QSV_OPTION_FLAG, "rewrite", 0, NULL, offsetof(struct values, rewrite), false, NULL, 0,
     "replace a script that was edited; it is kept as job.sh.old"},
    {.type = QSV_OPTION_END},
};

/* What is being submitted; paths are absolute. */
struct submission {
    struct qsv_spec *spec;
    char *program, *run, *folder;
    struct qsv_strbuf script;
    char *script_path;
};

static void fini(struct submission *s)
{
    qsv_spec_destroy(s->spec);
    free(s->program);
    free(s->run);
    free(s->folder);
    free(s->script_path);
    qsv_strbuf_fini(&s->script);
}

/* Of a path that need not exist. */
static char *make_absolute(const char *path)
{
    char *real = realpath(path, NULL);
    if (real || *path == '/')
        return real ? real : qsv_strdup(path);
    char *here = getcwd(NULL, 0);
    char *joined = here ? qsv_file_join(here, path) : NULL;
    free(here);
    return joined;
}

static enum qsv_status check_readable(const struct qsv_spec *spec, const char *key,
                                      const char *path, struct qsv_error *err)
{
    if (!path || access(path, R_OK) == 0)
        return QSV_OK;
    return qsv_spec_fail(spec, key, err, "%s: cannot read: %s", path, strerror(errno));
}

/* What would fail at once, hours later. qsvit run --dry-run looks at everything. */
static enum qsv_status check_inputs(const struct qsv_spec *s, struct qsv_error *err)
{
    const struct {
        const char *key, *path;
    } files[] = {
        {"model", s->model},
        {"dataset.images", s->dataset.images},
        {"dataset.labels", s->dataset.labels},
        {"calibration.images", s->calibration.images},
        {"calibration.labels", s->calibration.labels},
    };
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && !st; i++)
        st = check_readable(s, files[i].key, files[i].path, err);
    return st;
}

static enum qsv_status check_mpi(const struct qsv_spec *spec, struct qsv_error *err)
{
    struct qsv_error why = {0};
    if (strcmp(spec->scheduler.launcher, "srun") != 0 ||
        !qsv_slurm_check_mpi(spec->scheduler.mpi, &why))
        return QSV_OK;
    return qsv_spec_fail(spec, "scheduler.mpi", err, "%s", why.text);
}

static enum qsv_status write_script(struct submission *s, struct qsv_error *err)
{
    const struct qsv_batch batch = {.spec = s->spec,
                                    .launcher = qsv_launcher_find(s->spec->scheduler.launcher),
                                    .program = s->program,
                                    .run = s->run,
                                    .folder = s->folder};
    if (!batch.launcher)
        return qsv_spec_fail(s->spec, "scheduler.launcher", err, "found '%s', expected one of: %s",
                             s->spec->scheduler.launcher, qsv_launcher_names());
    enum qsv_status st = qsv_batch_script(&s->script, &batch, err);
    if (st)
        return st;
    qsv_script_seal(&s->script);
    return s->script.failed ? qsv_fail_memory(err, "the batch script") : QSV_OK;
}

static enum qsv_status prepare(struct submission *s, const struct values *v, struct qsv_error *err)
{
    enum qsv_status st = qsv_spec_read(&s->spec, v->spec, err);
    if (!st)
        st = qsv_program_path(&s->program, err);
    if (st)
        return st;
    s->run = make_absolute(v->run ? v->run : s->spec->run);
    s->folder = make_absolute(*s->spec->folder ? s->spec->folder : ".");
    s->script_path = s->run ? qsv_file_join(s->run, "job.sh") : NULL;
    if (!s->folder || !s->script_path)
        return qsv_fail_memory(err, "paths");
    st = check_inputs(s->spec, err);
    if (!st)
        st = check_mpi(s->spec, err);
    return st ? st : write_script(s, err);
}

/* As a file that Slurm's own check can read. */
static enum qsv_status try_script(const struct submission *s, struct qsv_error *err)
{
    char path[] = "/tmp/qsvit-job.XXXXXX";
    struct qsv_strbuf words = {0};
    int fd = mkstemp(path);
    bool ok = fd >= 0 && write(fd, s->script.text, s->script.len) == (ssize_t)s->script.len;
    enum qsv_status st = ok ? qsv_slurm_try(path, &words, err)
                            : qsv_fail(err, QSV_EIO, "%s: cannot write: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    if (!st && words.len)
        fprintf(stderr, "%s\n", words.text);
    qsv_strbuf_fini(&words);
    return st;
}

/* Without a Slurm to ask the script is still worth a look. */
static enum qsv_status dry_run(struct submission *s, FILE *out, struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    struct qsv_error why = {0};
    qsv_strbuf_puts(&text, s->script.text);
    enum qsv_status st = qsv_print(out, &text, err);
    if (st)
        return st;
    st = try_script(s, &why);
    if (st == QSV_EFAILED)
        fprintf(stderr, "qsvit: warning: not shown to Slurm: %s\n", why.text);
    else if (st)
        return qsv_fail(err, st, "%s", why.text);
    return QSV_OK;
}

/* One job a run: a second one would only wait for the first, to be refused. */
static enum qsv_status check_free(const struct submission *s, struct qsv_error *err)
{
    struct qsv_slurm_job job;
    struct qsv_lock_holder holder;
    enum qsv_status st = qsv_job_find(&job, s->run, err);
    if (st)
        return st;
    if (job.known && !job.over)
        return qsv_fail(err, QSV_EIDENTITY,
                        "%s: job %s of this run is %s already (%s); qsvit cancel ends it", s->run,
                        job.id, job.state, *job.node_list ? job.node_list : job.reason);
    qsv_lock_look(s->run, &holder);
    if (holder.state == QSV_LOCK_ALIVE)
        return qsv_fail(err, QSV_EIDENTITY, "%s: process %ld on this host (%s) runs this sweep",
                        s->run, holder.pid, holder.host);
    return QSV_OK;
}

/* What people have put into a script is not to be lost. */
static enum qsv_status check_edited(const struct submission *s, bool rewrite, struct qsv_error *err)
{
    uint8_t *text;
    size_t bytes;
    if (access(s->script_path, F_OK) < 0)
        return QSV_OK;
    enum qsv_status st = qsv_file_read(&text, &bytes, s->script_path, 1 << 20, err);
    if (st)
        return st;
    bool own = qsv_script_is_sealed((const char *)text);
    free(text);
    if (own)
        return QSV_OK;
    if (!rewrite)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: was edited; submit it as it is with sbatch, or write it anew with "
                        "--rewrite",
                        s->script_path);
    char *old = qsv_file_join(s->run, "job.sh.old");
    if (!old)
        st = qsv_fail_memory(err, "paths");
    else if (rename(s->script_path, old) < 0)
        st = qsv_fail(err, QSV_EIO, "%s: cannot rename: %s", s->script_path, strerror(errno));
    free(old);
    return st;
}

static enum qsv_status write_files(const struct submission *s, struct qsv_error *err)
{
    char *spec = qsv_file_join(s->run, "job.yaml");
    enum qsv_status st = spec ? qsv_file_write(spec, s->spec->text, s->spec->text_bytes, err)
                              : qsv_fail_memory(err, "paths");
    if (!st)
        st = qsv_file_write(s->script_path, s->script.text, s->script.len, err);
    if (!st && chmod(s->script_path, 0755) < 0)
        st = qsv_fail(err, QSV_EIO, "%s: cannot make it executable: %s", s->script_path,
                      strerror(errno));
    free(spec);
    return st;
}

/* A job that has started by now has noted it itself, and perhaps more. */
static void note_id(const char *path, const char *id)
{
    FILE *f = fopen(path, "wxe");
    if (!f)
        return;
    fprintf(f, "%s\n", id);
    fclose(f);
}

static void remove_file(const char *folder, const char *name)
{
    char *path = qsv_file_join(folder, name);
    if (path)
        unlink(path);
    free(path);
}

static enum qsv_status hand_in(const struct submission *s, char id[QSV_JOB_ID],
                               struct qsv_error *err)
{
    char *path = qsv_file_join(s->run, "job.id");
    if (!path)
        return qsv_fail_memory(err, "paths");
    remove_file(s->run, "job.id");
    remove_file(s->run, "job.end");
    enum qsv_status st = qsv_slurm_submit(id, s->script_path, err);
    if (st)
        qsv_fail_in(err, st, "%s", s->script_path);
    else
        note_id(path, id);
    free(path);
    return st;
}

static enum qsv_status report(const struct submission *s, const char *id, FILE *out,
                              struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    qsv_strbuf_printf(&text,
                      "job        %s\n"
                      "script     %s\n"
                      "log        %s/job.log\n"
                      "follow     qsvit status %s\n"
                      "           qsvit logs -f %s\n"
                      "end        qsvit cancel %s\n",
                      id, s->script_path, s->run, id, id, id);
    return qsv_print(out, &text, err);
}

static enum qsv_status submit(struct submission *s, const struct values *v, FILE *out,
                              struct qsv_error *err)
{
    char id[QSV_JOB_ID];
    enum qsv_status st = qsv_file_make_folder(s->run, err);
    if (!st)
        st = check_free(s, err);
    if (!st)
        st = check_edited(s, v->rewrite, err);
    if (!st)
        st = write_files(s, err);
    if (!st)
        st = hand_in(s, id, err);
    return st ? st : report(s, id, out, err);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct submission s = {0};
    enum qsv_status st = prepare(&s, v, err);
    if (!st)
        st = v->dry_run ? dry_run(&s, in->out, err) : submit(&s, v, in->out, err);
    fini(&s);
    return st;
}

const struct qsv_command qsv_cmd_submit = {
    .name = "submit",
    .summary = "Hands a sweep to Slurm, as a job that goes on by itself",
    .synopsis = "[-c SPEC] [--run FOLDER] [--rewrite]\n"
                "[-c SPEC] [--run FOLDER] --dry-run",
    .details = "Writes RUN/job.sh, a script of your own from then on, and submits it. It asks\n"
               "for what the spec says under scheduler:, starts the ranks, asks them to stop\n"
               "ahead of the time limit and goes back into the queue, until the sweep is\n"
               "complete. The spec is kept as it is now, in RUN/job.yaml.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
