#include "core/quantizer.h"

#include <assert.h>
#include <string.h>

#include "core/quantizers/quantizers.h"

enum { RULES_VERSION = 2 }; /* changes whenever any code or scale could */

#define QUANTIZER(name) &qsv_quantizer_##name,
static const struct qsv_quantizer_kind *const kinds[] = {
#include "core/quantizers/quantizers.inc"
};
#undef QUANTIZER

#define QUANTIZER(name) #name,
const char *const qsv_quantizers[] = {
#include "core/quantizers/quantizers.inc"
    NULL,
};
#undef QUANTIZER

#define QUANTIZER(name) ", " #name
static const char names[] =
#include "core/quantizers/quantizers.inc"
    ;
#undef QUANTIZER

static const char *const rule_names[] = {[QSV_SCALE_MAX] = "max", [QSV_SCALE_MSE] = "mse"};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const struct qsv_quantizer_kind *find(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i]->name, name))
            return kinds[i];
    return NULL;
}

const char *qsv_quantizer_find(const char *name)
{
    const struct qsv_quantizer_kind *k = find(name);
    return k ? k->name : NULL;
}

const char *qsv_quantizer_names(void)
{
    return names + 2;
}

bool qsv_quantizer_needs_statistics(const struct qsv_quantizer *q)
{
    return find(q->name)->needs_curvature;
}

bool qsv_quantizer_corrects(const struct qsv_quantizer *q)
{
    return find(q->name)->corrects;
}

/* Nothing to choose: the format's only code is 0. */
static void leave_out(int8_t *codes, size_t n, float *scale, size_t out_ch)
{
    memset(codes, 0, n);
    for (size_t o = 0; o < out_ch; o++)
        scale[o] = 1;
}

enum qsv_status qsv_quantize_group(const struct qsv_quantizer *q, enum qsv_format format,
                                   const float *weights, size_t out_ch, size_t per_channel,
                                   const struct qsv_curvature *curvature, int8_t *codes,
                                   float *scale, struct qsv_error *err)
{
    const struct qsv_quantizer_kind *kind = find(q->name);
    const struct qsv_quantizer_task task = {
        .rule = q->scale,
        .format = qsv_format_info(format),
        .weights = weights,
        .rows = out_ch,
        .k = per_channel,
        .curvature = curvature,
        .codes = codes,
        .scale = scale,
    };
    assert(kind && task.format->integer);
    assert(curvature ? curvature->k == per_channel && curvature->rows == out_ch
                     : !kind->needs_curvature);
    if (format == QSV_NONE) {
        leave_out(codes, out_ch * per_channel, scale, out_ch);
        return QSV_OK;
    }
    return kind->quantize(&task, err);
}

void qsv_quantize(const struct qsv_quantizer *q, enum qsv_format format, const float *weights,
                  size_t out_ch, size_t per_channel, int8_t *codes, float *scale)
{
    enum qsv_status st =
        qsv_quantize_group(q, format, weights, out_ch, per_channel, NULL, codes, scale, NULL);
    assert(!st);
    (void)st;
}

const char *qsv_scale_rule_name(enum qsv_scale_rule r)
{
    return rule_names[r];
}

int qsv_scale_rule_find(enum qsv_scale_rule *out, const char *name)
{
    for (int r = QSV_SCALE_MAX; r <= QSV_SCALE_MSE; r++)
        if (!strcmp(rule_names[r], name)) {
            *out = (enum qsv_scale_rule)r;
            return 1;
        }
    return 0;
}

void qsv_quantizer_hash(const struct qsv_quantizer *q, struct qsv_hash *h)
{
    qsv_hash_add_u64(h, RULES_VERSION);
    qsv_hash_add_string(h, q->name);
    qsv_hash_add_string(h, rule_names[q->scale]);
    if (q->affine != QSV_F32) /* what was recorded before there was a choice is f32's */
        qsv_hash_add_string(h, qsv_format_info(q->affine)->name);
}
