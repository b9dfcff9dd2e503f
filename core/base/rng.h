/* Seeded pseudo-random numbers (xoshiro256**, Blackman and Vigna 2018; seeded by SplitMix64), the
 * same on every machine. */
#ifndef QSV_RNG_H
#define QSV_RNG_H

#include <stdint.h>

struct qsv_rng {
    uint64_t s[4];
};

void qsv_rng_seed(struct qsv_rng *r, uint64_t seed);
uint64_t qsv_rng_next(struct qsv_rng *r);
/* Uniform in 0 .. n-1, without bias; n >= 1. */
uint64_t qsv_rng_below(struct qsv_rng *r, uint64_t n);
/* Uniform in [0, 1), 53 bits. */
double qsv_rng_unit(struct qsv_rng *r);
/* Fisher-Yates over n indices. */
void qsv_rng_shuffle(struct qsv_rng *r, uint32_t *index, uint32_t n);

#endif
