/* Named tensors: what checkpoints and model files hold.
 *
 * data is row-major (C order), packed as core/format.h says; bytes ==
 * qsv_format_packed_bytes(format, product of shape). A tensor that a checkpoint names but that
 * can't be rebuilt has data NULL and a `defect` that says why; it is an error only where something
 * needs it. A scalar has rank 0.
 */
#ifndef QSV_TENSOR_H
#define QSV_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/format.h"

/* The limits keep hostile files cheap: a set is searched in order, which is fast at these sizes. */
enum { QSV_MAX_RANK = 5, QSV_MAX_TENSORS = 8192, QSV_MAX_TENSOR_NAME = 512 };

struct qsv_tensor {
    char *name;
    enum qsv_format format;
    uint32_t rank;
    uint32_t shape[QSV_MAX_RANK];
    int8_t exponent; /* of f16 and int8 vectors, whose values are that x 2^exponent; else 0 */
    uint8_t *data;   /* aligned to QSV_ALIGN, owned unless borrowed */
    size_t bytes;
    bool borrowed; /* read-only, and somebody else's to free */
    char *defect;  /* owned; NULL for a good tensor */
};

struct qsv_tensors {
    struct qsv_tensor *v;
    size_t n, capacity;
};

void qsv_tensors_fini(struct qsv_tensors *t);

/* Appends an empty tensor of that name, format and shape with zeroed data; *out stays valid until
 * the next append. QSV_EINPUT for a name that is there already or too long, more tensors or a
 * higher rank than allowed, or a shape whose size overflows. It allocates what the shape asks for:
 * a reader checks first that its file holds as much. */
enum qsv_status qsv_tensors_add(struct qsv_tensors *t, const char *name, enum qsv_format format,
                                uint32_t rank, const uint32_t *shape, struct qsv_tensor **out,
                                struct qsv_error *err);
/* Appends a tensor that can't be read, with the reason. */
enum qsv_status qsv_tensors_add_defect(struct qsv_tensors *t, const char *name, const char *reason,
                                       struct qsv_error *err);

/* NULL where there is none of that name. */
const struct qsv_tensor *qsv_tensors_find(const struct qsv_tensors *t, const char *name);
/* printf-style find. */
const struct qsv_tensor *qsv_tensors_findf(const struct qsv_tensors *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Product of the shape (1 for a scalar). */
size_t qsv_tensor_count(const struct qsv_tensor *t);

/* An f32 tensor of exactly this shape, or an error that names the tensor and says what it is
 * instead. */
enum qsv_status qsv_tensors_need(const struct qsv_tensor **out, const struct qsv_tensors *t,
                                 const char *name, uint32_t rank, const uint32_t *shape,
                                 struct qsv_error *err);
/* The same for a vector [n] of f32 or f16. */
enum qsv_status qsv_tensors_need_vector(const struct qsv_tensor **out, const struct qsv_tensors *t,
                                        const char *name, uint32_t n, struct qsv_error *err);

#endif
