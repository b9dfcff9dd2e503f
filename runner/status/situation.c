#include "runner/status/situation.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "results/json.h"
#include "results/lock.h"
#include "runner/status/submission.h"

enum { LOG_END = 1 << 16 }; /* bytes of a log that are looked at for what went wrong */

static void find_error(struct qsv_situation *s, const char *run_folder)
{
    char *path = qsv_file_join(run_folder, "job.log");
    char *text = qsv_alloc(1, LOG_END);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t n = 0;
    if (fd >= 0 && text)
        n = pread(fd, text, LOG_END, size > LOG_END ? size - LOG_END : 0);
    if (n > 0)
        qsv_log_error(&s->error, text, (size_t)n);
    if (fd >= 0)
        close(fd);
    free(text);
    free(path);
}

static void find_job(struct qsv_situation *s, const char *run_folder)
{
    struct qsv_job_ids ids;
    struct qsv_error err = {0};
    qsv_job_ids_read(&ids, run_folder);
    s->submitted = ids.n > 0;
    if (qsv_job_find(&s->job, run_folder, &err))
        snprintf(s->no_queue, sizeof s->no_queue, "%s", err.text);
    if (s->submitted && !s->job.known)
        snprintf(s->job.id, sizeof s->job.id, "%s", ids.v[ids.n - 1]);
}

void qsv_situation_find(struct qsv_situation *s, const char *run_folder)
{
    struct qsv_lock_holder holder;
    struct qsv_job_end end;
    *s = (struct qsv_situation){.submitted = false};
    find_job(s, run_folder);
    qsv_lock_look(run_folder, &holder);
    bool gone = s->job.known && !s->job.running && !strcmp(holder.job, s->job.id);
    s->goes_on = holder.state == QSV_LOCK_ALIVE || (holder.state == QSV_LOCK_REMOTE && !gone);
    s->has_live = s->goes_on && qsv_live_read(&s->live, run_folder);
    if (s->has_live)
        s->age_s = qsv_clock_unix_s() - s->live.unix_s;
    if (!s->submitted)
        return;
    s->ended = qsv_job_end_read(&end, run_folder) && !strcmp(end.id, s->job.id);
    s->status = end.status;
    find_error(s, run_folder);
}

void qsv_situation_fini(struct qsv_situation *s)
{
    qsv_strbuf_fini(&s->error);
}

static void print_job(const struct qsv_situation *s, struct qsv_strbuf *out)
{
    const struct qsv_slurm_job *j = &s->job;
    qsv_strbuf_printf(out, "job        %s ", j->id);
    if (*s->no_queue)
        qsv_strbuf_printf(out, "(the queue can't be asked: %s)", s->no_queue);
    else if (!j->known)
        qsv_strbuf_puts(out, "is over, and forgotten by Slurm");
    else if (j->over)
        qsv_strbuf_printf(out, "%s%s%s%s", j->state, !strcmp(j->reason, "None") ? "" : " (",
                          !strcmp(j->reason, "None") ? "" : j->reason,
                          !strcmp(j->reason, "None") ? "" : ")");
    else if (j->running)
        qsv_strbuf_printf(out, "%s on %s for %s, %s left until its time limit", j->state,
                          j->node_list, j->used, j->left);
    else
        qsv_strbuf_printf(out, "%s (%s), expected to start: %s", j->state, j->reason, j->start);
    if (s->ended)
        qsv_strbuf_printf(out, "; the sweep ended with status %d", s->status);
    qsv_strbuf_puts(out, "\n");
}

static void print_live(const struct qsv_situation *s, struct qsv_strbuf *out)
{
    const struct qsv_live *l = &s->live;
    double rate = qsv_live_rate(l);
    qsv_strbuf_puts(out, "now        ");
    qsv_live_print_call(out, l);
    qsv_strbuf_printf(out, ", %.0f %%", l->all ? 100.0 * (double)l->done / (double)l->all : 100.0);
    if (rate > 0)
        qsv_strbuf_printf(out, ", %.0f images a second, %.0f s left of this call", rate,
                          (double)(l->all - l->done) / rate);
    qsv_strbuf_printf(out, " (%.0f s ago)\nworkers    %" PRIu32 " of %" PRIu32 " alive\n",
                      s->age_s > 0 ? s->age_s : 0, l->alive, l->workers);
    if (l->worked_s > 0)
        qsv_strbuf_printf(out, "images     workers wait %.1f %% of their time for them\n",
                          100 * l->waited_s / l->worked_s);
}

void qsv_situation_print(const struct qsv_situation *s, struct qsv_strbuf *out)
{
    if (s->submitted)
        print_job(s, out);
    if (s->has_live)
        print_live(s, out);
    if (s->error.len)
        qsv_strbuf_printf(out, "last error %s\n", s->error.text);
}

static json_t *make_job(const struct qsv_situation *s)
{
    const struct qsv_slurm_job *j = &s->job;
    if (!s->submitted)
        return json_null();
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", j->id, "state",
                     qsv_json_string(j->known       ? j->state
                                     : *s->no_queue ? "UNKNOWN"
                                                    : "FORGOTTEN"),
                     "reason", qsv_json_string(*s->no_queue ? s->no_queue : j->reason), "nodes",
                     qsv_json_string(j->node_list), "used", qsv_json_string(j->used), "left",
                     qsv_json_string(j->left), "start", qsv_json_string(j->start), "exit_status",
                     s->ended ? json_integer(s->status) : json_null());
}

static json_t *make_live(const struct qsv_situation *s)
{
    const struct qsv_live *l = &s->live;
    if (!s->has_live)
        return json_null();
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:f}", "step",
                     qsv_json_string(l->step), "trials", (json_int_t)l->trials, "images",
                     (json_int_t)l->images, "forwards_done", (json_int_t)l->done, "forwards_all",
                     (json_int_t)l->all, "images_per_s", qsv_json_number(qsv_live_rate(l)), "age_s",
                     qsv_json_number(s->age_s), "workers", (json_int_t)l->workers, "workers_alive",
                     (json_int_t)l->alive, "waited_part",
                     l->worked_s > 0 ? l->waited_s / l->worked_s : 0);
}

enum qsv_status qsv_situation_add_json(const struct qsv_situation *s, const char *run_folder,
                                       struct qsv_strbuf *text, struct qsv_error *err)
{
    json_t *o = text->len ? json_loads(text->text, 0, NULL)
                          : json_pack("{s:o}", "run", qsv_json_string(run_folder));
    char *dump = NULL;
    if (o && !json_object_set_new(o, "job", make_job(s)) &&
        !json_object_set_new(o, "now", make_live(s)) &&
        !json_object_set_new(o, "last_error",
                             s->error.len ? qsv_json_string(s->error.text) : json_null()))
        dump = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    json_decref(o);
    if (!dump)
        return qsv_fail_memory(err, "the status");
    qsv_strbuf_fini(text);
    qsv_strbuf_printf(text, "%s\n", dump);
    free(dump);
    return text->failed ? qsv_fail_memory(err, "the status") : QSV_OK;
}
