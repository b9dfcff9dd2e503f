#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/sandbox.h"
#include "core/h5.h"
#include "tests/unit/core/dataset_files.h"

enum { PIXELS = N_IMAGES * HEIGHT * WIDTH };

/* A data set file to write; zeroed fields stand for what good files have. */
struct file_spec {
    hid_t images_type, labels_type;
    hsize_t images_dims[4]; /* of images that are not written */
    int images_rank;        /* 0: 4 */
    hsize_t n_labels;
    const int64_t *labels;
    hsize_t chunk; /* 0: contiguous */
    bool deflate, no_labels;
    bool compact;
    const char *external; /* file that holds the images */
};

static void write_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                          hid_t list, hid_t memory_type, const void *data)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t d = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(d >= 0);
    if (data)
        assert_true(H5Dwrite(d, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(d);
    H5Sclose(space);
}

static hid_t creation_list(const struct file_spec *s, int rank, const hsize_t *dims)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[4];
    memcpy(chunk, dims, sizeof chunk);
    chunk[0] = s->chunk;
    if (s->chunk)
        H5Pset_chunk(list, rank, chunk);
    if (s->compact)
        H5Pset_layout(list, H5D_COMPACT);
    if (s->deflate)
        H5Pset_deflate(list, 9);
    if (s->external)
        H5Pset_external(list, s->external, 0, H5F_UNLIMITED);
    return list;
}

static void write_file(const char *name, const struct file_spec *s)
{
    static const int64_t labels[N_IMAGES] = {5, 0, 9};
    hsize_t dims[4] = {N_IMAGES, HEIGHT, WIDTH, 1}, n_labels = s->n_labels ? s->n_labels : N_IMAGES;
    int rank = s->images_rank ? s->images_rank : 4;
    uint8_t pixels[PIXELS];
    hid_t file;
    assert_int_equal(qsv_h5_create(&file, in_folder(name), NULL), QSV_OK);
    if (s->images_dims[1])
        memcpy(dims, s->images_dims, sizeof dims);
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(10 + i);
    hid_t list = creation_list(s, rank, dims);
    write_dataset(file, "images", s->images_type ? s->images_type : H5T_STD_U8LE, rank, dims, list,
                  H5T_NATIVE_UINT8, s->images_dims[1] ? NULL : pixels);
    if (!s->no_labels)
        write_dataset(file, "labels", s->labels_type ? s->labels_type : H5T_STD_I64LE, 1, &n_labels,
                      H5P_DEFAULT, H5T_NATIVE_INT64,
                      s->n_labels ? NULL
                      : s->labels ? s->labels
                                  : labels);
    H5Pclose(list);
    assert_int_equal(qsv_h5_close(file, name, NULL), QSV_OK);
}

static void expect_good(const char *name)
{
    struct qsv_dataset_source source = {NULL, in_folder(name), NULL, 0, 0, {0}, 0};
    struct qsv_dataset *d = open_good(&source);
    struct qsv_shape s = qsv_dataset_shape(d);
    assert_int_equal(qsv_dataset_count(d), N_IMAGES);
    assert_true(s.h == HEIGHT && s.w == WIDTH && s.c == 1);
    assert_int_equal(qsv_dataset_max_label(d), 9);
    for (int i = N_IMAGES - 1; i >= 0; i--) {
        uint8_t pixels[HEIGHT * WIDTH];
        uint32_t label = 99;
        assert_int_equal(qsv_dataset_read(d, (uint64_t)i, pixels, &label, NULL), QSV_OK);
        assert_int_equal(label, good_labels[i]);
        for (int k = 0; k < HEIGHT * WIDTH; k++)
            assert_int_equal(pixels[k], 10 + i * HEIGHT * WIDTH + k);
    }
    qsv_dataset_close(d);
}

static void test_layouts(void **state)
{
    (void)state;
    static const struct file_spec specs[] = {
        {.chunk = 0},
        {.compact = true},
        {.chunk = 1},
        {.chunk = 2, .deflate = true},
        {.chunk = 3, .deflate = true},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        write_file("good.h5", &specs[i]);
        expect_good("good.h5");
    }
}

static void test_any_integer_type(void **state)
{
    (void)state;
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8BE,  H5T_STD_I16BE, H5T_STD_U16LE,
                           H5T_STD_I32LE, H5T_STD_U32BE, H5T_STD_I64BE, H5T_STD_U64LE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        write_file("types.h5", &(struct file_spec){.labels_type = types[i]});
        expect_good("types.h5");
    }
    write_file("types.h5", &(struct file_spec){.images_type = H5T_STD_U8BE});
    expect_good("types.h5");
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        struct file_spec spec;
        const char *text;
    } rows[] = {
        {{.no_labels = true}, "no dataset 'labels'"},
        {{.images_rank = 3}, "dataset 'images' has 3 dimensions, expected 4"},
        {{.images_rank = 1}, "dataset 'images' has 1 dimensions, expected 4"},
        {{.images_dims = {0, 2, 3, 1}},
         "dimension 0 of dataset 'images' is 0, expected 1 to 4294967295"},
        {{.images_dims = {3, 2, 1, 0}, .n_labels = 3},
         "dimension 3 of dataset 'images' is 0, expected 1 to 4294967295"},
        {{.images_dims = {3, 2, 3, 1}},
         "dataset 'images' holds fewer bytes than its dimensions say"},
        {{.n_labels = 4}, "dataset 'labels' holds fewer bytes than its dimensions say"},
        {{.images_dims = {1 << 20, 1 << 14, 1 << 13, 1}, .chunk = 1},
         "dataset 'images' has chunks of more than 67108864 elements"},
        {{.images_dims = {1 << 16, 1, 1, 1 << 20}, .chunk = 64},
         "dataset 'images' says more bytes than there can be in the file's "},
        {{.images_dims = {1ull << 40, 1 << 12, 1 << 12, 1 << 2}, .chunk = 1},
         "dimension 0 of dataset 'images' is 1099511627776, expected 1 to 4294967295"},
        {{.images_dims = {1u << 31, 1 << 12, 1 << 12, 1 << 2}, .chunk = 1},
         "dataset 'images' says more bytes than there can be in the file's "},
        {{.external = "/dev/zero"},
         "dataset 'images' keeps its data in other files, expected them in this one"},
    };
    struct qsv_dataset_source source = {NULL, in_folder("bad.h5"), NULL, 0, 0, {0}, 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_error err = {0};
        struct qsv_dataset *d;
        char text[300];
        write_file("bad.h5", &rows[i].spec);
        assert_int_equal(qsv_dataset_open(&d, &source, &err), QSV_EINPUT);
        snprintf(text, sizeof text, "%s: %s", source.images, rows[i].text);
        err.text[strlen(text)] = '\0';
        assert_string_equal(err.text, text);
    }
}

static void test_bad_types(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {NULL, in_folder("bad.h5"), NULL, 0, 0, {0}, 0};
    const hid_t images[] = {H5T_STD_I8LE, H5T_STD_U16LE, H5T_IEEE_F32LE};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        write_file("bad.h5", &(struct file_spec){.images_type = images[i]});
        expect_refused(&source, "bad.h5: dataset 'images' is not of unsigned bytes");
    }
    write_file("bad.h5", &(struct file_spec){.labels_type = H5T_IEEE_F64LE});
    expect_refused(&source, "bad.h5: dataset 'labels' is not of integers");
}

static void test_labels_out_of_range(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {NULL, in_folder("bad.h5"), NULL, 0, 0, {0}, 0};
    write_file("bad.h5", &(struct file_spec){.labels = (int64_t[]){0, 65536, 0}});
    expect_refused(&source, "bad.h5: label 1 is 65536, expected 0 to 65535");
    write_file("bad.h5", &(struct file_spec){.labels = (int64_t[]){0, 65535, -1}});
    expect_refused(&source, "bad.h5: label 2 is -1, expected 0 to 65535");
    source.count = 2;
    struct qsv_dataset *d = open_good(&source);
    assert_int_equal(qsv_dataset_max_label(d), 65535);
    qsv_dataset_close(d);
}

static void test_unequal_counts(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {NULL, in_folder("bad.h5"), NULL, 0, 0, {0}, 0};
    hid_t file;
    hsize_t n = 2;
    write_file("bad.h5", &(struct file_spec){.no_labels = true});
    file = H5Fopen(source.images, H5F_ACC_RDWR, H5P_DEFAULT);
    write_dataset(file, "labels", H5T_STD_I64LE, 1, &n, H5P_DEFAULT, H5T_NATIVE_INT64,
                  (int64_t[]){0, 1});
    H5Fclose(file);
    expect_refused(&source, "bad.h5: dataset 'labels' holds 2 labels for 3 images");
}

static void test_links_and_other_files(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {
        NULL, in_folder("links.h5"), in_folder("links.h5"), 0, 0, {0}, 0};
    char text[300];
    write_file("good.h5", &(struct file_spec){0});
    hid_t file;
    assert_int_equal(qsv_h5_create(&file, source.images, NULL), QSV_OK);
    assert_true(H5Lcreate_external(in_folder("good.h5"), "/images", file, "images", H5P_DEFAULT,
                                   H5P_DEFAULT) >= 0);
    assert_int_equal(qsv_h5_close(file, source.images, NULL), QSV_OK);
    snprintf(text, sizeof text,
             "links.h5: labels must lie in the HDF5 file with the images, not in %s",
             source.images);
    expect_refused(&source, text);
    source.labels = NULL;
    expect_refused(&source, "links.h5: 'images' is a link, expected a dataset");
}

static void test_filter_that_is_not_there(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {NULL, in_folder("filter.h5"), NULL, 0, 0, {0}, 0};
    const hsize_t dims[4] = {N_IMAGES, HEIGHT, WIDTH, 1};
    static const uint8_t pixels[PIXELS];
    hid_t file, list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 4, dims);
    H5Pset_filter(list, 32000, H5Z_FLAG_OPTIONAL, 0, NULL);
    assert_int_equal(qsv_h5_create(&file, source.images, NULL), QSV_OK);
    write_dataset(file, "images", H5T_STD_U8LE, 4, dims, list, H5T_NATIVE_UINT8, pixels);
    H5Pclose(list);
    assert_int_equal(qsv_h5_close(file, source.images, NULL), QSV_OK);
    expect_refused(&source, "filter.h5: dataset 'images' is compressed by filter 32000 '', which "
                            "libhdf5 here does not have; gzip and no compression can be read");
}

static void test_damaged_data(void **state)
{
    (void)state;
    struct qsv_dataset_source source = {NULL, in_folder("damaged.h5"), NULL, 0, 0, {0}, 0};
    struct qsv_h5_layout layout = {4, {N_IMAGES, HEIGHT, WIDTH, 1, 0, 0}, 1, 0};
    static const uint8_t pixels[PIXELS] = {77, 78, 79, 80, 81, 82, 83, 84, 85};
    static const int64_t labels[N_IMAGES] = {0};
    hid_t file;
    hsize_t n = N_IMAGES;
    static uint8_t bytes[16384];
    assert_int_equal(qsv_h5_create(&file, source.images, NULL), QSV_OK);
    assert_int_equal(
        qsv_h5_write(file, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, &layout, pixels, NULL),
        QSV_OK);
    write_dataset(file, "labels", H5T_STD_I64LE, 1, &n, H5P_DEFAULT, H5T_NATIVE_INT64, labels);
    assert_int_equal(qsv_h5_close(file, source.images, NULL), QSV_OK);
    FILE *f = fopen(source.images, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    size_t at = 0; /* of the second image */
    while (memcmp(bytes + at, pixels + HEIGHT * WIDTH, HEIGHT * WIDTH))
        assert_in_range(++at, 1, size - HEIGHT * WIDTH);
    bytes[at + 1] ^= 4;
    write_bytes("damaged.h5", bytes, size);
    expect_refused(&source, "damaged.h5: image 1 of dataset 'images' cannot be read: damaged "
                            "or cut off");
    source.count = 1;
    qsv_dataset_close(open_good(&source));
}

enum { BATCH = 500, MUTATIONS = 5000, MAX_FILE = 16384 };

/* Broken files number first, first + 1 ...: prefixes of the good one, by falling length, then
 * mutations. */
struct broken {
    uint8_t good[MAX_FILE];
    size_t bytes, n_prefixes;
    uint32_t first, end;
};

static void write_broken(const struct broken *b, uint32_t i)
{
    static uint8_t bytes[MAX_FILE];
    struct qsv_rng r;
    if (i < b->n_prefixes) {
        assert_int_equal(truncate(in_folder("broken.h5"), (off_t)(b->bytes - 1 - i)), 0);
        return;
    }
    qsv_rng_seed(&r, i);
    memcpy(bytes, b->good, b->bytes);
    for (uint64_t k = 0, flips = 1 + qsv_rng_below(&r, 3); k < flips; k++)
        bytes[qsv_rng_below(&r, b->bytes)] = (uint8_t)qsv_rng_next(&r);
    overwrite_bytes("broken.h5", bytes, b->bytes);
}

static enum qsv_status read_broken(struct qsv_error *err)
{
    struct qsv_dataset_source source = {"hdf5", in_folder("broken.h5"), NULL, 0, 0, {0}, 0};
    struct qsv_dataset *d;
    enum qsv_status st = qsv_dataset_open_again(&d, &source, err);
    if (st)
        return st;
    struct qsv_shape shape = qsv_dataset_shape(d);
    uint8_t *pixels = malloc((size_t)shape.h * shape.w * shape.c);
    for (uint64_t i = 0; !st && i < qsv_dataset_count(d); i++)
        st = qsv_dataset_read(d, i, pixels, NULL, err);
    free(pixels);
    qsv_dataset_close(d);
    return st;
}

/* In a child. *done: the number of the file it is at. */
static enum qsv_status read_batch(void *context, void *done, struct qsv_error *err)
{
    const struct broken *b = context;
    for (uint32_t i = b->first; i < b->end; i++) {
        memcpy(done, &i, sizeof i);
        write_broken(b, i);
        enum qsv_status st = read_broken(err);
        if (st && (st != QSV_EINPUT || !strstr(err->text, folder)))
            return qsv_fail_in(err, QSV_EFAILED, "broken file %u", i);
    }
    memcpy(done, &b->end, sizeof b->end);
    return QSV_OK;
}

/* libhdf5 itself crashes on some of these. On those the whole of qsv_dataset_open must not. */
static void read_all_broken(struct broken *b)
{
    static const struct qsv_sandbox_limits limits = {(size_t)2 << 30, 20};
    uint32_t n = (uint32_t)b->n_prefixes + MUTATIONS, at = 0;
    struct qsv_dataset_source source = {"hdf5", in_folder("broken.h5"), NULL, 0, 0, {0}, 0};
    for (b->first = 0; b->first < n; b->first = at) {
        struct qsv_error err = {0};
        b->end = b->first + BATCH < n ? b->first + BATCH : n;
        enum qsv_status st = qsv_sandbox_run(read_batch, b, &at, sizeof at, &limits, "", &err);
        if (st && st != QSV_EINPUT)
            fail_msg("%s", err.text);
        if (!st)
            continue;
        struct qsv_dataset *d = NULL;
        st = qsv_dataset_open(&d, &source, &err);
        assert_true(st == QSV_OK || st == QSV_EINPUT);
        qsv_dataset_close(d);
        at++;
    }
}

static void test_prefixes_and_mutations(void **state)
{
    (void)state;
    static const struct file_spec specs[] = {{.compact = true}, {.chunk = 2, .deflate = true}};
    static struct broken b;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        write_file("broken.h5", &specs[i]);
        FILE *f = fopen(in_folder("broken.h5"), "rb");
        assert_non_null(f);
        b.bytes = fread(b.good, 1, sizeof b.good, f);
        fclose(f);
        b.n_prefixes = i ? 0 : b.bytes; /* the first is the small one */
        read_all_broken(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_any_integer_type),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_types),
        cmocka_unit_test(test_labels_out_of_range),
        cmocka_unit_test(test_unequal_counts),
        cmocka_unit_test(test_links_and_other_files),
        cmocka_unit_test(test_filter_that_is_not_there),
        cmocka_unit_test(test_damaged_data),
        cmocka_unit_test(test_prefixes_and_mutations),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
