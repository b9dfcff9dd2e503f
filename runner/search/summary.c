#include "runner/search/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "results/ledger.h"

static const double TIGHTER = 0.85; /* what is left of a bound after the judging images said no */
enum { MAX_ROWS = 24, MOST = 14, LEAST = 6 }; /* groups shown: all, or the ends */

static double saved(double now, double before)
{
    return before > 0 ? 100 * (1 - now / before) : 0;
}

static double f32_weights_bytes(const struct qsv_summary *s)
{
    return 4.0 * (double)s->space->model->graph.n_weights;
}

/* 12,345,678 */
static void add_count(struct qsv_strbuf *out, uint64_t n)
{
    if (n >= 1000) {
        add_count(out, n / 1000);
        qsv_strbuf_printf(out, ",%03u", (unsigned)(n % 1000));
    } else {
        qsv_strbuf_printf(out, "%u", (unsigned)n);
    }
}

static void add_label(struct qsv_strbuf *out, const char *label)
{
    qsv_strbuf_printf(out, "%-15s ", label);
}

static void add_microjoules(struct qsv_strbuf *out, double pj)
{
    qsv_strbuf_printf(out, "%.2f uJ", pj * 1e-6);
}

static void add_baseline(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_metrics *m = &s->selection->baseline;
    add_label(out, "baseline");
    qsv_strbuf_printf(out, "top-1 %.2f %%, cross-entropy %.4f on ", qsv_metrics_top1(m),
                      qsv_metrics_loss(m));
    add_count(out, m->n_images);
    qsv_strbuf_puts(out, " images\n");
    add_label(out, "");
    add_count(out, m->bytes.model_bytes);
    qsv_strbuf_puts(out, " bytes, ");
    add_microjoules(out, m->energy.total_pj);
    qsv_strbuf_puts(out, " an image (f32)\n");
}

static void add_skipped(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    if (!s->skipped[QSV_JUDGE] && !s->skipped[QSV_DECIDE])
        return;
    add_label(out, "skipped");
    add_count(out, s->skipped[QSV_JUDGE]);
    qsv_strbuf_puts(out, " judging images, ");
    add_count(out, s->skipped[QSV_DECIDE]);
    qsv_strbuf_puts(out, " deciding ones: they can't be decoded\n");
}

/* What a group costs at the search's lowest format. */
static double lowest_kl(const struct qsv_summary *s, uint32_t group)
{
    uint32_t n = s->selection->n_probes;
    return qsv_metrics_kl(&s->selection->sensitivity[(size_t)group * n + n - 1].metrics);
}

static void add_sensitivity_head(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    add_label(out, "sensitivity");
    qsv_strbuf_puts(out, "mean KL divergence from the baseline on ");
    add_count(out, s->selection->sensitivity[0].metrics.n_images);
    qsv_strbuf_printf(out, " images, in 1/1000 nats, one %s at a time\n",
                      qsv_granularity_name(s->spec->search.granularity));
    add_label(out, "");
    qsv_strbuf_printf(out, "%-34s %9s", "", "weights");
    for (uint32_t f = 0; f < s->selection->n_probes; f++)
        qsv_strbuf_printf(out, " %8s", qsv_format_info(s->selection->probes[f])->name);
    qsv_strbuf_puts(out, "\n");
}

static void add_sensitivity_row(struct qsv_strbuf *out, const struct qsv_summary *s, uint32_t group)
{
    const struct qsv_group *g = &s->space->groups[group];
    uint32_t n = s->selection->n_probes;
    add_label(out, "");
    qsv_strbuf_printf(out, "%-34.34s %9" PRIu64, g->name, g->n_weights);
    for (uint32_t f = 0; f < n; f++)
        qsv_strbuf_printf(
            out, " %8.2f",
            1e3 * qsv_metrics_kl(&s->selection->sensitivity[(size_t)group * n + f].metrics));
    qsv_strbuf_puts(out, "\n");
}

/* Marks the groups that are shown: all where they are few, else the most and the least sensitive.
 */
static void choose_groups(const struct qsv_summary *s, uint8_t *shown)
{
    uint32_t n = s->space->n_groups;
    for (uint32_t g = 0; g < n; g++) {
        uint32_t above = 0;
        for (uint32_t o = 0; o < n; o++)
            above +=
                lowest_kl(s, o) > lowest_kl(s, g) || (lowest_kl(s, o) == lowest_kl(s, g) && o < g);
        shown[g] = n <= MAX_ROWS || above < MOST || above >= n - LEAST;
    }
}

static void add_sensitivity(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    uint32_t n = s->space->n_groups;
    uint8_t *shown = s->selection->sensitivity && n ? qsv_alloc(n, 1) : NULL;
    if (!shown)
        return;
    choose_groups(s, shown);
    add_sensitivity_head(out, s);
    for (uint32_t g = 0; g < n; g++)
        if (shown[g])
            add_sensitivity_row(out, s, g);
    if (n > MAX_ROWS) {
        add_label(out, "");
        qsv_strbuf_printf(out,
                          "the %d most and %d least sensitive of %u; all: qsvit query %s "
                          "--sensitivity\n",
                          MOST, LEAST, n, s->run_folder);
    }
    free(shown);
}

static void add_drop(struct qsv_strbuf *out, const char *label, const char *images,
                     const struct qsv_metrics *m)
{
    double low, high;
    qsv_metrics_drop_interval(m, &low, &high);
    add_label(out, label);
    qsv_strbuf_printf(out, "top-1 %.2f %%, drop %.2f points [%.2f, %.2f] on ", qsv_metrics_top1(m),
                      qsv_metrics_top1_drop(m), low, high);
    add_count(out, m->n_images);
    qsv_strbuf_printf(out, " %s\n", images);
}

static void add_formats(struct qsv_strbuf *out, const struct qsv_summary *s, const uint8_t *formats)
{
    uint32_t layers[QSV_N_FORMATS] = {0};
    for (uint32_t l = 0; l < s->space->n_layers; l++)
        layers[formats[l]]++;
    add_label(out, "");
    qsv_strbuf_puts(out, "layers:");
    for (uint32_t f = 0; f < QSV_N_FORMATS; f++)
        if (layers[f])
            qsv_strbuf_printf(out, " %u %s", layers[f], qsv_format_info((enum qsv_format)f)->name);
    qsv_strbuf_puts(out, "\n");
}

static void add_base(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_selection *sel = s->selection;
    if (!sel->base_formats)
        return;
    add_label(out, "base settings");
    qsv_strbuf_printf(out, "%.2f bits a weight, ", sel->base_decided.bytes.avg_bits);
    add_count(out, sel->base_decided.bytes.model_bytes);
    qsv_strbuf_puts(out, " bytes\n");
    add_drop(out, "", "deciding images", &sel->base_decided);
}

/* Whether none of the judging images decided. */
static bool judges_unseen(const struct qsv_selection *s)
{
    return s->rest.n_images && s->rest.n_images == s->judged.n_images;
}

static void add_selected(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_selection *sel = s->selection;
    add_label(out, sel->meets ? "selected" : "nearest");
    qsv_strbuf_printf(out, "%.2f bits a weight, trial %016" PRIx64 "\n", sel->judged.bytes.avg_bits,
                      sel->trial_id);
    add_formats(out, s, sel->formats);
    const bool unseen = judges_unseen(sel);
    add_drop(out, "", unseen ? "judging images, none of which decided" : "judging images",
             &sel->judged);
    if (sel->decided.n_images)
        add_drop(out, "", "images that decided", &sel->decided);
    if (sel->rest.n_images && !unseen)
        add_drop(out, "", "judging images that did not", &sel->rest);
    add_label(out, "");
    qsv_strbuf_puts(out, "in brackets: 95 % intervals, paired image by image\n");
}

static void add_savings(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_metrics *m = &s->selection->judged, *b = &s->selection->baseline;
    add_label(out, "memory");
    qsv_strbuf_puts(out, "weights ");
    add_count(out, m->bytes.weights_bytes);
    qsv_strbuf_printf(out, " bytes, %.1f %% saved; with all that is stored ",
                      saved((double)m->bytes.weights_bytes, f32_weights_bytes(s)));
    add_count(out, m->bytes.model_bytes);
    qsv_strbuf_printf(out, " bytes, %.1f %% saved\n",
                      saved((double)m->bytes.model_bytes, (double)b->bytes.model_bytes));
    add_label(out, "energy");
    add_microjoules(out, m->energy.total_pj);
    qsv_strbuf_printf(out, " an image, %.1f %% saved, by a model: compute ",
                      saved(m->energy.total_pj, b->energy.total_pj));
    add_microjoules(out, m->energy.compute_pj);
    qsv_strbuf_puts(out, ", SRAM ");
    add_microjoules(out, m->energy.sram_pj);
    qsv_strbuf_puts(out, ", DRAM ");
    add_microjoules(out, m->energy.dram_pj);
    qsv_strbuf_puts(out, "\n");
    add_label(out, "paper");
    qsv_strbuf_puts(out, "QSViT (arXiv 2504.00948): 22.75 % memory and 21.33 % power saved within "
                         "2.1 points, on ImageNet\n");
}

static void add_cost(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    if (!s->cost || !s->cost->image_forwards)
        return;
    add_label(out, "search");
    add_count(out, s->cost->image_forwards);
    qsv_strbuf_puts(out, " image-forwards, ");
    add_count(out, (uint64_t)llround(s->cost->trie_forwards));
    qsv_strbuf_puts(out, " where what trials share counts once");
    if (judges_unseen(s->selection)) {
        qsv_strbuf_puts(out, "; ");
        add_count(out, s->selection->baseline.n_images + s->selection->judged.n_images);
        qsv_strbuf_puts(out, " of them judged what is selected");
    }
    qsv_strbuf_puts(out, "\n");
}

/* Nothing where all was recorded before. */
static void add_work(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_tally *t = &s->tally;
    if (!t->layer_forwards_asked)
        return;
    add_label(out, "work");
    add_count(out, t->layer_forwards_asked);
    qsv_strbuf_puts(out, " layer forwards asked for, ");
    add_count(out, t->layer_forwards_done);
    qsv_strbuf_printf(out, " done (%.1f %%); a rank took up to ",
                      100 * (double)t->layer_forwards_done / (double)t->layer_forwards_asked);
    add_count(out, t->peak_mem_bytes >> 20);
    qsv_strbuf_puts(out, " MiB of memory\n");
    if (!(t->worked_s > 0))
        return;
    add_label(out, "images");
    qsv_strbuf_printf(out, "workers waited %.1f %% of their time for them\n",
                      100 * t->waited_s / t->worked_s);
}

static void add_files(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    add_label(out, "files");
    qsv_strbuf_printf(out, "%s/results.h5 (", s->run_folder);
    add_count(out, s->n_records);
    qsv_strbuf_puts(out, " records)");
    if (s->exported)
        qsv_strbuf_printf(out, ", %s (the selected network, run again: equal)", s->exported);
    qsv_strbuf_puts(out, "\n");
    add_label(out, "next");
    qsv_strbuf_printf(out, "qsvit query %s --pareto\n", s->run_folder);
    if (!s->exported)
        return;
    add_label(out, "");
    qsv_strbuf_printf(out, "qsvit export %s --best -o selected.safetensors\n", s->run_folder);
    add_label(out, "");
    qsv_strbuf_printf(out, "qsvit eval -m %s -d %s", s->exported, s->spec->dataset.images);
    if (s->spec->dataset.labels)
        qsv_strbuf_printf(out, " --labels %s", s->spec->dataset.labels);
    if (s->spec->dataset.on_error == QSV_ON_ERROR_SKIP)
        qsv_strbuf_puts(out, " --on-error skip");
    qsv_strbuf_puts(out, "\n");
}

/* Held on the images that decided, which the bound is asked of with a margin, but not on those that
 * judge. */
static bool is_rejected(const struct qsv_summary *s)
{
    const struct qsv_selection *sel = s->selection;
    return sel->decided.n_images && judges_unseen(sel) &&
           qsv_constraint_met(s->spec, &sel->decided);
}

static void add_unmet(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_selection *sel = s->selection;
    const bool rejected = is_rejected(s);
    add_label(out, "constraint");
    qsv_strbuf_puts(out, rejected ? "not met on the judging images, though on those that decided: "
                                  : "no setting was found that meets it: ");
    qsv_constraint_print(out, s->spec);
    qsv_strbuf_puts(out, "\n");
    if (!rejected || !qsv_constraint_bounds_drop(s->spec))
        return;
    add_label(out, "");
    qsv_strbuf_printf(out,
                      "%.2f points there, %.2f here; the setting for a tighter bound is one "
                      "certification away:\n",
                      qsv_metrics_top1_drop(&sel->decided), qsv_metrics_top1_drop(&sel->judged));
    add_label(out, "");
    qsv_strbuf_printf(out,
                      "qsvit query %s --bound %.2f -o tighter.yaml, then search: {strategy: given, "
                      "setting: tighter.yaml}\n",
                      s->run_folder, TIGHTER * s->spec->constraint.max_top1_drop);
}

static void add_verdict(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    const struct qsv_metrics *m = &s->selection->judged;
    if (!s->selection->meets)
        add_unmet(out, s);
    qsv_strbuf_printf(out, "%s: weights saved %.1f %%, top-1 drop %.2f points, %s/results.h5\n",
                      s->selection->meets ? "selected" : "nearest",
                      saved((double)m->bytes.weights_bytes, f32_weights_bytes(s)),
                      qsv_metrics_top1_drop(m), s->run_folder);
}

void qsv_summary_print(struct qsv_strbuf *out, const struct qsv_summary *s)
{
    qsv_strbuf_puts(out, "\n");
    add_baseline(out, s);
    add_skipped(out, s);
    add_sensitivity(out, s);
    add_base(out, s);
    add_selected(out, s);
    add_savings(out, s);
    add_cost(out, s);
    add_work(out, s);
    add_files(out, s);
    add_verdict(out, s);
}
