#include "runner/search/evaluator.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "runner/base/chance.h"
#include "runner/search/expense.h"
#include "runner/coordinator/hints.h"
#include "runner/base/shelf.h"

enum { TELLING = 256 }; /* images */

struct best {
    uint64_t trial_id, n_images, model_bytes;
};

struct qsv_run_evaluator {
    struct qsv_run_evaluator_setup setup;
    uint8_t *baseline; /* [n_layers] all f32 */
    uint64_t *site_ac; /* [n_sites], sums of the trial in hand */
    struct best best;
    struct qsv_hints hints;
    struct qsv_shelf shelf;
    struct qsv_expense expense;
    uint32_t n_segments;              /* written here, of records that were on the shelf */
    const struct qsv_question *asked; /* that is being answered; NULL: none */
    bool warned;                      /* that the baseline is no better than chance */
};

enum qsv_status qsv_run_evaluator_create(struct qsv_run_evaluator **out,
                                         const struct qsv_run_evaluator_setup *setup,
                                         struct qsv_error *err)
{
    struct qsv_run_evaluator *e = qsv_alloc(1, sizeof *e);
    *out = NULL;
    if (e) {
        e->setup = *setup;
        e->baseline = qsv_alloc(setup->run->shape.n_layers, 1); /* QSV_F32 is 0 */
        e->site_ac = qsv_alloc(setup->run->shape.n_sites, sizeof *e->site_ac);
    }
    if (!e || !e->baseline || !e->site_ac) {
        qsv_run_evaluator_destroy(e);
        return qsv_fail_memory(err, "the evaluator");
    }
    *out = e;
    return QSV_OK;
}

void qsv_run_evaluator_destroy(struct qsv_run_evaluator *e)
{
    if (!e)
        return;
    free(e->baseline);
    free(e->site_ac);
    qsv_hints_fini(&e->hints);
    qsv_shelf_fini(&e->shelf);
    qsv_expense_fini(&e->expense);
    free(e);
}

/* As soon as enough images tell, or all there are: what a sweep over wrong classes costs is hours.
 */
static void look_at_baseline(struct qsv_run_evaluator *e, const struct qsv_question *q)
{
    const uint32_t classes = e->setup.run->model->classes;
    uint64_t n = 0, top1 = 0;
    struct qsv_strbuf text = {0};
    for (uint32_t s = q->first_shard; s < q->first_shard + q->n_shards && !e->warned; s++) {
        const struct qsv_record *r = qsv_store_find(e->setup.store, q->settings[0].trial_id, s);
        n += r ? r->n_images : 0;
        top1 += r ? r->n_top1 : 0;
    }
    if (e->warned || n < (q->n_images < TELLING ? q->n_images : TELLING) ||
        !qsv_chance_is_likely(top1, n, classes))
        return;
    e->warned = true;
    qsv_chance_describe(&text, top1, n, classes);
    if (!text.failed)
        qsv_progress_say(e->setup.progress, "warning: %s", text.text);
    qsv_strbuf_fini(&text);
}

static enum qsv_status take_record(void *context, struct qsv_record *r, const char *segment,
                                   struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    if (!qsv_store_find(e->setup.store, r->trial_id, r->shard))
        qsv_progress_add(e->setup.progress, r->n_images);
    const bool is_baseline = e->asked && r->trial_id == e->asked->settings[0].trial_id;
    enum qsv_status st = qsv_store_add(e->setup.store, r, segment, err);
    if (!st && is_baseline)
        look_at_baseline(e, e->asked);
    return st;
}

static enum qsv_status tick(void *context, struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    qsv_progress_tick(e->setup.progress);
    qsv_live_tick(e->setup.live);
    return qsv_store_fold_if_due(e->setup.store, err);
}

static enum qsv_status take_ahead(void *context, struct qsv_record *r, struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    return qsv_shelf_put(&e->shelf, r, err);
}

static bool has(void *context, uint64_t trial_id, uint32_t shard)
{
    const struct qsv_run_evaluator *e = context;
    return qsv_store_find(e->setup.store, trial_id, shard) ||
           qsv_shelf_has(&e->shelf, trial_id, shard);
}

static struct qsv_job job_of(struct qsv_run_evaluator *e, enum qsv_task_kind kind,
                             const struct qsv_question *q)
{
    return (struct qsv_job){.kind = kind,
                            .attempt = qsv_store_attempt(e->setup.store),
                            .trials = q->settings,
                            .n_trials = q->n_settings,
                            .shared = q->shared,
                            .first_shard = q->first_shard,
                            .n_shards = q->n_shards,
                            .missing = q->missing,
                            .context = e,
                            .tick = tick,
                            .take_ahead = take_ahead};
}

static enum qsv_status
run_job(struct qsv_run_evaluator *e, enum qsv_task_kind kind, const struct qsv_question *q,
        enum qsv_status (*take)(void *, struct qsv_record *, const char *, struct qsv_error *),
        struct qsv_error *err)
{
    struct qsv_job job = job_of(e, kind, q), ahead;
    job.take = take;
    if (kind == QSV_TASK_EVALUATE && !qsv_shelf_is_full(&e->shelf) &&
        qsv_hints_ask(&e->hints, q, e->baseline, e->setup.run->model, e->setup.run->partition, has,
                      e)) {
        ahead = job_of(e, QSV_TASK_AHEAD, &e->hints.question);
        job.ahead = &ahead;
    }
    return qsv_coordinator_run(e->setup.coordinator, &job, err);
}

static enum qsv_status make_trials_known(struct qsv_run_evaluator *e, const char *step,
                                         const struct qsv_trial *trials, uint32_t n,
                                         const struct qsv_question *q, struct qsv_error *err)
{
    struct qsv_trial baseline = {e->baseline, 0, "the network as it is"};
    enum qsv_status st =
        qsv_store_add_trial(e->setup.store, &baseline, q->trial_ids[n], "baseline", err);
    for (uint32_t i = 0; i < n && !st; i++)
        st = qsv_store_add_trial(e->setup.store, &trials[i], q->trial_ids[i], step, err);
    return st;
}

/* A trial's records added up by rising shard. */
static enum qsv_status add_up(struct qsv_run_evaluator *e, const struct qsv_question *q,
                              uint64_t trial_id, const uint8_t *formats, struct qsv_metrics *out,
                              struct qsv_error *err)
{
    const struct qsv_run *run = e->setup.run;
    *out = (struct qsv_metrics){.trial_id = trial_id};
    memset(e->site_ac, 0, run->shape.n_sites * sizeof *e->site_ac);
    for (uint32_t s = 0; s < q->n_shards; s++) {
        const struct qsv_record *r = qsv_store_find(e->setup.store, trial_id, q->first_shard + s);
        if (!r)
            return qsv_fail(err, QSV_EFAILED, "trial %016" PRIx64 " has no record of shard %u",
                            trial_id, q->first_shard + s);
        qsv_metrics_add(out, r);
        for (uint32_t i = 0; i < run->shape.n_sites; i++)
            e->site_ac[i] += r->site_ac[i];
    }
    qsv_cost_bytes(&out->bytes, run->model, run->affine, formats);
    qsv_cost_energy(&out->energy, run->model, run->affine, formats, e->site_ac, out->n_images,
                    &run->energy);
    return QSV_OK;
}

/* The smallest that meets the constraint, judged by as many images as any was. */
static void follow_best(struct qsv_run_evaluator *e, const struct qsv_metrics *m)
{
    struct best *b = &e->best;
    bool meets = qsv_constraint_violation(e->setup.spec, m) == 0;
    if (m->trial_id == b->trial_id && !meets) {
        *b = (struct best){0, m->n_images, UINT64_MAX};
        qsv_progress_best(e->setup.progress, 0, 0);
    }
    bool better = m->n_images > b->n_images ||
                  (m->n_images == b->n_images && m->bytes.model_bytes < b->model_bytes);
    if (!meets || !better || m->bytes.model_bytes >= e->setup.run->model->source_bytes)
        return;
    *b = (struct best){m->trial_id, m->n_images, m->bytes.model_bytes};
    qsv_progress_best(e->setup.progress, m->bytes.avg_bits, qsv_metrics_top1_drop(m));
}

/* What was evaluated ahead and is asked for now is recorded now. */
static enum qsv_status record(struct qsv_run_evaluator *e, const struct qsv_question *q,
                              struct qsv_record *records, uint32_t n, struct qsv_error *err)
{
    char segment[QSV_MESSAGE_NAME];
    snprintf(segment, sizeof segment, "%u-0-%u", qsv_store_attempt(e->setup.store),
             ++e->n_segments);
    enum qsv_status st = qsv_segment_write(e->setup.spec->run, segment, e->setup.run, records, n,
                                           q->settings, q->n_settings, err);
    for (uint32_t i = 0; i < n && !st; i++)
        st = qsv_store_add(e->setup.store, &records[i], segment, err);
    return st;
}

static enum qsv_status take_from_shelf(struct qsv_run_evaluator *e, const struct qsv_question *q,
                                       struct qsv_error *err)
{
    struct qsv_record *records = NULL, r;
    size_t n = 0, capacity = 0;
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < q->n_settings && e->shelf.n && !st; i++) {
        for (uint32_t s = q->first_shard; s < q->first_shard + q->n_shards && !st; s++) {
            uint64_t id = q->settings[i].trial_id;
            if (qsv_store_find(e->setup.store, id, s) || !qsv_shelf_has(&e->shelf, id, s))
                continue;
            if (!qsv_grow(&records, &capacity, n + 1, sizeof *records))
                st = qsv_fail_memory(err, "records evaluated ahead");
            else if (qsv_shelf_take(&e->shelf, id, s, &r))
                records[n++] = r;
        }
    }
    if (n && !st)
        st = record(e, q, records, (uint32_t)n, err);
    for (size_t i = 0; i < n; i++)
        qsv_record_fini(&records[i]);
    free(records);
    return st;
}

static enum qsv_status answer(struct qsv_run_evaluator *e, const char *step,
                              const struct qsv_trial *trials, uint32_t n, struct qsv_question *q,
                              struct qsv_metrics *out, struct qsv_error *err)
{
    enum qsv_status st = make_trials_known(e, step, trials, n, q, err);
    if (!st)
        st = take_from_shelf(e, q, err);
    if (st)
        return st;
    qsv_question_look_up(q, e->setup.store, e->setup.run->partition);
    qsv_progress_begin(e->setup.progress, step, n, q->n_images, q->n_forwards - q->n_missing,
                       q->n_forwards);
    e->asked = q;
    if (q->n_missing)
        st = run_job(e, QSV_TASK_EVALUATE, q, take_record, err);
    e->asked = NULL;
    if (!st && q->n_missing) /* what was under way already */
        st = take_from_shelf(e, q, err);
    for (uint32_t i = 0; i < n && !st; i++) {
        st = add_up(e, q, q->trial_ids[i], trials[i].formats, &out[i], err);
        if (!st)
            follow_best(e, &out[i]);
    }
    if (!st)
        st = qsv_expense_add(&e->expense, q, n, e->setup.store, err);
    if (!st) {
        look_at_baseline(e, q);
        qsv_progress_end(e->setup.progress);
    }
    return st;
}

static enum qsv_status evaluate(void *context, const char *step, const struct qsv_trial *trials,
                                uint32_t n, enum qsv_image_set set, uint64_t n_images,
                                struct qsv_metrics *out, struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    struct qsv_question q;
    enum qsv_status st = qsv_question_init(&q, trials, n, e->baseline, e->setup.run->model,
                                           e->setup.run->partition, set, n_images, err);
    if (st)
        return st;
    st = answer(e, step, trials, n, &q, out, err);
    qsv_question_fini(&q);
    qsv_hints_fini(&e->hints);
    return st;
}

static void suggest(void *context, const struct qsv_trial *trials, uint32_t n,
                    enum qsv_image_set set, uint64_t n_images)
{
    struct qsv_run_evaluator *e = context;
    qsv_hints_set(&e->hints, trials, n, e->setup.run->shape.n_layers, set, n_images);
}

static uint64_t count(void *context, enum qsv_image_set set, uint64_t n_images)
{
    const struct qsv_run_evaluator *e = context;
    return qsv_partition_count(e->setup.run->partition, set, n_images);
}

static enum qsv_status note(void *context, const struct qsv_step *step, struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    qsv_progress_say(e->setup.progress, "%s: %s: %s", step->name, step->decision, step->why);
    return qsv_store_add_step(e->setup.store, step, err);
}

static double loss(void *context, uint32_t layer, uint8_t format)
{
    struct qsv_run_evaluator *e = context;
    return e->setup.bank ? qsv_bank_loss(e->setup.bank, layer, format) : NAN;
}

struct qsv_evaluator qsv_run_evaluator_face(struct qsv_run_evaluator *e)
{
    return (struct qsv_evaluator){.context = e,
                                  .evaluate = evaluate,
                                  .count = count,
                                  .note = note,
                                  .suggest = suggest,
                                  .loss = loss};
}

const struct qsv_search_cost *qsv_run_evaluator_cost(const struct qsv_run_evaluator *e)
{
    return &e->expense.sum;
}

struct figure {
    const char *name;
    double measured, exported;
};

static bool differ(double a, double b)
{
    return a != b && !(isnan(a) && isnan(b));
}

static enum qsv_status compare_figures(const struct qsv_record *a, const struct qsv_record *b,
                                       struct qsv_error *err)
{
    const struct figure figures[] = {
        {"n_images", a->n_images, b->n_images},
        {"n_top1", a->n_top1, b->n_top1},
        {"n_top5", a->n_top5, b->n_top5},
        {"n_only_trial", a->n_only_trial, b->n_only_trial},
        {"n_only_baseline", a->n_only_baseline, b->n_only_baseline},
        {"loss_sum", a->loss_sum, b->loss_sum},
        {"kl_sum", a->kl_sum, b->kl_sum},
        {"drift", a->drift, b->drift},
        {"ac_ops", (double)a->ac_ops, (double)b->ac_ops},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (differ(figures[i].measured, figures[i].exported))
            return qsv_fail(err, QSV_EFAILED,
                            "the exported network differs from the trial that was measured: %s on "
                            "shard %u is %.17g, was %.17g",
                            figures[i].name, a->shard, figures[i].exported, figures[i].measured);
    return QSV_OK;
}

static enum qsv_status take_exported(void *context, struct qsv_record *r, const char *segment,
                                     struct qsv_error *err)
{
    struct qsv_run_evaluator *e = context;
    (void)segment;
    const struct qsv_record *measured = qsv_store_find(e->setup.store, r->trial_id, r->shard);
    if (!measured)
        return qsv_fail(err, QSV_EFAILED, "trial %016" PRIx64 " has no record of shard %u",
                        r->trial_id, r->shard);
    qsv_progress_add(e->setup.progress, r->n_images);
    return compare_figures(measured, r, err);
}

/* The question of one trial alone, all of it to be done. */
static void ask_anew(struct qsv_question *q, uint64_t trial_id, const uint8_t *formats)
{
    q->n_settings = 1;
    q->settings[0] = (struct qsv_trial_setting){trial_id, formats};
    q->shared[0] = 0;
    memset(q->missing, 1, q->n_shards);
}

enum qsv_status qsv_run_evaluator_verify(struct qsv_run_evaluator *e, uint64_t trial_id,
                                         const uint8_t *formats, uint64_t n_images,
                                         struct qsv_error *err)
{
    struct qsv_trial trial = {formats, 0, NULL};
    struct qsv_question q;
    const struct qsv_run *run = e->setup.run;
    enum qsv_status st = qsv_question_init(&q, &trial, 1, e->baseline, run->model, run->partition,
                                           QSV_JUDGE, n_images, err);
    if (st)
        return st;
    qsv_question_look_up(&q, e->setup.store, run->partition);
    ask_anew(&q, trial_id, formats);
    qsv_progress_begin(e->setup.progress, "verify", 1, q.n_images, 0, q.n_images);
    st = run_job(e, QSV_TASK_VERIFY, &q, take_exported, err);
    if (!st)
        qsv_progress_end(e->setup.progress);
    qsv_question_fini(&q);
    return st;
}
