/* A synthetic world for strategies: a hand-built model of layers of very different sizes, and an
 * evaluator whose answers follow a known law.
 *
 * Each image has a margin (above 0: the baseline is right) and each layer a direction for it. A
 * layer at a format moves the image's margin by its direction x a strength; strengths add up over
 * layers, and a layer may be stronger or weaker among other quantized ones than alone. KL is half
 * the squared movement. Layers that move an image alike or against each other, images near the
 * margin by chance: the noise of a real evaluation, the same in every run.
 */
#ifndef QSV_SYNTHETIC_H
#define QSV_SYNTHETIC_H

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/cost.h"
#include "jobs/setting.h"
#include "jobs/strategy.h"

enum { MAX_LAYERS = 160, LAYERS_A_BLOCK = 4, BLOCKS_A_STAGE = 2 };

struct world {
    uint32_t n_layers;
    struct qsv_model model;
    struct qsv_node nodes[MAX_LAYERS];
    struct qsv_layer layers[MAX_LAYERS];
    struct qsv_link links[MAX_LAYERS];
    char *block_names[MAX_LAYERS], *stage_names[MAX_LAYERS];
    char names[MAX_LAYERS][24], block_text[MAX_LAYERS][24], stage_text[MAX_LAYERS][24];

    double kl[MAX_LAYERS][QSV_N_FORMATS]; /* of rounding, alone */
    double floor[MAX_LAYERS];             /* of any change at all; the largest counts, once */
    double among[MAX_LAYERS];             /* times its KL, when everything else is quantized */
    double drift[MAX_LAYERS];             /* of a layer, times the square root of its KL */
    double easier;      /* margin that the deciding images have more: seen in training */
    double judge_shift; /* points that the judging images' drop lies above the law's */
    uint64_t n_images[2];
    float *margin[2], *direction[2]; /* [n], [n][n_layers]; NULL: exact law, see `slope` */
    double slope;                    /* exact law: points of drop a nat */
    bool decide_apart;               /* the deciding images are others */
    double output[MAX_LAYERS]; /* loss in a layer's outputs that is a nat of its KL; NaN: unknown */

    struct qsv_spec spec;
    struct qsv_evaluator evaluator;
    /* What was asked. */
    uint64_t log; /* hash of every question in order */
    uint32_t calls, asked[2], n_notes;
    uint32_t probed;       /* trials of step 1 */
    uint32_t most_at_once; /* outside step 1 */
    bool print;
    uint32_t fail_at; /* the call that fails; 0: none */
};

static inline double world_unit(struct qsv_rng *r)
{
    return qsv_rng_unit(r);
}

static inline double world_normal(struct qsv_rng *r)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += qsv_rng_unit(r);
    return sum - 6;
}

/* Of rounding alone; what any change does apart. */
static inline double rounding_kl(const struct world *w, const uint8_t *formats)
{
    double alone = 0, among = 0, quantized = 0;
    for (uint32_t l = 0; l < w->n_layers; l++) {
        alone += w->kl[l][formats[l]];
        among += w->among[l] * w->kl[l][formats[l]];
        quantized += formats[l] != QSV_F32;
    }
    double level = w->n_layers > 1 ? (quantized - 1) / (w->n_layers - 1) : 0;
    return quantized == 0 ? 0 : alone * (1 - level) + among * level;
}

static inline double floor_kl(const struct world *w, const uint8_t *formats)
{
    double most = 0;
    for (uint32_t l = 0; l < w->n_layers; l++)
        if (formats[l] != QSV_F32)
            most = fmax(most, w->floor[l]);
    return most;
}

static inline enum qsv_status world_note(void *context, const struct qsv_step *step,
                                         struct qsv_error *err)
{
    struct world *w = context;
    (void)err;
    assert(step->name && step->decision && step->why && !strchr(step->why, '\n'));
    w->n_notes++;
    if (w->print)
        printf("  %-11s %-7s %s\n", step->name, step->decision, step->why);
    return QSV_OK;
}

static inline void answer_exact(const struct world *w, const uint8_t *formats, bool judging,
                                struct qsv_metrics *m)
{
    double rounding = rounding_kl(w, formats), n = (double)m->n_images;
    double drop = w->slope * rounding + (judging && rounding > 0 ? w->judge_shift : 0);
    double kl = rounding + floor_kl(w, formats);
    m->kl_sum = kl * n;
    m->kl_square_sum = 2 * kl * kl * n;
    m->n_only_baseline = (uint64_t)rint(fmin(drop, 100) * n / 100);
    m->n_top1 = m->n_images - m->n_only_baseline;
}

static inline void answer_images(const struct world *w, const uint8_t *formats,
                                 enum qsv_image_set set, struct qsv_metrics *m)
{
    double strength[MAX_LAYERS], alone = 0;
    uint32_t used[MAX_LAYERS], n_used = 0;
    for (uint32_t l = 0; l < w->n_layers; l++) {
        alone += w->kl[l][formats[l]];
        if (w->kl[l][formats[l]] > 0)
            used[n_used++] = l;
    }
    double grow = alone > 0 ? rounding_kl(w, formats) / alone : 1;
    double chaos = sqrt(2 * floor_kl(w, formats));
    struct qsv_rng other; /* no two settings change the same spikes */
    qsv_rng_seed(&other, m->trial_id + set);
    for (uint32_t i = 0; i < n_used; i++) {
        double part = n_used > 1 ? w->among[used[i]] / grow : 1;
        strength[i] = sqrt(2 * w->kl[used[i]][formats[used[i]]] * grow * part);
    }
    for (uint64_t i = 0; i < m->n_images; i++) {
        const float *z = w->direction[set] + i * w->n_layers;
        double move = chaos * (world_unit(&other) * 2 - 1) * 1.7320508;
        double margin = w->margin[set][i];
        for (uint32_t j = 0; j < n_used; j++)
            move += strength[j] * z[used[j]];
        double kl = move * move / 2;
        bool was = margin > 0, is = margin + move > 0;
        m->kl_sum += kl;
        m->kl_square_sum += kl * kl;
        m->n_top1 += is;
        m->n_only_trial += is && !was;
        m->n_only_baseline += was && !is;
    }
}

static inline uint64_t world_count(void *context, enum qsv_image_set set, uint64_t n_images)
{
    const struct world *w = context;
    const uint64_t all = w->n_images[w->decide_apart ? set : QSV_JUDGE];
    return n_images && n_images < all ? n_images : all;
}

static inline double mean_drift(const struct world *w, const uint8_t *formats)
{
    double sum = 0;
    for (uint32_t l = 0; l < w->n_layers; l++)
        sum += w->drift[l] * sqrt(w->kl[l][formats[l]]);
    return sum / w->n_layers;
}

static inline void world_answer(const struct world *w, const uint8_t *formats,
                                enum qsv_image_set set, uint64_t n_images, struct qsv_metrics *m)
{
    enum qsv_image_set from = w->decide_apart ? set : QSV_JUDGE;
    uint64_t ac[MAX_LAYERS];
    *m = (struct qsv_metrics){.trial_id = qsv_setting_id(formats, w->n_layers)};
    m->n_images = world_count((void *)w, set, n_images);
    if (w->margin[from])
        answer_images(w, formats, from, m);
    else
        answer_exact(w, formats, set == QSV_JUDGE, m);
    m->drift_sum = mean_drift(w, formats) * (double)m->n_images;
    qsv_cost_bytes(&m->bytes, &w->model, w->spec.quantizer.affine, formats);
    for (uint32_t l = 0; l < w->n_layers; l++)
        ac[l] = (w->n_layers - l) * 1000 * m->n_images; /* early layers see most spikes */
    qsv_cost_energy(&m->energy, &w->model, w->spec.quantizer.affine, formats, ac, m->n_images,
                    &w->spec.energy);
}

static inline enum qsv_status world_evaluate(void *context, const char *step,
                                             const struct qsv_trial *trials, uint32_t n,
                                             enum qsv_image_set set, uint64_t n_images,
                                             struct qsv_metrics *out, struct qsv_error *err)
{
    struct world *w = context;
    assert(n > 0 && step);
    if (++w->calls == w->fail_at)
        return qsv_fail(err, QSV_ESTOPPED, "stopped");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t question[4] = {w->log, qsv_setting_id(trials[i].formats, w->n_layers), set,
                                n_images};
        assert(trials[i].what && trials[i].what[0]);
        for (uint32_t l = 0; l < w->n_layers; l++)
            assert(trials[i].formats[l] < QSV_N_FORMATS);
        w->log = qsv_hash_bytes(question, sizeof question);
        world_answer(w, trials[i].formats, set, n_images, &out[i]);
    }
    if (!strcmp(step, "sensitivity")) {
        w->probed += n;
    } else {
        w->asked[set] += n;
        w->most_at_once = n > w->most_at_once ? n : w->most_at_once;
    }
    return QSV_OK;
}

static inline double world_loss(void *context, uint32_t layer, uint8_t format)
{
    const struct world *w = context;
    assert(layer < w->n_layers && format < QSV_N_FORMATS && qsv_format_info(format)->integer);
    return w->output[layer] * w->kl[layer][format];
}

static inline void build_layer(struct world *w, uint32_t l, uint64_t n_weights, uint32_t out_ch)
{
    snprintf(w->names[l], sizeof w->names[l], "block%u.layer%u", l / LAYERS_A_BLOCK,
             l % LAYERS_A_BLOCK);
    w->nodes[l] = (struct qsv_node){.op = QSV_OP_CONV, .index = l, .per_step = true};
    w->layers[l] = (struct qsv_layer){
        .name = w->names[l],
        .node = l,
        .out_ch = out_ch,
        .in_ch = (uint32_t)(n_weights / out_ch),
        .groups = 1,
        .kernel = 1,
        .spike_input = true,
        .rank = 4,
        .block = l / LAYERS_A_BLOCK,
        .stage = l / (LAYERS_A_BLOCK * BLOCKS_A_STAGE),
        .n_weights = n_weights,
    };
    w->links[l] = (struct qsv_link){.previous = QSV_NO_LAYER, .next = QSV_NO_LAYER, .n_norms = 1};
    w->model.graph.n_weights += n_weights;
}

static inline void build_graph(struct world *w, struct qsv_rng *r)
{
    struct qsv_graph *g = &w->model.graph;
    uint64_t biases = 0;
    for (uint32_t l = 0; l < w->n_layers; l++) {
        uint32_t out_ch = 8 + (uint32_t)qsv_rng_below(r, 8 + 4 * l);
        uint64_t in = 1 + qsv_rng_below(r, 40) * qsv_rng_below(r, 40) / 4;
        build_layer(w, l, in * out_ch, out_ch);
        biases += out_ch;
    }
    *g = (struct qsv_graph){.nodes = w->nodes,
                            .layers = w->layers,
                            .links = w->links,
                            .block_names = w->block_names,
                            .stage_names = w->stage_names,
                            .n_nodes = w->n_layers,
                            .n_layers = w->n_layers,
                            .n_blocks = (w->n_layers - 1) / LAYERS_A_BLOCK + 1,
                            .n_stages = (w->n_layers - 1) / (LAYERS_A_BLOCK * BLOCKS_A_STAGE) + 1,
                            .n_weights = g->n_weights};
    for (uint32_t i = 0; i < w->n_layers; i++) {
        snprintf(w->block_text[i], sizeof w->block_text[i], "block%u", i);
        snprintf(w->stage_text[i], sizeof w->stage_text[i], "stage%u", i);
        w->block_names[i] = w->block_text[i];
        w->stage_names[i] = w->stage_text[i];
    }
    w->model.options.time_steps = 4;
    w->model.source_bytes = g->n_weights * 4 + biases * 16;
}

/* KL falls fourfold a bit, about, from a level that differs a hundredfold between layers; all
 * layers at int3 give 0.05 nats alone. */
static inline void build_law(struct world *w, struct qsv_rng *r)
{
    double sum = 0;
    for (uint32_t l = 0; l < w->n_layers; l++) {
        double level = exp(world_unit(r) * 4.6) * sqrt((double)w->layers[l].n_weights);
        double fall = exp(-(0.4 + 2 * world_unit(r)));
        for (uint32_t f = QSV_F16; f < QSV_N_FORMATS; f++) {
            double bits = fmin(qsv_format_info((enum qsv_format)f)->bits, 8);
            /* codes may suit a layer more or less; at none there are no codes */
            double suited = f == QSV_NONE ? 1 : 0.7 + 0.6 * world_unit(r);
            w->kl[l][f] = level * pow(fall, bits - 2) * suited;
        }
        w->among[l] = w->drift[l] = 1;
        w->floor[l] = 0.01 * (1 - (double)l / w->n_layers);
        sum += w->kl[l][QSV_INT3];
    }
    for (uint32_t l = 0; l < w->n_layers; l++)
        for (uint32_t f = QSV_F16; f < QSV_N_FORMATS; f++)
            w->kl[l][f] *= 0.05 / sum;
}

static inline void build_spec(struct world *w)
{
    static const uint8_t formats[] = {QSV_INT6, QSV_INT4, QSV_INT3, QSV_INT2};
    w->spec = (struct qsv_spec){.path = (char *)"test.yaml"};
    w->spec.search.granularity = QSV_BY_LAYER;
    memcpy(w->spec.search.formats, formats, sizeof formats);
    w->spec.search.n_formats = 4;
    w->spec.search.sensitivity_images = 384;
    w->spec.search.decision_images = 4096;
    w->spec.search.candidates = 8;
    w->spec.search.max_rounds = 8;
    w->spec.search.beam_width = 4;
    w->spec.search.drift_images = 128;
    w->spec.search.max_drift = 1;
    w->spec.search.seed = 1;
    w->spec.constraint.max_top1_drop = 1.5;
    w->spec.constraint.max_energy_pj = NAN;
    w->spec.energy = qsv_energy_default;
}

/* An exact world: KL adds up, the drop is proportional to it. */
static inline struct world *world_create(uint32_t n_layers, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct qsv_rng r;
    assert(w && n_layers <= MAX_LAYERS);
    qsv_rng_seed(&r, seed);
    w->n_layers = n_layers;
    w->slope = 40;
    w->n_images[QSV_JUDGE] = 10000;
    build_graph(w, &r);
    build_law(w, &r);
    build_spec(w);
    w->evaluator = (struct qsv_evaluator){
        .context = w, .evaluate = world_evaluate, .count = world_count, .note = world_note};
    return w;
}

/* What codes lose in the layers' outputs becomes known: within a layer as its KL, from layer to
 * layer by a factor of up to a million. */
static inline void world_know_losses(struct world *w, uint64_t seed)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    for (uint32_t l = 0; l < w->n_layers; l++)
        w->output[l] = exp(world_unit(&r) * 13.8);
    w->evaluator.loss = world_loss;
}

/* Makes it noisy: images with margins and directions, layers that act otherwise among others. */
static inline void world_add_images(struct world *w, uint64_t seed, bool decide_apart)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    w->decide_apart = decide_apart;
    w->n_images[QSV_DECIDE] = decide_apart ? 4096 : 0;
    for (uint32_t l = 0; l < w->n_layers; l++)
        w->among[l] = exp((world_unit(&r) - 0.5) * 2);
    for (int set = 0; set < 2; set++) {
        uint64_t n = w->n_images[set];
        if (!n)
            continue;
        w->margin[set] = malloc(n * sizeof(float));
        w->direction[set] = malloc(n * w->n_layers * sizeof(float));
        assert(w->margin[set] && w->direction[set]);
        for (uint64_t i = 0; i < n; i++)
            w->margin[set][i] =
                (float)(1.2 + (set == QSV_DECIDE ? w->easier : 0) + world_normal(&r));
        for (uint64_t i = 0; i < n * w->n_layers; i++)
            w->direction[set][i] = (float)((world_unit(&r) * 2 - 1) * 1.7320508);
    }
}

static inline void world_destroy(struct world *w)
{
    for (int set = 0; set < 2; set++) {
        free(w->margin[set]);
        free(w->direction[set]);
    }
    free(w);
}

static inline void world_forget(struct world *w)
{
    w->log = 0;
    w->calls = w->n_notes = w->most_at_once = w->probed = 0;
    w->asked[0] = w->asked[1] = 0;
}

#endif
