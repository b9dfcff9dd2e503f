#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/synth.h"
#include "runner/program/commands.h"

struct values {
    const char *widths, *depths, *output;
    uint64_t classes, time_steps, size, channels, heads, seed;
    double rate;
    bool kd;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_TEXT, "output", 'o', "MODEL.h5", AT(output), true, NULL, 0, "model file to write"},
    {QSV_OPTION_TEXT, "widths", 0, "A,B,C,D", AT(widths), false, "96,192,384,480", 0,
     "channels behind the four downsamplings"},
    {QSV_OPTION_TEXT, "depths", 0, "N,M", AT(depths), false, "6,2", 0,
     "transformer blocks of stages 3 and 4"},
    {QSV_OPTION_COUNT, "classes", 0, "N", AT(classes), false, "1000", 65536,
     "classes to tell apart"},
    {QSV_OPTION_COUNT, "time-steps", 0, "T", AT(time_steps), false, "4", 64,
     "time steps an image is shown for"},
    {QSV_OPTION_COUNT, "size", 0, "N", AT(size), false, "224", 8192,
     "height and width of an image"},
    {QSV_OPTION_COUNT, "channels", 0, "N", AT(channels), false, "3", QSV_MAX_CHANNELS,
     "channels of an image"},
    {QSV_OPTION_COUNT, "heads", 0, "N", AT(heads), false, "8", 4096, "attention heads"},
    {QSV_OPTION_FLAG, "kd", 0, NULL, AT(kd), false, NULL, 0, "with a distillation head"},
    {QSV_OPTION_NUMBER, "rate", 0, "R", AT(rate), false, "0.15", 0,
     "fraction of neurons that fire, 0.001 to 0.9"},
    {QSV_OPTION_COUNT, "seed", 0, "N", AT(seed), false, "1", 0, "of everything that is random"},
    {.type = QSV_OPTION_END},
};

enum { PASSES = 24 };

/* "96,192": exactly n numbers. */
static enum qsv_status parse_numbers(uint32_t *out, uint32_t n, const char *option,
                                     const char *text, struct qsv_error *err)
{
    const char *at = text;
    for (uint32_t i = 0; i < n; i++) {
        char *end = NULL;
        const unsigned long v = strtoul(at, &end, 10);
        const bool last = i + 1 == n;
        if (*at < '0' || *at > '9' || end - at > 6 || *end != (last ? '\0' : ','))
            return qsv_fail(err, QSV_EUSAGE,
                            "option --%s: '%s' is not %u whole numbers with commas between", option,
                            text, n);
        out[i] = (uint32_t)v;
        at = end + 1;
    }
    return QSV_OK;
}

static enum qsv_status parse(struct qsv_synth *s, const struct values *v, struct qsv_error *err)
{
    const uint64_t counts[] = {v->classes, v->time_steps, v->size, v->channels, v->heads};
    static const char *const names[] = {"classes", "time-steps", "size", "channels", "heads"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!counts[i])
            return qsv_fail(err, QSV_EUSAGE, "option --%s: 0 is too small, at least 1 is needed",
                            names[i]);
    *s = qsv_synth_default();
    s->classes = (uint32_t)v->classes;
    s->kd = v->kd;
    s->rate = v->rate;
    s->seed = v->seed;
    s->options.time_steps = (uint32_t)v->time_steps;
    s->options.heads = (uint32_t)v->heads;
    s->options.input =
        (struct qsv_shape){(uint32_t)v->channels, (uint32_t)v->size, (uint32_t)v->size};
    for (uint32_t c = 3; c < v->channels; c++) {
        s->options.mean[c] = s->options.mean[c - 3];
        s->options.std[c] = s->options.std[c - 3];
    }
    enum qsv_status st = parse_numbers(s->widths, 4, "widths", v->widths, err);
    return st ? st : parse_numbers(s->depths, 2, "depths", v->depths, err);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rates measured on images that the norms were not set with. */
static enum qsv_status print(const struct qsv_invocation *in, const struct qsv_model *m,
                             struct qsv_error *err)
{
    const struct values *v = in->values;
    const struct qsv_graph *g = &m->graph;
    struct qsv_strbuf out = {0};
    size_t held = 0;
    double *rates = qsv_alloc(g->n_lifs, 2 * sizeof *rates), sum = 0;
    if (!rates)
        return qsv_fail_memory(err, "firing rates");
    double *sorted = rates + g->n_lifs;
    enum qsv_status st = qsv_synth_rates(rates, m, v->seed + 1, err);
    for (uint32_t i = 0; !st && i < g->n_lifs; i++)
        if (qsv_synth_is_held(g, i))
            sum += sorted[held++] = rates[i];
    if (!st) {
        qsort(sorted, held, sizeof *sorted, by_value);
        qsv_strbuf_printf(
            &out,
            "%s: %zu layers, %" PRIu64 " weights, T=%u, input %ux%ux%u, %u classes\n"
            "firing rates of %zu LIFs: mean %.4f, median %.4f, %.4f to %.4f (asked for: "
            "%g)\n",
            v->output, g->n_layers, g->n_weights, m->options.time_steps, m->options.input.c,
            m->options.input.h, m->options.input.w, m->classes, held, sum / (double)held,
            sorted[held / 2], sorted[0], sorted[held - 1], v->rate);
        for (uint32_t i = 0; i < g->n_lifs; i++)
            if (!qsv_synth_is_held(g, i))
                qsv_strbuf_printf(&out, "%s fires at %.4f, for attention's sake\n", g->lifs[i].name,
                                  rates[i]);
        st = qsv_print(in->out, &out, err);
    }
    free(rates);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_synth s;
    struct qsv_model *m = NULL;
    enum qsv_status st = parse(&s, v, err);
    if (!st)
        st = qsv_synth_make_firing(&m, &s, PASSES, err);
    if (!st)
        st = qsv_model_save(m, v->output, err);
    if (!st)
        st = print(in, m, err);
    qsv_model_destroy(m);
    return st;
}

const struct qsv_command qsv_cmd_synth = {
    .name = "synth",
    .summary = "Makes a model with random weights, to measure speed with",
    .synopsis = "-o MODEL.h5 [--widths A,B,C,D] [--depths N,M]\n"
                "    [--classes N] [--time-steps T] [--size N] [--channels N]\n"
                "    [--heads N] [--kd] [--rate R] [--seed N]",
    .details = "An SDTv2 of any size that answers nothing, but whose neurons fire at about the\n"
               "given rate: the norms in front of them are set by runs on random images. The\n"
               "rates that were reached, on other images, are printed. In attention k fires as\n"
               "seldom as is needed for its output to fire at the rate.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
