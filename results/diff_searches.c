/* Comparing what searches asked, noted and selected. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "results/diff_report.h"

static bool same(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static void note_text(struct qsv_diff_report *d, const char *where, const char *what, const char *a,
                      const char *b)
{
    if (!same(a, b))
        qsv_diff_note(d, QSV_DIFF_STEPS, "%s: %s '%.200s' against '%.200s'", where, what,
                      a ? a : "", b ? b : "");
}

static void diff_steps(struct qsv_diff_report *d, const struct qsv_recorded_search *a,
                       const struct qsv_recorded_search *b)
{
    char where[64];
    size_t n = a->n_steps < b->n_steps ? a->n_steps : b->n_steps;
    if (a->n_steps != b->n_steps)
        qsv_diff_note(d, QSV_DIFF_STEPS, "search %u: %zu steps against %zu", a->row.number,
                      a->n_steps, b->n_steps);
    for (size_t i = 0; i < n; i++) {
        const struct qsv_step_row *x = &a->steps[i], *y = &b->steps[i];
        snprintf(where, sizeof where, "search %u, step %zu", a->row.number, i + 1);
        note_text(d, where, "name", x->name, y->name);
        note_text(d, where, "decision", x->decision, y->decision);
        note_text(d, where, "why", x->why, y->why);
        if (x->trial_id != y->trial_id)
            qsv_diff_note(d, QSV_DIFF_STEPS, "%s: trial %016" PRIx64 " against %016" PRIx64, where,
                          x->trial_id, y->trial_id);
    }
}

static void diff_asked(struct qsv_diff_report *d, const struct qsv_recorded_search *a,
                       const struct qsv_recorded_search *b)
{
    size_t n = a->n_asked < b->n_asked ? a->n_asked : b->n_asked;
    if (a->n_asked != b->n_asked)
        qsv_diff_note(d, QSV_DIFF_STEPS, "search %u: asked for %zu trials against %zu",
                      a->row.number, a->n_asked, b->n_asked);
    for (size_t i = 0; i < n; i++) {
        const struct qsv_asked_row *x = &a->asked[i], *y = &b->asked[i];
        if (x->trial_id != y->trial_id || !same(x->step, y->step) ||
            !same(x->description, y->description))
            qsv_diff_note(d, QSV_DIFF_STEPS,
                          "search %u, question %zu: %s: '%.200s' %016" PRIx64
                          " against %s: '%.200s' %016" PRIx64,
                          a->row.number, i + 1, x->step, x->description, x->trial_id, y->step,
                          y->description, y->trial_id);
    }
}

static void diff_search(struct qsv_diff_report *d, const struct qsv_recorded_search *a,
                        const struct qsv_recorded_search *b)
{
    const struct qsv_search_row *x = &a->row, *y = &b->row;
    if (x->id != y->id || !same(x->strategy, y->strategy))
        qsv_diff_note(d, QSV_DIFF_SELECTION,
                      "search %u: '%s' %016" PRIx64 " against '%s' %016" PRIx64, x->number,
                      x->strategy, x->id, y->strategy, y->id);
    if (x->selected != y->selected)
        qsv_diff_note(d, QSV_DIFF_SELECTION,
                      "search %u selected %016" PRIx64 " against %016" PRIx64, x->number,
                      x->selected, y->selected);
    if (x->meets != y->meets)
        qsv_diff_note(d, QSV_DIFF_SELECTION, "search %u: only %s meets the constraint", x->number,
                      x->meets ? "the first" : "the second");
    diff_steps(d, a, b);
    diff_asked(d, a, b);
}

void qsv_diff_searches(struct qsv_diff_report *d, const struct qsv_ledger *a,
                       const struct qsv_ledger *b)
{
    size_t n = a->n_searches < b->n_searches ? a->n_searches : b->n_searches;
    if (a->n_searches != b->n_searches)
        qsv_diff_note(d, QSV_DIFF_SELECTION, "%zu searches against %zu", a->n_searches,
                      b->n_searches);
    if (a->current_search != b->current_search)
        qsv_diff_note(d, QSV_DIFF_SELECTION, "the last search is %u against %u", a->current_search,
                      b->current_search);
    for (size_t i = 0; i < n; i++)
        diff_search(d, &a->searches[i], &b->searches[i]);
}
