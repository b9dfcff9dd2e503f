#include "core/synth.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/rng.h"

enum { NAME = 128, MAX_WIDTH = 1 << 13, MAX_DEPTH = 64 };

/* Tensors under way; errors are sticky. */
struct maker {
    struct qsv_tensors *tensors;
    struct qsv_rng rng;
    double rate;
    enum qsv_status status;
    struct qsv_error *err;
};

/* How a norm's output lies: where its LIF is to fire, and in front of a residual sum. */
static const double firing_shift = 0.3, branch_gain = 0.5;

struct qsv_synth qsv_synth_default(void)
{
    return (struct qsv_synth){
        .widths = {96, 192, 384, 480},
        .depths = {6, 2},
        .classes = 1000,
        .options = {.heads = 8,
                    .time_steps = 4,
                    .input = {3, 224, 224},
                    .mean = {0.485F, 0.456F, 0.406F},
                    .std = {0.229F, 0.224F, 0.225F}},
        .rate = 0.15,
        .seed = 1,
    };
}

/* About normal, variance 1: four uniform numbers of 16 bits. */
static float draw(struct qsv_rng *rng)
{
    const uint64_t bits = qsv_rng_next(rng);
    const double sum = (double)(bits & 0xffff) + (double)(bits >> 16 & 0xffff) +
                       (double)(bits >> 32 & 0xffff) + (double)(bits >> 48);
    return (float)((sum - 2 * 65535.0) / 65536 * sqrt(3));
}

static void add(struct maker *m, const char *name, const char *part, uint32_t rank,
                const uint32_t *shape, double mean, double deviation)
{
    char full[2 * NAME];
    struct qsv_tensor *t;
    snprintf(full, sizeof full, "%s.%s", name, part);
    if (!m->status)
        m->status = qsv_tensors_add(m->tensors, full, QSV_F32, rank, shape, &t, m->err);
    if (m->status)
        return;
    float *v = (float *)(void *)t->data;
    for (size_t i = 0; i < qsv_tensor_count(t); i++)
        v[i] = (float)mean + (deviation > 0 ? (float)deviation * draw(&m->rng) : 0);
}

static void add_vector(struct maker *m, const char *name, const char *part, uint32_t n, double mean,
                       double deviation)
{
    add(m, name, part, 1, &n, mean, deviation);
}

struct weight {
    uint32_t out, in, kernel, rank;
    bool bias;
};

static void conv(struct maker *m, struct weight w, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void norm(struct maker *m, uint32_t channels, double variance, double gain, double shift,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Sums have the variance that inputs have on average. */
static void conv(struct maker *m, struct weight w, const char *format, ...)
{
    char name[NAME];
    const uint32_t shape[] = {w.out, w.in, w.kernel, w.kernel};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    add(m, name, "weight", w.rank, shape, 0, 1 / sqrt((double)w.in * w.kernel * w.kernel));
    if (w.bias)
        add_vector(m, name, "bias", w.out, 0, 0.02);
}

static void norm(struct maker *m, uint32_t channels, double variance, double gain, double shift,
                 const char *format, ...)
{
    char name[NAME];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    add_vector(m, name, "weight", channels, gain, 0.1 * gain);
    add_vector(m, name, "bias", channels, shift, 0.2 * gain);
    add_vector(m, name, "running_mean", channels, 0, 0);
    add_vector(m, name, "running_var", channels, variance, 0);
}

static void downsample(struct maker *m, const char *name, uint32_t in, uint32_t out,
                       uint32_t kernel, bool first)
{
    conv(m, (struct weight){out, in, kernel, 4, true}, "%s.encode_conv", name);
    norm(m, out, first ? 1 : m->rate, 1, firing_shift, "%s.encode_bn", name);
}

static void conv_block(struct maker *m, const char *name, uint32_t width)
{
    conv(m, (struct weight){2 * width, width, 1, 4, false}, "%s.0.Conv.pwconv1", name);
    norm(m, 2 * width, m->rate, 1, firing_shift, "%s.0.Conv.bn1", name);
    conv(m, (struct weight){2 * width, 1, 7, 4, false}, "%s.0.Conv.dwconv", name);
    conv(m, (struct weight){width, 2 * width, 1, 4, false}, "%s.0.Conv.pwconv2", name);
    norm(m, width, m->rate, branch_gain, 0, "%s.0.Conv.bn2", name);
    conv(m, (struct weight){4 * width, width, 3, 4, false}, "%s.0.conv1", name);
    norm(m, 4 * width, m->rate, 1, firing_shift, "%s.0.bn1", name);
    conv(m, (struct weight){width, 4 * width, 3, 4, false}, "%s.0.conv2", name);
    norm(m, width, m->rate, branch_gain, 0, "%s.0.bn2", name);
}

static void rep_conv(struct maker *m, const char *name, uint32_t width, double gain, double shift)
{
    conv(m, (struct weight){width, width, 1, 4, false}, "%s.0.body.0", name);
    norm(m, width, m->rate, 1, 0, "%s.0.body.1.bn", name);
    conv(m, (struct weight){width, 1, 3, 4, false}, "%s.0.body.2.0", name);
    conv(m, (struct weight){width, width, 1, 4, false}, "%s.0.body.2.1", name);
    norm(m, width, 1, 1, 0, "%s.0.body.2.2", name);
    norm(m, width, 1, gain, shift, "%s.1", name);
}

static void transformer_block(struct maker *m, const char *list, uint32_t i, uint32_t width)
{
    char name[NAME / 2];
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "%s.%u.attn.%c_conv", list, i, "qkv"[k]);
        rep_conv(m, name, width, 1, firing_shift);
    }
    snprintf(name, sizeof name, "%s.%u.attn.proj_conv", list, i);
    rep_conv(m, name, width, branch_gain, 0);
    snprintf(name, sizeof name, "%s.%u.mlp", list, i);
    conv(m, (struct weight){4 * width, width, 1, 3, true}, "%s.fc1_conv", name);
    norm(m, 4 * width, m->rate, 1, firing_shift, "%s.fc1_bn", name);
    conv(m, (struct weight){width, 4 * width, 1, 3, true}, "%s.fc2_conv", name);
    norm(m, width, m->rate, branch_gain, 0, "%s.fc2_bn", name);
}

static void make_tensors(struct maker *m, const struct qsv_synth *s)
{
    const uint32_t *w = s->widths;
    downsample(m, "downsample1_1", s->options.input.c, w[0] / 2, 7, true);
    conv_block(m, "ConvBlock1_1", w[0] / 2);
    downsample(m, "downsample1_2", w[0] / 2, w[0], 3, false);
    conv_block(m, "ConvBlock1_2", w[0]);
    downsample(m, "downsample2", w[0], w[1], 3, false);
    conv_block(m, "ConvBlock2_1", w[1]);
    conv_block(m, "ConvBlock2_2", w[1]);
    downsample(m, "downsample3", w[1], w[2], 3, false);
    for (uint32_t i = 0; i < s->depths[0]; i++)
        transformer_block(m, "block3", i, w[2]);
    downsample(m, "downsample4", w[2], w[3], 3, false);
    for (uint32_t i = 0; i < s->depths[1]; i++)
        transformer_block(m, "block4", i, w[3]);
    conv(m, (struct weight){s->classes, w[3], 1, 2, true}, "head");
    if (s->kd)
        conv(m, (struct weight){s->classes, w[3], 1, 2, true}, "head_kd");
}

static enum qsv_status check(const struct qsv_synth *s, struct qsv_error *err)
{
    const uint32_t *w = s->widths, heads = s->options.heads;
    for (int i = 0; i < 4; i++)
        if (!w[i] || w[i] > MAX_WIDTH)
            return qsv_fail(err, QSV_EUSAGE, "width %u: expected 1 to %d channels", w[i],
                            MAX_WIDTH);
    if (w[0] % 2)
        return qsv_fail(err, QSV_EUSAGE,
                        "the first width is %u: it must be even, the stem has half of it", w[0]);
    if (!heads)
        return qsv_fail(err, QSV_EUSAGE, "0 attention heads: at least one is needed");
    for (int i = 2; i < 4; i++)
        if (w[i] % heads)
            return qsv_fail(err, QSV_EUSAGE,
                            "the %s width is %u, which %u attention heads do not divide",
                            i == 2 ? "third" : "fourth", w[i], heads);
    for (int i = 0; i < 2; i++)
        if (!s->depths[i] || s->depths[i] > MAX_DEPTH)
            return qsv_fail(err, QSV_EUSAGE, "depth %u: expected 1 to %d blocks", s->depths[i],
                            MAX_DEPTH);
    if (!s->classes || s->classes > 1 << 16)
        return qsv_fail(err, QSV_EUSAGE, "%u classes: expected 1 to %d", s->classes, 1 << 16);
    if (!(s->rate >= 0.001 && s->rate <= 0.9))
        return qsv_fail(err, QSV_EUSAGE, "firing rate %g: expected 0.001 to 0.9", s->rate);
    return QSV_OK;
}

enum qsv_status qsv_synth_make(struct qsv_model **out, const struct qsv_synth *s,
                               struct qsv_error *err)
{
    struct qsv_tensors tensors = {0};
    struct maker m = {.tensors = &tensors, .rate = s->rate, .err = err};
    *out = NULL;
    m.status = check(s, err);
    if (m.status)
        return m.status;
    qsv_rng_seed(&m.rng, s->seed);
    make_tensors(&m, s);
    if (m.status) {
        qsv_tensors_fini(&tensors);
        return m.status;
    }
    return qsv_model_create(out, &tensors, &s->options, "a random model", err);
}

enum qsv_status qsv_synth_make_firing(struct qsv_model **out, const struct qsv_synth *s,
                                      unsigned passes, struct qsv_error *err)
{
    struct qsv_model *m;
    *out = NULL;
    enum qsv_status st = qsv_synth_make(&m, s, err);
    if (!st)
        st = qsv_synth_tune(m, s->rate, s->seed, passes, err);
    if (!st) /* anew, because a model's hash is that of its tensors */
        st = qsv_model_create(out, &m->tensors, &s->options, "a random model", err);
    qsv_model_destroy(m);
    return st;
}

void qsv_synth_images(uint8_t *pixels, uint32_t n, struct qsv_shape shape, uint64_t seed)
{
    enum { PATCH = 8 };
    const uint32_t across = (shape.w + PATCH - 1) / PATCH;
    uint8_t colour[QSV_MAX_CHANNELS] = {0};
    struct qsv_rng rng, patch;
    qsv_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t image = qsv_rng_next(&rng);
        for (uint32_t y = 0; y < shape.h; y++)
            for (uint32_t x = 0; x < shape.w; x++) {
                if (x % PATCH == 0)
                    qsv_rng_seed(&patch, image + (uint64_t)(y / PATCH) * across + x / PATCH);
                for (uint32_t c = 0; c < shape.c; c++) {
                    if (x % PATCH == 0)
                        colour[c] = (uint8_t)(qsv_rng_next(&patch) >> 56);
                    *pixels++ = (uint8_t)((colour[c] + (qsv_rng_next(&rng) >> 56)) / 2);
                }
            }
    }
}
