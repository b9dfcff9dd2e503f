#include "runner/status/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"

static const double every_s = 5;

void qsv_live_format(struct qsv_strbuf *out, const struct qsv_live *l)
{
    qsv_strbuf_printf(out,
                      "qsvit live %.3f\n"
                      "attempt %" PRIu32 "\n"
                      "workers %" PRIu32 " alive %" PRIu32 "\n"
                      "trials %" PRIu32 " images %" PRIu64 "\n"
                      "recorded %" PRIu64 " done %" PRIu64 " all %" PRIu64 " in %.3f s\n"
                      "worked %.3f s waited %.3f s\n"
                      "step %s\n"
                      "best %.4f bits %.4f points\n",
                      l->unix_s, l->attempt, l->workers, l->alive, l->trials, l->images,
                      l->recorded, l->done, l->all, l->passed_s, l->worked_s, l->waited_s, l->step,
                      l->best_bits, l->best_drop);
}

/* What stands behind the name in its line; "": there is no such line. */
static const char *find_line(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? line + strlen(name) : "";
}

bool qsv_live_parse(struct qsv_live *out, const char *text)
{
    *out = (struct qsv_live){0};
    int n = sscanf(text,
                   "qsvit live %lf attempt %" SCNu32 " workers %" SCNu32 " alive %" SCNu32
                   " trials %" SCNu32 " images %" SCNu64 " recorded %" SCNu64 " done %" SCNu64
                   " all %" SCNu64 " in %lf s worked %lf s waited %lf s",
                   &out->unix_s, &out->attempt, &out->workers, &out->alive, &out->trials,
                   &out->images, &out->recorded, &out->done, &out->all, &out->passed_s,
                   &out->worked_s, &out->waited_s);
    const char *step = find_line(text, "\nstep ");
    snprintf(out->step, sizeof out->step, "%.*s", (int)strcspn(step, "\n"), step);
    sscanf(find_line(text, "\nbest "), "%lf bits %lf", &out->best_bits, &out->best_drop);
    return n == 12 && out->recorded <= out->done && out->done <= out->all;
}

bool qsv_live_read(struct qsv_live *out, const char *run_folder)
{
    uint8_t *text = NULL;
    size_t bytes;
    char *path = qsv_file_join(run_folder, "live");
    bool ok = path && !qsv_file_read(&text, &bytes, path, 4096, NULL) &&
              qsv_live_parse(out, (const char *)text);
    free(text);
    free(path);
    return ok;
}

void qsv_live_print_call(struct qsv_strbuf *out, const struct qsv_live *l)
{
    qsv_strbuf_puts(out, l->step);
    if (l->trials)
        qsv_strbuf_printf(out, ": %" PRIu32 " trial%s on %" PRIu64 " images", l->trials,
                          l->trials == 1 ? "" : "s", l->images);
}

double qsv_live_rate(const struct qsv_live *l)
{
    return l->passed_s > 0 ? (double)(l->done - l->recorded) / l->passed_s : 0;
}

void qsv_live_begin(struct qsv_live_writer *w, const char *run_folder)
{
    w->path = qsv_file_join(run_folder, "live");
    w->next_s = 0;
}

static void look(struct qsv_live *l, const struct qsv_live_writer *w)
{
    struct qsv_progress_view v;
    const struct qsv_tally tally = qsv_coordinator_tally(w->coordinator);
    qsv_progress_look(w->progress, &v);
    *l = (struct qsv_live){.unix_s = w->clock->unix_s(w->clock->context),
                           .attempt = w->attempt,
                           .workers = qsv_coordinator_workers(w->coordinator),
                           .alive = qsv_coordinator_alive(w->coordinator),
                           .trials = v.n_trials,
                           .images = v.n_images,
                           .recorded = v.n_recorded,
                           .done = v.n_done,
                           .all = v.n_forwards,
                           .passed_s = v.passed_s,
                           .worked_s = tally.worked_s,
                           .waited_s = tally.waited_s,

                           .best_bits = v.best_bits,
                           .best_drop = v.best_drop};
    snprintf(l->step, sizeof l->step, "%s", v.step);
}

/* Renamed, so that nobody reads half of it, but not synced: it is of no use after a crash. */
static void replace(const char *path, const struct qsv_strbuf *text)
{
    char *temporary = qsv_file_temporary(path);
    FILE *f = temporary ? fopen(temporary, "we") : NULL;
    if (f) {
        bool ok = fwrite(text->text, 1, text->len, f) == text->len;
        if (fclose(f) || !ok || rename(temporary, path) < 0)
            unlink(temporary);
    }
    free(temporary);
}

void qsv_live_tick(struct qsv_live_writer *w)
{
    struct qsv_live l;
    struct qsv_strbuf text = {0};
    if (!w || !w->path || w->clock->now_s(w->clock->context) < w->next_s)
        return;
    w->next_s = w->clock->now_s(w->clock->context) + every_s;
    look(&l, w);
    qsv_live_format(&text, &l);
    if (!text.failed)
        replace(w->path, &text);
    qsv_strbuf_fini(&text);
}

void qsv_live_end(struct qsv_live_writer *w)
{
    if (w->path)
        unlink(w->path);
    free(w->path);
    w->path = NULL;
}
