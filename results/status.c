#include "results/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "results/json.h"
#include "results/state.h"

/* Of the last attempt's time, by its workers for images; NaN: not known. */
static double waited_part(const struct qsv_state *s)
{
    const struct qsv_attempt_row *a = s->attempt;
    return a && a->worked_s > 0 ? a->waited_s / a->worked_s : NAN;
}

static void add_holder(struct qsv_strbuf *out, const struct qsv_state *s)
{
    char since[24];
    const struct qsv_lock_holder *h = &s->holder;
    if (h->state == QSV_LOCK_FREE)
        return;
    if (!h->pid) {
        qsv_strbuf_puts(out, ", by a lock that can't be read");
        return;
    }
    qsv_clock_utc(h->since_unix_s, since);
    bool gone = h->state == QSV_LOCK_DEAD || h->state == QSV_LOCK_STALE;
    qsv_strbuf_printf(out, ", %s process %ld on %s", gone ? "lock left by dead" : "by", h->pid,
                      h->host);
    if (*h->job)
        qsv_strbuf_printf(out, ", job %s,", h->job);
    qsv_strbuf_printf(out, " since %s", since);
    if (h->state == QSV_LOCK_REMOTE || h->state == QSV_LOCK_STALE)
        qsv_strbuf_printf(out, " (of another host; last sign of life %.0f s ago)", h->age_s);
}

static void add_state(struct qsv_strbuf *out, const struct qsv_state *s)
{
    qsv_strbuf_printf(out, "state      %s", qsv_state_word(s));
    if (!strcmp(qsv_state_word(s), "ended"))
        qsv_strbuf_printf(out, ": %s", s->attempt->why);
    add_holder(out, s);
    qsv_strbuf_puts(out, "\n");
}

static void add_attempt(struct qsv_strbuf *out, const struct qsv_state *s)
{
    char start[24];
    if (!s->attempt)
        return;
    qsv_clock_utc(s->attempt->start_unix_s, start);
    qsv_strbuf_printf(out, "attempt    %u, started %s on %s, %u ranks, qsvit %s\n",
                      s->attempt->number, start, s->attempt->host, s->attempt->ranks,
                      s->attempt->version);
}

static void add_records(struct qsv_strbuf *out, const struct qsv_state *s)
{
    qsv_strbuf_printf(out, "recorded   %zu trials, %zu records, %" PRIu64 " images evaluated",
                      s->ledger->n_trials, s->ledger->n_evaluations, s->images);
    if (qsv_state_rate(s) > 0)
        qsv_strbuf_printf(out, "; last attempt %" PRIu64 " in %.0f s, %.3g a second",
                          s->attempt_images, s->attempt_s, qsv_state_rate(s));
    qsv_strbuf_puts(out, "\n");
}

static void add_work(struct qsv_strbuf *out, const struct qsv_state *s)
{
    const struct qsv_attempt_row *a = s->attempt;
    if (s->peak_mem_bytes)
        qsv_strbuf_printf(out, "memory     a rank took up to %" PRIu64 " MiB\n",
                          s->peak_mem_bytes >> 20);
    if (a && a->layer_forwards_asked)
        qsv_strbuf_printf(
            out, "work       %" PRIu64 " layer forwards asked for, %" PRIu64 " done (%.1f %%)\n",
            a->layer_forwards_asked, a->layer_forwards_done,
            100 * (double)a->layer_forwards_done / (double)a->layer_forwards_asked);
    if (waited_part(s) >= 0)
        qsv_strbuf_printf(out, "images     workers waited %.1f %% of their time for them\n",
                          100 * waited_part(s));
}

static void add_selected(struct qsv_strbuf *out, const struct qsv_state *s)
{
    const struct qsv_reader_trial *t = s->selected;
    if (!t) {
        qsv_strbuf_puts(out, "selected   nothing yet\n");
        return;
    }
    const struct qsv_figures *f = &t->figures[t->shown];
    qsv_strbuf_printf(
        out,
        "selected   %016" PRIx64 "%s: %.2f bits a weight, %.1f %% of the model saved, "
        "top-1 drop %.2f points on %" PRIu64 " %s images%s\n",
        t->id, s->search->row.meets ? "" : " (misses the constraint)", t->bytes.avg_bits,
        t->model_saved, qsv_metrics_top1_drop(&f->metrics), f->metrics.n_images,
        t->shown == QSV_JUDGE ? "judging" : "deciding", f->all_images ? " (all)" : "");
}

static void print_text(struct qsv_strbuf *out, const struct qsv_state *s)
{
    char created[24];
    qsv_clock_utc(s->ledger->created_unix_s, created);
    qsv_strbuf_printf(out, "run        %s, id %s, created %s\n", qsv_reader_path(s->reader),
                      qsv_reader_run_id(s->reader), created);
    add_state(out, s);
    add_attempt(out, s);
    if (s->search)
        qsv_strbuf_printf(out,
                          "search     %u of %zu: %s, last asked in step '%s', %zu steps noted\n",
                          s->search->row.number, s->ledger->n_searches, s->search->row.strategy,
                          qsv_state_step(s), s->search->n_steps);
    add_records(out, s);
    add_work(out, s);
    add_selected(out, s);
}

static json_t *make_selected(const struct qsv_state *s)
{
    char id[17];
    if (!s->selected)
        return json_null();
    const struct qsv_figures *f = &s->selected->figures[s->selected->shown];
    snprintf(id, sizeof id, "%016" PRIx64, s->selected->id);
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:I, s:s}", "trial", id, "meets",
                     (int)s->search->row.meets, "avg_bits",
                     qsv_json_number(s->selected->bytes.avg_bits), "model_saved",
                     qsv_json_number(s->selected->model_saved), "top1_drop",
                     qsv_json_number(qsv_metrics_top1_drop(&f->metrics)), "n_images",
                     (json_int_t)f->metrics.n_images, "images",
                     s->selected->shown == QSV_JUDGE ? "judge" : "decide");
}

static json_t *make_holder(const struct qsv_state *s)
{
    static const char *const states[] = {"free", "alive", "dead", "unknown", "stale"};
    if (s->holder.state == QSV_LOCK_FREE)
        return json_null();
    return json_pack("{s:o, s:I, s:o, s:s, s:o}", "host", qsv_json_string(s->holder.host), "pid",
                     (json_int_t)s->holder.pid, "job", qsv_json_string(s->holder.job), "state",
                     states[s->holder.state], "since_unix_s",
                     qsv_json_number(s->holder.since_unix_s));
}

static enum qsv_status print_json(struct qsv_strbuf *out, const struct qsv_state *s,
                                  struct qsv_error *err)
{
    json_t *o = json_pack(
        "{s:o, s:s, s:s, s:o, s:o, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I, "
        "s:I, s:I, s:o, s:o}",
        "run", qsv_json_string(qsv_reader_path(s->reader)), "run_id", qsv_reader_run_id(s->reader),
        "state", qsv_state_word(s), "why", qsv_json_string(s->attempt ? s->attempt->why : ""),
        "holder", make_holder(s), "attempt", s->attempt ? (int)s->attempt->number : 0, "strategy",
        qsv_json_string(s->search ? s->search->row.strategy : ""), "step",
        qsv_json_string(qsv_state_step(s)), "trials", (json_int_t)s->ledger->n_trials, "records",
        (json_int_t)s->ledger->n_evaluations, "images", (json_int_t)s->images, "attempt_images",
        (json_int_t)s->attempt_images, "images_per_s", qsv_json_number(qsv_state_rate(s)),
        "peak_mem_bytes", (json_int_t)s->peak_mem_bytes, "layer_forwards_asked",
        (json_int_t)(s->attempt ? s->attempt->layer_forwards_asked : 0), "layer_forwards_done",
        (json_int_t)(s->attempt ? s->attempt->layer_forwards_done : 0), "waited_part",
        qsv_json_number(waited_part(s)), "selected", make_selected(s));
    char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(o);
    if (!text)
        return qsv_fail_memory(err, "the status");
    qsv_strbuf_puts(out, text);
    qsv_strbuf_puts(out, "\n");
    free(text);
    return QSV_OK;
}

enum qsv_status qsv_status_report(const char *path, int json, struct qsv_strbuf *out,
                                  struct qsv_strbuf *warnings, struct qsv_error *err)
{
    struct qsv_reader *r;
    struct qsv_state s;
    enum qsv_status st = qsv_reader_open(&r, path, false, warnings, err);
    if (st)
        return st;
    qsv_state_look(&s, r, path);
    if (json)
        st = print_json(out, &s, err);
    else
        print_text(out, &s);
    if (!st && out->failed)
        st = qsv_fail_memory(err, "the status");
    qsv_reader_close(r);
    return st;
}
