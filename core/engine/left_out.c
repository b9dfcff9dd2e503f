#include "core/engine/left_out.h"

#include "core/kernels/subsets.h"

static void fill(const struct qsv_step_context *c, uint32_t value, const float *shift)
{
    const struct qsv_value *v = &c->plan->values[value];
    const size_t n = qsv_value_grid(v, c->n).n, stride = qsv_value_stride(v, c->n);
    float *out = qsv_step_value(c, value);
    for (uint32_t ch = 0; ch < v->shape.c; ch++)
        for (size_t p = 0; p < n; p++)
            out[ch * stride + p] = shift[ch];
}

/* From what one neuron did, a word a time step, to what all of the channel did. From the last step
 * on, as it is done in place. Returns spikes. */
static uint64_t spread(uint64_t *spikes, const struct qsv_grid *g)
{
    const uint32_t words = g->block / QSV_WORD, positions = g->images * g->h * g->w;
    uint64_t fired = 0;
    for (uint32_t t = g->steps; t-- > 0;) {
        const bool fires = spikes[t] & 1;
        for (uint32_t i = 0; i < words; i++)
            spikes[(size_t)t * words + i] = fires ? qsv_valid_bits(positions, i) : 0;
        fired += fires ? positions : 0;
    }
    return fired;
}

/* All neurons of a channel read the same, so that one of them is charged for all. */
static uint64_t neurons(struct qsv_step_context *c, const struct qsv_plan_step *s,
                        const float *shift, int64_t *potentials)
{
    const struct qsv_lif *lif = &c->model->graph.lifs[s->lif];
    const struct qsv_value *out = &c->plan->values[s->spikes];
    const struct qsv_grid g = qsv_value_grid(out, c->n);
    uint64_t *spikes = qsv_step_value(c, s->spikes), fired = 0;
    for (uint32_t ch = 0; ch < out->shape.c; ch++, spikes += g.n / QSV_WORD) {
        float x[QSV_WORD];
        int64_t potential = 0;
        for (uint32_t p = 0; p < QSV_WORD; p++)
            x[p] = shift[ch];
        const struct qsv_lif_channel one = {
            .x = x,
            .spikes = spikes,
            .x_steps = 1,
            .steps = g.steps,
            .block = QSV_WORD,
            .positions = 1,
            .v_th = lif->v_th,
            .decay = 1 / lif->tau,
            .potential = potentials ? &potential : NULL,
        };
        c->kernels->lif(&one);
        fired += spread(spikes, &g);
        if (potentials)
            potentials[ch] += potential * (int64_t)g.images * g.h * g.w;
    }
    return fired;
}

uint64_t qsv_step_left_out(struct qsv_step_context *c, const struct qsv_plan_step *s,
                           const float *shift, int64_t *potentials)
{
    if (s->fires && !s->adds && !s->keeps)
        return neurons(c, s, shift, potentials);
    fill(c, s->out, shift);
    if (s->adds)
        qsv_step_add(c, s->residual, s->out, s->out);
    return s->fires ? qsv_step_neurons(c, s->lif, s->out, s->spikes, potentials) : 0;
}
