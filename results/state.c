#include "results/state.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool qsv_state_goes_on(const struct qsv_state *s)
{
    return s->holder.state == QSV_LOCK_ALIVE || s->holder.state == QSV_LOCK_REMOTE;
}

/* Until now where it goes on; until its last record where it was killed. */
static double end_of_attempt(const struct qsv_state *s, double last_record_unix_s)
{
    if (!isnan(s->attempt->end_unix_s))
        return s->attempt->end_unix_s;
    return qsv_state_goes_on(s) ? qsv_clock_unix_s() : last_record_unix_s;
}

static void count_images(struct qsv_state *s)
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

void qsv_state_look(struct qsv_state *s, const struct qsv_reader *r, const char *path)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    *s = (struct qsv_state){.reader = r, .ledger = l, .holder = {.state = QSV_LOCK_FREE}};
    if (is_folder(path))
        qsv_lock_look(path, &s->holder);
    s->attempt = l->n_attempts ? &l->attempts[l->n_attempts - 1] : NULL;
    s->search = qsv_ledger_search(l);
    if (s->search && s->search->row.selected)
        qsv_reader_find(r, "best", &s->selected, NULL);
    count_images(s);
}

const char *qsv_state_word(const struct qsv_state *s)
{
    if (s->holder.state == QSV_LOCK_ALIVE)
        return "running";
    if (s->holder.state == QSV_LOCK_REMOTE)
        return "held";
    if (s->ledger->complete)
        return "complete";
    return s->attempt && s->attempt->why[0] ? "ended" : "killed";
}

const char *qsv_state_step(const struct qsv_state *s)
{
    return s->search && s->search->n_asked ? s->search->asked[s->search->n_asked - 1].step : "";
}

double qsv_state_rate(const struct qsv_state *s)
{
    return s->attempt_s > 0 ? (double)s->attempt_images / s->attempt_s : NAN;
}
