#include "core/import/element.h"

#include <string.h>

#include "core/format.h"

static uint64_t little_endian(const uint8_t *at, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)at[i] << 8 * i;
    return v;
}

static float load_f16(const uint8_t *at)
{
    return qsv_half_to_float((uint16_t)little_endian(at, 2));
}

static float load_bf16(const uint8_t *at)
{
    return qsv_bfloat_to_float((uint16_t)little_endian(at, 2));
}

static float load_f32(const uint8_t *at)
{
    uint32_t bits = (uint32_t)little_endian(at, 4);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static float load_f64(const uint8_t *at)
{
    uint64_t bits = little_endian(at, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return (float)v;
}

const struct qsv_element qsv_elements[] = {
    {"FloatStorage", "float32", "F32", 4, load_f32},
    {"HalfStorage", "float16", "F16", 2, load_f16},
    {"BFloat16Storage", "bfloat16", "BF16", 2, load_bf16},
    {"DoubleStorage", "float64", "F64", 8, load_f64},
    {NULL, NULL, NULL, 0, NULL},
};
