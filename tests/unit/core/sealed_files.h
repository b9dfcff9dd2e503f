/* For tests of sealed files: a folder for them, and damage that must be refused. cmocka comes
 * before it.
 */
#ifndef QSV_SEALED_FILES_H
#define QSV_SEALED_FILES_H

#include <stdlib.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/seal.h"
#include "tests/unit/core/golden_model.h"

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/qsvit-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Asserts that a file is refused by whoever reads such files of the model. */
typedef void refuser(const struct golden *g, const char *path);

static inline void try_bytes(refuser *assert_refused, const struct golden *g, const char *path,
                             const uint8_t *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
    assert_refused(g, path);
}

/* Beginnings of the good file at path, and 10,000 copies with one byte changed, in its place; then
 * it is removed. */
static inline void assert_damage_is_refused(refuser *assert_refused, const struct golden *g,
                                            const char *path)
{
    struct qsv_rng r;
    uint8_t *data;
    size_t n;
    OK(qsv_file_read(&data, &n, path, 1 << 24, &err));
    for (size_t prefix = 0; prefix < n; prefix += 1 + prefix / 64)
        try_bytes(assert_refused, g, path, data, prefix);
    qsv_rng_seed(&r, 3);
    for (int i = 0; i < 10000; i++) {
        size_t at = qsv_rng_below(&r, n);
        if (at > 120 && at < QSV_SEAL_BYTES)
            at = 20; /* behind the seal's line nothing is read */
        const uint8_t was = data[at];
        data[at] ^= (uint8_t)(1 + qsv_rng_below(&r, 255));
        try_bytes(assert_refused, g, path, data, n);
        data[at] = was;
    }
    unlink(path);
    free(data);
}

#endif
