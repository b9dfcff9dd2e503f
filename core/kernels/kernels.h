/* The engine's inner loops, one table an instruction set. Every table gives the same bits: integer
 * sums are exact; a real-valued sum runs over k in ascending order with fused multiply-add into one
 * accumulator an output; elementwise formulas are written out, one rounding an operation.
 *
 * Layouts: values are [pixel][stride], channels innermost, padded to QSV_LANES with zeros. Spikes
 * are bits, [pixel][stride / 16] words of 16 channels, channel c in bit c % 16 of word c / 16.
 * Weight rows are [k][width], outputs innermost, padded with zeros: k = tap x in_ch + channel.
 */
#ifndef QSV_KERNELS_H
#define QSV_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    QSV_LANES = 16,    /* values and f32 rows are padded to this many channels */
    QSV_ROW_LANES = 32 /* integer rows */
};

/* A convolution of one frame of spikes, not depthwise. One of codes and values is given. */
struct qsv_spike_conv {
    const uint16_t *spikes; /* [h][w][in_words] */
    float *out;             /* [out_h][out_w][out_stride] */
    const int8_t *codes; /* [kernel x kernel x in_ch][width], width a multiple of QSV_ROW_LANES */
    const float *values; /* the same, width == out_stride */
    const float *multiplier, *shift; /* [out_stride], padded with zeros; NULL for 1, 0 */
    uint32_t width, out_stride;
    int code_max; /* largest magnitude of a code */
    uint32_t h, w, out_h, out_w, in_ch, in_words;
    uint32_t kernel, step, pad;
    /* Working memory: */
    uint32_t *events;      /* [h x w x in_ch + QSV_LANES] */
    uint32_t *first_event; /* [h x w + 1] */
    uint32_t *rows;        /* [kernel x kernel x in_ch + QSV_LANES] */
    int32_t *sums;         /* [width] */
};

struct qsv_lif_frames {
    const float *x;      /* [x_steps][pixels][stride] */
    uint16_t *spikes;    /* [time_steps][pixels][stride / 16] */
    int32_t *potentials; /* [stride] added to: sum of round(256 x clip(h, +-128)) over steps and
                            pixels; NULL: not wanted */
    uint32_t x_steps;    /* 1 (the same input at every step) or time_steps */
    uint32_t time_steps, pixels, stride;
    float v_th, decay; /* decay = 1 / tau */
};

struct qsv_depthwise {
    const float *x;                      /* [h][w][stride] */
    const float *weight;                 /* [kernel x kernel][stride] */
    float *out;                          /* [out_h][out_w][stride] */
    uint32_t h, w, out_h, out_w, stride; /* of channels */
    uint32_t kernel, step, pad;
};

struct qsv_kernels {
    const char *isa;
    /* Each output is the sum of the weight rows whose input fired, in ascending k, times
     * multiplier, plus shift. Returns the number of (output pixel, row) pairs. */
    uint64_t (*conv_spikes)(const struct qsv_spike_conv *c);
    /* out [pixels][width] = x [pixels][x_stride](first k channels) times weight [k][width], k
     * ascending. */
    void (*dense_f32)(float *out, const float *x, uint32_t x_stride, const float *weight,
                      uint32_t pixels, uint32_t k, uint32_t width);
    /* Taps in ascending order; a tap outside the input adds 0. */
    void (*depthwise_f32)(const struct qsv_depthwise *d);
    /* Per pixel and channel, for each time step: h = v + (x - v) x decay; spike where h >= v_th; v
     * = 0 where it fired, else h; v begins at 0. Returns the number of spikes. */
    uint64_t (*lif)(const struct qsv_lif_frames *f);
    /* x = x * multiplier + shift, [pixels][width]; multiplier, shift [width] padded with zeros, or
     * NULL for 1, 0. */
    void (*affine_f32)(float *x, const float *multiplier, const float *shift, uint32_t pixels,
                       uint32_t width);
    /* out = a + b */
    void (*add)(float *out, const float *a, const float *b, size_t n);
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
