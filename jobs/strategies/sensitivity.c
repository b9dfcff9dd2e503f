/* Step 1: every group at every format alone (`frontier`: at one or two), all else f32, in one
 * question with the baseline.
 *
 * Groups are told apart by the mean KL divergence from the baseline's answers: on a few hundred
 * images its standard error is a small part of it, where that of a paired difference of
 * cross-entropy is as large as the difference, and top-1 moves by an image or two.
 *
 * A spiking network answers any change of its weights, however small, with some other spikes, the
 * more of them the more layers follow. That much KL, a group's floor, is there at any format, does
 * not add up over groups, and costs next to no accuracy. What the outlook takes over is what a
 * format does beyond it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/real.h"
#include "core/cost.h"
#include "jobs/strategies/qsvit.h"

enum { NAMED = 3 }; /* most and least sensitive groups that the note names */

/* Trial 0 is the baseline, then the cells [n_groups][n_probes], then all groups together, then the
 * pins. */
struct questions {
    const uint8_t *probes;
    uint32_t n_probes;
    struct qsv_trial *trials;
    struct qsv_metrics *answers;
    uint8_t *formats;
    char (*what)[QSV_WHAT];
    uint32_t n, at_together;
    bool together, pins;
};

static bool pins_matter(const struct qsv_space *space)
{
    for (uint32_t l = 0; l < space->n_layers; l++)
        if (space->pinned[l] != QSV_N_FORMATS && space->pinned[l] != QSV_F32)
            return true;
    return false;
}

static enum qsv_status questions_init(struct questions *k, const struct qsv_search *s,
                                      bool frontier)
{
    const struct qsv_space *space = s->space;
    k->probes = s->out->probes;
    k->n_probes = s->out->n_probes;
    k->pins = pins_matter(space);
    k->together = frontier && k->n_probes > 1;
    k->at_together = 1 + space->n_groups * k->n_probes;
    k->n = k->at_together + k->together + k->pins;
    k->trials = qsv_alloc(k->n, sizeof *k->trials);
    k->answers = qsv_alloc(k->n, sizeof *k->answers);
    k->formats = qsv_alloc(k->n, space->n_layers);
    k->what = qsv_alloc(k->n, sizeof *k->what);
    if (!k->trials || !k->answers || !k->formats || !k->what)
        return qsv_fail_memory(s->err, "the trials of the sensitivity step");
    return QSV_OK;
}

static void questions_fini(struct questions *k)
{
    free(k->trials);
    free(k->answers);
    free(k->formats);
    free(k->what);
}

static void fill_cell(struct questions *k, const struct qsv_space *space, uint32_t g, uint32_t f,
                      uint64_t baseline)
{
    uint32_t at = 1 + g * k->n_probes + f;
    const struct qsv_group *group = &space->groups[g];
    uint8_t *formats = k->formats + (size_t)at * space->n_layers;
    for (uint32_t i = 0; i < group->n_layers; i++)
        formats[group->layers[i]] = k->probes[f];
    snprintf(k->what[at], sizeof k->what[at], "%s at %s", group->name,
             qsv_format_info(k->probes[f])->name);
    k->trials[at] = (struct qsv_trial){formats, baseline, k->what[at]};
}

static void fill_together(struct questions *k, const struct qsv_space *space, uint64_t baseline)
{
    uint8_t *formats = k->formats + (size_t)k->at_together * space->n_layers;
    for (uint32_t l = 0; l < space->n_layers; l++)
        if (space->pinned[l] == QSV_N_FORMATS)
            formats[l] = k->probes[0];
    snprintf(k->what[k->at_together], sizeof k->what[0], "all groups at %s",
             qsv_format_info(k->probes[0])->name);
    k->trials[k->at_together] = (struct qsv_trial){formats, baseline, k->what[k->at_together]};
}

static void fill_questions(struct questions *k, const struct qsv_space *space)
{
    memset(k->formats, QSV_F32, (size_t)k->n * space->n_layers);
    uint64_t baseline = qsv_setting_id(k->formats, space->n_layers);
    k->trials[0] = (struct qsv_trial){k->formats, 0, "baseline"};
    for (uint32_t g = 0; g < space->n_groups; g++)
        for (uint32_t f = 0; f < k->n_probes; f++)
            fill_cell(k, space, g, f, baseline);
    if (k->together)
        fill_together(k, space, baseline);
    if (!k->pins)
        return;
    uint8_t *pins = k->formats + (size_t)(k->n - 1) * space->n_layers;
    for (uint32_t l = 0; l < space->n_layers; l++)
        if (space->pinned[l] != QSV_N_FORMATS)
            pins[l] = space->pinned[l];
    k->trials[k->n - 1] = (struct qsv_trial){pins, baseline, "pins alone"};
}

static enum qsv_status keep_cells(struct qsv_search *s, const struct questions *k)
{
    uint32_t n = s->space->n_groups * k->n_probes;
    s->out->sensitivity_baseline = k->answers[0];
    s->out->sensitivity = qsv_alloc(n, sizeof *s->out->sensitivity);
    if (!s->out->sensitivity)
        return qsv_fail_memory(s->err, "the sensitivity table");
    for (uint32_t i = 0; i < n; i++)
        s->out->sensitivity[i].metrics = k->answers[1 + i];
    return QSV_OK;
}

static double model_bytes(const struct qsv_space *space, const uint8_t *groups, uint8_t *layers)
{
    struct qsv_bytes bytes;
    qsv_space_expand(space, groups, layers);
    qsv_cost_bytes(&bytes, space->model, space->affine, layers);
    return (double)bytes.model_bytes;
}

/* A group's size at each format, all others at the search's narrowest: a setting with all at f32 is
 * stored in another way. */
static enum qsv_status fill_bytes(struct qsv_qsvit *q)
{
    struct qsv_outlook *o = &q->outlook;
    const struct qsv_space *space = o->space;
    uint8_t narrowest = o->options[o->n_options - 1];
    uint8_t *groups = qsv_alloc(space->n_groups, 1), *layers = qsv_alloc(space->n_layers, 1);
    enum qsv_status status = QSV_OK;
    if (!groups || !layers) {
        status = qsv_fail_memory(q->search.err, "the sensitivity table");
        goto out;
    }
    memset(groups, narrowest, space->n_groups);
    for (uint32_t g = 0; g < space->n_groups; g++) {
        groups[g] = QSV_F32;
        double at_f32 = model_bytes(space, groups, layers);
        for (uint32_t i = 1; i < o->n_options; i++) {
            groups[g] = o->options[i];
            o->bytes[g][groups[g]] = model_bytes(space, groups, layers) - at_f32;
        }
        groups[g] = narrowest;
    }
    o->base_bytes = model_bytes(space, groups, layers) - qsv_outlook_bytes(o, groups);
out:
    free(groups);
    free(layers);
    return status;
}

double qsv_qsvit_energy_inside(const struct qsv_metrics *m)
{
    return m->energy.compute_pj + m->energy.sram_pj;
}

double qsv_qsvit_rounding_error(uint8_t format)
{
    if (format == QSV_F16)
        return 0x1p-22; /* 11 significant bits */
    return qsv_exp(-2 * qsv_log(2) * qsv_format_info(format)->bits);
}

/* What remains of a group's KL as its rounding error goes to 0, by its two widest formats. */
static double floor_of(const struct qsv_space *space, const struct qsv_metrics *cells)
{
    uint32_t first = space->formats[0] == QSV_F32;
    if (space->n_formats < first + 2)
        return 0;
    double fine = qsv_qsvit_rounding_error(space->formats[first]);
    double coarse = qsv_qsvit_rounding_error(space->formats[first + 1]);
    double kl = qsv_metrics_kl(&cells[first]), more = qsv_metrics_kl(&cells[first + 1]) - kl;
    return fmin(fmax(kl - more * fine / (coarse - fine), 0), kl);
}

static void fill_measured(struct qsv_qsvit *q, const struct questions *k)
{
    struct qsv_outlook *o = &q->outlook;
    const struct qsv_space *space = o->space;
    const double dram_byte_pj = q->search.spec->energy.dram_byte;
    if (k->pins)
        o->pinned_kl = fmax(qsv_metrics_kl(&k->answers[k->n - 1]), 0);
    if (q->frontier) {
        qsv_frontier_foretell(q, k->answers + 1, k->together ? &k->answers[k->at_together] : NULL);
        return;
    }
    for (uint32_t g = 0; g < space->n_groups; g++) {
        const struct qsv_metrics *cells = k->answers + 1 + (size_t)g * space->n_formats;
        double least = floor_of(space, cells);
        for (uint32_t f = 0; f < space->n_formats; f++) {
            uint8_t format = space->formats[f];
            if (format == QSV_F32)
                continue;
            o->kl[g][format] = fmax(qsv_metrics_kl(&cells[f]) - least, 0);
            o->energy[g][format] = qsv_qsvit_energy_inside(&cells[f]) -
                                   qsv_qsvit_energy_inside(&k->answers[0]) +
                                   dram_byte_pj * o->bytes[g][format];
        }
    }
}

static const struct qsv_metrics *at_narrowest(const struct qsv_search *s, uint32_t g)
{
    const uint32_t n = s->out->n_probes;
    return &s->out->sensitivity[g * n + n - 1].metrics;
}

/* Groups by falling KL at the narrowest format. */
static void rank_groups(const struct qsv_search *s, uint32_t *rank)
{
    for (uint32_t g = 0; g < s->space->n_groups; g++) {
        double kl = qsv_metrics_kl(at_narrowest(s, g));
        uint32_t at = g;
        for (; at > 0 && qsv_metrics_kl(at_narrowest(s, rank[at - 1])) < kl; at--)
            rank[at] = rank[at - 1];
        rank[at] = g;
    }
}

static void print_ranked(struct qsv_strbuf *out, const struct qsv_search *s, const uint32_t *rank,
                         uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++) {
        const struct qsv_metrics *m = at_narrowest(s, rank[i]);
        qsv_strbuf_printf(out, "%s%s %.6f +- %.6f", i > first ? ", " : "",
                          s->space->groups[rank[i]].name, qsv_metrics_kl(m),
                          qsv_metrics_kl_error(m));
    }
}

static enum qsv_status note_ranking(struct qsv_qsvit *q)
{
    struct qsv_search *s = &q->search;
    const struct qsv_space *space = s->space;
    uint32_t n = space->n_groups, named = n < NAMED ? n : NAMED;
    uint32_t *rank = qsv_alloc(n, sizeof *rank);
    struct qsv_strbuf most = {0}, least = {0};
    enum qsv_status status = QSV_OK;
    if (!rank) {
        status = qsv_fail_memory(s->err, "the ranking of groups");
        goto out;
    }
    rank_groups(s, rank);
    print_ranked(&most, s, rank, 0, named);
    print_ranked(&least, s, rank, n - named, named);
    if (most.failed || least.failed)
        status = qsv_fail_memory(s->err, "a note");
    else
        status = qsv_search_note(
            s, "sensitivity", s->out->sensitivity_baseline.trial_id, "rank",
            "%" PRIu32 " groups x %" PRIu32 " formats, each alone, on %" PRIu64
            " images, ranked by mean KL divergence from the baseline's answers (top-1 and "
            "cross-entropy of so few images are too noisy); at %s most sensitive: %s; least: %s",
            n, s->out->n_probes, s->out->sensitivity_baseline.n_images,
            qsv_format_info(s->out->probes[s->out->n_probes - 1])->name, most.text, least.text);
out:
    free(rank);
    qsv_strbuf_fini(&most);
    qsv_strbuf_fini(&least);
    return status;
}

/* Step 2 begins with the ends of its ladder: nothing quantized, and everything as far as it goes.
 */
static void suggest_ends(struct qsv_qsvit *q)
{
    const struct qsv_space *space = q->search.space;
    uint8_t *ends = qsv_search_is_suggesting(&q->search) ? qsv_alloc(2, space->n_groups) : NULL;
    if (!ends)
        return;
    memset(ends, QSV_F32, space->n_groups);
    memset(ends + space->n_groups, space->formats[space->n_formats - 1], space->n_groups);
    qsv_search_suggest(&q->search, ends, 2, QSV_DECIDE, q->decided.n_images);
    free(ends);
}

static void choose_probes(struct qsv_qsvit *q)
{
    struct qsv_selection *out = q->search.out;
    const struct qsv_space *space = q->search.space;
    if (q->frontier) {
        out->n_probes = qsv_frontier_probes(space, out->probes);
    } else {
        memcpy(out->probes, space->formats, sizeof out->probes);
        out->n_probes = space->n_formats;
    }
}

enum qsv_status qsv_qsvit_sensitivity(struct qsv_qsvit *q)
{
    struct qsv_search *s = &q->search;
    struct questions k = {0};
    choose_probes(q);
    enum qsv_status status = questions_init(&k, s, q->frontier);
    if (status)
        goto out;
    fill_questions(&k, s->space);
    suggest_ends(q);
    status = q->frontier
                 ? qsv_frontier_grow(q, k.trials, k.n, s->space->n_groups * k.n_probes, k.answers)
                 : qsv_search_ask(s, "sensitivity", k.trials, k.n, QSV_DECIDE,
                                  s->spec->search.sensitivity_images, k.answers);
    if (status)
        goto out;
    status = keep_cells(s, &k);
    if (status)
        goto out;
    status = fill_bytes(q);
    if (status)
        goto out;
    fill_measured(q, &k);
    if (s->space->n_groups)
        status = note_ranking(q);
out:
    questions_fini(&k);
    return status;
}
