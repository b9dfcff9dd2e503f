#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "jobs/spec.h"
#include "runner/status/board.h"
#include "runner/program/commands.h"
#include "runner/status/screen.h"
#include "runner/status/submission.h"

/* How often a run is looked at, a log gets a line, and Slurm is asked; and the part of the time
 * that reading what is recorded may take. */
static const double look_s = 1, log_s = 10, queue_s = 15, reading_share = 0.1;

struct values {
    const char *run;
    double interval_s;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "RUN|JOB", 0, NULL, offsetof(struct values, run), true, NULL, 0,
     "a run's folder, or the number of its job"},
    {QSV_OPTION_NUMBER, "interval", 0, "SECONDS", offsetof(struct values, interval_s), false, NULL,
     0, "how often to look (default 1, and 10 where standard output is no terminal)"},
    {.type = QSV_OPTION_END},
};

/* A run as it was when last looked at. */
struct watched {
    const char *folder;
    struct qsv_reader *reader; /* NULL: nothing could be read yet */
    struct qsv_state state;    /* of the reader */
    double bound_points;
    struct timespec changed[2]; /* of results.h5 and segments/ when read */
    double read_s, took_s;      /* when it was read, and how long that took */
    struct qsv_situation situation;
    double found_s; /* when that was found out; 0: not yet */
};

static void find_bound(struct watched *w)
{
    struct qsv_spec *spec = NULL;
    const char *text = qsv_reader_spec(w->reader);
    w->bound_points = NAN;
    if (!text || qsv_spec_parse(&spec, text, strlen(text), "spec", NULL))
        return;
    w->bound_points = spec->constraint.max_top1_drop;
    qsv_spec_destroy(spec);
}

static void look_at_changes(const struct watched *w, struct timespec changed[2])
{
    static const char *const names[] = {"results.h5", "segments"};
    for (int i = 0; i < 2; i++) {
        struct stat s;
        char *path = qsv_file_join(w->folder, names[i]);
        changed[i] = (struct timespec){0};
        if (path && !stat(path, &s))
            changed[i] = s.st_mtim;
        free(path);
    }
}

/* Reads what is recorded, if it may have changed. What can't be read now, because it is being
 * folded, is read the next time. */
static enum qsv_status read_records(struct watched *w, bool at_once, struct qsv_error *err)
{
    struct timespec changed[2];
    struct qsv_reader *r;
    double now_s = qsv_clock_monotonic_s();
    look_at_changes(w, changed);
    if (!at_once && (now_s - w->read_s < w->took_s / reading_share ||
                     !memcmp(changed, w->changed, sizeof changed)))
        return QSV_OK;
    enum qsv_status st = qsv_reader_open(&r, w->folder, false, NULL, err);
    if (st)
        return st;
    qsv_reader_close(w->reader);
    w->reader = r;
    memcpy(w->changed, changed, sizeof changed);
    qsv_state_look(&w->state, r, w->folder);
    find_bound(w);
    w->read_s = qsv_clock_monotonic_s();
    w->took_s = w->read_s - now_s;
    return QSV_OK;
}

static void look_at_situation(struct watched *w)
{
    double now_s = qsv_clock_monotonic_s();
    if (w->found_s && w->situation.submitted && now_s - w->found_s < queue_s) {
        if (w->situation.has_live && qsv_live_read(&w->situation.live, w->folder))
            w->situation.age_s = qsv_clock_unix_s() - w->situation.live.unix_s;
        return;
    }
    qsv_situation_fini(&w->situation);
    qsv_situation_find(&w->situation, w->folder);
    w->found_s = now_s;
}

static struct qsv_board board_of(const struct watched *w)
{
    return (struct qsv_board){.folder = w->folder,
                              .state = w->reader ? &w->state : NULL,
                              .situation = &w->situation,
                              .bound_points = w->reader ? w->bound_points : NAN};
}

static bool is_over(const struct watched *w)
{
    const struct qsv_situation *s = &w->situation;
    return !s->goes_on && !(s->submitted && s->job.known && !s->job.over);
}

/* A run that goes on and can't be read for the moment is no failure. */
static enum qsv_status look(struct watched *w, struct qsv_error *err)
{
    look_at_situation(w);
    bool over = is_over(w);
    enum qsv_status st = read_records(w, over, err);
    return over && !w->reader ? st : QSV_OK;
}

static enum qsv_status draw(const struct watched *w, struct qsv_error *err)
{
    struct qsv_board b = board_of(w);
    struct qsv_strbuf lines = {0};
    qsv_screen_size(&b.columns, &b.rows);
    unsigned footer = b.rows > 1;
    b.rows -= footer;
    qsv_board_draw(&lines, &b);
    if (footer)
        qsv_strbuf_printf(&lines, "%.*s\n", (int)b.columns, "q quits, the run goes on");
    enum qsv_status st =
        lines.failed ? qsv_fail_memory(err, "the screen") : qsv_screen_draw(&lines, err);
    qsv_strbuf_fini(&lines);
    return st;
}

/* Until the run is over or somebody has seen enough. */
static enum qsv_status watch_screen(struct watched *w, double interval_s, struct qsv_error *err)
{
    bool quit = is_over(w);
    enum qsv_status st = quit ? QSV_OK : qsv_screen_open(err);
    while (!st && !quit && !is_over(w)) {
        st = draw(w, err);
        int key = st ? 0 : qsv_screen_wait(interval_s > 0 ? interval_s : look_s);
        quit = key == 'q' || key == 'Q' || key < 0;
        if (!st && !quit)
            st = look(w, err);
    }
    qsv_screen_close();
    return st;
}

/* Where it says anything that the last one has not said. */
static enum qsv_status print_line(const struct watched *w, struct qsv_strbuf *last, FILE *out,
                                  struct qsv_error *err)
{
    struct qsv_board b = board_of(w);
    struct qsv_strbuf line = {0};
    qsv_board_line(&line, &b);
    if (line.failed)
        return qsv_fail_memory(err, "a line");
    bool news = !last->len || strcmp(last->text, line.text) != 0;
    qsv_strbuf_fini(last);
    *last = line;
    if (news && (fputs(line.text, out) < 0 || fflush(out)))
        return qsv_fail(err, QSV_EIO, "standard output: cannot write: %s", strerror(errno));
    return QSV_OK;
}

static enum qsv_status watch_lines(struct watched *w, double interval_s, FILE *out,
                                   struct qsv_error *err)
{
    struct qsv_strbuf last = {0};
    enum qsv_status st = QSV_OK;
    double every_s = interval_s > 0 ? interval_s : log_s, due_s = 0;
    while (!st && !is_over(w)) {
        if (qsv_clock_monotonic_s() >= due_s) {
            st = print_line(w, &last, out, err);
            due_s = qsv_clock_monotonic_s() + every_s;
        }
        qsv_clock_nap_s(fmin(every_s, look_s));
        if (!st)
            st = look(w, err);
    }
    qsv_strbuf_fini(&last);
    return st;
}

/* What stays on the terminal, or is a log's end. */
static enum qsv_status print_end(const struct watched *w, FILE *out, struct qsv_error *err)
{
    struct qsv_board b = board_of(w);
    struct qsv_strbuf text = {0};
    b.columns = 100;
    b.rows = 30;
    if (isatty(fileno(out)))
        qsv_screen_size(&b.columns, &b.rows);
    qsv_board_draw(&text, &b);
    return qsv_print(out, &text, err);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    char *folder;
    if (v->interval_s < 0)
        return qsv_fail(err, QSV_EUSAGE, "option --interval: found %g, expected seconds above 0",
                        v->interval_s);
    enum qsv_status st = qsv_run_find(&folder, v->run, err);
    if (st)
        return st;
    struct watched w = {.folder = folder};
    st = look(&w, err);
    if (!st && in->out == stdout && qsv_screen_is_possible())
        st = watch_screen(&w, v->interval_s, err);
    else if (!st)
        st = watch_lines(&w, v->interval_s, in->out, err);
    if (!st)
        st = print_end(&w, in->out, err);
    qsv_reader_close(w.reader);
    qsv_situation_fini(&w.situation);
    free(folder);
    return st;
}

const struct qsv_command qsv_cmd_watch = {
    .name = "watch",
    .summary = "Shows a run on the terminal while it goes on",
    .synopsis = "RUN|JOB [--interval SECONDS]",
    .details = "Step, progress, rate, time left, ranks, the best setting so far, what was\n"
               "decided, and what accuracy costs what memory, as a curve. q quits; the run goes\n"
               "on. Ends by itself when the run ends. Where standard output is no terminal it\n"
               "prints a line whenever something has changed.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
