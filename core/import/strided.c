#include "core/import/strided.h"

/* The number of elements and the index of the last; false on overflow. */
static bool extent(const struct qsv_strided *s, uint64_t *count, uint64_t *last)
{
    *count = 1;
    *last = s->offset;
    for (uint32_t i = 0; i < s->rank; i++) {
        uint64_t span;
        if (__builtin_mul_overflow(*count, s->shape[i], count))
            return false;
        if (s->shape[i] && (__builtin_mul_overflow(s->stride[i], s->shape[i] - 1, &span) ||
                            __builtin_add_overflow(*last, span, last)))
            return false;
    }
    return true;
}

enum qsv_status qsv_strided_check(const struct qsv_strided *s, uint64_t elements, uint64_t budget,
                                  struct qsv_error *err)
{
    uint64_t count, last;
    if (!extent(s, &count, &last) || (count && last >= elements))
        return qsv_fail(err, QSV_EINPUT,
                        "its shape and strides reach beyond its storage of %llu elements",
                        (unsigned long long)elements);
    if (count > budget / sizeof(float))
        return qsv_fail(err, QSV_EINPUT,
                        "has %llu elements, more than a file of this size may expand to",
                        (unsigned long long)count);
    return QSV_OK;
}

static void load_row(const struct qsv_strided *s, const uint8_t *at, float *out)
{
    uint32_t inner = s->rank ? s->rank - 1 : 0, n = s->rank ? s->shape[inner] : 1;
    size_t step = s->rank ? (size_t)s->stride[inner] * s->element->bytes : 0;
    for (uint32_t i = 0; i < n; i++)
        out[i] = s->element->load(at + i * step);
}

/* Moves `index` over all dimensions but the last to the next row; false behind the last row. */
static bool next_row(const struct qsv_strided *s, uint32_t index[QSV_MAX_RANK], uint64_t *at)
{
    for (uint32_t d = s->rank ? s->rank - 1 : 0; d-- > 0;) {
        *at += s->stride[d];
        if (++index[d] < s->shape[d])
            return true;
        *at -= s->stride[d] * s->shape[d];
        index[d] = 0;
    }
    return false;
}

void qsv_strided_load(const struct qsv_strided *s, const uint8_t *storage, float *out)
{
    for (uint32_t i = 0; i < s->rank; i++)
        if (!s->shape[i])
            return;
    uint32_t index[QSV_MAX_RANK] = {0};
    uint64_t at = s->offset;
    size_t row = s->rank ? s->shape[s->rank - 1] : 1;
    do {
        load_row(s, storage + at * s->element->bytes, out);
        out += row;
    } while (next_row(s, index, &at));
}
