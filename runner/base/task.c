#include "runner/base/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

const char *qsv_task_kind_name(enum qsv_task_kind kind)
{
    switch (kind) {
    case QSV_TASK_EVALUATE:
        return "evaluate";
    case QSV_TASK_VERIFY:
        return "verify";
    case QSV_TASK_CODES:
        return "codes";
    case QSV_TASK_AHEAD:
        return "ahead";
    default:
        return NULL;
    }
}

enum qsv_status qsv_task_init(struct qsv_task *t, uint32_t n_trials, uint32_t n_layers,
                              struct qsv_error *err)
{
    *t = (struct qsv_task){.n_trials = n_trials};
    size_t bytes;
    if (!qsv_mul_size(n_trials, n_layers, &bytes) ||
        !(t->trials = qsv_alloc(n_trials ? n_trials : 1, sizeof *t->trials)) ||
        !(t->formats = qsv_alloc(bytes ? bytes : 1, 1))) {
        qsv_task_fini(t);
        return qsv_fail_memory(err, "a task");
    }
    for (uint32_t i = 0; i < n_trials; i++)
        t->trials[i].formats = t->formats + (size_t)i * n_layers;
    return QSV_OK;
}

void qsv_task_fini(struct qsv_task *t)
{
    free(t->trials);
    free(t->formats);
    *t = (struct qsv_task){0};
}

bool qsv_task_holds(const struct qsv_task *t, uint64_t trial_id, uint32_t shard)
{
    if (shard < t->first_shard || shard - t->first_shard >= t->n_shards)
        return false;
    for (uint32_t i = 0; i < t->n_trials; i++)
        if (t->trials[i].trial_id == trial_id)
            return true;
    return false;
}

void qsv_task_pack(const struct qsv_task *t, uint32_t n_layers, struct qsv_strbuf *out)
{
    qsv_strbuf_u64(out, t->number);
    qsv_strbuf_u32(out, t->kind);
    qsv_strbuf_u32(out, t->attempt);
    qsv_strbuf_u32(out, t->first_shard);
    qsv_strbuf_u32(out, t->n_shards);
    qsv_strbuf_u32(out, t->n_trials);
    for (uint32_t i = 0; i < t->n_trials; i++) {
        qsv_strbuf_u64(out, t->trials[i].trial_id);
        qsv_strbuf_add(out, t->trials[i].formats, n_layers);
    }
}

static bool read_trials(struct qsv_task *t, uint32_t n_layers, struct qsv_cursor *in)
{
    for (uint32_t i = 0; i < t->n_trials; i++) {
        uint8_t *formats = t->formats + (size_t)i * n_layers;
        t->trials[i].trial_id = qsv_cursor_u64(in);
        qsv_cursor_copy(in, formats, n_layers);
        for (uint32_t l = 0; l < n_layers; l++)
            if (formats[l] >= QSV_N_FORMATS)
                return false;
    }
    return !in->failed;
}

enum qsv_status qsv_task_unpack(struct qsv_task *t, uint32_t n_layers, uint32_t n_shards,
                                struct qsv_cursor *in, struct qsv_error *err)
{
    struct qsv_task head = {.number = qsv_cursor_u64(in)};
    head.kind = (enum qsv_task_kind)qsv_cursor_u32(in);
    head.attempt = qsv_cursor_u32(in);
    head.first_shard = qsv_cursor_u32(in);
    head.n_shards = qsv_cursor_u32(in);
    head.n_trials = qsv_cursor_u32(in);
    *t = (struct qsv_task){0};
    bool ok = !in->failed && qsv_task_kind_name(head.kind) && head.n_trials > 0 &&
              head.n_shards > 0 && head.first_shard < n_shards &&
              head.n_shards <= n_shards - head.first_shard &&
              head.n_trials <= qsv_cursor_left(in) / (8 + (size_t)n_layers);
    if (!ok)
        return qsv_fail(err, QSV_EFAILED, "a task is malformed");
    enum qsv_status st = qsv_task_init(t, head.n_trials, n_layers, err);
    if (st)
        return st;
    head.trials = t->trials;
    head.formats = t->formats;
    *t = head;
    if (read_trials(t, n_layers, in))
        return QSV_OK;
    qsv_task_fini(t);
    return qsv_fail(err, QSV_EFAILED, "a task's trials are malformed");
}
