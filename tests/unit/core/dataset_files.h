/* Small data set files for the tests of readers: three images of 2x3 (x channels), labels 5, 0, 9.
 * Everything lies below one temporary folder.
 */
#ifndef DATASET_FILES_H
#define DATASET_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/dataset.h"

enum { N_IMAGES = 3, HEIGHT = 2, WIDTH = 3, PATH_BYTES = 200 };

static const uint8_t good_labels[N_IMAGES] = {5, 0, 9};
static char folder[100];

static inline int make_test_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.80s/qsv-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_test_folder(void **state)
{
    (void)state;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return rmdir(folder);
}

/* The path of a file in the folder: one string a name, for as long as the program runs. */
static inline const char *in_folder(const char *name)
{
    static char paths[40][PATH_BYTES];
    char wanted[PATH_BYTES];
    snprintf(wanted, PATH_BYTES, "%s/%s", folder, name);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!*paths[i])
            strcpy(paths[i], wanted);
        if (!strcmp(paths[i], wanted))
            return paths[i];
    }
    fail_msg("too many files");
    return NULL;
}

static inline void write_bytes(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Replaces the bytes of a file that is there and as long: much faster than writing it anew. */
static inline void overwrite_bytes(const char *name, const void *data, size_t n)
{
    int fd = open(in_folder(name), O_WRONLY);
    assert_in_range(fd, 0, INT_MAX);
    assert_int_equal(pwrite(fd, data, n, 0), (ssize_t)n);
    assert_int_equal(close(fd), 0);
}

/* gzip as one member; appends to a file that is there. */
static inline void append_gzip(const char *name, const void *data, size_t n)
{
    gzFile f = gzopen(in_folder(name), "ab");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, data, (unsigned)n), (int)n);
    assert_int_equal(gzclose(f), Z_OK);
}

/* Bytes of an IDX file of u8 with these dimensions; the contents count up from `start`. */
static inline size_t make_idx(uint8_t *out, int n_dims, const uint32_t *dims, uint8_t start)
{
    size_t at = 0, n = 1;
    out[at++] = 0;
    out[at++] = 0;
    out[at++] = 8;
    out[at++] = (uint8_t)n_dims;
    for (int i = 0; i < n_dims; i++) {
        for (int k = 0; k < 4; k++)
            out[at++] = (uint8_t)(dims[i] >> (24 - 8 * k));
        n *= dims[i];
    }
    for (size_t i = 0; i < n; i++)
        out[at++] = (uint8_t)(start + i);
    return at;
}

/* The good images, pixels 10, 11 ...; channels 0: three dimensions. */
static inline size_t make_images(uint8_t *out, uint32_t channels)
{
    uint32_t dims[4] = {N_IMAGES, HEIGHT, WIDTH, channels};
    return make_idx(out, channels ? 4 : 3, dims, 10);
}

static inline size_t make_labels(uint8_t *out)
{
    uint32_t dims[1] = {N_IMAGES};
    size_t n = make_idx(out, 1, dims, 0);
    memcpy(out + n - N_IMAGES, good_labels, N_IMAGES);
    return n;
}

static inline void write_good_idx(void)
{
    uint8_t bytes[200];
    write_bytes("images", bytes, make_images(bytes, 0));
    write_bytes("labels", bytes, make_labels(bytes));
}

static inline struct qsv_dataset *open_good(const struct qsv_dataset_source *source)
{
    struct qsv_error err = {0};
    struct qsv_dataset *d = NULL;
    if (qsv_dataset_open(&d, source, &err))
        fail_msg("%s", err.text);
    return d;
}

/* Expects QSV_EINPUT and the text, which begins with the file's name in the folder. */
static inline void expect_refused(const struct qsv_dataset_source *source, const char *text)
{
    struct qsv_error err = {0};
    struct qsv_dataset *d = NULL;
    char expected[QSV_ERROR_TEXT];
    snprintf(expected, sizeof expected, "%s/%s", folder, text);
    assert_int_equal(qsv_dataset_open(&d, source, &err), QSV_EINPUT);
    assert_null(d);
    assert_string_equal(err.text, expected);
}

#endif
