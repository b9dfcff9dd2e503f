#include "runner/status/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/base/alloc.h"
#include "runner/base/duration.h"

static const double redraw_s = 0.2, log_s = 10;

struct qsv_progress {
    FILE *out;
    bool terminal, drawn; /* drawn: the moving line is on the screen */
    const struct qsv_clock *clock;
    char step[64];
    uint32_t n_trials;
    uint64_t n_images, n_recorded, n_done, n_forwards;
    double began_s, shown_s;
    double best_bits, best_drop; /* best_bits 0: none yet */
};

struct qsv_progress *qsv_progress_create(FILE *out, bool terminal, const struct qsv_clock *clock)
{
    struct qsv_progress *p = qsv_alloc(1, sizeof *p);
    if (p) {
        p->out = out;
        p->terminal = terminal;
        p->clock = clock;
    }
    return p;
}

void qsv_progress_destroy(struct qsv_progress *p)
{
    qsv_progress_clear(p);
    free(p);
}

static double now_s(const struct qsv_progress *p)
{
    return p->clock->now_s(p->clock->context);
}

static void add_head(struct qsv_strbuf *b, const struct qsv_progress *p)
{
    if (p->n_trials)
        qsv_strbuf_printf(b, "%s: %u trial%s on %" PRIu64 " images", p->step, p->n_trials,
                          p->n_trials == 1 ? "" : "s", p->n_images);
    else
        qsv_strbuf_printf(b, "%s: %" PRIu64 " parts", p->step, p->n_forwards);
}

static void add_state(struct qsv_strbuf *b, const struct qsv_progress *p)
{
    double passed_s = now_s(p) - p->began_s;
    uint64_t done = p->n_done - p->n_recorded;
    double rate = passed_s > 0 ? (double)done / passed_s : 0;
    add_head(b, p);
    qsv_strbuf_printf(b, ", %.0f %%",
                      p->n_forwards ? 100.0 * (double)p->n_done / (double)p->n_forwards : 100.0);
    if (rate > 0) {
        if (p->n_trials)
            qsv_strbuf_printf(b, ", %.0f images/s", rate);
        qsv_strbuf_puts(b, ", ");
        qsv_duration_print(b, (double)(p->n_forwards - p->n_done) / rate);
        qsv_strbuf_puts(b, " left");
    }
    if (p->best_bits > 0)
        qsv_strbuf_printf(b, "; best so far %.2f bits, %.2f points", p->best_bits, p->best_drop);
}

/* A line that wraps cannot be drawn over. */
static int line_width(const struct qsv_progress *p)
{
    struct winsize size;
    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
        return 79;
    return size.ws_col - 1;
}

static void draw(struct qsv_progress *p)
{
    struct qsv_strbuf b = {0};
    add_state(&b, p);
    if (!b.failed && p->terminal)
        fprintf(p->out, "\r%.*s\033[K", line_width(p), b.text);
    else if (!b.failed)
        fprintf(p->out, "%s\n", b.text);
    fflush(p->out);
    qsv_strbuf_fini(&b);
    p->drawn = p->terminal;
    p->shown_s = now_s(p);
}

void qsv_progress_begin(struct qsv_progress *p, const char *step, uint32_t n_trials,
                        uint64_t n_images, uint64_t n_done, uint64_t n_forwards)
{
    if (!p)
        return;
    snprintf(p->step, sizeof p->step, "%s", step);
    p->n_trials = n_trials;
    p->n_images = n_images;
    p->n_recorded = p->n_done = n_done;
    p->n_forwards = n_forwards;
    p->began_s = p->shown_s = now_s(p);
}

void qsv_progress_add(struct qsv_progress *p, uint64_t n_forwards)
{
    if (p)
        p->n_done += n_forwards;
}

void qsv_progress_tick(struct qsv_progress *p)
{
    if (p && now_s(p) - p->shown_s >= (p->terminal ? redraw_s : log_s))
        draw(p);
}

void qsv_progress_end(struct qsv_progress *p)
{
    struct qsv_strbuf b = {0};
    if (!p)
        return;
    uint64_t done = p->n_done - p->n_recorded;
    double passed_s = now_s(p) - p->began_s;
    add_head(&b, p);
    if (done == 0) {
        qsv_strbuf_puts(&b, ": recorded already");
    } else {
        qsv_strbuf_puts(&b, " in ");
        qsv_duration_print(&b, passed_s);
        if (passed_s > 0 && p->n_trials)
            qsv_strbuf_printf(&b, ", %.0f images/s", (double)done / passed_s);
    }
    if (!b.failed)
        qsv_progress_say(p, "%s", b.text);
    qsv_strbuf_fini(&b);
}

void qsv_progress_say(struct qsv_progress *p, const char *format, ...)
{
    if (!p)
        return;
    va_list args;
    va_start(args, format);
    qsv_progress_clear(p);
    vfprintf(p->out, format, args);
    fputc('\n', p->out);
    fflush(p->out);
    va_end(args);
}

void qsv_progress_best(struct qsv_progress *p, double avg_bits, double top1_drop)
{
    if (!p)
        return;
    p->best_bits = avg_bits;
    p->best_drop = top1_drop;
}

void qsv_progress_look(const struct qsv_progress *p, struct qsv_progress_view *out)
{
    *out = (struct qsv_progress_view){.step = ""};
    if (p)
        *out = (struct qsv_progress_view){
            p->step,       p->n_trials,           p->n_images,  p->n_recorded, p->n_done,
            p->n_forwards, now_s(p) - p->began_s, p->best_bits, p->best_drop};
}

void qsv_progress_clear(struct qsv_progress *p)
{
    if (!p || !p->drawn)
        return;
    fputs("\r\033[K", p->out);
    fflush(p->out);
    p->drawn = false;
}
