/* AVX-512: looking up sums of integer codes over spikes.
 *
 * Six spikes of a position are a number from 0 to 63, which looks up the sum of the weights that
 * fired: 384 multiply-accumulates for 64 positions whatever the firing rate. Small codes have
 * tables of 64 bytes, and a look-up is one instruction for 64 positions (vpermb); others have
 * tables of 64 16-bit words, and a look-up is two, for even positions and odd ones (vpermi2w).
 *
 * A tile is four outputs by four vectors of 64 positions, of words two: sixteen look-ups in turn,
 * for tables that come from the second-level cache as fast as they are used, where eight would wait
 * for them. The sixteen sums fill half of the registers. When they are full they go to a log, as
 * records of sixteen. The taps of a group follow each other, so that what they share of its indices
 * stays in the first-level cache.
 */
#ifndef QSV_AVX512_LOOKUP_H
#define QSV_AVX512_LOOKUP_H

#include "core/kernels/avx512.h"

enum {
    QSV_BYTE_VECTORS = 4, /* vectors of 64 positions of a tile */
    QSV_WORD_VECTORS = 2,
    QSV_RECORD = 16 /* vectors of a log's record: [QSV_OUTPUTS][4 of bytes, or 2 x even and odd] */
};

/* What a tap reads for the words of a tile. */
struct qsv_tap {
    qsv_v512 inside[QSV_BYTE_VECTORS]; /* bytes to keep: masked loads take turns with look-ups */
    size_t at;                         /* from the position in plane 0 */
    bool whole;                        /* every position that is not padding is inside */
};

/* A tile is `steps` time steps of (vectors / steps) words from this one on. */
struct qsv_lookup {
    const uint8_t *index; /* at the first position */
    size_t index_stride;  /* positions a group */
    size_t block;         /* positions a time step */
    int steps;
    uint32_t groups, n_taps;
    const struct qsv_tap *taps;
    const uint8_t *tables; /* what qsv_avx512_build_tables() made */
    const uint8_t *then;   /* as qsv_code_weights */
};

/* The most that the tables of four outputs take, and their log. */
size_t qsv_avx512_tables_size(size_t taps, size_t groups);
size_t qsv_avx512_log_size(size_t taps, size_t groups);

/* Makes the tables of outputs o4 to o4 + 3, [groups][taps][4]. Meanwhile, where `packed` is not
 * NULL, it looks up 64 positions, whose indices [groups][taps] those are: no table is loaded again
 * for so few. Their records have the first of each output's vectors, of words the first two.
 * Returns the log's end. */
qsv_v512 *qsv_avx512_build_tables(uint8_t *tables, const struct qsv_code_weights *w, uint32_t o4,
                                  const qsv_v512 *packed, qsv_v512 *log);

/* Write records to `log` and return its end. */
qsv_v512 *qsv_avx512_look_up_bytes(qsv_v512 *log, const struct qsv_lookup *l);
qsv_v512 *qsv_avx512_look_up_words(qsv_v512 *log, const struct qsv_lookup *l);

#endif
