#include "results/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "results/json_text.h"
#include "results/ledger.h"
#include "results/lock.h"
#include "results/reader.h"

struct state {
    const struct qsv_reader *reader;
    const struct qsv_ledger *ledger;
    struct qsv_lock_holder holder;
    const struct qsv_attempt_row *attempt; /* the last one; NULL: none */
    const struct qsv_search *search;       /* the last one; NULL: none */
    const struct qsv_reader_trial *selected;
    uint64_t images;         /* trials x images recorded, all attempts */
    uint64_t attempt_images; /* in the last attempt */
    uint64_t peak_mem_bytes; /* of the rank that took most, in the last attempt */
    double attempt_s;        /* how long that has taken so far; NaN: unknown */
};

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* Until now where it goes on; until its last record where it was killed. */
static double end_of_attempt(const struct state *s, double last_record_unix_s)
{
    if (!isnan(s->attempt->end_unix_s))
        return s->attempt->end_unix_s;
    bool live = s->holder.state == QSV_LOCK_ALIVE || s->holder.state == QSV_LOCK_REMOTE;
    return live ? qsv_clock_unix_s() : last_record_unix_s;
}

static void count_images(struct state *s)
{
    double last = 0;
    uint32_t attempt = s->attempt ? s->attempt->number : 0;
    for (size_t i = 0; i < s->ledger->n_evaluations; i++) {
        const struct qsv_record *r = &s->ledger->evaluations[i]->record;
        s->images += r->n_images;
        if (r->attempt != attempt)
            continue;
        s->attempt_images += r->n_images;
        s->peak_mem_bytes =
            r->peak_mem_bytes > s->peak_mem_bytes ? r->peak_mem_bytes : s->peak_mem_bytes;
        last = r->t_end_unix_s > last ? r->t_end_unix_s : last;
    }
    s->attempt_s = NAN;
    if (s->attempt && s->attempt_images)
        s->attempt_s = end_of_attempt(s, last) - s->attempt->start_unix_s;
}

static void look(struct state *s, const struct qsv_reader *r, const char *path)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    *s = (struct state){.reader = r, .ledger = l, .holder = {.state = QSV_LOCK_FREE}};
    if (is_folder(path))
        qsv_lock_look(path, &s->holder);
    s->attempt = l->n_attempts ? &l->attempts[l->n_attempts - 1] : NULL;
    s->search = qsv_ledger_search(l);
    if (s->search && s->search->row.selected)
        qsv_reader_find(r, "best", &s->selected, NULL);
    count_images(s);
}

static const char *word(const struct state *s)
{
    if (s->holder.state == QSV_LOCK_ALIVE)
        return "running";
    if (s->holder.state == QSV_LOCK_REMOTE)
        return "held";
    if (s->ledger->complete)
        return "complete";
    return s->attempt && s->attempt->why[0] ? "ended" : "killed";
}

static const char *last_step(const struct state *s)
{
    return s->search && s->search->n_asked ? s->search->asked[s->search->n_asked - 1].step : "";
}

static double rate(const struct state *s)
{
    return s->attempt_s > 0 ? (double)s->attempt_images / s->attempt_s : NAN;
}

static void add_holder(struct qsv_strbuf *out, const struct state *s)
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

static void add_state(struct qsv_strbuf *out, const struct state *s)
{
    qsv_strbuf_printf(out, "state      %s", word(s));
    if (!strcmp(word(s), "ended"))
        qsv_strbuf_printf(out, ": %s", s->attempt->why);
    add_holder(out, s);
    qsv_strbuf_puts(out, "\n");
}

static void add_attempt(struct qsv_strbuf *out, const struct state *s)
{
    char start[24];
    if (!s->attempt)
        return;
    qsv_clock_utc(s->attempt->start_unix_s, start);
    qsv_strbuf_printf(out, "attempt    %u, started %s on %s, %u ranks, qsvit %s\n",
                      s->attempt->number, start, s->attempt->host, s->attempt->ranks,
                      s->attempt->version);
}

static void add_records(struct qsv_strbuf *out, const struct state *s)
{
    qsv_strbuf_printf(out, "recorded   %zu trials, %zu records, %" PRIu64 " images evaluated",
                      s->ledger->n_trials, s->ledger->n_evaluations, s->images);
    if (rate(s) > 0)
        qsv_strbuf_printf(out, "; last attempt %" PRIu64 " in %.0f s, %.3g a second",
                          s->attempt_images, s->attempt_s, rate(s));
    qsv_strbuf_puts(out, "\n");
}

static void add_work(struct qsv_strbuf *out, const struct state *s)
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
}

static void add_selected(struct qsv_strbuf *out, const struct state *s)
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

static void print_text(struct qsv_strbuf *out, const struct state *s)
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
                          last_step(s), s->search->n_steps);
    add_records(out, s);
    add_work(out, s);
    add_selected(out, s);
}

static json_t *make_selected(const struct state *s)
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

static json_t *make_holder(const struct state *s)
{
    static const char *const states[] = {"free", "alive", "dead", "unknown", "stale"};
    if (s->holder.state == QSV_LOCK_FREE)
        return json_null();
    return json_pack("{s:o, s:I, s:o, s:s, s:o}", "host", qsv_json_text(s->holder.host), "pid",
                     (json_int_t)s->holder.pid, "job", qsv_json_text(s->holder.job), "state",
                     states[s->holder.state], "since_unix_s",
                     qsv_json_number(s->holder.since_unix_s));
}

static enum qsv_status print_json(struct qsv_strbuf *out, const struct state *s,
                                  struct qsv_error *err)
{
    json_t *o = json_pack(
        "{s:o, s:s, s:s, s:o, s:o, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I, "
        "s:I, s:I, s:o}",
        "run", qsv_json_text(qsv_reader_path(s->reader)), "run_id", qsv_reader_run_id(s->reader),
        "state", word(s), "why", qsv_json_text(s->attempt ? s->attempt->why : ""), "holder",
        make_holder(s), "attempt", s->attempt ? (int)s->attempt->number : 0, "strategy",
        qsv_json_text(s->search ? s->search->row.strategy : ""), "step",
        qsv_json_text(last_step(s)), "trials", (json_int_t)s->ledger->n_trials, "records",
        (json_int_t)s->ledger->n_evaluations, "images", (json_int_t)s->images, "attempt_images",
        (json_int_t)s->attempt_images, "images_per_s", qsv_json_number(rate(s)), "peak_mem_bytes",
        (json_int_t)s->peak_mem_bytes, "layer_forwards_asked",
        (json_int_t)(s->attempt ? s->attempt->layer_forwards_asked : 0), "layer_forwards_done",
        (json_int_t)(s->attempt ? s->attempt->layer_forwards_done : 0), "selected",
        make_selected(s));
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
    struct state s;
    enum qsv_status st = qsv_reader_open(&r, path, false, warnings, err);
    if (st)
        return st;
    look(&s, r, path);
    if (json)
        st = print_json(out, &s, err);
    else
        print_text(out, &s);
    if (!st && out->failed)
        st = qsv_fail_memory(err, "the status");
    qsv_reader_close(r);
    return st;
}
