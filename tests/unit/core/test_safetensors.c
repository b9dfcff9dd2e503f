#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "import_support.h"

/* Header and `data_bytes` of data: the floats 0, 1/8 ... */
static struct bytes file_of(const char *header, size_t data_bytes)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_u64(&b, strlen(header));
    qsv_strbuf_puts(&b, header);
    for (size_t i = 0; i < data_bytes / 4; i++) {
        float v = (float)i / 8;
        qsv_strbuf_add(&b, &v, sizeof v);
    }
    qsv_strbuf_add(&b, "\0\0\0", data_bytes % 4);
    struct bytes file = copy_bytes(b.text, b.len);
    qsv_strbuf_fini(&b);
    return file;
}

static void test_types(void **state)
{
    (void)state;
    struct qsv_tensors t;
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "types.safetensors", NULL), QSV_OK);
    assert_int_equal(t.n, 5);
    expect_ramp(&t, "f.weight", 2, SHAPE(2, 3));
    expect_ramp(&t, "h", 1, SHAPE(3));
    expect_ramp(&t, "b", 1, SHAPE(3));
    expect_ramp(&t, "d", 1, SHAPE(2));
    expect_defect(&t, "count", "is of type 'I64'; only F32, F16, BF16 and F64 are read");
    qsv_tensors_fini(&t);
}

#define X(dtype, shape, offsets)                                                                   \
    "{\"x\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        uint32_t rank, shape[2];
        const char *defect;
    } rows[] = {
        {X("\"F32\"", "[2,3]", "[0,24]"), 24, 2, {2, 3}, NULL},
        {X("\"F32\"", "[2,3]", "[0,24]") "   ", 24, 2, {2, 3}, NULL},
        {X("\"F32\"", "[2]", "[0,8]"), 24, 1, {2}, NULL},
        {X("\"F32\"", "[]", "[0,4]"), 4, 0, {0}, NULL},
        {X("\"F32\"", "[0,4]", "[4,4]"), 4, 2, {0, 4}, NULL},
        {X("\"F8_E4M3\"", "[4]", "[0,4]"), 4, 1, {4}, "is of type 'F8_E4M3'; only F32"},
        {X("\"F32\"", "[1,1,1,1,1,1]", "[0,4]"), 4, 0, {0}, "has more than 5 dimensions"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_tensors t;
        struct bytes b = file_of(rows[i].header, rows[i].data_bytes);
        assert_int_equal(qsv_checkpoint_parse(&t, b.data, b.n, "FILE", NULL), QSV_OK);
        assert_int_equal(t.n, 1);
        if (rows[i].defect)
            assert_non_null(strstr(t.v[0].defect, rows[i].defect));
        else
            expect_ramp(&t, "x", rows[i].rank, rows[i].shape);
        qsv_tensors_fini(&t);
        free(b.data);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *says;
    } rows[] = {
        {X("\"F32\"", "[2,3]", "[0,24]"), 23,
         "'data_offsets' holds what is no number from 0 to 23"},
        {X("\"F32\"", "[2,3]", "[0,20]"), 24, "has 20 bytes of data, expected 24 for its shape"},
        {X("\"F16\"", "[2,3]", "[0,24]"), 24, "has 24 bytes of data, expected 12"},
        {X("\"F32\"", "[2,3]", "[24,0]"), 24, "holds what is no number from 0 to 0"},
        {X("\"F32\"", "[2,3]", "[-24,0]"), 24, "'data_offsets' holds what is no number"},
        {X("\"F32\"", "[2,3]", "[0,24.0]"), 24, "'data_offsets' holds what is no number"},
        {X("\"F32\"", "[2,3]", "[0]"), 24, "'data_offsets' is no array of two numbers"},
        {X("\"F32\"", "[2,3]", "{}"), 24, "'data_offsets' is no array of two numbers"},
        {X("\"F32\"", "[2,-3]", "[0,24]"), 24, "'shape' holds what is no number"},
        {X("\"F32\"", "[4294967296]", "[0,24]"), 24, "'shape' holds what is no number"},
        {X("\"F32\"", "[4294967295,4294967295,4294967295]", "[0,24]"), 24, "larger than memory"},
        {X("\"F32\"", "[2147483648,2147483648]", "[0,24]"), 24, "has 24 bytes of data, expected"},
        {X("\"F32\"", "6", "[0,24]"), 24, "'shape' is no array"},
        {X("7", "[6]", "[0,24]"), 24, "tensor 'x': has no 'dtype'"},
        {"{\"x\":7}", 0, "tensor 'x': has no 'dtype'"},
        {"{\"x\":{},\"x\":{}}", 0, "the header's byte"},
        {"{\"x\":", 0, "the header's byte"},
        {"{} {}", 0, "the header's byte"},
        {"{\"\\u0000\":{}}", 0, "the header's byte"},
        {"{\"\xff\":{}}", 0, "the header's byte"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes b = file_of(rows[i].header, rows[i].data_bytes);
        refuse(b.data, b.n, rows[i].says);
        free(b.data);
    }
    refuse("\x10\0\0\0\0\0\0\0{}", 10, "the header has 16 bytes, the file 10");
    refuse("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "at most 4194304 are allowed");
}

/* Eight million brackets in a row, or arrays in arrays, are an error and no crash. */
static void test_deep_header_is_refused(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, "{\"x\":");
    for (int i = 0; i < 1 << 20; i++)
        qsv_strbuf_puts(&b, "[");
    struct bytes file = file_of(b.text, 0);
    refuse(file.data, file.n, "the header's byte");
    free(file.data);
    qsv_strbuf_fini(&b);
}

/* Many tensors may share one piece of data, but not take more than the file's size allows. */
static void test_expansion_is_bounded_in_total(void **state)
{
    (void)state;
    enum { BYTES = 1 << 20, TENSORS = 100 };
    struct qsv_strbuf b = {0};
    struct qsv_tensors t;
    for (int i = 0; i < TENSORS; i++)
        qsv_strbuf_printf(&b, "%c\"%d\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]}",
                          i ? ',' : '{', i, BYTES / 4, BYTES);
    qsv_strbuf_puts(&b, "}");
    struct bytes file = file_of(b.text, BYTES);
    assert_int_equal(qsv_checkpoint_parse(&t, file.data, file.n, "FILE", NULL), QSV_OK);
    for (size_t i = 0; i < TENSORS; i++) /* 64 MiB and 4 times the file's one */
        assert_int_equal(t.v[i].defect == NULL, i < 68);
    qsv_tensors_fini(&t);
    free(file.data);
    qsv_strbuf_fini(&b);
}

static void test_every_prefix(void **state)
{
    (void)state;
    struct bytes good = read_checkpoint("types.safetensors");
    for (size_t n = 0; n < good.n; n++)
        refuse(good.data, n, "");
    free(good.data);
}

static void test_mutations(void **state)
{
    (void)state;
    struct qsv_rng rng;
    struct bytes good = read_checkpoint("types.safetensors");
    size_t n = 0;
    qsv_rng_seed(&rng, 5);
    for (int i = 0; i < 10000; i++) {
        struct bytes b = mutate(&good, &rng);
        n += accepted(&b);
        free(b.data);
    }
    assert_in_range(n, 100, 9900);
    free(good.data);
}

/* -- writing ---------------------------------------------------------------------------------- */

struct folder {
    char name[40], path[80];
};

static void make_folder(struct folder *f)
{
    strcpy(f->name, "/tmp/qsv_safetensors_XXXXXX");
    assert_non_null(mkdtemp(f->name));
    snprintf(f->path, sizeof f->path, "%s/x.safetensors", f->name);
}

/* Fails where anything but x.safetensors was left behind. */
static void remove_folder(const struct folder *f)
{
    unlink(f->path);
    assert_int_equal(rmdir(f->name), 0);
}

static void add_ramp(struct qsv_tensors *t, const char *name, uint32_t rank, const uint32_t *shape)
{
    struct qsv_tensor *x = NULL;
    assert_int_equal(qsv_tensors_add(t, name, QSV_F32, rank, shape, &x, NULL), QSV_OK);
    for (size_t i = 0; i < qsv_tensor_count(x); i++)
        ((float *)x->data)[i] = (float)i / 8;
}

static void test_written_bytes(void **state)
{
    (void)state;
    /* 90 bytes and 6 of padding */
    static const char header[] =
        "\x60\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\\\"b\":{\"dtype\":\"F32\","
        "\"shape\":[2,1],\"data_offsets\":[0,8]}}      ";
    struct folder f;
    struct qsv_tensors t = {0};
    uint8_t *data;
    size_t n;
    make_folder(&f);
    add_ramp(&t, "a\"b", 2, SHAPE(2, 1));
    assert_int_equal(qsv_safetensors_write(&t, f.path, NULL), QSV_OK);
    assert_int_equal(qsv_file_read(&data, &n, f.path, 1000, NULL), QSV_OK);
    assert_int_equal(n, 8 + 96 + 8);
    assert_memory_equal(data, header, 8 + 96);
    assert_memory_equal(data + 8 + 96, "\0\0\0\0\0\0\0\x3e", 8); /* 0 and 1/8 */
    free(data);
    qsv_tensors_fini(&t);
    remove_folder(&f);
}

static void test_write_and_read_again(void **state)
{
    (void)state;
    struct folder f;
    struct qsv_tensors t = {0}, back;
    make_folder(&f);
    add_ramp(&t, "conv.weight", 4, SHAPE(2, 3, 2, 2));
    add_ramp(&t, "scalar", 0, NULL);
    add_ramp(&t, "empty", 2, SHAPE(0, 3));
    add_ramp(&t, "\xd0\xbc\\/", 1, SHAPE(5));
    assert_int_equal(qsv_safetensors_write(&t, f.path, NULL), QSV_OK);
    assert_int_equal(qsv_checkpoint_read(&back, f.path, NULL), QSV_OK);
    assert_int_equal(back.n, t.n);
    for (size_t i = 0; i < t.n; i++)
        expect_floats(&back, t.v[i].name, t.v[i].rank, t.v[i].shape, (float *)t.v[i].data);
    qsv_tensors_fini(&t);
    qsv_tensors_fini(&back);
    remove_folder(&f);
}

static void expect_unwritten(const struct qsv_tensors *t, const char *path, enum qsv_status code,
                             const char *says)
{
    struct qsv_error err = {0};
    assert_int_equal(qsv_safetensors_write(t, path, &err), code);
    if (!strstr(err.text, says))
        fail_msg("'%s', expected '%s'", err.text, says);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_refuses_to_write(void **state)
{
    (void)state;
    struct folder f;
    struct qsv_tensors good = {0}, packed = {0}, broken = {0}, named = {0};
    struct qsv_tensor *x = NULL;
    make_folder(&f);
    add_ramp(&good, "x", 1, SHAPE(2));
    char absent[100];
    snprintf(absent, sizeof absent, "%s/absent/x.safetensors", f.name);
    expect_unwritten(&good, absent, QSV_EIO, "cannot create");
    assert_int_equal(qsv_tensors_add(&packed, "x", QSV_INT4, 1, SHAPE(2), &x, NULL), QSV_OK);
    expect_unwritten(&packed, f.path, QSV_EINPUT, "only f32 tensors can be written, this is int4");
    assert_int_equal(qsv_tensors_add_defect(&broken, "x", "is made by magic", NULL), QSV_OK);
    expect_unwritten(&broken, f.path, QSV_EINPUT, "can be written, this one is made by magic");
    add_ramp(&named, "\xff", 1, SHAPE(2));
    expect_unwritten(&named, f.path, QSV_EINPUT, "the name is no valid UTF-8");
    qsv_tensors_fini(&good);
    qsv_tensors_fini(&packed);
    qsv_tensors_fini(&broken);
    qsv_tensors_fini(&named);
    remove_folder(&f);
}

static void test_a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct qsv_tensors t = {0};
    struct qsv_error err = {0};
    struct folder f;
    make_folder(&f);
    add_ramp(&t, "x", 1, SHAPE(2));
    char *temporary = qsv_file_temporary(f.path);
    assert_non_null(temporary);
    assert_int_equal(symlink("/dev/full", temporary), 0);
    assert_int_equal(qsv_safetensors_write(&t, f.path, &err), QSV_EIO);
    assert_non_null(strstr(err.text, "cannot write: No space left on device"));
    free(temporary);
    qsv_tensors_fini(&t);
    remove_folder(&f);
}

static void test_writing_without_memory(void **state)
{
    (void)state;
    struct folder f;
    struct qsv_tensors t = {0};
    make_folder(&f);
    add_ramp(&t, "x", 1, SHAPE(2));
    long n = 1;
    for (;; n++) {
        qsv_alloc_fail_at(n);
        enum qsv_status st = qsv_safetensors_write(&t, f.path, NULL);
        qsv_alloc_fail_at(0);
        if (!st)
            break;
        assert_int_equal(st, QSV_ENOMEM);
    }
    assert_in_range(n, 3, 20);
    qsv_tensors_fini(&t);
    remove_folder(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_deep_header_is_refused),
        cmocka_unit_test(test_expansion_is_bounded_in_total),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_write_and_read_again),
        cmocka_unit_test(test_refuses_to_write),
        cmocka_unit_test(test_a_full_disk_leaves_nothing),
        cmocka_unit_test(test_writing_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
