#include "runner/bench/bench_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"

static void add_machine(struct qsv_strbuf *out, const struct qsv_model *m, uint32_t batch)
{
    char cpu[160];
    qsv_bench_cpu(cpu);
    qsv_strbuf_printf(out, "%s, %s; %s, input %ux%ux%u, T=%u, batch %u\n", cpu,
                      qsv_kernels_choose()->isa, m->path, m->options.input.c, m->options.input.h,
                      m->options.input.w, m->options.time_steps, batch);
}

/* One line a layer, or a kind, and format: how fast at each rate. */
static void begin_table(struct qsv_strbuf *out, const char *what, int width,
                        const struct qsv_bench_kernels_setup *s)
{
    qsv_strbuf_printf(out, "\n%-*s %-8s", width, what, "format");
    for (uint32_t r = 0; r < s->n_rates; r++)
        qsv_strbuf_printf(out, " %6.4g %%", 100 * s->rates[r]);
    qsv_strbuf_puts(out, "\n");
}

static void add_kinds(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                      const struct qsv_bench_kernels_setup *s)
{
    begin_table(out, "kind", 16, s);
    for (int kind = 0; kind < QSV_N_KINDS; kind++)
        for (uint32_t f = 0; f < s->n_formats; f++) {
            const bool fires =
                qsv_bench_kind_fires((enum qsv_bench_kind)kind) || kind == QSV_KIND_LIF;
            if (qsv_bench_kernels_gmacs(k, (enum qsv_bench_kind)kind, s->formats[f],
                                        fires ? s->rates[0] : 0) == 0)
                continue;
            qsv_strbuf_printf(out, "%-16s %-8s", qsv_bench_kind_name((enum qsv_bench_kind)kind),
                              kind == QSV_KIND_LIF || kind == QSV_KIND_ATTENTION
                                  ? ""
                                  : qsv_format_info(s->formats[f])->name);
            for (uint32_t r = 0; r < (fires ? s->n_rates : 1); r++)
                qsv_strbuf_printf(out, " %8.4g",
                                  qsv_bench_kernels_gmacs(k, (enum qsv_bench_kind)kind,
                                                          s->formats[f], fires ? s->rates[r] : 0));
            qsv_strbuf_puts(out, "\n");
        }
}

static bool same_line(const struct qsv_bench_kernel *a, const struct qsv_bench_kernel *b)
{
    return a->kind == b->kind && a->format == b->format && !strcmp(a->layer, b->layer);
}

static void add_layers(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                       const struct qsv_bench_kernels_setup *s)
{
    begin_table(out, "layer", 68, s);
    for (size_t i = 0; i < k->n; i++) {
        const struct qsv_bench_kernel *r = &k->v[i];
        char shape[64];
        if (i == 0 || !same_line(r, r - 1)) {
            snprintf(shape, sizeof shape, "%ux%ux%u to %ux%ux%u", r->in.c, r->in.h, r->in.w,
                     r->out.c, r->out.h, r->out.w);
            qsv_strbuf_printf(out, "%s%-36.36s %-26s x%-3u %-8s", i ? "\n" : "", r->layer, shape,
                              r->count, qsv_format_info(r->format)->name);
        }
        qsv_strbuf_printf(out, " %8.4g", qsv_bench_kernel_gmacs(r));
    }
    qsv_strbuf_puts(out, "\n");
}

void qsv_bench_kernels_table(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                             const struct qsv_bench_kernels_setup *s)
{
    add_machine(out, s->model, s->batch);
    qsv_strbuf_printf(out,
                      "1e9 dense multiply-accumulates a second (of lif: neurons), median of %u "
                      "rounds, by firing rate\n",
                      s->rounds);
    add_kinds(out, k, s);
    add_layers(out, k, s);
}

static json_t *json_shape(struct qsv_shape s)
{
    return json_pack("[i,i,i]", (int)s.c, (int)s.h, (int)s.w);
}

static json_t *json_kernel(const struct qsv_bench_kernel *k)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:i, s:I, s:i, s:s, s:f, s:f, s:f, s:f}",
                     "kind", qsv_bench_kind_name(k->kind), "layer", k->layer, "in",
                     json_shape(k->in), "out", json_shape(k->out), "kernel", (int)k->kernel,
                     "stride", (int)k->stride, "count", (int)k->count, "macs", (json_int_t)k->macs,
                     "frames", (int)k->frames, "format", qsv_format_info(k->format)->name,
                     "rate_asked", k->rate_asked, "rate", k->rate, "seconds", k->seconds, "gmacs",
                     qsv_bench_kernel_gmacs(k));
}

static json_t *json_kinds(const struct qsv_bench_kernels *k,
                          const struct qsv_bench_kernels_setup *s)
{
    json_t *list = json_array();
    for (int kind = 0; kind < QSV_N_KINDS; kind++)
        for (uint32_t f = 0; f < s->n_formats; f++)
            for (uint32_t r = 0; r <= s->n_rates; r++) {
                const double rate = r ? s->rates[r - 1] : 0;
                const double gmacs =
                    qsv_bench_kernels_gmacs(k, (enum qsv_bench_kind)kind, s->formats[f], rate);
                if (gmacs > 0)
                    json_array_append_new(list,
                                          json_pack("{s:s, s:s, s:f, s:f}", "kind",
                                                    qsv_bench_kind_name((enum qsv_bench_kind)kind),
                                                    "format", qsv_format_info(s->formats[f])->name,
                                                    "rate_asked", rate, "gmacs", gmacs));
            }
    return list;
}

static json_t *json_machine(const char *what, const struct qsv_model *m, uint32_t batch)
{
    char cpu[160];
    qsv_bench_cpu(cpu);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:i}", "benchmark", what, "cpu", cpu, "isa",
                     qsv_kernels_choose()->isa, "model", m->path, "input",
                     json_shape(m->options.input), "time_steps", (int)m->options.time_steps,
                     "batch", (int)batch);
}

static void add_json(struct qsv_strbuf *out, json_t *all)
{
    char *text = all ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
    if (text) {
        qsv_strbuf_puts(out, text);
        qsv_strbuf_puts(out, "\n");
    } else {
        out->failed = true;
    }
    free(text);
    json_decref(all);
}

void qsv_bench_kernels_json(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                            const struct qsv_bench_kernels_setup *s)
{
    json_t *all = json_machine("kernels", s->model, s->batch), *layers = json_array();
    for (size_t i = 0; i < k->n; i++)
        json_array_append_new(layers, json_kernel(&k->v[i]));
    json_object_set_new(all, "rounds", json_integer(s->rounds));
    json_object_set_new(all, "kinds", json_kinds(k, s));
    json_object_set_new(all, "layers", layers);
    add_json(out, all);
}

static double sum_of(const double v[QSV_N_KINDS])
{
    double sum = 0;
    for (int k = 0; k < QSV_N_KINDS; k++)
        sum += v[k];
    return sum;
}

static double gmacs_of(const struct qsv_bench_model *b, int kind)
{
    return b->kind_s[kind] > 0 ? b->kind_macs[kind] / b->kind_s[kind] / 1e9 : 0;
}

static void add_profile(struct qsv_strbuf *out, const struct qsv_bench_model *b)
{
    const double all_s = sum_of(b->kind_s);
    qsv_strbuf_printf(out, "\n%s: %.4g images/s (%.4g to %.4g), firing rate %.4f\n",
                      qsv_format_info(b->format)->name, b->images_per_s, b->slowest, b->fastest,
                      b->rate);
    qsv_strbuf_printf(out, "  %-16s %9s %7s %9s\n", "kind", "ms/image", "share", "G MAC/s");
    for (int k = 0; k < QSV_N_KINDS; k++) {
        if (b->kind_s[k] <= 0)
            continue;
        qsv_strbuf_printf(out, "  %-16s %9.4f %5.1f %%",
                          qsv_bench_kind_name((enum qsv_bench_kind)k), 1e3 * b->kind_s[k],
                          100 * b->kind_s[k] / all_s);
        if (b->kind_macs[k] > 0)
            qsv_strbuf_printf(out, " %9.4g%s", gmacs_of(b, k),
                              k == QSV_KIND_LIF ? " (neurons)" : "");
        qsv_strbuf_puts(out, "\n");
    }
    qsv_strbuf_printf(out, "  %-16s %9.4f\n", "all", 1e3 * all_s);
}

void qsv_bench_models_table(struct qsv_strbuf *out, const struct qsv_bench_model *b,
                            const struct qsv_bench_models_setup *s)
{
    add_machine(out, s->model, s->batch);
    qsv_strbuf_printf(out, "%u thread%s, median of %u rounds\n", s->threads,
                      s->threads == 1 ? "" : "s", s->rounds);
    for (uint32_t f = 0; f < s->n_formats; f++)
        add_profile(out, &b[f]);
}

static json_t *json_model(const struct qsv_bench_model *b)
{
    json_t *kinds = json_object();
    for (int k = 0; k < QSV_N_KINDS; k++)
        if (b->kind_s[k] > 0)
            json_object_set_new(kinds, qsv_bench_kind_name((enum qsv_bench_kind)k),
                                json_pack("{s:f, s:f, s:f}", "seconds", b->kind_s[k], "share",
                                          b->kind_s[k] / sum_of(b->kind_s), "gmacs",
                                          gmacs_of(b, k)));
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:o}", "format", qsv_format_info(b->format)->name,
                     "images_per_s", b->images_per_s, "slowest", b->slowest, "fastest", b->fastest,
                     "rate", b->rate, "kinds", kinds);
}

void qsv_bench_models_json(struct qsv_strbuf *out, const struct qsv_bench_model *b,
                           const struct qsv_bench_models_setup *s)
{
    json_t *all = json_machine("model", s->model, s->batch), *formats = json_array();
    for (uint32_t f = 0; f < s->n_formats; f++)
        json_array_append_new(formats, json_model(&b[f]));
    json_object_set_new(all, "threads", json_integer(s->threads));
    json_object_set_new(all, "rounds", json_integer(s->rounds));
    json_object_set_new(all, "formats", formats);
    add_json(out, all);
}

void qsv_bench_trie_table(struct qsv_strbuf *out, const struct qsv_bench_trie *t,
                          const struct qsv_bench_models_setup *s)
{
    add_machine(out, s->model, s->batch);
    qsv_strbuf_printf(out,
                      "%u networks on %u images: %.3f s together, %.3f s each alone, %.2f times "
                      "as long\n"
                      "layer forwards: %" PRIu64 " asked for, %" PRIu64 " done together\n",
                      t->networks, t->images, t->together_s, t->alone_s, t->alone_s / t->together_s,
                      t->together.layer_forwards_asked, t->together.layer_forwards_done);
}

void qsv_bench_trie_json(struct qsv_strbuf *out, const struct qsv_bench_trie *t,
                         const struct qsv_bench_models_setup *s)
{
    json_t *all = json_machine("trie", s->model, s->batch);
    json_t *figures = json_pack(
        "{s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:I, s:I}", "threads", (int)s->threads, "rounds",
        (int)s->rounds, "networks", (int)t->networks, "images", (int)t->images, "together_s",
        t->together_s, "alone_s", t->alone_s, "ratio", t->alone_s / t->together_s,
        "layer_forwards_asked", (json_int_t)t->together.layer_forwards_asked, "layer_forwards_done",
        (json_int_t)t->together.layer_forwards_done);
    if (all && figures)
        json_object_update(all, figures);
    json_decref(figures);
    add_json(out, all);
}
