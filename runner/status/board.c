#include "runner/status/board.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/base/duration.h"
#include "runner/status/plot.h"

/* What is recorded may be older than what goes on: the situation has the last word. */
const char *qsv_board_word(const struct qsv_board *b)
{
    const struct qsv_situation *s = b->situation;
    if (s->goes_on)
        return "running";
    if (s->submitted && s->job.known && !s->job.over)
        return s->job.running ? "starting" : "waiting";
    return b->state ? qsv_state_word(b->state) : "empty";
}

/* A line that fits, in characters of which each takes one column. */
static void add_line(struct qsv_strbuf *out, const struct qsv_strbuf *line, unsigned columns)
{
    for (size_t i = 0; i < line->len && i < columns; i++) {
        char c = line->text[i];
        qsv_strbuf_add(out, c >= ' ' && c <= '~' ? &c : "?", 1);
    }
    qsv_strbuf_puts(out, "\n");
    out->failed = out->failed || line->failed;
}

static double share_done(const struct qsv_live *l)
{
    return l->all ? (double)l->done / (double)l->all : 1;
}

static void add_pace(struct qsv_strbuf *out, const struct qsv_live *l)
{
    double rate = qsv_live_rate(l);
    qsv_strbuf_printf(out, "%.0f %%", floor(100 * share_done(l)));
    if (rate <= 0)
        return;
    qsv_strbuf_printf(out, ", %.0f images/s, ", rate);
    qsv_duration_print(out, (double)(l->all - l->done) / rate);
    qsv_strbuf_puts(out, " left of this step");
}

static void add_bar(struct qsv_strbuf *out, double share, unsigned columns)
{
    unsigned full = (unsigned)(share * columns);
    qsv_strbuf_puts(out, "[");
    for (unsigned i = 0; i < columns; i++)
        qsv_strbuf_puts(out, i < full ? "#" : "-");
    qsv_strbuf_puts(out, "] ");
}

static void say_run(struct qsv_strbuf *line, const struct qsv_board *b)
{
    qsv_strbuf_printf(line, "run        %s: %s", b->folder, qsv_board_word(b));
    const struct qsv_attempt_row *a = b->state ? b->state->attempt : NULL;
    if (!b->situation->goes_on && a && a->why[0] && strcmp(a->why, qsv_board_word(b)) != 0)
        qsv_strbuf_printf(line, ", %s", a->why);
    if (b->situation->submitted)
        qsv_strbuf_printf(line, ", job %s", b->situation->job.id);
}

static void say_ranks(struct qsv_strbuf *line, const struct qsv_board *b)
{
    const struct qsv_situation *s = b->situation;
    const struct qsv_attempt_row *a = b->state ? b->state->attempt : NULL;
    if (!a)
        return;
    qsv_strbuf_printf(line, "ranks      %u on %s, attempt %u", a->ranks, a->host, a->number);
    if (s->has_live)
        qsv_strbuf_printf(line, ", %" PRIu32 " of %" PRIu32 " workers alive (%.0f s ago)",
                          s->live.alive, s->live.workers, fmax(s->age_s, 0));
}

static void say_step(struct qsv_strbuf *line, const struct qsv_board *b)
{
    const char *last = b->state ? qsv_state_step(b->state) : "";
    if (!b->situation->has_live && !*last)
        return;
    qsv_strbuf_puts(line, "step       ");
    if (b->situation->has_live)
        qsv_live_print_call(line, &b->situation->live);
    else
        qsv_strbuf_puts(line, last);
    if (b->state && b->state->search)
        qsv_strbuf_printf(line, " (%s)", b->state->search->row.strategy);
}

static void say_progress(struct qsv_strbuf *line, const struct qsv_board *b)
{
    const struct qsv_live *l = &b->situation->live;
    if (!b->situation->has_live)
        return;
    if (b->columns >= 80)
        add_bar(line, share_done(l), b->columns - 56);
    add_pace(line, l);
}

static void say_records(struct qsv_strbuf *line, const struct qsv_board *b)
{
    const struct qsv_state *s = b->state;
    if (!s) {
        qsv_strbuf_puts(line, "recorded   nothing yet");
        return;
    }
    qsv_strbuf_printf(line, "recorded   %zu trials, %zu records, %" PRIu64 " images evaluated",
                      s->ledger->n_trials, s->ledger->n_evaluations, s->images);
    if (qsv_state_rate(s) > 0)
        qsv_strbuf_printf(line, ", %.3g a second in this attempt", qsv_state_rate(s));
}

/* `best` and `selected` begin what is said of a setting that is the best so far, or selected. */
static void add_best(struct qsv_strbuf *out, const struct qsv_board *b, const char *best,
                     const char *selected)
{
    const struct qsv_reader_trial *t = b->state ? b->state->selected : NULL;
    const struct qsv_live *l = &b->situation->live;
    if (b->situation->has_live && l->best_bits > 0)
        qsv_strbuf_printf(out, "%sso far %.2f bits a weight, top-1 drop %.2f points", best,
                          l->best_bits, l->best_drop);
    else if (t)
        qsv_strbuf_printf(out, "%s%.2f bits a weight, %.1f %% saved, top-1 drop %.2f points%s",
                          selected, t->bytes.avg_bits, t->model_saved,
                          qsv_metrics_top1_drop(&t->figures[t->shown].metrics),
                          b->state->search->row.meets ? "" : " (misses the constraint)");
}

static void say_best(struct qsv_strbuf *line, const struct qsv_board *b)
{
    add_best(line, b, "best       ", "selected   ");
}

static void say_error(struct qsv_strbuf *line, const struct qsv_board *b)
{
    if (b->situation->error.len)
        qsv_strbuf_printf(line, "last error %s", b->situation->error.text);
}

/* What the last search has decided, the last few of it. */
static unsigned add_decisions(struct qsv_strbuf *out, const struct qsv_board *b, unsigned most)
{
    const struct qsv_recorded_search *s = b->state ? b->state->search : NULL;
    size_t n = s ? s->n_steps : 0, first = n > most ? n - most : 0;
    for (size_t i = first; i < n; i++) {
        struct qsv_strbuf line = {0};
        qsv_strbuf_printf(&line, "%-10s %s%s%s", i == first ? "decided" : "", s->steps[i].name,
                          *s->steps[i].decision ? ": " : "", s->steps[i].decision);
        if (*s->steps[i].why)
            qsv_strbuf_printf(&line, " (%s)", s->steps[i].why);
        add_line(out, &line, b->columns);
        qsv_strbuf_fini(&line);
    }
    return (unsigned)(n - first);
}

struct curve {
    struct qsv_plot_point *points;
    size_t n;
    double most; /* points lost by the front */
};

static int by_bytes(const void *a, const void *b)
{
    const struct qsv_plot_point *x = a, *y = b;
    if (x->x != y->x)
        return x->x < y->x ? -1 : 1;
    return (x->y > y->y) - (x->y < y->y);
}

/* On the front no smaller one loses as little; drawn last, so that nothing hides it. */
static void mark_front(struct curve *c)
{
    double lowest = INFINITY;
    qsort(c->points, c->n, sizeof *c->points, by_bytes);
    for (size_t i = 0; i < c->n; i++) {
        if (!(c->points[i].y < lowest))
            continue;
        lowest = c->points[i].y;
        if (c->points[i].mark == '.')
            c->points[i].mark = 'o';
    }
}

static int by_mark(const void *a, const void *b)
{
    static const char order[] = ".oB@";
    const struct qsv_plot_point *x = a, *y = b;
    return (int)(strchr(order, x->mark) - strchr(order, y->mark));
}

/* Settings that differ from the baseline in one layer say what a layer does, not what a network
 * costs: they are left out. */
static bool is_shown(const struct qsv_reader_trial *t)
{
    return t->figures[t->shown].metrics.n_images && t->bytes.model_bytes &&
           (t->is_baseline || (t->step && strcmp(t->step, "sensitivity") != 0));
}

static enum qsv_status find_curve(struct curve *c, const struct qsv_reader *r)
{
    size_t n = qsv_reader_trial_count(r);
    *c = (struct curve){.points = qsv_alloc(n, sizeof *c->points)};
    for (size_t i = 0; c->points && i < n; i++) {
        const struct qsv_reader_trial *t = qsv_reader_trial(r, i);
        if (is_shown(t))
            c->points[c->n++] = (struct qsv_plot_point){
                (double)t->bytes.model_bytes, qsv_metrics_top1_drop(&t->figures[t->shown].metrics),
                t->is_selected   ? '@'
                : t->is_baseline ? 'B'
                                 : '.'};
    }
    if (!c->points)
        return QSV_ENOMEM;
    mark_front(c);
    for (size_t i = 0; i < c->n; i++)
        if (c->points[i].mark != '.')
            c->most = fmax(c->most, c->points[i].y);
    qsort(c->points, c->n, sizeof *c->points, by_mark);
    return QSV_OK;
}

/* Three times the bound, where there is one: what loses more is at the upper edge. */
static double highest(const struct curve *c, double bound_points)
{
    double most = fmax(c->most, 1);
    return isnan(bound_points) ? most : fmin(most * 1.1, fmax(3 * bound_points, 1));
}

static void add_curve(struct qsv_strbuf *out, const struct qsv_board *b, unsigned rows)
{
    struct curve c;
    if (find_curve(&c, b->state->reader)) {
        out->failed = true;
        return;
    }
    if (c.n > 1)
        qsv_plot_draw(out, &(struct qsv_plot){.points = c.points,
                                              .n = c.n,
                                              .y_most = highest(&c, b->bound_points),
                                              .y_line = b->bound_points,
                                              .title = "points of top-1 lost over bytes (o front, "
                                                       ". other, B f32, @ selected, -- bound)",
                                              .columns = b->columns,
                                              .rows = rows});
    free(c.points);
}

static void (*const lines[])(struct qsv_strbuf *, const struct qsv_board *) = {
    say_run, say_ranks, say_step, say_progress, say_records, say_best, say_error};
enum { N_LINES = sizeof lines / sizeof *lines, MOST_DECISIONS = 4, MOST_CURVE_ROWS = 24 };

void qsv_board_draw(struct qsv_strbuf *out, const struct qsv_board *b)
{
    unsigned left = b->rows;
    for (size_t i = 0; i < N_LINES && left; i++) {
        struct qsv_strbuf line = {0};
        lines[i](&line, b);
        if (line.len)
            add_line(out, &line, b->columns);
        left -= line.len > 0;
        qsv_strbuf_fini(&line);
    }
    left -= add_decisions(out, b, left < MOST_DECISIONS ? left : MOST_DECISIONS);
    if (b->state)
        add_curve(out, b, left < MOST_CURVE_ROWS ? left : MOST_CURVE_ROWS);
}

void qsv_board_line(struct qsv_strbuf *out, const struct qsv_board *b)
{
    const struct qsv_live *l = &b->situation->live;
    qsv_strbuf_printf(out, "%s: %s", b->folder, qsv_board_word(b));
    if (b->situation->has_live) {
        qsv_strbuf_puts(out, ", ");
        qsv_live_print_call(out, l);
        qsv_strbuf_puts(out, ", ");
        add_pace(out, l);
        qsv_strbuf_printf(out, ", %" PRIu32 " of %" PRIu32 " workers", l->alive, l->workers);
    }
    if (b->state)
        qsv_strbuf_printf(out, "; %zu records", b->state->ledger->n_evaluations);
    add_best(out, b, "; best ", "; selected ");
    qsv_strbuf_puts(out, "\n");
}
