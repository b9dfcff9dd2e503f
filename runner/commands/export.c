#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "jobs/spec.h"
#include "results/ledger.h"
#include "results/reader.h"
#include "runner/inputs/codes.h"
#include "runner/program/commands.h"
#include "runner/inputs/export.h"

struct values {
    const char *run, *output, *trial, *model;
    bool best;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder, or its results.h5"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "OUT",
     .target = offsetof(struct values, output),
     .required = true,
     .help = "what to write: OUT.h5 with packed codes, or OUT.safetensors with f32 tensors under "
             "the checkpoint's names"},
    {.type = QSV_OPTION_FLAG,
     .name = "best",
     .target = offsetof(struct values, best),
     .help = "what the run selected (the default)"},
    {.type = QSV_OPTION_TEXT,
     .name = "trial",
     .argument = "ID",
     .target = offsetof(struct values, trial),
     .help = "this trial: the first digits of its id, as query lists it"},
    {.type = QSV_OPTION_TEXT,
     .name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .target = offsetof(struct values, model),
     .help = "where the run's source model is now (default: where it was)"},
    {.type = QSV_OPTION_END},
};

/* The quantizer that gave the run's codes. */
static enum qsv_status read_quantizer(struct qsv_quantizer *out, const struct qsv_reader *r,
                                      struct qsv_error *err)
{
    struct qsv_spec *spec = NULL;
    const char *text = qsv_reader_spec(r), *path = qsv_reader_path(r);
    if (!text)
        return qsv_fail(err, QSV_EINPUT, "%s: no search has begun in this run", path);
    enum qsv_status st = qsv_spec_parse(&spec, text, strlen(text), path, err);
    if (st)
        return st;
    *out = spec->quantizer;
    const uint64_t hash = qsv_codes_hash(spec);
    qsv_spec_destroy(spec);
    if (!hash)
        return qsv_fail_memory(err, path);
    if (hash == qsv_reader_identity(r)->quantizer)
        return QSV_OK;
    return qsv_fail(err, QSV_EIDENTITY, "%s: this version of qsvit quantizes differently", path);
}

static enum qsv_status open_model(struct qsv_loaded *x, const struct qsv_reader *r,
                                  const char *path, struct qsv_error *err)
{
    const char *recorded = qsv_reader_ledger(r)->model_path;
    enum qsv_status st = qsv_loaded_open(x, path ? path : recorded, err);
    if (st && !path)
        return qsv_fail_in(err, st, "the run's model (--model says where it is now)");
    if (st)
        return st;
    if (x->model->hash == qsv_reader_identity(r)->model &&
        x->model->graph.n_layers == qsv_reader_graph(r)->n_layers)
        return QSV_OK;
    return qsv_fail(err, QSV_EIDENTITY, "%s: is not the model of %s (--model says where that is)",
                    x->model->path, qsv_reader_path(r));
}

/* Codes that were recorded are taken from there. */
static enum qsv_status open_bank(struct qsv_loaded *x, const char *run,
                                 const struct qsv_quantizer *quantizer, struct qsv_error *err)
{
    if (!qsv_quantizer_needs_statistics(quantizer))
        return QSV_OK;
    char *path = qsv_codes_path(run);
    enum qsv_status st =
        path ? qsv_bank_load(&x->bank, x->model, path, err) : qsv_fail_memory(err, "the bank");
    free(path);
    return st;
}

static enum qsv_status export(const struct qsv_reader *r, const struct values *v, FILE *out,
                              struct qsv_error *err) {
    struct qsv_loaded x = {0}; struct qsv_quantizer quantizer;
    const struct qsv_reader_trial *trial = NULL;
    enum qsv_status st = qsv_reader_find(r, v->trial ? v->trial : "best", &trial, err);
    if (!st) st = read_quantizer(&quantizer, r, err);
    if (!st) st = open_model(&x, r, v->model, err);
    if (!st) st = open_bank(&x, v->run, &quantizer, err);
    if (!st) st = qsv_export_keep_input(v->output, x.model->path, err);
    if (!st) st = qsv_export_write(&x, trial->formats, &quantizer, v->output, out, err);
    qsv_loaded_fini(&x);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_reader *r = NULL;
    struct qsv_strbuf warnings = {0};
    if (v->best && v->trial)
        return qsv_fail(err, QSV_EUSAGE, "--best and --trial exclude each other");
    enum qsv_status st = qsv_export_check(v->output, v->run, err);
    if (!st)
        st = qsv_reader_open(&r, v->run, false, &warnings, err);
    qsv_print_warnings(&warnings);
    if (!st)
        st = export(r, v, in->out, err);
    qsv_reader_close(r);
    return st;
}

const struct qsv_command qsv_cmd_export = {
    .name = "export",
    .summary = "Writes the quantized network that a run selected",
    .synopsis = "RUN [--best | --trial ID] [-m MODEL] -o OUT",
    .details = "The same as quantize, with formats and quantizer of a run's trial. The answers\n"
               "of OUT.h5 are those of the trial, bit for bit.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
