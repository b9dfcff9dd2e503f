#include "results/columns.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jobs/nearest.h"
#include "results/view.h"

#define FIGURE(type, field) QSV_COLUMN_##type, offsetof(struct qsv_query_row, figures.field)
#define OWN(field)          QSV_COLUMN_TEXT, offsetof(struct qsv_query_row, field)
#define PJ                  "pJ/image"

const struct qsv_query_column qsv_query_columns[] = {
    {"trial", OWN(trial_text), true, 0, NULL, "the trial's id: a hash of its setting"},
    {"number", FIGURE(U32, trial.number), false, 0, NULL,
     "order in which the run asked for it, from 1"},
    {"step", FIGURE(TEXT, trial.step), true, 0, NULL, "step of the search that asked for it first"},
    {"parent", OWN(parent_text), false, 0, NULL, "trial it was made from"},
    {"baseline", FIGURE(U8, is_baseline), false, 0, NULL, "1: all layers f32"},
    {"selected", FIGURE(U8, is_selected), false, 0, NULL, "1: what the last search selected"},
    {"formats", OWN(formats_text), false, 0, NULL, "layers by weight format"},
    {"avg_bits", FIGURE(F64, trial.bytes.avg_bits), true, 2, "bit/weight",
     "bits a weight, scales that stand alone counted"},
    {"weights_bytes", FIGURE(U64, trial.bytes.weights_bytes), false, 0, "B",
     "packed weights, and scales that stand alone"},
    {"model_bytes", FIGURE(U64, trial.bytes.model_bytes), true, 0, "B", "everything stored"},
    {"weights_saved", FIGURE(F64, weights_saved), false, 1, "%", "weights_bytes below f32"},
    {"model_saved", FIGURE(F64, model_saved), true, 1, "%", "model_bytes below f32"},
    {"images", OWN(images), true, 0, NULL, "which images the figures are of: judge or decide"},
    {"n_images", FIGURE(U64, n_images), true, 0, "images", "images measured"},
    {"all_images", FIGURE(U8, all_images), false, 0, NULL, "1: every image of the set is measured"},
    {"top1", FIGURE(F64, top1), true, 2, "%", "right answers"},
    {"top5", FIGURE(F64, top5), false, 2, "%", "right answers among the first five"},
    {"top1_drop", FIGURE(F64, top1_drop), true, 2, "points", "top-1 below the baseline's"},
    {"drop_low", FIGURE(F64, drop_low), true, 2, "points",
     "paired 95 % interval of top1_drop, lower end"},
    {"drop_high", FIGURE(F64, drop_high), true, 2, "points", "and upper end"},
    {"only_trial", FIGURE(U64, only_trial), false, 0, "images",
     "right where the baseline is wrong"},
    {"only_baseline", FIGURE(U64, only_baseline), false, 0, "images",
     "wrong where the baseline is right"},
    {"loss", FIGURE(F64, loss), false, 4, "nats", "mean cross-entropy"},
    {"kl", FIGURE(F64, kl), false, 5, "nats", "mean KL divergence from the baseline's answer"},
    {"kl_error", FIGURE(F64, kl_error), false, 5, "nats", "standard error of kl"},
    {"drift", FIGURE(F64, drift), false, 4, "thresholds",
     "membrane potentials against the baseline's"},
    {"ac_ops", FIGURE(F64, ac_ops), false, -4, "op/image", "accumulates on spikes"},
    {"mac_ops", FIGURE(F64, mac_ops), false, -4, "op/image",
     "multiply-accumulates on real-valued inputs"},
    {"energy_pj", FIGURE(F64, energy.total_pj), false, -4, PJ, "modelled energy of an inference"},
    {"energy_compute_pj", FIGURE(F64, energy.compute_pj), false, -4, PJ, "of it arithmetic"},
    {"energy_sram_pj", FIGURE(F64, energy.sram_pj), false, -4, PJ, "of it on-chip memory"},
    {"energy_dram_pj", FIGURE(F64, energy.dram_pj), false, -4, PJ, "of it off-chip memory"},
    {"energy_saved", FIGURE(F64, energy_saved), true, 1, "%",
     "energy_pj below the baseline on the same images"},
    {"wall_s", FIGURE(F64, wall_s), false, 2, "s", "seconds spent on these images, all ranks"},
    {"description", FIGURE(TEXT, trial.description), true, 0, NULL, "why it was asked for"},
};

const size_t qsv_n_query_columns = sizeof qsv_query_columns / sizeof *qsv_query_columns;

static void count_formats(char out[160], const uint8_t *formats, uint32_t n_layers)
{
    uint32_t count[QSV_N_FORMATS] = {0};
    size_t used = 0;
    for (uint32_t i = 0; i < n_layers; i++)
        count[formats[i]]++;
    out[0] = '\0';
    for (int f = 0; f < QSV_N_FORMATS; f++)
        if (count[f])
            used += (size_t)snprintf(out + used, 160 - used, "%s%s:%u", used ? " " : "",
                                     qsv_format_info((enum qsv_format)f)->name, count[f]);
}

void qsv_query_row_fill(struct qsv_query_row *row, const struct qsv_reader *r, size_t trial,
                        enum qsv_image_set set)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_trial_row *t = qsv_reader_view(r)->trials[trial].row;
    qsv_trial_derive(&row->figures, l, t, qsv_reader_trial(r, trial)->figures, set);
    snprintf(row->trial, sizeof row->trial, "%016" PRIx64, t->id);
    row->parent[0] = '\0';
    if (t->parent)
        snprintf(row->parent, sizeof row->parent, "%016" PRIx64, t->parent);
    count_formats(row->formats, t->formats, l->shape.n_layers);
    row->trial_text = row->trial;
    row->parent_text = row->parent;
    row->formats_text = row->formats;
    row->images = set == QSV_JUDGE ? "judge" : "decide";
}

double qsv_query_number(const struct qsv_query_row *row, size_t column)
{
    const struct qsv_query_column *c = &qsv_query_columns[column];
    const char *at = (const char *)row + c->offset;
    uint32_t narrow;
    uint64_t wide;
    double real;
    switch (c->type) {
    case QSV_COLUMN_U8:
        return *(const uint8_t *)at;
    case QSV_COLUMN_U32:
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    case QSV_COLUMN_U64:
        memcpy(&wide, at, sizeof wide);
        return (double)wide;
    case QSV_COLUMN_F64:
        memcpy(&real, at, sizeof real);
        return real;
    case QSV_COLUMN_TEXT:
        break;
    }
    return NAN;
}

const char *qsv_query_text(const struct qsv_query_row *row, size_t column)
{
    const char *text;
    memcpy(&text, (const char *)row + qsv_query_columns[column].offset, sizeof text);
    return text ? text : "";
}

enum qsv_status qsv_query_column_find(size_t *column, const char *name, size_t length,
                                      const char *option, struct qsv_error *err)
{
    const char *names[sizeof qsv_query_columns / sizeof *qsv_query_columns];
    char word[64];
    for (size_t i = 0; i < qsv_n_query_columns; i++) {
        names[i] = qsv_query_columns[i].name;
        if (strlen(names[i]) != length || strncmp(names[i], name, length))
            continue;
        *column = i;
        return QSV_OK;
    }
    snprintf(word, sizeof word, "%.*s", length < 63 ? (int)length : 63, name);
    const char *nearest = qsv_nearest(word, names, qsv_n_query_columns);
    return qsv_fail(err, QSV_EINPUT, "%s: there is no column '%s'%s%s%s", option, word,
                    nearest ? "; did you mean '" : "; --columns help lists them",
                    nearest ? nearest : "", nearest ? "'?" : "");
}

void qsv_query_columns_describe(struct qsv_strbuf *out)
{
    for (size_t i = 0; i < qsv_n_query_columns; i++) {
        const struct qsv_query_column *c = &qsv_query_columns[i];
        qsv_strbuf_printf(out, "%-18s %-10s  %s%s\n", c->name, c->unit ? c->unit : "", c->help,
                          c->usual ? " *" : "");
    }
    qsv_strbuf_puts(out, "* shown where no columns are named\n");
}
