/* What the tests of the importers share: the small files of tests/data/checkpoints, archives made
 * in memory, and seeded mutations. Included after cmocka.h. */
#ifndef QSV_TEST_IMPORT_SUPPORT_H
#define QSV_TEST_IMPORT_SUPPORT_H

#include <stdio.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/import/checkpoint.h"
#include "core/tensor.h"

#define CHECKPOINTS "tests/data/checkpoints/"

struct bytes {
    uint8_t *data;
    size_t n;
};

static inline struct bytes read_checkpoint(const char *name)
{
    struct bytes b = {0};
    struct qsv_error err = {0};
    char *path = qsv_file_join(CHECKPOINTS, name);
    if (qsv_file_read(&b.data, &b.n, path, 1 << 20, &err))
        fail_msg("%s", err.text);
    free(path);
    return b;
}

/* In memory of exactly that size, so that a sanitizer sees a read behind its end. */
static inline struct bytes copy_bytes(const void *data, size_t n)
{
    struct bytes b = {malloc(n ? n : 1), n};
    assert_non_null(b.data);
    memcpy(b.data, data, n);
    return b;
}

struct zip_part {
    const char *path;
    const void *data;
    size_t n;
};

/* `method`: "store" or "deflate". */
static inline struct bytes make_zip(const struct zip_part *parts, size_t n_parts,
                                    const char *method)
{
    struct bytes b = {0};
    size_t room = 1 << 16;
    for (size_t i = 0; i < n_parts; i++)
        room += parts[i].n;
    b.data = malloc(room);
    struct archive *a = archive_write_new();
    assert_true(b.data && a);
    archive_write_set_format_zip(a);
    archive_write_set_format_option(a, "zip", "compression", method);
    archive_write_set_bytes_per_block(a, 0);
    assert_int_equal(archive_write_open_memory(a, b.data, room, &b.n), ARCHIVE_OK);
    for (size_t i = 0; i < n_parts; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, parts[i].path);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_size(e, (la_int64_t)parts[i].n);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, parts[i].data, parts[i].n), parts[i].n);
        archive_entry_free(e);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    return b;
}

/* One to four changes of a kind that finds bounds: a random byte, an extreme one, a flipped bit, a
 * piece cut out or copied over another. */
static inline struct bytes mutate(const struct bytes *good, struct qsv_rng *rng)
{
    static const uint8_t extremes[] = {0, 1, 0x7f, 0x80, 0xff, '(', ')', 'R', 'h', 'q', '{', '"'};
    struct bytes b = copy_bytes(good->data, good->n);
    for (uint64_t left = 1 + qsv_rng_below(rng, 4); left-- > 0 && b.n > 1;) {
        size_t at = qsv_rng_below(rng, b.n), from = qsv_rng_below(rng, b.n);
        size_t n = 1 + qsv_rng_below(rng, 16);
        switch (qsv_rng_below(rng, 5)) {
        case 0:
            b.data[at] = (uint8_t)qsv_rng_next(rng);
            break;
        case 1:
            b.data[at] = extremes[qsv_rng_below(rng, sizeof extremes)];
            break;
        case 2:
            b.data[at] ^= (uint8_t)(1u << qsv_rng_below(rng, 8));
            break;
        case 3:
            n = n < b.n - at ? n : b.n - at;
            memmove(b.data + at, b.data + at + n, b.n - at - n);
            b.n -= n;
            break;
        default:
            n = n < b.n - at ? n : b.n - at;
            n = n < b.n - from ? n : b.n - from;
            memmove(b.data + at, b.data + from, n);
        }
    }
    struct bytes exact = copy_bytes(b.data, b.n);
    free(b.data);
    return exact;
}

/* Touches every element, so that a sanitizer sees what was not allocated. */
static inline double sum_of(const struct qsv_tensors *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->n; i++) {
        assert_true((t->v[i].defect != NULL) == (t->v[i].data == NULL));
        for (size_t j = 0; j < t->v[i].bytes; j++)
            sum += t->v[i].data[j];
    }
    return sum;
}

static inline void expect_floats(const struct qsv_tensors *t, const char *name, uint32_t rank,
                                 const uint32_t *shape, const float *values)
{
    const struct qsv_tensor *x = NULL;
    struct qsv_error err = {0};
    if (qsv_tensors_need(&x, t, name, rank, shape, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(x->data, values, x->bytes);
}

/* 0, 1/8, 2/8 ...: what make.py calls a ramp. */
static inline void expect_ramp(const struct qsv_tensors *t, const char *name, uint32_t rank,
                               const uint32_t *shape)
{
    float values[64];
    for (size_t i = 0; i < 64; i++)
        values[i] = (float)i / 8;
    expect_floats(t, name, rank, shape, values);
}

static inline void expect_defect(const struct qsv_tensors *t, const char *name, const char *reason)
{
    const struct qsv_tensor *x = qsv_tensors_find(t, name);
    assert_non_null(x);
    assert_null(x->data);
    assert_non_null(x->defect);
    assert_string_equal(x->defect, reason);
}

static inline void refuse(const void *data, size_t n, const char *says)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    struct bytes b = copy_bytes(data, n);
    assert_int_equal(qsv_checkpoint_parse(&t, b.data, b.n, "FILE", &err), QSV_EINPUT);
    assert_int_equal(t.n, 0);
    if (strncmp(err.text, "FILE: ", 6) || !strstr(err.text, says))
        fail_msg("'%s', expected '%s'", err.text, says);
    free(b.data);
}

/* Where it is still accepted, what it gives is touched. */
static inline bool accepted(const struct bytes *b)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    enum qsv_status st = qsv_checkpoint_parse(&t, b->data, b->n, "FILE", &err);
    if (st) {
        assert_int_equal(st, QSV_EINPUT);
        return false;
    }
    assert_true(sum_of(&t) >= 0);
    qsv_tensors_fini(&t);
    return true;
}

#define SHAPE(...)                                                                                 \
    (uint32_t[])                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define RANK(...) (uint32_t)(sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

#endif
