#include "results/diff.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "results/diff_report.h"
#include "results/reader.h"

enum { LISTED = 20 }; /* of a kind */

static const char *const kind_names[QSV_N_DIFF_KINDS] = {"identity", "spec",  "selection",
                                                         "trials",   "steps", "records"};

void qsv_diff_note(struct qsv_diff_report *d, enum qsv_diff_kind kind, const char *format, ...)
{
    char line[1024];
    va_list args;
    if (d->count[kind]++ >= LISTED || !d->text)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    qsv_strbuf_printf(d->text, "%s: %s\n", kind_names[kind], line);
}

void qsv_diff_end(struct qsv_diff_report *d)
{
    for (int k = 0; k < QSV_N_DIFF_KINDS && d->text; k++)
        if (d->count[k] > LISTED)
            qsv_strbuf_printf(d->text, "%s: %" PRIu64 " more\n", kind_names[k],
                              d->count[k] - LISTED);
}

static void note_hash(struct qsv_diff_report *d, const char *name, uint64_t a, uint64_t b)
{
    if (a != b)
        qsv_diff_note(d, QSV_DIFF_IDENTITY, "%s: %016" PRIx64 " against %016" PRIx64, name, a, b);
}

static void note_number(struct qsv_diff_report *d, const char *name, uint64_t a, uint64_t b)
{
    if (a != b)
        qsv_diff_note(d, QSV_DIFF_IDENTITY, "%s: %" PRIu64 " against %" PRIu64, name, a, b);
}

void qsv_diff_identity(struct qsv_diff_report *d, const struct qsv_ledger *a,
                       const struct qsv_ledger *b)
{
    const struct qsv_identity *x = &a->identity, *y = &b->identity;
    note_hash(d, "model", x->model, y->model);
    note_hash(d, "judging images", x->dataset, y->dataset);
    note_hash(d, "deciding images", x->calibration, y->calibration);
    note_hash(d, "order of images", x->order, y->order);
    note_hash(d, "quantizer", x->quantizer, y->quantizer);
    note_number(d, "images a shard", x->shard_images, y->shard_images);
    note_number(d, "engine's numerics version", x->engine, y->engine);
    note_number(d, "layers", a->shape.n_layers, b->shape.n_layers);
    note_number(d, "LIFs", a->shape.n_lifs, b->shape.n_lifs);
    note_number(d, "sites", a->shape.n_sites, b->shape.n_sites);
    note_number(d, "number of judging images", a->partition.n_judge, b->partition.n_judge);
    note_number(d, "number of deciding images", a->partition.n_decide, b->partition.n_decide);
}

static void compare(struct qsv_diff_report *d, const struct qsv_reader *ra,
                    const struct qsv_reader *rb)
{
    const struct qsv_ledger *a = qsv_reader_ledger(ra), *b = qsv_reader_ledger(rb);
    qsv_diff_identity(d, a, b);
    if (memcmp(&a->constants, &b->constants, sizeof a->constants))
        qsv_diff_note(d, QSV_DIFF_SPEC, "other energy constants; energy is not compared");
    qsv_diff_spec(d, qsv_reader_spec(ra), qsv_reader_spec(rb));
    if (a->complete != b->complete)
        qsv_diff_note(d, QSV_DIFF_SELECTION, "only %s is complete",
                      a->complete ? "the first" : "the second");
    qsv_diff_searches(d, a, b);
    /* Shapes, shards and ids mean the same only then. */
    if (d->count[QSV_DIFF_IDENTITY])
        return;
    qsv_diff_trials(d, a, b);
    qsv_diff_records(d, a, b);
}

static void conclude(struct qsv_diff *out, const struct qsv_diff_report *d,
                     const struct qsv_ledger *a)
{
    *out = (struct qsv_diff){
        .identity = d->count[QSV_DIFF_IDENTITY],
        .spec = d->count[QSV_DIFF_SPEC],
        .selection = d->count[QSV_DIFF_SELECTION],
        .trials = d->count[QSV_DIFF_TRIALS],
        .steps = d->count[QSV_DIFF_STEPS],
        .records = d->count[QSV_DIFF_RECORDS],
    };
    out->equal = !out->identity && !out->selection && !out->trials && !out->steps && !out->records;
    if (!d->text)
        return;
    if (out->equal)
        qsv_strbuf_printf(d->text, "equal: %zu trials, %zu records%s\n", a->n_trials,
                          a->n_evaluations, out->spec ? "; the specs' texts differ" : "");
    else if (out->identity)
        qsv_strbuf_puts(d->text, "different: the runs measure different things, so their records "
                                 "are not compared\n");
    else
        qsv_strbuf_printf(d->text,
                          "different: %" PRIu64 " in the selection, %" PRIu64 " in trials, %" PRIu64
                          " in steps, %" PRIu64 " in records\n",
                          out->selection, out->trials, out->steps, out->records);
}

enum qsv_status qsv_diff_run(struct qsv_diff *out, const char *path_a, const char *path_b,
                             struct qsv_strbuf *report, struct qsv_strbuf *warnings,
                             struct qsv_error *err)
{
    struct qsv_reader *a = NULL, *b = NULL;
    struct qsv_diff_report d = {.text = report};
    enum qsv_status st = qsv_reader_open(&a, path_a, true, warnings, err);
    if (!st)
        st = qsv_reader_open(&b, path_b, true, warnings, err);
    if (!st) {
        compare(&d, a, b);
        qsv_diff_end(&d);
        conclude(out, &d, qsv_reader_ledger(a));
    }
    if (!st && report && report->failed)
        st = qsv_fail_memory(err, "the differences");
    qsv_reader_close(a);
    qsv_reader_close(b);
    return st;
}
