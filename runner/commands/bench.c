#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/synth.h"
#include "jobs/nearest.h"
#include "runner/bench/bench.h"
#include "runner/bench/bench_kernels.h"
#include "runner/bench/bench_report.h"
#include "runner/program/commands.h"
#include "runner/transport/transport_mpi.h"
#include "runner/inputs/images.h"
#include "schedulers/launcher.h"

enum style { STYLE_TABLE, STYLE_JSON };

struct values {
    uint64_t tasks, workers, ranks, batch, rounds, threads;
    unsigned style;
    bool kernels, trie;
    const char *model, *formats, *rates, *only;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_FLAG, "kernels", 0, NULL, AT(kernels), false, NULL, 0,
     "measure layers by themselves: by kind, format and firing rate"},
    {QSV_OPTION_FLAG, "trie", 0, NULL, AT(trie), false, NULL, 0,
     "measure a sensitivity sweep of --model: all trials together, and each alone"},
    {QSV_OPTION_TEXT, "model", 'm', "MODEL.h5", AT(model), false, NULL, 0,
     "a source model to run as a whole; with --kernels, whose shapes (default: those published "
     "as 31M, 3x224x224, T=4)"},
    {QSV_OPTION_TEXT, "formats", 0, "F,...", AT(formats), false, NULL, 0,
     "weight formats (default: int8,int4,int2,f32; of a model int4,f32; with --trie "
     "int6,int4,int3,int2)"},
    {QSV_OPTION_TEXT, "rates", 0, "R,...", AT(rates), false, "5,10,20,30", 0,
     "firing rates of --kernels, in percent"},
    {QSV_OPTION_TEXT, "only", 0, "KIND", AT(only), false, NULL, 0,
     "layers of that kind alone, such as conv3x3, conv1x1 or linear"},
    {QSV_OPTION_COUNT, "batch", 0, "N", AT(batch), false, NULL, 1024,
     "images a call of the engine (default: as a worker would take)"},
    {QSV_OPTION_COUNT, "threads", 0, "N", AT(threads), false, "1", 1024,
     "threads that run whole models; each takes its part of the batch"},
    {QSV_OPTION_COUNT, "rounds", 0, "N", AT(rounds), false, NULL, 1000,
     "rounds, whose median counts (default: 5; with --trie 1)"},
    {QSV_OPTION_COUNT, "tasks", 0, "N", AT(tasks), false, "200000", 100000000,
     "how many tasks the coordinator hands out"},
    {QSV_OPTION_COUNT, "workers", 0, "N", AT(workers), false, "64", 65536,
     "workers within this process"},
    {QSV_OPTION_COUNT, "ranks", 0, "N", AT(ranks), false, NULL, 65536,
     "MPI ranks to start instead, one of which coordinates; more than cores are fine"},
    {QSV_OPTION_CHOICE, "format", 0, "table|json", AT(style), false, "table", 0, "how to print it"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status print(const struct qsv_invocation *in, const char *transport,
                             const struct qsv_bench *b, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf out = {0};
    double rate = b->seconds > 0 ? (double)b->n_tasks / b->seconds : 0;
    if (v->style == STYLE_JSON)
        qsv_strbuf_printf(&out,
                          "{\"transport\": \"%s\", \"ranks\": %d, \"tasks\": %" PRIu64
                          ", \"seconds\": %.6f, \"tasks_per_s\": %.0f, \"grown_bytes\": %" PRIu64
                          "}\n",
                          transport, b->ranks, b->n_tasks, b->seconds, rate, b->grown_bytes);
    else
        qsv_strbuf_printf(&out,
                          "%s, %d ranks: %" PRIu64 " tasks in %.2f s, %.0f a second; memory "
                          "grew by %" PRIu64 " KiB over the second half\n",
                          transport, b->ranks, b->n_tasks, b->seconds, rate, b->grown_bytes / 1024);
    return qsv_print(in->out, &out, err);
}

static enum qsv_status take_part(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_transport *mpi;
    struct qsv_bench b;
    enum qsv_status st = qsv_mpi_begin(&mpi, err);
    if (st)
        return st;
    if (mpi->size < 2)
        st = qsv_fail(err, QSV_EUSAGE, "one rank has nobody to hand out tasks to");
    else if (!(st = qsv_bench_rank(&b, mpi, v->tasks, err)) && mpi->rank == 0)
        st = print(in, "MPI", &b, err);
    if (!qsv_mpi_end(mpi, &qsv_clock_system, 60))
        qsv_mpi_abort(qsv_status_exit(QSV_EFAILED));
    return st;
}

static enum qsv_status bench_coordinator(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_bench b;
    if (v->ranks) {
        struct qsv_launch launch = {.ranks = (uint32_t)v->ranks, .argv = in->argv};
        return qsv_launcher_find("local")->run(&launch, err);
    }
    if (v->workers == 0)
        return qsv_fail(err, QSV_EUSAGE, "--workers 0: expected 1 or more");
    enum qsv_status st = qsv_bench_loop(&b, (uint32_t)v->workers, v->tasks, err);
    return st ? st : print(in, "loop-back", &b, err);
}

/* The next word of a list with commas between; false at its end. */
static bool next_word(const char **at, char word[32])
{
    const size_t n = strcspn(*at, ",");
    if (!**at)
        return false;
    snprintf(word, 32, "%.*s", (int)(n < 31 ? n : 31), *at);
    *at += n + ((*at)[n] == ',');
    return true;
}

static enum qsv_status parse_formats(enum qsv_format formats[QSV_N_FORMATS], uint32_t *n,
                                     const char *text, struct qsv_error *err)
{
    char word[32];
    while (next_word(&text, word)) {
        enum qsv_format f;
        if (!qsv_format_find(&f, word))
            return qsv_fail(err, QSV_EUSAGE, "option --formats: '%s' is none of %s", word,
                            qsv_format_names());
        if (*n == QSV_N_FORMATS)
            return qsv_fail(err, QSV_EUSAGE, "option --formats: more formats than there are");
        formats[(*n)++] = f;
    }
    return *n ? QSV_OK : qsv_fail(err, QSV_EUSAGE, "option --formats: no format");
}

static enum qsv_status parse_rates(struct qsv_bench_kernels_setup *s, const char *text,
                                   struct qsv_error *err)
{
    char word[32];
    while (next_word(&text, word)) {
        char *end;
        const double percent = strtod(word, &end);
        if (end == word || *end || !(percent > 0 && percent < 100))
            return qsv_fail(err, QSV_EUSAGE,
                            "option --rates: '%s' is no percentage above 0 and below 100", word);
        if (s->n_rates == QSV_BENCH_MAX_RATES)
            return qsv_fail(err, QSV_EUSAGE, "option --rates: more than %d rates",
                            QSV_BENCH_MAX_RATES);
        s->rates[s->n_rates++] = percent / 100;
    }
    return s->n_rates ? QSV_OK : qsv_fail(err, QSV_EUSAGE, "option --rates: no rate");
}

static enum qsv_status parse_kind(int *out, const char *name, struct qsv_error *err)
{
    const char *names[QSV_KIND_ADD];
    *out = -1;
    for (int k = 0; k < QSV_KIND_ADD; k++) {
        names[k] = qsv_bench_kind_name((enum qsv_bench_kind)k);
        if (name && !strcmp(name, names[k]))
            *out = k;
    }
    if (!name || *out >= 0)
        return QSV_OK;
    const char *nearest = qsv_nearest(name, names, QSV_KIND_ADD);
    return qsv_fail(err, QSV_EUSAGE, "option --only: no kind '%s'%s%s%s", name,
                    nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static enum qsv_status get_model(struct qsv_model **out, const char *path, struct qsv_error *err)
{
    const struct qsv_synth published = qsv_synth_default();
    return path ? qsv_model_load(out, path, err) : qsv_synth_make(out, &published, err);
}

static enum qsv_status bench_kernels(const struct qsv_invocation *in, struct qsv_model *model,
                                     struct qsv_strbuf *out, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_bench_kernels_setup s = {
        .model = model,
        .batch = v->batch ? (uint32_t)v->batch : qsv_images_batch(model),
        .rounds = v->rounds ? (uint32_t)v->rounds : 5,
        .seed = 1,
    };
    struct qsv_bench_kernels k = {0};
    enum qsv_status st =
        parse_formats(s.formats, &s.n_formats, v->formats ? v->formats : "int8,int4,int2,f32", err);
    if (!st)
        st = parse_rates(&s, v->rates, err);
    if (!st)
        st = parse_kind(&s.only, v->only, err);
    if (!st)
        st = qsv_bench_kernels_run(&k, &s, err);
    if (!st)
        (v->style == STYLE_JSON ? qsv_bench_kernels_json : qsv_bench_kernels_table)(out, &k, &s);
    qsv_bench_kernels_fini(&k);
    return st;
}

static enum qsv_status bench_models(const struct qsv_invocation *in, struct qsv_model *model,
                                    struct qsv_strbuf *out, struct qsv_error *err)
{
    const struct values *v = in->values;
    const char *formats = v->trie ? "int6,int4,int3,int2" : "int4,f32";
    struct qsv_bench_models_setup s = {
        .model = model,
        .threads = (uint32_t)v->threads,
        .rounds = v->rounds ? (uint32_t)v->rounds
                  : v->trie ? 1
                            : 5,
        .round_s = 0.2,
        .seed = 1,
    };
    s.batch = v->batch ? (uint32_t)v->batch : qsv_images_batch(model) * s.threads;
    struct qsv_bench_model b[QSV_N_FORMATS];
    struct qsv_bench_trie t;
    enum qsv_status st =
        parse_formats(s.formats, &s.n_formats, v->formats ? v->formats : formats, err);
    if (!st)
        st = v->trie ? qsv_bench_trie_run(&t, &s, err) : qsv_bench_models_run(b, &s, err);
    if (st)
        return st;
    if (v->trie)
        (v->style == STYLE_JSON ? qsv_bench_trie_json : qsv_bench_trie_table)(out, &t, &s);
    else
        (v->style == STYLE_JSON ? qsv_bench_models_json : qsv_bench_models_table)(out, b, &s);
    return QSV_OK;
}

static enum qsv_status bench_engine(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_model *model = NULL;
    struct qsv_strbuf out = {0};
    if (v->kernels && v->trie)
        return qsv_fail(err, QSV_EUSAGE, "--kernels and --trie exclude each other");
    if (v->trie && !v->model)
        return qsv_fail(err, QSV_EUSAGE, "--trie takes a model: give --model MODEL.h5");
    if (v->only && !v->kernels)
        return qsv_fail(err, QSV_EUSAGE, "option --only goes with --kernels");
    if (!v->threads)
        return qsv_fail(err, QSV_EUSAGE, "option --threads: 0 is too small, at least 1 is needed");
    enum qsv_status st = get_model(&model, v->model, err);
    if (!st)
        st = (v->kernels ? bench_kernels : bench_models)(in, model, &out, err);
    qsv_model_destroy(model);
    if (!st)
        return qsv_print(in->out, &out, err);
    qsv_strbuf_fini(&out);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    if (v->kernels || v->trie || v->model)
        return bench_engine(in, err);
    return qsv_rank_info_read().launched ? take_part(in, err) : bench_coordinator(in, err);
}

const struct qsv_command qsv_cmd_bench = {
    .name = "bench",
    .summary = "Measures the speed of layers, of whole models and of the coordinator",
    .synopsis = "--kernels [--model MODEL.h5] [--formats F,...]\n"
                "    [--rates R,...] [--only KIND] [--batch N] [--rounds N]\n"
                "    [--format table|json]\n"
                "--model MODEL.h5 [--trie] [--formats F,...] [--batch N]\n"
                "    [--threads N] [--rounds N] [--format table|json]\n"
                "[--tasks N] [--workers N | --ranks N] [--format table|json]",
    .details = "With --kernels: each shape of layer by itself, fed with random spikes, in dense\n"
               "multiply-accumulates a second: all that the engine does for it counts.\n"
               "\n"
               "With --model: images a second on random images, and what part of the time each\n"
               "kind of layer takes. With --trie too: seconds of a sensitivity sweep whose\n"
               "trials share what they have in common, beside each trial alone.\n"
               "\n"
               "With none of them: tasks a second that the coordinator hands out to workers that\n"
               "do nothing but answer, with records as large as those of the largest published\n"
               "network. --ranks measures over MPI; ranks may be more than cores.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
