#include "runner/search/recorded.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static const double much_longer = 10; /* times the median: a gap in which a rank had no work */

bool qsv_recorded_answer(const struct qsv_ledger *l, uint64_t trial_id, uint32_t first,
                         uint32_t count, const struct qsv_model *model, enum qsv_format affine,
                         const uint8_t *formats, struct qsv_metrics *out)
{
    *out = (struct qsv_metrics){.trial_id = trial_id};
    double energy_pj = 0;
    for (uint32_t s = first; s < first + count; s++) {
        const struct qsv_evaluation *e = qsv_ledger_evaluation(l, trial_id, s);
        if (!e)
            return false;
        qsv_metrics_add(out, &e->record);
        out->energy.compute_pj += e->energy.compute_pj;
        out->energy.sram_pj += e->energy.sram_pj;
        out->energy.dram_pj += e->energy.dram_pj;
        energy_pj += e->energy.total_pj;
    }
    double n = out->n_images ? (double)out->n_images : 1;
    out->energy.compute_pj /= n;
    out->energy.sram_pj /= n;
    out->energy.dram_pj /= n;
    out->energy.total_pj = energy_pj / n;
    qsv_cost_bytes(&out->bytes, model, affine, formats);
    return true;
}

/* By attempt, rank and end: the records of a task are neighbours then, shard by shard, its trials
 * by rising formats. */
static int by_task(const void *a, const void *b)
{
    const struct qsv_record *x = &(*(struct qsv_evaluation *const *)a)->record;
    const struct qsv_record *y = &(*(struct qsv_evaluation *const *)b)->record;
    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->t_end_unix_s != y->t_end_unix_s)
        return x->t_end_unix_s < y->t_end_unix_s ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

static bool same_task(const struct qsv_record *a, const struct qsv_record *b)
{
    return a->attempt == b->attempt && a->rank == b->rank && a->t_end_unix_s == b->t_end_unix_s;
}

static int by_formats(const void *a, const void *b)
{
    const struct qsv_trial_setting *x = a, *y = b;
    /* Other ids are other formats, so that there is a first difference. */
    size_t l = 0;
    if (x->trial_id == y->trial_id)
        return 0;
    while (x->formats[l] == y->formats[l])
        l++;
    return x->formats[l] < y->formats[l] ? -1 : 1;
}

struct measured { /* a task */
    struct qsv_troop_work work;
    double seconds;
};

struct recorded {
    const struct qsv_ledger *ledger;
    uint32_t n_layers;
    double *prefix;                     /* [n_layers + 1] */
    struct qsv_trial_setting *settings; /* [n_trials] of the task in hand */
    struct qsv_evaluation **rows;       /* [n] by task */
    size_t n;
    struct qsv_index knows; /* (rank, shard) whose baseline it has had */
    struct measured *tasks; /* [n_tasks] */
    double *gaps;           /* [n_gaps] */
    size_t n_tasks, n_gaps;
    double first_s, last_s; /* when a task first began, and last ended */
};

/* A shard's records of a task: rows from .. to. */
static void add_shard(struct recorded *r, size_t from, size_t to, struct measured *m)
{
    const struct qsv_record *first = &r->rows[from]->record;
    struct qsv_task task = {.n_trials = (uint32_t)(to - from), .trials = r->settings};
    for (size_t i = from; i < to; i++) {
        uint64_t id = r->rows[i]->record.trial_id;
        r->settings[i - from] =
            (struct qsv_trial_setting){id, qsv_ledger_trial(r->ledger, id)->formats};
    }
    qsort(r->settings, to - from, sizeof *r->settings, by_formats);
    bool knows = qsv_index_find(&r->knows, first->rank, first->shard) != QSV_INDEX_NONE;
    if (!knows)
        qsv_index_add(&r->knows, first->rank, first->shard, 0);
    struct qsv_troop_work work = qsv_troop_work(&task, r->n_layers, r->prefix, knows);
    m->work.real += work.real * first->n_images;
    m->work.integer += work.integer * first->n_images;
}

/* Rows at and before `at` are of two tasks of a rank, one after the other. */
static void note_times(struct recorded *r, size_t at, double seconds)
{
    const struct qsv_record *now = &r->rows[at]->record;
    double began_s = now->t_end_unix_s - seconds;
    if (at == 0 || began_s < r->first_s)
        r->first_s = began_s;
    if (at == 0 || now->t_end_unix_s > r->last_s)
        r->last_s = now->t_end_unix_s;
    if (at && r->rows[at - 1]->record.rank == now->rank) {
        double gap = began_s - r->rows[at - 1]->record.t_end_unix_s;
        r->gaps[r->n_gaps++] = gap > 0 ? gap : 0;
    }
}

/* One task from row `from` on; where it ends. */
static size_t add_task(struct recorded *r, size_t from)
{
    struct measured m = {0};
    size_t at = from;
    while (at < r->n && same_task(&r->rows[from]->record, &r->rows[at]->record)) {
        size_t shard = at;
        while (at < r->n && same_task(&r->rows[from]->record, &r->rows[at]->record) &&
               r->rows[at]->record.shard == r->rows[shard]->record.shard)
            m.seconds += r->rows[at++]->record.wall_s;
        add_shard(r, shard, at, &m);
    }
    note_times(r, from, m.seconds);
    if (m.work.real + m.work.integer > 0 && m.seconds > 0)
        r->tasks[r->n_tasks++] = m;
    return at;
}

/* The normal equations of seconds = real * x + integer * y, each task weighted by 1 / (real +
 * integer). */
static void fit(const struct recorded *r, double *real_s, double *integer_s)
{
    double rr = 0, ri = 0, ii = 0, rt = 0, it = 0;
    for (size_t i = 0; i < r->n_tasks; i++) {
        const struct measured *m = &r->tasks[i];
        double x = m->work.real, y = m->work.integer, all = x + y;
        rr += x * x / all;
        ri += x * y / all;
        ii += y * y / all;
        rt += x * m->seconds / all;
        it += y * m->seconds / all;
    }
    double determinant = rr * ii - ri * ri;
    if (determinant > 1e-9 * rr * ii) {
        *real_s = (ii * rt - ri * it) / determinant;
        *integer_s = (rr * it - ri * rt) / determinant;
        if (*real_s > 0 && *integer_s > 0)
            return;
    }
    *real_s = *integer_s = (rt + it) / (rr + 2 * ri + ii);
}

static bool make_times(const struct recorded *r, struct qsv_troop_times *t)
{
    double sum = 0;
    t->factors = qsv_alloc(r->n_tasks, sizeof *t->factors);
    t->upto = qsv_alloc(r->n_tasks, sizeof *t->upto);
    if (!t->factors || !t->upto)
        return false;
    fit(r, &t->real_s, &t->integer_s);
    t->n = r->n_tasks;
    for (size_t i = 0; i < t->n; i++) {
        const struct qsv_troop_work *w = &r->tasks[i].work;
        double follows_s = w->real * t->real_s + w->integer * t->integer_s;
        t->factors[i] = r->tasks[i].seconds / follows_s;
        t->upto[i] = sum += follows_s;
    }
    return true;
}

static bool prepare(struct recorded *r, const struct qsv_ledger *l, const struct qsv_model *model,
                    uint32_t attempt)
{
    *r = (struct recorded){.ledger = l, .n_layers = l->shape.n_layers};
    r->prefix = qsv_alloc(r->n_layers + 1, sizeof *r->prefix);
    r->settings = qsv_alloc(l->n_trials + 1, sizeof *r->settings);
    r->rows = qsv_alloc(l->n_evaluations + 1, sizeof *r->rows);
    r->tasks = qsv_alloc(l->n_evaluations + 1, sizeof *r->tasks);
    r->gaps = qsv_alloc(l->n_evaluations + 1, sizeof *r->gaps);
    if (!r->prefix || !r->settings || !r->rows || !r->tasks || !r->gaps)
        return false;
    for (uint32_t i = 0; i < r->n_layers; i++)
        r->prefix[i + 1] = r->prefix[i] + (double)model->graph.layers[i].macs;
    for (size_t i = 0; i < l->n_evaluations; i++)
        if (l->evaluations[i]->record.attempt == attempt)
            r->rows[r->n++] = l->evaluations[i];
    qsort(r->rows, r->n, sizeof *r->rows, by_task);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The mean of all but those that are much longer than others. */
static double usual(double *v, size_t n)
{
    double sum = 0;
    size_t used = 0;
    qsort(v, n, sizeof *v, by_value);
    while (used < n && v[used] <= much_longer * v[n / 2])
        sum += v[used++];
    return used ? sum / (double)used : 0;
}

static uint32_t ranks_of(const struct qsv_ledger *l, uint32_t attempt)
{
    for (size_t i = 0; i < l->n_attempts; i++)
        if (l->attempts[i].number == attempt)
            return l->attempts[i].ranks;
    return 0;
}

enum qsv_status qsv_recorded_times_init(struct qsv_recorded_times *t, const struct qsv_ledger *l,
                                        const struct qsv_model *model, uint32_t attempt,
                                        struct qsv_error *err)
{
    struct recorded r = {0};
    enum qsv_status st = QSV_OK;
    *t = (struct qsv_recorded_times){0};
    if (!attempt && l->n_attempts)
        attempt = l->attempts[l->n_attempts - 1].number;
    if (l->shape.n_layers != model->graph.n_layers)
        st = qsv_fail(err, QSV_EINPUT, "the run has %u layers, %s has %zu", l->shape.n_layers,
                      model->path, model->graph.n_layers);
    else if (!prepare(&r, l, model, attempt))
        st = qsv_fail_memory(err, "a run's tasks");
    for (size_t at = 0; at < r.n && !st;)
        at = add_task(&r, at);
    if (!st && !r.n_tasks)
        st = qsv_fail(err, QSV_EINPUT, "attempt %u has no records to learn from", attempt);
    if (!st && !make_times(&r, &t->tasks))
        st = qsv_fail_memory(err, "a run's tasks");
    if (!st) {
        t->record_s = usual(r.gaps, r.n_gaps);
        t->span_s = r.last_s - r.first_s;
        t->ranks = ranks_of(l, attempt);
    }
    free(r.tasks);
    free(r.gaps);
    free(r.prefix);
    free(r.settings);
    free(r.rows);
    qsv_index_fini(&r.knows);
    return st;
}

void qsv_recorded_times_fini(struct qsv_recorded_times *t)
{
    free(t->tasks.factors);
    free(t->tasks.upto);
    *t = (struct qsv_recorded_times){0};
}
