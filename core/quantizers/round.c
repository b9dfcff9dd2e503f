/* Each channel a scale by the rule, each weight the nearest code. */
#include "core/quantizers/codes.h"
#include "core/quantizers/quantizers.h"

static void round_channel(const float *w, size_t n, float scale, const struct qsv_format_info *f,
                          int8_t *codes)
{
    double low = f->code_min, high = f->code_max;
    for (size_t i = 0; i < n; i++) {
        double v = (double)w[i] / (double)scale;
        double code = f->code_step == 2 ? qsv_nearest_odd(v) : qsv_nearest_integer(v);
        codes[i] = (int8_t)qsv_clamp(code, low, high);
    }
}

static enum qsv_status quantize(const struct qsv_quantizer_task *t, struct qsv_error *err)
{
    (void)err;
    for (size_t o = 0; o < t->rows; o++) {
        const float *w = t->weights + o * t->k;
        t->scale[o] = qsv_scale_choose(t->rule, w, NULL, t->k, t->format);
        round_channel(w, t->k, t->scale[o], t->format, t->codes + o * t->k);
    }
    return QSV_OK;
}

const struct qsv_quantizer_kind qsv_quantizer_round = {"round", false, false, quantize};
