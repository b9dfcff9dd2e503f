#include "runner/forecast/simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "jobs/strategy.h"
#include "results/index.h"
#include "runner/coordinator/coordinator.h"
#include "runner/coordinator/hints.h"
#include "runner/search/recorded.h"
#include "runner/base/shelf.h"
#include "runner/forecast/truth.h"

static const double stop_s = 60;

struct simulation {
    const struct qsv_plan *plan;
    struct qsv_forecast *out;
    struct qsv_partition partition;
    struct qsv_record_shape shape;
    struct qsv_troop *troop;
    struct qsv_coordinator *coordinator;
    struct qsv_truth *truth;
    uint8_t *baseline; /* [n_layers] */
    struct qsv_hello hello;

    /* What has been evaluated: a row of bits a trial, a bit a shard. */
    struct qsv_index rows;
    uint8_t **bits;
    size_t n_rows, cap_rows;
    struct qsv_hints hints;
    struct qsv_shelf shelf;         /* records without arrays */
    struct qsv_forecast_step *step; /* the one in progress */
    double taking_cpu_s;            /* spent on what a store would do */
};

static double now_s(const struct simulation *s)
{
    const struct qsv_clock *clock = qsv_troop_clock(s->troop);
    return clock->now_s(clock->context);
}

static enum qsv_status find_row(struct simulation *s, uint64_t trial_id, uint8_t **out,
                                struct qsv_error *err)
{
    uint32_t at = qsv_index_find(&s->rows, trial_id, 0);
    if (at == QSV_INDEX_NONE) {
        at = (uint32_t)s->n_rows;
        uint8_t *bits = qsv_alloc(s->partition.n_shards / 8 + 1, 1);
        if (!bits || !qsv_grow(&s->bits, &s->cap_rows, s->n_rows + 1, sizeof *s->bits) ||
            !qsv_index_add(&s->rows, trial_id, 0, at)) {
            free(bits);
            return qsv_fail_memory(err, "simulated records");
        }
        s->bits[s->n_rows++] = bits;
    }
    *out = s->bits[at];
    return QSV_OK;
}

static bool has(const uint8_t *bits, uint32_t shard)
{
    return bits[shard / 8] >> shard % 8 & 1;
}

static enum qsv_status take_record(void *context, struct qsv_record *r, const char *segment,
                                   struct qsv_error *err)
{
    struct simulation *s = context;
    uint8_t *bits;
    double began_s = qsv_clock_thread_s();
    (void)segment;
    enum qsv_status st = find_row(s, r->trial_id, &bits, err);
    if (!st && has(bits, r->shard)) {
        s->out->n_twice++;
    } else if (!st) {
        bits[r->shard / 8] |= (uint8_t)(1 << r->shard % 8);
        s->out->n_records++;
        s->step->asked_s += r->wall_s;
        s->step->n_forwards += r->n_images;
    }
    s->taking_cpu_s += qsv_clock_thread_s() - began_s;
    return st;
}

static enum qsv_status take_ahead(void *context, struct qsv_record *r, struct qsv_error *err)
{
    struct simulation *s = context;
    double began_s = qsv_clock_thread_s();
    struct qsv_record bare = {
        .trial_id = r->trial_id, .shard = r->shard, .n_images = r->n_images, .wall_s = r->wall_s};
    s->out->n_ahead++;
    enum qsv_status st = qsv_shelf_put(&s->shelf, &bare, err);
    s->taking_cpu_s += qsv_clock_thread_s() - began_s;
    return st;
}

static bool is_there(void *context, uint64_t trial_id, uint32_t shard)
{
    const struct simulation *s = context;
    uint32_t at = qsv_index_find(&s->rows, trial_id, 0);
    return (at != QSV_INDEX_NONE && has(s->bits[at], shard)) ||
           qsv_shelf_has(&s->shelf, trial_id, shard);
}

/* What was evaluated ahead is asked for now: its seconds count from now on. */
static enum qsv_status take_from_shelf(struct simulation *s, const struct qsv_question *q,
                                       struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    struct qsv_record r;
    for (uint32_t i = 0; i < q->n_settings && s->shelf.n && !st; i++)
        for (uint32_t k = q->first_shard; k < q->first_shard + q->n_shards && !st; k++)
            if (qsv_shelf_take(&s->shelf, q->settings[i].trial_id, k, &r)) {
                st = take_record(s, &r, "", err);
                s->out->n_foreseen++;
            }
    return st;
}

/* Reading back what was exported is work that no record asks for. */
static enum qsv_status take_verified(void *context, struct qsv_record *r, const char *segment,
                                     struct qsv_error *err)
{
    (void)context;
    (void)r;
    (void)segment;
    (void)err;
    return QSV_OK;
}

static enum qsv_status tick(void *context, struct qsv_error *err)
{
    (void)context;
    (void)err;
    return QSV_OK;
}

static enum qsv_status begin_step(struct simulation *s, const char *name, uint32_t n_trials,
                                  struct qsv_error *err)
{
    struct qsv_forecast *f = s->out;
    size_t i = 0;
    while (i < f->n_steps && strcmp(f->steps[i].name, name) != 0)
        i++;
    if (i == QSV_MAX_FORECAST_STEPS)
        return qsv_fail(err, QSV_EFAILED, "a search of more than %d steps", QSV_MAX_FORECAST_STEPS);
    if (i == f->n_steps)
        snprintf(f->steps[f->n_steps++].name, sizeof f->steps[i].name, "%s", name);
    s->step = &f->steps[i];
    s->step->n_calls++;
    s->step->n_trials += n_trials;
    return QSV_OK;
}

/* Beside the strategy nothing but the coordinator is counted. */
static enum qsv_status run_job(struct simulation *s, enum qsv_task_kind kind,
                               const struct qsv_question *q, struct qsv_error *err)
{
    struct qsv_job job = {.kind = kind,
                          .attempt = 1,
                          .trials = q->settings,
                          .n_trials = q->n_settings,
                          .shared = q->shared,
                          .first_shard = q->first_shard,
                          .n_shards = q->n_shards,
                          .missing = q->missing,
                          .context = s,
                          .take = kind == QSV_TASK_EVALUATE ? take_record : take_verified,
                          .tick = tick};
    struct qsv_job ahead = job;
    job.take_ahead = take_ahead;
    if (kind == QSV_TASK_EVALUATE && !qsv_shelf_is_full(&s->shelf) &&
        qsv_hints_ask(&s->hints, q, s->baseline, s->plan->model, &s->partition, is_there, s)) {
        const struct qsv_question *h = &s->hints.question;
        ahead.kind = QSV_TASK_AHEAD;
        ahead.trials = h->settings;
        ahead.n_trials = h->n_settings;
        ahead.shared = h->shared;
        ahead.first_shard = h->first_shard;
        ahead.n_shards = h->n_shards;
        ahead.missing = h->missing;
        job.ahead = &ahead;
    }
    double began_s = now_s(s), cpu_began_s = qsv_clock_thread_s();
    double others_s = qsv_troop_figures(s->troop).cpu_s + s->taking_cpu_s;
    enum qsv_status st = qsv_coordinator_run(s->coordinator, &job, err);
    others_s = qsv_troop_figures(s->troop).cpu_s + s->taking_cpu_s - others_s;
    s->out->coordinator_cpu_s += qsv_clock_thread_s() - cpu_began_s - others_s;
    s->step->seconds += now_s(s) - began_s;
    return st;
}

static enum qsv_status look_up(struct simulation *s, struct qsv_question *q, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    q->n_images = 0;
    for (uint32_t i = 0; i < q->n_shards; i++)
        q->n_images += qsv_partition_shard(&s->partition, q->first_shard + i).n_images;
    for (uint32_t i = 0; i < q->n_settings && !st; i++) {
        uint8_t *bits;
        st = find_row(s, q->settings[i].trial_id, &bits, err);
        for (uint32_t k = 0; k < q->n_shards && !st; k++)
            q->missing[(size_t)i * q->n_shards + k] = !has(bits, q->first_shard + k);
    }
    return st;
}

static void answer(struct simulation *s, const struct qsv_question *q, uint64_t trial_id,
                   const uint8_t *formats, enum qsv_image_set set, struct qsv_metrics *out)
{
    const struct qsv_plan *p = s->plan;
    if (p->recorded && qsv_recorded_answer(p->recorded, trial_id, q->first_shard, q->n_shards,
                                           p->model, p->spec->quantizer.affine, formats, out))
        return;
    qsv_truth_answer(s->truth, formats, set, q->n_images, p->spec->quantizer.affine,
                     &p->spec->energy, out);
}

static enum qsv_status evaluate(void *context, const char *step, const struct qsv_trial *trials,
                                uint32_t n, enum qsv_image_set set, uint64_t n_images,
                                struct qsv_metrics *out, struct qsv_error *err)
{
    struct simulation *s = context;
    struct qsv_question q;
    enum qsv_status st = qsv_question_init(&q, trials, n, s->baseline, s->plan->model,
                                           &s->partition, set, n_images, err);
    if (st)
        return st;
    st = begin_step(s, step, n, err);
    if (!st)
        st = take_from_shelf(s, &q, err);
    if (!st)
        st = look_up(s, &q, err);
    if (!st)
        st = run_job(s, QSV_TASK_EVALUATE, &q, err);
    if (!st) /* what was under way already */
        st = take_from_shelf(s, &q, err);
    for (uint32_t i = 0; i < n && !st; i++)
        answer(s, &q, q.trial_ids[i], trials[i].formats, set, &out[i]);
    qsv_question_fini(&q);
    qsv_hints_fini(&s->hints);
    return st;
}

static uint64_t count(void *context, enum qsv_image_set set, uint64_t n_images)
{
    const struct simulation *s = context;
    return qsv_partition_count(&s->partition, set, n_images);
}

static void suggest(void *context, const struct qsv_trial *trials, uint32_t n,
                    enum qsv_image_set set, uint64_t n_images)
{
    struct simulation *s = context;
    if (s->plan->look_ahead)
        qsv_hints_set(&s->hints, trials, n, s->shape.n_layers, set, n_images);
}

static enum qsv_status note(void *context, const struct qsv_step *step, struct qsv_error *err)
{
    (void)context;
    (void)step;
    (void)err;
    return QSV_OK;
}

static double loss(void *context, uint32_t layer, uint8_t format)
{
    struct simulation *s = context;
    return s->plan->bank ? qsv_bank_loss(s->plan->bank, layer, format) : NAN;
}

/* What is exported is run on all judging images once more. */
static enum qsv_status verify(struct simulation *s, const struct qsv_selection *selection,
                              struct qsv_error *err)
{
    struct qsv_trial trial = {selection->formats, 0, NULL};
    struct qsv_question q;
    if (!selection->meets)
        return QSV_OK;
    enum qsv_status st = qsv_question_init(&q, &trial, 1, s->baseline, s->plan->model,
                                           &s->partition, QSV_JUDGE, 0, err);
    if (st)
        return st;
    q.n_settings = 1;
    q.settings[0] = (struct qsv_trial_setting){selection->trial_id, selection->formats};
    q.shared[0] = 0;
    memset(q.missing, 1, q.n_shards);
    st = begin_step(s, "verify", 1, err);
    for (uint32_t i = 0; i < q.n_shards; i++)
        q.n_images += qsv_partition_shard(&s->partition, q.first_shard + i).n_images;
    if (!st) {
        s->step->n_forwards += q.n_images;
        st = run_job(s, QSV_TASK_VERIFY, &q, err);
    }
    qsv_question_fini(&q);
    return st;
}

static enum qsv_status search(struct simulation *s, struct qsv_error *err)
{
    const struct qsv_spec *spec = s->plan->spec;
    const struct qsv_strategy *strategy = qsv_strategy_find(spec->search.strategy);
    struct qsv_evaluator face = {.context = s,
                                 .evaluate = evaluate,
                                 .count = count,
                                 .note = note,
                                 .suggest = suggest,
                                 .loss = loss};
    struct qsv_selection selection = {0};
    struct qsv_space *space = NULL;
    if (!strategy)
        return qsv_fail(err, QSV_EINPUT, "%s: unknown strategy '%s', known: %s", spec->path,
                        spec->search.strategy, qsv_strategy_names());
    enum qsv_status st = qsv_space_create(&space, s->plan->model, spec, err);
    double began_s = now_s(s);
    if (!st)
        st = strategy->search(space, spec, &face, &selection, err);
    if (!st)
        st = verify(s, &selection, err);
    s->out->makespan_s = now_s(s) - began_s;
    s->out->selected = selection.trial_id;
    s->out->meets = selection.meets;
    qsv_selection_fini(&selection);
    qsv_space_destroy(space);
    return st;
}

static enum qsv_status prepare(struct simulation *s, struct qsv_error *err)
{
    const struct qsv_plan *p = s->plan;
    const struct qsv_graph *g = &p->model->graph;
    enum qsv_status st = qsv_partition_init(&s->partition, p->n_judge, p->n_decide,
                                            p->spec->shard_images, p->spec->search.seed, err);
    if (st)
        return st;
    s->shape = (struct qsv_record_shape){(uint32_t)g->n_layers, (uint32_t)g->n_lifs,
                                         (uint32_t)(g->n_layers + g->n_attentions)};
    struct qsv_troop_setup how = p->how;
    how.n_workers = p->ranks - 1;
    how.model = p->model;
    how.partition = &s->partition;
    how.sizes = (struct qsv_message_sizes){s->shape, s->partition.n_shards};
    how.hello = &s->hello;
    s->hello = (struct qsv_hello){.version = "simulated", .host = "simulated"};
    if (!(s->baseline = qsv_alloc(s->shape.n_layers, 1)))
        return qsv_fail_memory(err, "a simulation");
    st = qsv_truth_create(&s->truth, p->model, how.seed, err);
    if (!st)
        st = qsv_troop_create(&s->troop, &how, err);
    if (st)
        return st;
    const struct qsv_coordinator_setup setup = {.transport = qsv_troop_transport(s->troop),
                                                .clock = qsv_troop_clock(s->troop),
                                                .partition = &s->partition,
                                                .shape = s->shape,
                                                .task_seconds = p->spec->task_seconds};
    st = qsv_coordinator_create(&s->coordinator, &setup, err);
    return st ? st : qsv_coordinator_greet(s->coordinator, &s->hello, err);
}

static void finish(struct simulation *s)
{
    struct qsv_forecast *f = s->out;
    f->ranks = s->plan->ranks;
    f->troop = qsv_troop_figures(s->troop);
    for (size_t i = 0; i < f->n_steps; i++)
        f->asked_s += f->steps[i].asked_s;
    f->efficiency = f->makespan_s > 0 ? f->asked_s / (f->ranks * f->makespan_s) : 0;
}

static void fini(struct simulation *s)
{
    qsv_coordinator_destroy(s->coordinator);
    qsv_troop_destroy(s->troop);
    qsv_truth_destroy(s->truth);
    qsv_partition_fini(&s->partition);
    for (size_t i = 0; i < s->n_rows; i++)
        free(s->bits[i]);
    free(s->bits);
    qsv_index_fini(&s->rows);
    qsv_hints_fini(&s->hints);
    qsv_shelf_fini(&s->shelf);
    free(s->baseline);
}

enum qsv_status qsv_simulate(struct qsv_forecast *out, const struct qsv_plan *plan,
                             struct qsv_error *err)
{
    struct simulation s = {.plan = plan, .out = out};
    *out = (struct qsv_forecast){0};
    enum qsv_status st = prepare(&s, err);
    if (!st)
        st = search(&s, err);
    if (!st)
        st = qsv_coordinator_stop(s.coordinator, stop_s, NULL, err);
    if (!st)
        finish(&s);
    fini(&s);
    return st;
}
