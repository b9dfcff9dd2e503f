/* What bank.c and bank_file.c share. */
#ifndef QSV_BANK_PARTS_H
#define QSV_BANK_PARTS_H

#include <stdbool.h>

#include "core/bank.h"
#include "core/curvature.h"

struct slot {
    struct qsv_bank_entry entry;
    int8_t *codes;
    float *numbers;    /* scales, or values in half precision */
    float *correction; /* NULL: none */
    bool ready;
};

struct qsv_bank {
    const struct qsv_model *model;
    struct qsv_quantizer quantizer;
    const struct qsv_statistics *statistics; /* NULL: none */
    struct qsv_statistics *spent;            /* the same where they may be forgotten; else NULL */
    char *source;             /* the file that the entries are from; NULL: they are computed */
    uint64_t statistics_hash; /* of what a file's entries were chosen by, or spent */
    const float **weights;    /* [n_layers], the model's */
    struct slot *slots;       /* [n_layers][QSV_N_FORMATS] */
    uint32_t prepared;        /* the layer whose curvature is at hand; QSV_NO_LAYER: none */
    struct qsv_curvature *curvature; /* [n_groups] */
    double *mean;                    /* [n_groups][k], E[x] */
    bool centred;                    /* the curvature is of x - E[x] */
    size_t n_groups;
};

#endif
