/* Rounding with scales that are powers of two: a shift in place of a multiplication. */
#include <math.h>

#include "core/quantizers/codes.h"
#include "core/quantizers/quantizers.h"

/* The nearest power of two by its logarithm, keeping the sign. */
static float nearest_power(float scale)
{
    int exponent;
    const double fraction = frexp(fabs((double)scale), &exponent); /* 0.5 .. 1 */
    return (float)copysign(ldexp(1, fraction * fraction < 0.5 ? exponent - 1 : exponent), scale);
}

static enum qsv_status quantize(const struct qsv_quantizer_task *t, struct qsv_error *err)
{
    (void)err;
    for (size_t o = 0; o < t->rows; o++) {
        const float *w = t->weights + o * t->k;
        t->scale[o] = nearest_power(qsv_scale_choose(t->rule, w, NULL, t->k, t->format));
        for (size_t i = 0; i < t->k; i++)
            t->codes[o * t->k + i] =
                (int8_t)qsv_nearest_code((double)w[i] / (double)t->scale[o], t->format);
    }
    return QSV_OK;
}

const struct qsv_quantizer_kind qsv_quantizer_power = {"power", false, false, quantize};
