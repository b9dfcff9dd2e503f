/* What a setting costs: bytes stored, and modelled energy an image. Nothing here is measured but
 * the operation counts handed in.
 *
 * Energy constants default to Horowitz, ISSCC 2014 (45 nm). Per image: an AC (accumulate on a
 * spike) is one weight fetched from SRAM and one add of the weight's width; a MAC adds the
 * multiply, and where the input is real-valued integer weights count as f32; every stored byte of
 * the model comes from DRAM once. Integer add energy is linear in bits, from int8's. Attention's
 * products are spike counts: adds of 16 bits, no weight fetched. Layers in format none do nothing.
 */
#ifndef QSV_COST_H
#define QSV_COST_H

#include <stdint.h>

#include "core/model.h"

struct qsv_energy_constants { /* pJ */
    double f32_multiply, f32_add, f16_multiply, f16_add, int8_add;
    double sram_byte, dram_byte;
};

extern const struct qsv_energy_constants qsv_energy_default;

struct qsv_bytes {
    uint64_t weights_bytes; /* packed codes, and scales stored by themselves */
    uint64_t model_bytes;   /* everything stored */
    double avg_bits;        /* 8 x weights_bytes / weights */
};

/* formats [n_layers]; model is a source model; affine: the quantizer's, of layers that are not f32.
 * The all-f32 setting is the source itself (model_bytes == source_bytes). */
void qsv_cost_bytes(struct qsv_bytes *out, const struct qsv_model *model, enum qsv_format affine,
                    const uint8_t *formats);

struct qsv_energy { /* pJ an image */
    double compute_pj, sram_pj, dram_pj, total_pj;
};

/* ac_ops [n_layers + n_attentions]: accumulates on spikes over n_images images, a layer or
 * attention product each. MACs are the graph's, of layers that are not none. */
void qsv_cost_energy(struct qsv_energy *out, const struct qsv_model *model, enum qsv_format affine,
                     const uint8_t *formats, const uint64_t *ac_ops, uint64_t n_images,
                     const struct qsv_energy_constants *constants);

/* Multiply-accumulates on real-valued inputs an image, all layers; formats [n_layers]. */
uint64_t qsv_cost_mac_ops(const struct qsv_model *model, const uint8_t *formats);

#endif
