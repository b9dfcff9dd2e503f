/* The floating-point types that a checkpoint's tensors may have, and their conversion to f32. */
#ifndef QSV_ELEMENT_H
#define QSV_ELEMENT_H

#include <stddef.h>
#include <stdint.h>

struct qsv_element {
    const char *storage;     /* PyTorch's name of a storage of it, in module torch */
    const char *torch;       /* PyTorch's name of the type, in module torch */
    const char *safetensors; /* its name there */
    size_t bytes;
    float (*load)(const uint8_t *at); /* little-endian; f64 rounds to nearest */
};

/* The table, ended by a row whose names are NULL. */
extern const struct qsv_element qsv_elements[];

#endif
