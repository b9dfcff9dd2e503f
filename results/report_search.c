#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/spec.h"
#include "results/json.h"
#include "results/ledger.h"
#include "results/report.h"
#include "results/view.h"

/* What of a spec the search had to keep; null for what it does not say. A text that is no spec has
 * no constraints. */
static json_t *make_constraint(const char *text)
{
    struct qsv_spec *spec = NULL;
    if (!text || qsv_spec_parse(&spec, text, strlen(text), "", NULL))
        return json_object();
    const double bytes = (double)spec->constraint.max_bytes,
                 bits = spec->constraint.target_avg_bits;
    json_t *value = json_pack("{s:o, s:o, s:o, s:o}", "max_top1_drop",
                              qsv_json_number(spec->constraint.max_top1_drop), "max_bytes",
                              qsv_json_number(bytes > 0 ? bytes : NAN), "target_avg_bits",
                              qsv_json_number(bits > 0 ? bits : NAN), "max_energy_pj",
                              qsv_json_number(spec->constraint.max_energy_pj));
    qsv_spec_destroy(spec);
    return value;
}

static json_t *make_steps(const struct qsv_recorded_search *s)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < s->n_steps; i++) {
        const struct qsv_step_row *row = &s->steps[i];
        json_array_append_new(
            steps, json_pack("{s:o, s:o, s:o, s:o}", "name", qsv_json_string(row->name), "trial",
                             qsv_json_id(row->trial_id), "decision", qsv_json_string(row->decision),
                             "why", qsv_json_string(row->why)));
    }
    return steps;
}

/* What one step was the first of its search to ask for. */
struct asked {
    const char *step;
    uint64_t trials, images, decide; /* images recorded of these trials, for whatever step; of them
                                        deciding ones */
    double wall_s;
};

struct asked_list {
    struct asked *v; /* [n], in the order of asking */
    size_t n, capacity;
    struct qsv_index seen; /* trials that were asked for already */
};

static struct asked *find_step(struct asked_list *list, const char *step)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->v[i].step, step))
            return &list->v[i];
    if (!qsv_grow(&list->v, &list->capacity, list->n + 1, sizeof *list->v))
        return NULL;
    list->v[list->n].step = step;
    return &list->v[list->n++];
}

static bool count_trial(struct asked_list *list, const struct qsv_asked_row *row,
                        const struct qsv_view *v, const struct qsv_index *by_id)
{
    struct asked *a = find_step(list, row->step);
    uint32_t at = qsv_index_find(by_id, row->trial_id, 0);
    if (!a)
        return false;
    if (at == QSV_INDEX_NONE || qsv_index_find(&list->seen, row->trial_id, 0) != QSV_INDEX_NONE)
        return true;
    a->trials++;
    for (size_t i = 0; i < v->trials[at].n; i++) {
        const struct qsv_evaluation *e = v->trials[at].evaluations[i];
        a->images += e->record.n_images;
        a->decide += e->set == QSV_DECIDE ? e->record.n_images : 0;
        a->wall_s += e->record.wall_s;
    }
    return qsv_index_add(&list->seen, row->trial_id, 0, at);
}

static json_t *make_asked(const struct qsv_recorded_search *s, const struct qsv_view *v,
                          const struct qsv_index *by_id)
{
    struct asked_list list = {0};
    json_t *all = json_array();
    bool ok = all != NULL;
    for (size_t i = 0; i < s->n_asked && ok; i++)
        ok = count_trial(&list, &s->asked[i], v, by_id);
    for (size_t i = 0; i < list.n && ok; i++)
        ok = !json_array_append_new(all, json_pack("{s:o, s:I, s:I, s:I, s:o}", "step",
                                                   qsv_json_string(list.v[i].step), "trials",
                                                   (json_int_t)list.v[i].trials, "images",
                                                   (json_int_t)list.v[i].images, "decide_images",
                                                   (json_int_t)list.v[i].decide, "wall_s",
                                                   qsv_json_number(list.v[i].wall_s)));
    free(list.v);
    qsv_index_fini(&list.seen);
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *make_search(const struct qsv_reader *r, const struct qsv_recorded_search *s,
                           const struct qsv_index *by_id)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_search_row *row = &s->row;
    const bool chosen = row->selected != 0;
    return json_pack("{s:I, s:o, s:b, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "search",
                     (json_int_t)row->number, "strategy", qsv_json_string(row->strategy), "current",
                     (int)(row->number == l->current_search), "selected",
                     qsv_json_id(row->selected), "meets",
                     chosen ? json_boolean(row->meets) : json_null(), "image_forwards",
                     (json_int_t)row->cost.image_forwards, "trie_forwards",
                     qsv_json_number(row->cost.trie_forwards), "worker_s",
                     qsv_json_number(row->cost.worker_s), "constraint", make_constraint(row->spec),
                     "steps", make_steps(s), "asked", make_asked(s, qsv_reader_view(r), by_id));
}

json_t *qsv_report_searches(const struct qsv_reader *r)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_view *v = qsv_reader_view(r);
    struct qsv_index by_id = {0};
    json_t *all = json_array();
    bool ok = all != NULL;
    for (size_t i = 0; i < l->n_trials && ok; i++)
        ok = qsv_index_add(&by_id, v->trials[i].row->id, 0, (uint32_t)i);
    for (size_t i = 0; i < l->n_searches && ok; i++)
        ok = !json_array_append_new(all, make_search(r, &l->searches[i], &by_id));
    qsv_index_fini(&by_id);
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}
