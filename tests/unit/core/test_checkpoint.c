#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/import/checkpoint.h"
#include "import_support.h"

static void read_good(struct qsv_tensors *t, const char *name)
{
    struct qsv_error err = {0};
    struct bytes b = read_checkpoint(name);
    if (qsv_checkpoint_parse(t, b.data, b.n, name, &err))
        fail_msg("%s", err.text);
    free(b.data);
}

static void expect_weights(const struct qsv_tensors *t)
{
    assert_int_equal(t->n, 4);
    expect_ramp(t, "conv.weight", 4, SHAPE(2, 3, 2, 2));
    expect_floats(t, "conv.bias", 1, SHAPE(2), (float[]){-1.5f, 2.25f});
    expect_floats(t, "threshold", 0, NULL, (float[]){0.5f});
    expect_defect(t, "norm.num_batches_tracked",
                  "is of type 'torch.LongStorage'; only f32, f16, bf16 and f64 are read");
}

static void test_state_dict_in_every_wrapping(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.pth", "prefix.pth", "protocol4.pth", "newer.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct qsv_tensors t;
        read_good(&t, names[i]);
        expect_weights(&t);
        qsv_tensors_fini(&t);
    }
}

/* Beside an optimizer's state, a scaler's, an argparse.Namespace and an int of 71 bits. */
static void test_published_manner(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "published.pth");
    assert_int_equal(t.n, 2);
    expect_ramp(&t, "weight", 2, SHAPE(2, 3));
    expect_floats(&t, "bias", 1, SHAPE(2), (float[]){4.0f, -0.25f});
    qsv_tensors_fini(&t);
}

static void test_types(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "types.pth");
    expect_ramp(&t, "f16", 1, SHAPE(5));
    expect_ramp(&t, "bf16", 1, SHAPE(5));
    expect_ramp(&t, "f64", 1, SHAPE(5));
    expect_defect(&t, "i8", "is of type 'torch.CharStorage'; only f32, f16, bf16 and f64 are read");
    expect_defect(&t, "flags",
                  "is of type 'torch.BoolStorage'; only f32, f16, bf16 and f64 are read");
    qsv_tensors_fini(&t);
}

/* Views of one storage, 0 to 11 in eighths as [3, 4]. */
static void test_views(void **state)
{
    (void)state;
    struct qsv_tensors t;
    float transposed[12], rows[8];
    for (int i = 0; i < 12; i++)
        transposed[i] = (float)(i % 3 * 4 + i / 3) / 8;
    for (int i = 0; i < 8; i++)
        rows[i] = (float)(4 + i) / 8;
    read_good(&t, "views.pth");
    expect_floats(&t, "transposed", 2, SHAPE(4, 3), transposed);
    expect_floats(&t, "column", 1, SHAPE(3), (float[]){0.125f, 0.625f, 1.125f});
    expect_floats(&t, "rows", 2, SHAPE(2, 4), rows);
    expect_floats(&t, "every_other", 2, SHAPE(2, 2), (float[]){0, 0.375f, 1, 1.375f});
    expect_floats(&t, "repeated", 2, SHAPE(2, 3), (float[]){1, 1, 1, 2, 2, 2});
    expect_floats(&t, "empty", 2, SHAPE(0, 4), NULL);
    qsv_tensors_fini(&t);
}

static void test_choice_of_dict(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "state_dict.pth"); /* its name goes before more tensors elsewhere */
    assert_int_equal(t.n, 1);
    expect_ramp(&t, "weight", 1, SHAPE(3));
    qsv_tensors_fini(&t);
    read_good(&t, "deep.pth"); /* of three without such a name the one with the most tensors */
    assert_int_equal(t.n, 2);
    expect_ramp(&t, "a", 1, SHAPE(2));
    expect_ramp(&t, "b", 1, SHAPE(1));
    qsv_tensors_fini(&t);
}

static void test_parameters_and_other_folder_names(void **state)
{
    (void)state;
    static const char *const names[] = {"parameters.pth", "cyrillic.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct qsv_tensors t;
        read_good(&t, names[i]);
        assert_int_equal(t.n, 1);
        expect_ramp(&t, "weight", 1, SHAPE(2));
        qsv_tensors_fini(&t);
    }
}

static void test_unknown_maker_is_a_defect(void **state)
{
    (void)state;
    struct qsv_tensors t;
    const struct qsv_tensor *x;
    struct qsv_error err = {0};
    read_good(&t, "unknown.pth");
    expect_ramp(&t, "bias", 1, SHAPE(2));
    assert_int_equal(qsv_tensors_need(&x, &t, "weight", 1, SHAPE(3), &err), QSV_EINPUT);
    assert_string_equal(err.text, "tensor 'weight' can't be read: is made by calling "
                                  "'__main__.make_coded', which is unknown and never run");
    qsv_tensors_fini(&t);
}

/* Python would run `touch executed` three times while reading it. */
static void test_nothing_is_executed(void **state)
{
    (void)state;
    struct qsv_tensors t;
    struct stat s;
    char folder[] = "/tmp/qsv_checkpoint_XXXXXX", before[4096];
    struct bytes b = read_checkpoint("hostile.pth");
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(qsv_checkpoint_parse(&t, b.data, b.n, "hostile.pth", NULL), QSV_OK);
    assert_int_equal(stat("executed", &s), -1);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(folder), 0);
    expect_ramp(&t, "weight", 1, SHAPE(2));
    expect_defect(&t, "bias", "is made by calling 'posix.system', which is unknown and never run");
    qsv_tensors_fini(&t);
    free(b.data);
}

static void test_a_dict_that_contains_itself(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "itself.pth");
    expect_ramp(&t, "weight", 1, SHAPE(2));
    expect_defect(&t, "again", "is a Python dict, not a tensor");
    expect_defect(&t, "loop", "is a Python list, not a tensor");
    qsv_tensors_fini(&t);
}

static void test_refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } rows[] = {
        {"legacy.pth", "is an old PyTorch file that is no zip archive: load it with torch.load"},
        {"published.pkl", "is a bare Python pickle"},
        {"script.pth", "is a TorchScript archive"},
        {"big_endian.pth", "is not little-endian"},
        {"no_tensors.pth", "holds a Python dict with no tensors"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes b = read_checkpoint(rows[i].name);
        refuse(b.data, b.n, rows[i].says);
        free(b.data);
    }
    char tar[512] = "weights.pkl";
    memcpy(tar + 257, "ustar", 5);
    refuse(tar, sizeof tar, "is a tar archive");
    refuse("", 0, "is empty");
    refuse("\x89HDF\r\n\x1a\n....", 12, "is an HDF5 file");
    refuse("\x1f\x8b\x08", 3, "is compressed by gzip");
    refuse("sweep:\n  model: x\n", 18, "neither a zip archive (.pth) nor a safetensors header");
    refuse("PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "the zip archive can't be read");
    refuse("PK\x03\x04", 4, "the zip archive can't be read");
}

static void test_reads_files(void **state)
{
    (void)state;
    struct qsv_tensors t;
    struct qsv_error err = {0};
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "plain.pth", NULL), QSV_OK);
    expect_weights(&t);
    qsv_tensors_fini(&t);
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "absent.pth", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "absent.pth: cannot open"));
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "legacy.pth", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "legacy.pth: is an old PyTorch file"));
}

static void test_every_prefix(void **state)
{
    (void)state;
    struct bytes good = read_checkpoint("views.pth");
    for (size_t n = 0; n < good.n; n++)
        refuse(good.data, n, "");
    free(good.data);
}

static void test_mutated_archives(void **state)
{
    (void)state;
    struct qsv_rng rng;
    struct bytes good = read_checkpoint("views.pth");
    qsv_rng_seed(&rng, 3);
    size_t n = 0;
    for (int i = 0; i < 10000; i++) {
        struct bytes b = mutate(&good, &rng);
        n += accepted(&b);
        free(b.data);
    }
    assert_in_range(n, 100, 9900);
    free(good.data);
}

static bool parse_with_failure(const struct bytes *b, long n)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    qsv_alloc_fail_at(n);
    enum qsv_status st = qsv_checkpoint_parse(&t, b->data, b->n, "FILE", &err);
    qsv_alloc_fail_at(0);
    assert_int_equal(st, st ? QSV_ENOMEM : QSV_OK);
    if (st)
        assert_non_null(strstr(err.text, "FILE: out of memory"));
    else
        qsv_tensors_fini(&t);
    return st != QSV_OK;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const files[] = {"published.pth", "newer.pth", "types.safetensors"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct bytes b = read_checkpoint(files[f]);
        long n = 1;
        while (parse_with_failure(&b, n))
            n++;
        assert_in_range(n, 10, 1000);
        free(b.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_dict_in_every_wrapping),
        cmocka_unit_test(test_published_manner),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_choice_of_dict),
        cmocka_unit_test(test_parameters_and_other_folder_names),
        cmocka_unit_test(test_unknown_maker_is_a_defect),
        cmocka_unit_test(test_nothing_is_executed),
        cmocka_unit_test(test_a_dict_that_contains_itself),
        cmocka_unit_test(test_refuses_by_name),
        cmocka_unit_test(test_reads_files),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutated_archives),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
