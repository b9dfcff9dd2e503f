#include "core/tensor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void qsv_tensors_fini(struct qsv_tensors *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->v[i].name);
        if (!t->v[i].borrowed)
            free(t->v[i].data);
        free(t->v[i].defect);
    }
    free(t->v);
    *t = (struct qsv_tensors){0};
}

static enum qsv_status check_name(const struct qsv_tensors *t, const char *name,
                                  struct qsv_error *err)
{
    if (strnlen(name, QSV_MAX_TENSOR_NAME + 1) > QSV_MAX_TENSOR_NAME)
        return qsv_fail(err, QSV_EINPUT, "tensor '%.40s...': the name is longer than %d bytes",
                        name, QSV_MAX_TENSOR_NAME);
    if (t->n >= QSV_MAX_TENSORS)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s': more than %d tensors", name,
                        QSV_MAX_TENSORS);
    if (qsv_tensors_find(t, name))
        return qsv_fail(err, QSV_EINPUT, "tensor '%s': the name is there twice", name);
    return QSV_OK;
}

static enum qsv_status packed_size(size_t *bytes, const char *name, enum qsv_format format,
                                   uint32_t rank, const uint32_t *shape, struct qsv_error *err)
{
    if (rank > QSV_MAX_RANK)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s': has %u dimensions, at most %d are allowed",
                        name, rank, QSV_MAX_RANK);
    size_t n = 1;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++)
        fits = fits && qsv_mul_size(n, shape[i], &n);
    *bytes = fits ? qsv_format_packed_bytes(format, n) : SIZE_MAX;
    if (*bytes == SIZE_MAX)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s': the shape is larger than memory", name);
    return QSV_OK;
}

/* Appends a tensor that has only a name. */
static enum qsv_status append(struct qsv_tensors *t, const char *name, struct qsv_tensor **out,
                              struct qsv_error *err)
{
    enum qsv_status st = check_name(t, name, err);
    if (st)
        return st;
    if (!qsv_grow(&t->v, &t->capacity, t->n + 1, sizeof *t->v))
        return qsv_fail_memory(err, name);
    t->v[t->n] = (struct qsv_tensor){.name = qsv_strdup(name)};
    if (!t->v[t->n].name)
        return qsv_fail_memory(err, name);
    *out = &t->v[t->n++];
    return QSV_OK;
}

static void drop_last(struct qsv_tensors *t)
{
    free(t->v[--t->n].name);
    t->v[t->n] = (struct qsv_tensor){0};
}

enum qsv_status qsv_tensors_add(struct qsv_tensors *t, const char *name, enum qsv_format format,
                                uint32_t rank, const uint32_t *shape, struct qsv_tensor **out,
                                struct qsv_error *err)
{
    size_t bytes;
    struct qsv_tensor *added = NULL;
    enum qsv_status st = packed_size(&bytes, name, format, rank, shape, err);
    if (!st)
        st = append(t, name, &added, err);
    if (st)
        return st;
    added->data = qsv_alloc_aligned(bytes, 1);
    if (!added->data) {
        st = qsv_fail_memory(err, name);
        drop_last(t);
        return st;
    }
    added->format = format;
    added->rank = rank;
    if (rank)
        memcpy(added->shape, shape, rank * sizeof *shape);
    added->bytes = bytes;
    *out = added;
    return QSV_OK;
}

enum qsv_status qsv_tensors_add_defect(struct qsv_tensors *t, const char *name, const char *reason,
                                       struct qsv_error *err)
{
    struct qsv_tensor *added = NULL;
    enum qsv_status st = append(t, name, &added, err);
    if (st)
        return st;
    added->defect = qsv_strdup(reason);
    if (!added->defect) {
        st = qsv_fail_memory(err, name);
        drop_last(t);
    }
    return st;
}

const struct qsv_tensor *qsv_tensors_find(const struct qsv_tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->v[i].name, name))
            return &t->v[i];
    return NULL;
}

const struct qsv_tensor *qsv_tensors_findf(const struct qsv_tensors *t, const char *format, ...)
{
    char name[QSV_MAX_TENSOR_NAME + 1];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return n < 0 || n > QSV_MAX_TENSOR_NAME ? NULL : qsv_tensors_find(t, name);
}

size_t qsv_tensor_count(const struct qsv_tensor *t)
{
    size_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

/* "f32 [3, 4]"; out holds any rank up to QSV_MAX_RANK. */
static void describe(char out[96], enum qsv_format format, uint32_t rank, const uint32_t *shape)
{
    int at = snprintf(out, 96, "%s [", qsv_format_info(format)->name);
    for (uint32_t i = 0; i < rank && i < QSV_MAX_RANK; i++)
        at += snprintf(out + at, 96 - (size_t)at, "%s%u", i ? ", " : "", shape[i]);
    snprintf(out + at, 96 - (size_t)at, "]");
}

static enum qsv_status need(const struct qsv_tensor **out, const struct qsv_tensors *t,
                            const char *name, bool affine, uint32_t rank, const uint32_t *shape,
                            struct qsv_error *err)
{
    const struct qsv_tensor *found = qsv_tensors_find(t, name);
    if (!found)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s' is missing", name);
    if (found->defect)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s' can't be read: %s", name, found->defect);
    bool known = found->format == QSV_F32 ||
                 (affine && (found->format == QSV_F16 || found->format == QSV_INT8));
    if (!known || found->rank != rank ||
        (rank && memcmp(found->shape, shape, rank * sizeof *shape))) {
        char is[96], expected[96];
        describe(is, found->format, found->rank, found->shape);
        describe(expected, QSV_F32, rank, shape);
        return qsv_fail(err, QSV_EINPUT, "tensor '%s' is %s, expected %s", name, is, expected);
    }
    *out = found;
    return QSV_OK;
}

enum qsv_status qsv_tensors_need(const struct qsv_tensor **out, const struct qsv_tensors *t,
                                 const char *name, uint32_t rank, const uint32_t *shape,
                                 struct qsv_error *err)
{
    return need(out, t, name, false, rank, shape, err);
}

enum qsv_status qsv_tensors_need_vector(const struct qsv_tensor **out, const struct qsv_tensors *t,
                                        const char *name, uint32_t n, struct qsv_error *err)
{
    return need(out, t, name, true, 1, &n, err);
}
