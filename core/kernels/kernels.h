/* The engine's inner loops, one table an instruction set. Every table gives the same bits: integer
 * sums are exact; a real-valued sum runs over k in ascending order with fused multiply-add into one
 * accumulator an output; what follows a sum is fma(multiplier, sum, shift); neurons charge by
 * h = fma(x - v, decay, v), which for a decay of 1/2 rounds like the formula written out. Other
 * elementwise formulas round each operation.
 *
 * Layouts. A batch's positions are numbered through: time step, then image, then pixel; the
 * positions of one time step are a *block*, padded to a multiple of 64. Values are planar, f32
 * [channel][position]; spikes are bits, [channel][position / 64] words, bit position % 64. Padding
 * positions hold no spike; what real values hold there is of no meaning. k = tap x in_ch + channel.
 */
#ifndef QSV_KERNELS_H
#define QSV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    QSV_WORD = 64,      /* positions a word of spikes, and what blocks are padded to */
    QSV_TILE = 256,     /* positions a kernel takes at once, at most */
    QSV_MAX_WINDOW = 7, /* spikes of a row that are looked up at once */
    QSV_OUTPUTS = 4     /* output channels are padded to this, weights with zeros */
};

/* How the taps of a kernel read a block: output position p reads position p + offset[tap] of plane
 * plane[tap], where bit p of mask[tap] is set, and 0 elsewhere. A layer of stride 1 and unchanged
 * size has one plane, its input; others read planes gathered from it (core/engine/grid.h). */
struct qsv_taps {
    uint32_t n;
    const ptrdiff_t *offset; /* [n] */
    const uint32_t *plane;   /* [n] */
    const uint64_t *mask;    /* [n][block / 64] */
};

/* A layer's integer codes as one table's code_conv reads them; core/kernels/code_weights.h. */
struct qsv_code_weights {
    uint32_t taps, groups, out_ch; /* groups of index_bits channels, a tap */
    uint32_t parts;                /* 1, or 2 nibbles: code = 16 x high + low, low first */
    bool words;                    /* sums of 16 bits with a sign instead, whose base is 0 */
    bool narrow;                   /* every sum fits 16 bits with a sign */
    int8_t *codes;                 /* [out_ch, padded][taps][groups x index_bits] */
    uint8_t *subsets; /* [out_ch / 4, padded][parts][taps x groups][4][16], of words [32]; NULL: not
                         wanted */
    uint8_t *then;    /* [out_ch / 4, padded][parts][taps x groups]: what to do behind a group */
    int32_t *base;    /* [out_ch, padded]: what the looked-up sums are too large by */
};

/* Sums of codes over spikes, and what follows them. Spikes are given as indices:
 * qsv_kernels.index_bits channels of a position are the bits of one byte.
 *
 * y = fma(multiplier, sum, shift), and residual + y where there is a residual. y goes to `out`, to
 * neurons, or to both. */
struct qsv_code_conv {
    const uint8_t *index; /* [planes][groups][plane_stride / groups]; as many bytes as the taps'
                             offsets reach, and QSV_TILE, are readable on either side */
    size_t index_stride;  /* positions a group */
    size_t plane_stride;  /* bytes a plane */
    struct qsv_taps taps;
    uint32_t steps, block; /* positions: steps x block */
    uint32_t positions;    /* of a block that are not padding */
    const struct qsv_code_weights *weights;
    const float *multiplier, *shift; /* [out_ch] */
    const float *residual;           /* [out_ch][residual_stride], or NULL */
    size_t residual_stride;
    uint32_t residual_steps; /* 1 (the same at every step) or steps */
    float *out;              /* [out_ch][out_stride], or NULL */
    size_t out_stride;
    uint64_t *spikes;   /* [out_ch][steps][block / 64], or NULL */
    float v_th, decay;  /* of the neurons, as in qsv_lif_channel */
    int64_t *potential; /* [out_ch], as in qsv_lif_channel; NULL: not wanted */
    uint8_t *tables;    /* working memory: [qsv_kernels.table_bytes(...)], aligned */
};

/* Sums of f32 weights over spikes, row by row: out = sum of the rows of the inputs that fired. One
 * block. */
struct qsv_row_conv {
    const uint16_t
        *events; /* channels that fired, position by position; readable 16 past the last */
    const uint32_t *first_event; /* [images x h x w + 1] */
    const float *rows;           /* [kernel x kernel x in_ch][width], outputs innermost */
    uint32_t width;              /* out_ch padded to 16 */
    uint32_t images, h, w, out_h, out_w, in_ch, out_ch;
    uint32_t kernel, step, pad;
    const float *multiplier, *shift; /* [out_ch] */
    float *out;                      /* [out_ch][out_stride], from the block's first position on */
    size_t out_stride;
    uint32_t *list; /* working memory: [2][kernel x kernel x in_ch + 16] */
    float *tile;    /* working memory: [16][width, at least 128], aligned */
};

/* out = weight x x, real-valued: out[o][p] = sum over k of weight[o][k] x[k][p], for the first
 * `positions` p of each step's block; written up to a multiple of 16. */
struct qsv_dense {
    const float *x; /* [k][x_stride] */
    size_t x_stride;
    const float *weight; /* [out_ch, padded, / 4][k][4] */
    uint32_t k, out_ch;
    uint32_t steps, block, positions;
    const float *multiplier, *shift; /* [out_ch] */
    float *out;                      /* [out_ch][out_stride] */
    size_t out_stride;
};

/* One channel of a depthwise convolution: out[p] = fma(multiplier, sum over taps of weight[tap]
 * x[p + offset[tap]], shift). */
struct qsv_depthwise {
    const float *x;      /* [steps x block] */
    const float *weight; /* [taps] */
    struct qsv_taps taps;
    uint32_t steps, block;
    float multiplier, shift;
    float *out; /* [steps x block] */
};

/* One channel of a depthwise convolution of spikes by integer codes; kernel at most QSV_MAX_WINDOW.
 */
struct qsv_code_depthwise {
    const uint64_t *spikes; /* [steps][block / 64], one word readable before and behind */
    const int8_t *codes;    /* [kernel x kernel] */
    struct qsv_taps taps;
    uint32_t kernel, pad;
    int code_max;
    uint32_t steps, block;
    float multiplier, shift;
    float *out;     /* [steps x block] */
    uint8_t *index; /* working memory: [steps x block]; as many bytes as the taps' offsets reach,
                       and a word, are readable on either side */
};

/* One channel of neurons. */
struct qsv_lif_channel {
    const float *x;   /* [x_steps][block] */
    uint64_t *spikes; /* [steps][block / 64] */
    uint32_t x_steps; /* 1 (the same input at every step) or steps */
    uint32_t steps, block;
    uint32_t positions; /* of the block that are not padding */
    float v_th, decay;  /* decay = 1 / tau */
    int64_t *potential; /* added to: sum of round(256 x clip(h, +-128)); NULL: not wanted */
};

/* One head of one frame: counts[i][j] = positions where k[i] and v[j] both fired;
 * out[j][p] = scale x sum over i of q[i][p] counts[i][j]. Accumulates: one where k and v both
 * fired, and `channels` for each spike of q. */
struct qsv_attend {
    const uint64_t *q, *k, *v; /* [channels][words], bits beyond `tokens` are 0 */
    uint32_t channels, words, tokens;
    float scale;
    int32_t *counts; /* working memory: [channels][channels padded to 16] */
    float *out;      /* [channels][out_stride]; written up to a multiple of 16 tokens */
    size_t out_stride;
};

struct qsv_kernels {
    const char *isa;
    uint32_t index_bits; /* channels an index */
    /* index[g][p] = spikes of channels g x index_bits ... at position p; channels beyond the last
     * are silent. */
    void (*make_index)(uint8_t *index, size_t index_stride, const uint64_t *spikes,
                       uint32_t channels, uint32_t positions);
    bool subsets;    /* code_conv reads qsv_code_weights.subsets */
    bool taps_inner; /* ... whose tables lie [group][tap], not [tap][group], */
    bool words;      /* and where sums of an index do not fit a byte are of words, not nibbles */
    /* Bytes of working memory that code_conv needs for a layer. */
    size_t (*table_bytes)(uint32_t taps, uint32_t groups);
    /* Returns spikes fired. */
    uint64_t (*code_conv)(const struct qsv_code_conv *c);
    /* Lists the channels that fired at each position, ascending; *events may be written 16 past the
     * last. */
    void (*list_events)(uint16_t *events, uint32_t *first_event, const uint8_t *index,
                        size_t index_stride, uint32_t groups, uint32_t positions);
    void (*row_conv)(const struct qsv_row_conv *c);
    void (*dense)(const struct qsv_dense *d);
    void (*depthwise)(const struct qsv_depthwise *d);
    void (*code_depthwise)(const struct qsv_code_depthwise *d);
    /* Spikes as 0.0 and 1.0. */
    void (*expand)(float *out, const uint64_t *spikes, size_t words);
    /* For each time step: h = v + (x - v) x decay; spike where h >= v_th; v = 0 where it fired,
     * else h; v begins at 0. Returns the number of spikes. */
    uint64_t (*lif)(const struct qsv_lif_channel *f);
    /* Returns the number of accumulates. */
    uint64_t (*attend)(const struct qsv_attend *a);
    /* out = a + b; n a multiple of 16 */
    void (*add)(float *out, const float *a, const float *b, size_t n);
    /* Number of set bits of spikes [words], each position counted by the masks: sum over classes of
     * value x popcount(spikes & mask). */
    uint64_t (*weigh)(const uint64_t *spikes, uint32_t steps, uint32_t words, const uint64_t *mask,
                      const uint32_t *value, uint32_t classes);
};

/* Every table that was built, scalar first; NULL-terminated. */
extern const struct qsv_kernels *const qsv_kernels_built[];

/* Can this CPU run it? */
int qsv_kernels_usable(const struct qsv_kernels *k);

/* The best usable table, or the one that QSV_ISA names (NULL where that one is not built or not
 * usable). */
const struct qsv_kernels *qsv_kernels_choose(void);

extern const struct qsv_kernels qsv_kernels_scalar;
#if defined(__x86_64__)
extern const struct qsv_kernels qsv_kernels_avx2;
extern const struct qsv_kernels qsv_kernels_avx512;
#endif

#endif
