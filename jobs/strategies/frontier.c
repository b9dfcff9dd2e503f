/* `frontier`: the steps of `qsvit`, with less asked and more known.
 *
 * A group is measured at one low format. What another format would do there is foretold from what
 * its codes lose in the layers' outputs, tr(dW H dW^T), which the bank knows:
 *
 *     KL(group, format) = KL(group, probe) x loss(group, format) / loss(group, probe)
 *
 * What a group does when it is left out (none) is measured as well: a branch that is missing does
 * far less harm than its loss says. That adds up over groups, where most of what any codes do alone
 * does not (sensitivity.c); so it counts as many times as codes' divergences are together less than
 * their sum.
 *
 * Output losses alone can't tell layers apart (over the default model's layers their rank
 * correlation with the divergence is negative), and within a layer they are what the divergence is
 * proportional to.
 */
#include <math.h>

#include "jobs/strategies/qsvit.h"
#include "jobs/strategies/strategies.h"

/* Low enough for the answers to differ by more than chance, and not so low that they are lost; what
 * f32 would show, nothing, foretells nothing. */
static const double PROBE_BITS = 1.6;

uint8_t qsv_frontier_probe(const struct qsv_space *space)
{
    uint8_t probe = space->formats[0];
    for (uint32_t f = 0; f < space->n_formats; f++)
        if (probe == QSV_F32 || qsv_format_info(space->formats[f])->bits >= PROBE_BITS)
            probe = space->formats[f];
    return probe;
}

uint32_t qsv_frontier_probes(const struct qsv_space *space, uint8_t *probes)
{
    probes[0] = qsv_frontier_probe(space);
    probes[1] = space->formats[space->n_formats - 1]; /* the narrowest */
    return probes[1] == QSV_NONE && probes[0] != QSV_NONE ? 2 : 1;
}

static double loss_of(const struct qsv_evaluator *e, uint32_t layer, uint8_t format)
{
    const bool known = e->loss && qsv_format_info(format)->integer;
    const double loss = known ? e->loss(e->context, layer, format) : NAN;
    return isfinite(loss) && loss >= 0 ? loss : NAN;
}

/* Loss at a format by loss at the probe; where one isn't known, by rounding errors. */
static double ratio_of(const struct qsv_evaluator *e, uint32_t layer, uint8_t format, uint8_t probe)
{
    const double loss = loss_of(e, layer, format), at_probe = loss_of(e, layer, probe);
    if (isnan(loss) || isnan(at_probe))
        return qsv_qsvit_rounding_error(format) / qsv_qsvit_rounding_error(probe);
    return at_probe > 0 ? loss / at_probe : 1;
}

/* Of a group's layers, each by its part of the weights. */
static double group_ratio(const struct qsv_search *s, uint32_t group, uint8_t format, uint8_t probe)
{
    const struct qsv_group *g = &s->space->groups[group];
    double sum = 0;
    for (uint32_t i = 0; i < g->n_layers; i++) {
        const uint64_t n = s->space->model->graph.layers[g->layers[i]].n_weights;
        sum += (double)n * ratio_of(s->evaluator, g->layers[i], format, probe);
    }
    return sum / (double)g->n_weights;
}

/* cells: of a group, at each probe; NULL where the format is none of them. */
static const struct qsv_metrics *measured_at(const struct qsv_selection *out,
                                             const struct qsv_metrics *cells, uint8_t format)
{
    for (uint32_t i = 0; i < out->n_probes; i++)
        if (out->probes[i] == format)
            return &cells[i];
    return NULL;
}

/* How often what adds up counts beside what codes do alone. */
static double weight_of_none(const struct qsv_search *s, const struct qsv_metrics *cells,
                             const struct qsv_metrics *together)
{
    double sum = 0;
    for (uint32_t g = 0; g < s->space->n_groups; g++)
        sum += fmax(qsv_metrics_kl(&cells[(size_t)g * s->out->n_probes]), 0);
    const double kl = together ? qsv_metrics_kl(together) : sum;
    return kl > 0 && kl < sum ? sum / kl : 1;
}

void qsv_frontier_foretell(struct qsv_qsvit *q, const struct qsv_metrics *cells,
                           const struct qsv_metrics *together)
{
    struct qsv_outlook *o = &q->outlook;
    const struct qsv_search *s = &q->search;
    const uint8_t probe = s->out->probes[0];
    const double inside = qsv_qsvit_energy_inside(&s->out->sensitivity_baseline);
    const double probe_bits = qsv_format_info(probe)->bits;
    const double weight = weight_of_none(s, cells, together);
    for (uint32_t g = 0; g < s->space->n_groups; g++, cells += s->out->n_probes) {
        const double kl = fmax(qsv_metrics_kl(cells), 0);
        const double saved = qsv_qsvit_energy_inside(cells) - inside;
        for (uint32_t i = 1; i < o->n_options; i++) {
            const uint8_t f = o->options[i];
            const double bits = qsv_format_info(f)->bits;
            const struct qsv_metrics *own = measured_at(s->out, cells, f);
            o->kl[g][f] = own ? fmax(qsv_metrics_kl(own), 0) : kl * group_ratio(s, g, f, probe);
            o->energy[g][f] = own ? qsv_qsvit_energy_inside(own) - inside
                                  : saved * (32 - bits) / (32 - probe_bits);
            o->energy[g][f] += s->spec->energy.dram_byte * o->bytes[g][f];
            if (f == QSV_NONE)
                o->kl[g][f] *= weight;
        }
    }
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    return qsv_qsvit_search(space, spec, evaluator, out, true, err);
}

const struct qsv_strategy qsv_strategy_frontier = {
    .name = "frontier",
    .summary = "one format of every group measured, the others foretold from output losses; the "
               "frontier of divergence against bytes, guided search, repair on all images",
    .search = search,
    .keeps_budget = true,
};
