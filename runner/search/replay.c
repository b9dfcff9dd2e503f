#include "runner/search/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/inputs/codes.h"
#include "runner/coordinator/question.h"
#include "runner/search/recorded.h"

static const struct qsv_search_row *last_of(const struct qsv_ledger *l, const char *strategy)
{
    const struct qsv_recorded_search *current = qsv_ledger_search(l);
    if (current && !strcmp(current->row.strategy, strategy))
        return &current->row;
    for (size_t i = l->n_searches; i-- > 0;)
        if (!strcmp(l->searches[i].row.strategy, strategy))
            return &l->searches[i].row;
    return NULL;
}

static enum qsv_status read_spec(struct qsv_replay *r, const char *run, const char *strategy,
                                 struct qsv_error *err)
{
    const struct qsv_search_row *search = last_of(r->ledger, strategy);
    if (!search)
        return qsv_fail(err, QSV_EINPUT, "%s: holds no search by '%s'", run, strategy);
    enum qsv_status st = qsv_spec_parse(&r->spec, search->spec, strlen(search->spec), run, err);
    return st ? qsv_fail_in(err, st, "the spec of search %u", search->number) : QSV_OK;
}

static enum qsv_status read_model(struct qsv_replay *r, const char *path, struct qsv_error *err)
{
    const char *recorded = r->ledger->model_path;
    enum qsv_status st = qsv_model_load(&r->model, path ? path : recorded, err);
    if (st && !path)
        return qsv_fail_in(err, st, "the run's model (--model says where it is now)");
    if (st)
        return st;
    if (r->model->hash == r->ledger->identity.model &&
        r->model->graph.n_layers == r->ledger->shape.n_layers)
        return QSV_OK;
    return qsv_fail(err, QSV_EIDENTITY,
                    "%s: is not the model of the run (--model says where that is)",
                    path ? path : recorded);
}

static enum qsv_status read_bank(struct qsv_replay *r, const char *run, struct qsv_error *err)
{
    if (!qsv_quantizer_needs_statistics(&r->spec->quantizer))
        return QSV_OK;
    char *path = qsv_codes_path(run);
    enum qsv_status st =
        path ? qsv_bank_load(&r->bank, r->model, path, err) : qsv_fail_memory(err, "the bank");
    free(path);
    return st;
}

static enum qsv_status evaluate(void *context, const char *step, const struct qsv_trial *trials,
                                uint32_t n, enum qsv_image_set set, uint64_t n_images,
                                struct qsv_metrics *out, struct qsv_error *err)
{
    struct qsv_replay *r = context;
    struct qsv_question q;
    enum qsv_status st = qsv_question_init(&q, trials, n, r->baseline, r->model,
                                           &r->ledger->partition, set, n_images, err);
    if (st)
        return st;
    for (uint32_t i = 0; i < n && !st; i++)
        if (!qsv_recorded_answer(r->ledger, q.trial_ids[i], q.first_shard, q.n_shards, r->model,
                                 r->space->affine, trials[i].formats, &out[i]))
            st = qsv_fail(err, QSV_ESTOPPED, "step %s: %s: is not recorded", step, trials[i].what);
    qsv_question_fini(&q);
    return st;
}

static uint64_t count(void *context, enum qsv_image_set set, uint64_t n_images)
{
    const struct qsv_replay *r = context;
    return qsv_partition_count(&r->ledger->partition, set, n_images);
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
    const struct qsv_replay *r = context;
    return r->bank ? qsv_bank_loss(r->bank, layer, format) : NAN;
}

enum qsv_status qsv_replay_init(struct qsv_replay *r, const struct qsv_reader *reader,
                                const char *run, const char *strategy, const char *model,
                                struct qsv_error *err)
{
    *r = (struct qsv_replay){.ledger = qsv_reader_ledger(reader)};
    r->evaluator = (struct qsv_evaluator){
        .context = r, .evaluate = evaluate, .count = count, .note = note, .loss = loss};
    enum qsv_status st = read_spec(r, run, strategy, err);
    if (!st)
        st = read_model(r, model, err);
    if (!st)
        st = read_bank(r, run, err);
    if (!st)
        st = qsv_space_create(&r->space, r->model, r->spec, err);
    if (!st && !(r->baseline = qsv_alloc(r->model->graph.n_layers, 1)))
        st = qsv_fail_memory(err, "a recorded search");
    if (st)
        qsv_replay_fini(r);
    return st;
}

void qsv_replay_fini(struct qsv_replay *r)
{
    free(r->baseline);
    qsv_space_destroy(r->space);
    qsv_bank_destroy(r->bank);
    qsv_model_destroy(r->model);
    qsv_spec_destroy(r->spec);
    *r = (struct qsv_replay){0};
}
