#include "core/format.h"

#include <string.h>

#define TWOS_COMPLEMENT(name, bits)                                                                \
    {                                                                                              \
        name, bits, true, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, 1                             \
    }

static const struct qsv_format_info formats[QSV_N_FORMATS] = {
    [QSV_F32] = {"f32", 32, false, 0, 0, 0},          [QSV_F16] = {"f16", 16, false, 0, 0, 0},
    [QSV_INT8] = TWOS_COMPLEMENT("int8", 8),          [QSV_INT6] = TWOS_COMPLEMENT("int6", 6),
    [QSV_INT5] = TWOS_COMPLEMENT("int5", 5),          [QSV_INT4] = TWOS_COMPLEMENT("int4", 4),
    [QSV_INT3] = TWOS_COMPLEMENT("int3", 3),          [QSV_INT2] = {"int2", 2, true, -3, 3, 2},
    [QSV_TERNARY] = {"ternary", 1.6, true, -1, 1, 1}, [QSV_BINARY] = {"binary", 1, true, -1, 1, 2},
    [QSV_NONE] = {"none", 0, true, 0, 0, 1},
};

enum { TRITS = 5 }; /* ternary codes to a byte */

const struct qsv_format_info *qsv_format_info(enum qsv_format f)
{
    return &formats[f];
}

bool qsv_format_find(enum qsv_format *out, const char *name)
{
    for (int f = 0; f < QSV_N_FORMATS; f++) {
        if (!strcmp(formats[f].name, name)) {
            *out = (enum qsv_format)f;
            return true;
        }
    }
    return false;
}

const char *qsv_format_names(void)
{
    return "f32, f16, int8, int6, int5, int4, int3, int2, ternary, binary, none";
}

size_t qsv_format_packed_bytes(enum qsv_format f, size_t n)
{
    if (f == QSV_TERNARY)
        return n / TRITS + (n % TRITS != 0);
    size_t bits = (size_t)formats[f].bits;
    if (bits < 8)
        return n / 8 * bits + (n % 8 * bits + 7) / 8;
    return n > SIZE_MAX / (bits / 8) ? SIZE_MAX : n * (bits / 8);
}

static void pack_ternary(const int8_t *codes, size_t n, uint8_t *packed)
{
    for (size_t i = 0; i < n; i += TRITS) {
        unsigned byte = 0;
        for (size_t j = n - i < TRITS ? n - i : TRITS; j-- > 0;)
            byte = byte * 3 + (unsigned)(codes[i + j] + 1);
        *packed++ = (uint8_t)byte;
    }
}

/* What the bit stream holds for a code, and back: two's complement, or a count of steps. */
static unsigned to_stored(const struct qsv_format_info *f, int8_t code)
{
    if (f->code_step == 1)
        return (unsigned)code & ((1u << (unsigned)f->bits) - 1);
    return (unsigned)((code - f->code_min) / f->code_step);
}

static int8_t from_stored(const struct qsv_format_info *f, unsigned v)
{
    int value = (int)v;
    if (f->code_step == 1)
        return (int8_t)(value > f->code_max ? value - (1 << (int)f->bits) : value);
    return (int8_t)(value * f->code_step + f->code_min);
}

void qsv_format_pack(enum qsv_format f, const int8_t *codes, size_t n, uint8_t *packed)
{
    if (f == QSV_TERNARY) {
        pack_ternary(codes, n, packed);
        return;
    }
    const struct qsv_format_info *info = &formats[f];
    unsigned bits = (unsigned)info->bits, pending = 0, held = 0;
    for (size_t i = 0; i < n; i++) {
        pending |= to_stored(info, codes[i]) << held;
        for (held += bits; held >= 8; held -= 8) {
            *packed++ = (uint8_t)pending;
            pending >>= 8;
        }
    }
    if (held)
        *packed = (uint8_t)pending;
}

static enum qsv_status fail_packed(struct qsv_error *err, const struct qsv_format_info *f,
                                   size_t at, unsigned value)
{
    return qsv_fail(err, QSV_EINPUT, "packed byte %zu is %u, which stands for no %s codes", at,
                    value, f->name);
}

static enum qsv_status unpack_ternary(const uint8_t *packed, size_t n, int8_t *codes,
                                      struct qsv_error *err)
{
    for (size_t i = 0; i < n; i += TRITS) {
        unsigned byte = packed[i / TRITS];
        for (size_t j = i; j < n && j < i + TRITS; j++) {
            codes[j] = (int8_t)((int)(byte % 3) - 1);
            byte /= 3;
        }
        if (byte)
            return fail_packed(err, &formats[QSV_TERNARY], i / TRITS, packed[i / TRITS]);
    }
    return QSV_OK;
}

enum qsv_status qsv_format_unpack(enum qsv_format f, const uint8_t *packed, size_t n, int8_t *codes,
                                  struct qsv_error *err)
{
    if (f == QSV_TERNARY)
        return unpack_ternary(packed, n, codes, err);
    const struct qsv_format_info *info = &formats[f];
    unsigned bits = (unsigned)info->bits, pending = 0, held = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (held < bits) {
            pending |= (unsigned)packed[at++] << held;
            held += 8;
        }
        codes[i] = from_stored(info, pending & ((1u << bits) - 1));
        pending >>= bits;
        held -= bits;
    }
    return pending ? fail_packed(err, info, at - 1, packed[at - 1]) : QSV_OK;
}

uint16_t qsv_half_from_float(float v)
{
    uint32_t x;
    memcpy(&x, &v, sizeof x);
    uint16_t sign = (uint16_t)(x >> 16 & 0x8000);
    x &= 0x7fffffff;
    if (x > 0x7f800000) /* NaN: quiet, so that a payload cut to 0 does not become infinity */
        return (uint16_t)(sign | 0x7e00 | (x >> 13 & 0x3ff));
    if (x >= 0x477ff000) /* 65520, halfway between the largest half and the next */
        return sign | 0x7c00;
    if (x <= 0x33000000) /* half the smallest subnormal: a tie, and 0 is even */
        return sign;
    if (x >= 0x38800000) { /* 2^-14 and above: normal */
        x -= 112u << 23;
        return (uint16_t)(sign | (x + 0xfff + (x >> 13 & 1)) >> 13);
    }
    uint32_t shift = 126 - (x >> 23), m = (x & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | (m + (1u << (shift - 1)) - 1 + (m >> shift & 1)) >> shift);
}

static float float_from_bits(uint32_t x)
{
    float v;
    memcpy(&v, &x, sizeof v);
    return v;
}

float qsv_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, m = h & 0x3ff;
    if (exponent == 31)
        return float_from_bits(sign | 0x7f800000 | m << 13);
    if (exponent)
        return float_from_bits(sign | (exponent + 112) << 23 | m << 13);
    float v = (float)m * 0x1p-24f;
    return sign ? -v : v;
}

float qsv_bfloat_to_float(uint16_t h)
{
    return float_from_bits((uint32_t)h << 16);
}
