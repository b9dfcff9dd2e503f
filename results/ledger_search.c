/* Searches of a ledger: what they asked, noted and selected. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "results/ledger.h"

struct qsv_recorded_search *qsv_ledger_search(const struct qsv_ledger *l)
{
    return l->current_search ? &l->searches[l->current_search - 1] : NULL;
}

static struct qsv_recorded_search *find(const struct qsv_ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->n_searches; i++)
        if (l->searches[i].row.id == id)
            return &l->searches[i];
    return NULL;
}

static struct qsv_recorded_search *append(struct qsv_ledger *l, uint64_t id)
{
    if (!qsv_grow(&l->searches, &l->cap_searches, l->n_searches + 1, sizeof *l->searches))
        return NULL;
    struct qsv_recorded_search *s = &l->searches[l->n_searches++];
    *s = (struct qsv_recorded_search){.row = {.number = (uint32_t)l->n_searches, .id = id}};
    return s;
}

/* *text becomes a copy of value; false when memory is out, *text is then as it was. */
static bool set_text(char **text, const char *value)
{
    char *copy = qsv_strdup(value ? value : "");
    if (!copy)
        return false;
    free(*text);
    *text = copy;
    return true;
}

enum qsv_status qsv_ledger_begin_search(struct qsv_ledger *l, uint64_t id, const char *strategy,
                                        const char *spec, uint32_t attempt, struct qsv_error *err)
{
    struct qsv_recorded_search *s = find(l, id);
    if (!s)
        s = append(l, id);
    if (!s || !set_text(&s->row.strategy, strategy) || !set_text(&s->row.spec, spec))
        return qsv_fail_memory(err, "a search");
    s->row.attempt = attempt;
    s->replayed = 0;
    l->current_search = s->row.number;
    return QSV_OK;
}

enum qsv_status qsv_ledger_add_step(struct qsv_ledger *l, const char *name, uint64_t trial_id,
                                    const char *decision, const char *why, struct qsv_error *err)
{
    struct qsv_recorded_search *s = qsv_ledger_search(l);
    if (!s)
        return QSV_OK;
    if (!qsv_grow(&s->steps, &s->cap_steps, s->replayed + 1, sizeof *s->steps))
        return qsv_fail_memory(err, "steps");
    struct qsv_step_row *step = &s->steps[s->replayed];
    if (s->replayed == s->n_steps) {
        *step = (struct qsv_step_row){.search = s->row.number};
        s->n_steps++;
    }
    if (!set_text(&step->name, name) || !set_text(&step->decision, decision) ||
        !set_text(&step->why, why))
        return qsv_fail_memory(err, "a step");
    step->trial_id = trial_id;
    s->replayed++;
    return QSV_OK;
}

enum qsv_status qsv_ledger_add_asked(struct qsv_ledger *l, uint64_t trial_id, const char *step,
                                     const char *description, struct qsv_error *err)
{
    struct qsv_recorded_search *s = qsv_ledger_search(l);
    if (!s)
        return QSV_OK;
    const char *name = step ? step : "";
    uint32_t step_hash = (uint32_t)qsv_hash_bytes(name, strlen(name));
    if (qsv_index_find(&s->index, trial_id, step_hash) != QSV_INDEX_NONE)
        return QSV_OK;
    struct qsv_asked_row row = {.search = s->row.number, .trial_id = trial_id};
    if (set_text(&row.step, step) && set_text(&row.description, description) &&
        qsv_grow(&s->asked, &s->cap_asked, s->n_asked + 1, sizeof *s->asked) &&
        qsv_index_add(&s->index, trial_id, step_hash, (uint32_t)s->n_asked)) {
        s->asked[s->n_asked++] = row;
        return QSV_OK;
    }
    free(row.step);
    free(row.description);
    return qsv_fail_memory(err, "the trials of a search");
}

void qsv_ledger_end_search(struct qsv_ledger *l)
{
    struct qsv_recorded_search *s = qsv_ledger_search(l);
    while (s && s->n_steps > s->replayed) {
        struct qsv_step_row *step = &s->steps[--s->n_steps];
        free(step->name);
        free(step->decision);
        free(step->why);
    }
}
