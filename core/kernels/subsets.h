/* What the table kernels share: which sums of codes fit where.
 *
 * A group is the codes of one index; its table holds the sum of every subset. Entries are made
 * unsigned by adding the magnitude of the group's negative codes. Looked-up bytes of consecutive
 * groups are added as bytes as long as no position can pass 255, then widened to 16 bits. Where the
 * sums themselves fit 16 bits with a sign, these may wrap around; else they are emptied into 32
 * bits before they can pass 65535.
 */
#ifndef QSV_SUBSETS_H
#define QSV_SUBSETS_H

#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"

enum qsv_then { QSV_GO_ON, QSV_WIDEN, QSV_EMPTY }; /* what to do behind a group */

/* nibble: -1 the whole code, 0 its low four bits, 1 its high ones: code = 16 x high + low. */
static inline int qsv_code_part(int code, int nibble)
{
    return nibble < 0 ? code : nibble ? code >> 4 : code & 15;
}

/* The magnitude of a group's negative codes, and the sum of all magnitudes: the largest entry. */
static inline int qsv_subset_negative(const int8_t *codes, uint32_t n, int nibble, int *span)
{
    int negative = 0;
    *span = 0;
    for (uint32_t i = 0; i < n; i++) {
        const int code = qsv_code_part(codes[i], nibble);
        negative += code < 0 ? -code : 0;
        *span += abs(code);
    }
    return negative;
}

/* entry [1 << n] of a group of n codes. */
static inline void qsv_subset_sums(uint8_t *entry, const int8_t *codes, uint32_t n, int nibble,
                                   int negative)
{
    entry[0] = (uint8_t)negative;
    for (uint32_t b = 0; b < n; b++)
        for (uint32_t i = 0; i < 1u << b; i++)
            entry[i | 1u << b] = (uint8_t)(entry[i] + qsv_code_part(codes[b], nibble));
}

/* Rows of a depthwise kernel of at most QSV_MAX_WINDOW: widen behind which. Returns the base. */
static inline int qsv_window_schedule(bool widen[QSV_MAX_WINDOW],
                                      const struct qsv_code_depthwise *d, int nibble)
{
    int bytes = 0, base = 0, span;
    for (uint32_t y = 0; y < d->kernel; y++) {
        base += qsv_subset_negative(d->codes + y * d->kernel, d->kernel, nibble, &span);
        widen[y] = false;
        if (y && bytes + span > 255) {
            widen[y - 1] = true;
            bytes = 0;
        }
        bytes += span;
    }
    widen[d->kernel - 1] = true;
    return base;
}

/* The spikes that tap k of a row reads at a word: the row shifted, where it is inside. */
static inline uint64_t qsv_window_bits(const struct qsv_code_depthwise *d, const uint64_t *at,
                                       size_t word, uint32_t k)
{
    const size_t words = d->block / QSV_WORD,
                 tap = (size_t)d->pad * d->kernel + k; /* of the middle row */
    const int shift = (int)k - (int)d->pad;
    uint64_t bits = at[0];
    if (shift > 0)
        bits = at[0] >> shift | at[1] << (64 - shift);
    else if (shift < 0)
        bits = at[0] << -shift | at[-1] >> (64 + shift);
    return bits & d->taps.mask[tap * words + word];
}

/* The taps of one axis that lie inside: [*first, *end). */
static inline void qsv_taps_inside(uint32_t at, uint32_t step, uint32_t pad, uint32_t kernel,
                                   uint32_t size, uint32_t *first, uint32_t *end)
{
    const int64_t base = (int64_t)at * step - pad;
    *first = base < 0 ? (uint32_t)-base : 0;
    *end = base + kernel > size ? (uint32_t)(size - base) : kernel;
}

/* The positions of a word that are not padding. */
static inline uint64_t qsv_valid_bits(uint32_t positions, size_t word)
{
    const size_t first = word * QSV_WORD;
    if (positions <= first)
        return 0;
    return positions - first >= QSV_WORD ? ~(uint64_t)0 : ((uint64_t)1 << (positions - first)) - 1;
}

#endif
