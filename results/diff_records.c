/* Comparing trials and records, exactly. */
#include <inttypes.h>
#include <string.h>

#include "results/diff_report.h"
#include "results/layout.h"

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static void diff_trial(struct qsv_diff_report *d, const struct qsv_ledger *a,
                       const struct qsv_trial_row *x, const struct qsv_trial_row *y)
{
    const char *what = NULL;
    if (memcmp(x->formats, y->formats, a->shape.n_layers))
        what = "settings";
    else if (x->number != y->number)
        what = "numbers";
    else if (x->parent != y->parent)
        what = "parents";
    else if (!same_text(x->step, y->step))
        what = "steps";
    else if (!same_text(x->description, y->description))
        what = "descriptions";
    else if (x->bytes.weights_bytes != y->bytes.weights_bytes ||
             x->bytes.model_bytes != y->bytes.model_bytes)
        what = "bytes";
    if (what)
        qsv_diff_note(d, QSV_DIFF_TRIALS, "%016" PRIx64 " has other %s", x->id, what);
}

static void only_trials(struct qsv_diff_report *d, const struct qsv_ledger *in,
                        const struct qsv_ledger *other, const char *which)
{
    for (size_t i = 0; i < in->n_trials; i++)
        if (!qsv_ledger_trial(other, in->trials[i].id))
            qsv_diff_note(d, QSV_DIFF_TRIALS, "%016" PRIx64 " is only in %s", in->trials[i].id,
                          which);
}

void qsv_diff_trials(struct qsv_diff_report *d, const struct qsv_ledger *a,
                     const struct qsv_ledger *b)
{
    for (size_t i = 0; i < a->n_trials; i++) {
        const struct qsv_trial_row *y = qsv_ledger_trial(b, a->trials[i].id);
        if (y)
            diff_trial(d, a, &a->trials[i], y);
    }
    only_trials(d, a, b, "the first");
    only_trials(d, b, a, "the second");
}

/* Columns that one execution may have otherwise than the next. */
static bool is_compared(const char *column, bool energy)
{
    static const char *const free_ones[] = {"attempt", "rank", "peak_mem_bytes", "wall_s",
                                            "t_end_unix_s"};
    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++)
        if (!strcmp(column, free_ones[i]))
            return false;
    return energy || strncmp(column, "energy_", 7);
}

static size_t size_of(enum qsv_column_type type)
{
    return type == QSV_COLUMN_U8 ? 1 : type == QSV_COLUMN_U32 ? 4 : 8;
}

/* Bits, so that a NaN equals itself and 0 is not -0. */
static const char *differing_column(const struct qsv_evaluation *x, const struct qsv_evaluation *y,
                                    bool energy)
{
    const struct qsv_table *t = &qsv_evaluation_table;
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct qsv_column *c = &t->columns[i];
        if (is_compared(c->name, energy) &&
            memcmp((const char *)x + c->offset, (const char *)y + c->offset, size_of(c->type)))
            return c->name;
    }
    return NULL;
}

static const char *differing_answers(const struct qsv_record *x, const struct qsv_record *y)
{
    if (memcmp(x->correct, y->correct, ((size_t)x->n_images + 7) / 8))
        return "correct";
    if (!x->loss || !y->loss)
        return !x->loss == !y->loss ? NULL : "answers";
    if (memcmp(x->label, y->label, x->n_images * sizeof *x->label))
        return "label";
    if (memcmp(x->answer, y->answer, x->n_images * sizeof *x->answer))
        return "answer";
    return memcmp(x->loss, y->loss, x->n_images * sizeof *x->loss) ? "loss" : NULL;
}

static const char *differing_array(const struct qsv_record *x, const struct qsv_record *y,
                                   const struct qsv_record_shape *shape)
{
    if (memcmp(x->lif_spikes, y->lif_spikes, shape->n_lifs * sizeof(uint64_t)))
        return "lif_spikes";
    if (memcmp(x->lif_drift, y->lif_drift, shape->n_lifs * sizeof(uint64_t)))
        return "lif_drift";
    if (memcmp(x->site_ac, y->site_ac, shape->n_sites * sizeof(uint64_t)))
        return "site_ac";
    return differing_answers(x, y);
}

static void only_records(struct qsv_diff_report *d, const struct qsv_ledger *in,
                         const struct qsv_ledger *other, const char *which)
{
    for (size_t i = 0; i < in->n_evaluations; i++) {
        const struct qsv_record *r = &in->evaluations[i]->record;
        if (!qsv_ledger_evaluation(other, r->trial_id, r->shard))
            qsv_diff_note(d, QSV_DIFF_RECORDS, "trial %016" PRIx64 ", shard %u is only in %s",
                          r->trial_id, r->shard, which);
    }
}

void qsv_diff_records(struct qsv_diff_report *d, const struct qsv_ledger *a,
                      const struct qsv_ledger *b)
{
    bool energy = !memcmp(&a->constants, &b->constants, sizeof a->constants);
    for (size_t i = 0; i < a->n_evaluations; i++) {
        const struct qsv_evaluation *x = a->evaluations[i];
        const struct qsv_evaluation *y =
            qsv_ledger_evaluation(b, x->record.trial_id, x->record.shard);
        if (!y)
            continue;
        const char *what = differing_column(x, y, energy);
        if (!what)
            what = differing_array(&x->record, &y->record, &a->shape);
        if (what)
            qsv_diff_note(d, QSV_DIFF_RECORDS, "trial %016" PRIx64 ", shard %u: other %s",
                          x->record.trial_id, x->record.shard, what);
    }
    only_records(d, a, b, "the first");
    only_records(d, b, a, "the second");
}
