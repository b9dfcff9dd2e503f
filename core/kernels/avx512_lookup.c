#if defined(__x86_64__)
#include "core/kernels/avx512_lookup.h"

#include "core/kernels/subsets.h"

enum { TABLE = 64, WORD_TABLE = 128 };

typedef qsv_v512 V;

size_t qsv_avx512_tables_size(size_t taps, size_t groups)
{
    return taps * groups * QSV_OUTPUTS * WORD_TABLE;
}

/* A group may fill a byte. */
size_t qsv_avx512_log_size(size_t taps, size_t groups)
{
    return taps * groups * QSV_RECORD * sizeof(V);
}

/* What tables are made of, for n groups, and the positions that are looked up meanwhile. */
struct build {
    const uint8_t *halves; /* sums of the first three codes and of the last three, eight each */
    size_t n;
    const V *packed;
    const uint8_t *then;
};

QSV_INLINE V *build_bytes(uint8_t *table, struct build b, V *log, const bool looks_up)
{
    const V eighth = _mm512_set_epi64(0x0707070707070707, 0x0606060606060606, 0x0505050505050505,
                                      0x0404040404040404, 0x0303030303030303, 0x0202020202020202,
                                      0x0101010101010101, 0);
    V sum[QSV_OUTPUTS];
    for (int o = 0; o < QSV_OUTPUTS; o++)
        sum[o] = _mm512_setzero_si512();
    for (size_t k = 0; k < b.n; k++) {
#pragma GCC unroll 4
        for (int o = 0; o < QSV_OUTPUTS; o++, b.halves += 16, table += TABLE) {
            int64_t first, last;
            memcpy(&first, b.halves, 8);
            memcpy(&last, b.halves + 8, 8);
            const V repeated = _mm512_shuffle_epi8(_mm512_set1_epi64(last), eighth);
            const V entries = _mm512_add_epi8(_mm512_set1_epi64(first), repeated);
            _mm512_store_si512(table, entries);
            if (looks_up)
                sum[o] = _mm512_add_epi8(sum[o], _mm512_permutexvar_epi8(b.packed[k], entries));
        }
        if (!looks_up || b.then[k] == QSV_GO_ON)
            continue;
        for (int o = 0; o < QSV_OUTPUTS; o++) {
            log[o * QSV_BYTE_VECTORS] = sum[o];
            sum[o] = _mm512_setzero_si512();
        }
        log += QSV_RECORD;
    }
    return log;
}

QSV_INLINE V *build_words(uint8_t *table, struct build b, V *log, const bool looks_up)
{
    const V eighth = _mm512_set_epi64(0x0706070607060706, 0x0706070607060706, 0x0504050405040504,
                                      0x0504050405040504, 0x0302030203020302, 0x0302030203020302,
                                      0x0100010001000100, 0x0100010001000100);
    const V next = _mm512_add_epi8(eighth, _mm512_set1_epi8(8));
    V sum[QSV_OUTPUTS][2];
    for (int o = 0; o < QSV_OUTPUTS; o++)
        sum[o][0] = sum[o][1] = _mm512_setzero_si512();
    for (size_t k = 0; k < b.n; k++) {
#pragma GCC unroll 4
        for (int o = 0; o < QSV_OUTPUTS; o++, b.halves += 32, table += WORD_TABLE) {
            const __m128i *half = (const __m128i *)(const void *)b.halves;
            const V first = _mm512_broadcast_i32x4(_mm_load_si128(half)),
                    last = _mm512_broadcast_i32x4(_mm_load_si128(half + 1));
            const V lower = _mm512_add_epi16(first, _mm512_shuffle_epi8(last, eighth)),
                    upper = _mm512_add_epi16(first, _mm512_shuffle_epi8(last, next));
            _mm512_store_si512(table, lower);
            _mm512_store_si512(table + 64, upper);
            if (!looks_up)
                continue;
            const V even = b.packed[k], odd = _mm512_srli_epi16(even, 8);
            sum[o][0] = _mm512_add_epi16(sum[o][0], _mm512_permutex2var_epi16(lower, even, upper));
            sum[o][1] = _mm512_add_epi16(sum[o][1], _mm512_permutex2var_epi16(lower, odd, upper));
        }
        if (!looks_up || b.then[k] == QSV_GO_ON)
            continue;
        for (int o = 0; o < QSV_OUTPUTS; o++)
            for (int i = 0; i < 2; i++) {
                log[o * QSV_WORD_VECTORS * 2 + i] = sum[o][i];
                sum[o][i] = _mm512_setzero_si512();
            }
        log += QSV_RECORD;
    }
    return log;
}

V *qsv_avx512_build_tables(uint8_t *tables, const struct qsv_code_weights *w, uint32_t o4,
                           const V *packed, V *log)
{
    const size_t n = (size_t)w->taps * w->groups, at = o4 / QSV_OUTPUTS * n;
    const struct build b = {w->subsets + (w->words ? 32 : 16) * QSV_OUTPUTS * at, n, packed,
                            w->then + at};
    if (w->words)
        return packed ? build_words(tables, b, log, true) : build_words(tables, b, log, false);
    return packed ? build_bytes(tables, b, log, true) : build_bytes(tables, b, log, false);
}

/* The indices that a tap reads. */
QSV_INLINE void load_indices(V *x, const struct qsv_tap *tap, const uint8_t *index, size_t block,
                             uint32_t words, uint32_t vectors)
{
#pragma GCC unroll 4
    for (uint32_t v = 0; v < vectors; v++)
        x[v] = _mm512_loadu_si512(index + tap->at + v / words * block + v % words * QSV_WORD);
    if (!tap->whole)
#pragma GCC unroll 4
        for (uint32_t v = 0; v < vectors; v++)
            x[v] = _mm512_and_si512(x[v], tap->inside[v % words]);
}

QSV_INLINE V *write_record(V *log, V sum[QSV_RECORD])
{
#pragma GCC unroll 16
    for (int i = 0; i < QSV_RECORD; i++) {
        log[i] = sum[i];
        sum[i] = _mm512_setzero_si512();
    }
    return log + QSV_RECORD;
}

QSV_INLINE V *look_up_bytes(V *log, const struct qsv_lookup *l, const uint32_t steps)
{
    const size_t block = l->block, stride = l->index_stride;
    const struct qsv_tap *const taps = l->taps, *const end = taps + l->n_taps;
    const uint8_t *table = l->tables, *then = l->then, *index = l->index;
    const uint8_t *const last = index + l->groups * stride;
    V sum[QSV_RECORD];
#pragma GCC unroll 16
    for (int i = 0; i < QSV_RECORD; i++)
        sum[i] = _mm512_setzero_si512();
    for (; index < last; index += stride)
        for (const struct qsv_tap *tap = taps; tap < end; tap++) {
            V x[QSV_BYTE_VECTORS];
            load_indices(x, tap, index, block, QSV_BYTE_VECTORS / steps, QSV_BYTE_VECTORS);
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++, table += TABLE) {
                V entries = _mm512_load_si512(table);
                QSV_IN_REGISTER(entries);
#pragma GCC unroll 4
                for (int v = 0; v < QSV_BYTE_VECTORS; v++) {
                    V *s = &sum[o * QSV_BYTE_VECTORS + v];
                    *s = _mm512_add_epi8(*s, _mm512_permutexvar_epi8(x[v], entries));
                    QSV_IN_REGISTER(*s);
                }
            }
            if (*then++ != QSV_GO_ON)
                log = write_record(log, sum);
        }
    return log;
}

QSV_INLINE V *look_up_words(V *log, const struct qsv_lookup *l, const uint32_t steps)
{
    const size_t block = l->block, stride = l->index_stride;
    const struct qsv_tap *const taps = l->taps, *const end = taps + l->n_taps;
    const uint8_t *table = l->tables, *then = l->then, *index = l->index;
    const uint8_t *const last = index + l->groups * stride;
    V sum[QSV_RECORD];
#pragma GCC unroll 16
    for (int i = 0; i < QSV_RECORD; i++)
        sum[i] = _mm512_setzero_si512();
    for (; index < last; index += stride)
        for (const struct qsv_tap *tap = taps; tap < end; tap++) {
            V x[QSV_WORD_VECTORS];
            load_indices(x, tap, index, block, QSV_WORD_VECTORS / steps, QSV_WORD_VECTORS);
            /* look-ups read six bits of each two bytes */
            V odd[QSV_WORD_VECTORS];
#pragma GCC unroll 2
            for (int v = 0; v < QSV_WORD_VECTORS; v++)
                odd[v] = _mm512_srli_epi16(x[v], 8);
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++, table += WORD_TABLE) {
                V lower = _mm512_load_si512(table), upper = _mm512_load_si512(table + 64);
                QSV_IN_REGISTER(lower);
                QSV_IN_REGISTER(upper);
#pragma GCC unroll 2
                for (int v = 0; v < QSV_WORD_VECTORS; v++) {
                    V *s = &sum[(o * QSV_WORD_VECTORS + v) * 2];
                    s[0] = _mm512_add_epi16(s[0], _mm512_permutex2var_epi16(lower, x[v], upper));
                    QSV_IN_REGISTER(s[0]);
                    s[1] = _mm512_add_epi16(s[1], _mm512_permutex2var_epi16(lower, odd[v], upper));
                    QSV_IN_REGISTER(s[1]);
                }
            }
            if (*then++ != QSV_GO_ON)
                log = write_record(log, sum);
        }
    return log;
}

V *qsv_avx512_look_up_bytes(V *log, const struct qsv_lookup *l)
{
    switch (l->steps) {
    case 4:
        return look_up_bytes(log, l, 4);
    case 2:
        return look_up_bytes(log, l, 2);
    default:
        return look_up_bytes(log, l, 1);
    }
}

V *qsv_avx512_look_up_words(V *log, const struct qsv_lookup *l)
{
    return l->steps == 2 ? look_up_words(log, l, 2) : look_up_words(log, l, 1);
}
#endif
