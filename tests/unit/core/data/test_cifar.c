#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/core/dataset_files.h"

enum { PIXELS = 1024, IMAGE = 3 * PIXELS };

/* Records of `label_bytes` bytes before planes of red 10.., green 20.., blue 30... */
static size_t make_file(uint8_t *out, int n, int label_bytes, const uint8_t *labels)
{
    uint8_t *p = out;
    for (int i = 0; i < n; i++) {
        if (label_bytes == 2)
            *p++ = 200; /* the coarse class, which nobody asks for */
        *p++ = labels[i];
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < PIXELS; k++)
                *p++ = (uint8_t)(10 * (c + 1) + i + k % 7);
    }
    return (size_t)(p - out);
}

static void test_both_kinds(void **state)
{
    (void)state;
    static uint8_t file[3 * (IMAGE + 2)], pixels[IMAGE];
    static const uint8_t labels[2][3] = {{9, 0, 3}, {99, 0, 42}};
    for (int kind = 0; kind < 2; kind++) {
        write_bytes("cifar", file, make_file(file, 3, 1 + kind, labels[kind]));
        const struct qsv_dataset_source s = {.format = kind ? "cifar100" : "cifar10",
                                             .images = in_folder("cifar")};
        struct qsv_dataset *d = open_good(&s);
        assert_int_equal(qsv_dataset_count(d), 3);
        assert_int_equal(qsv_dataset_shape(d).c, 3);
        assert_int_equal(qsv_dataset_shape(d).h, 32);
        assert_int_equal(qsv_dataset_shape(d).w, 32);
        for (uint64_t i = 0; i < 3; i++) {
            uint32_t label;
            assert_int_equal(qsv_dataset_read(d, i, pixels, &label, NULL), QSV_OK);
            assert_int_equal(label, labels[kind][i]);
            for (int k = 0; k < PIXELS; k++)
                for (int c = 0; c < 3; c++)
                    assert_int_equal(pixels[3 * k + c], 10 * (c + 1) + i + (uint64_t)k % 7);
        }
        qsv_dataset_close(d);
    }
}

static void test_bad_files(void **state)
{
    (void)state;
    static uint8_t file[2 * (IMAGE + 2)];
    struct qsv_dataset_source s = {.format = "cifar10", .images = in_folder("bad")};
    size_t n = make_file(file, 2, 1, (uint8_t[]){1, 10});
    write_bytes("bad", file, n);
    expect_refused(&s, "bad: image 1: label 10, expected 0 to 9");
    s.format = "cifar100";
    expect_refused(&s, "bad: has 6146 bytes, expected records of 3074: is it CIFAR-100's binary "
                       "version, unpacked?");
    write_bytes("bad", file, 0);
    expect_refused(&s, "bad: has 0 bytes, expected records of 3074: is it CIFAR-100's binary "
                       "version, unpacked?");
    n = make_file(file, 2, 2, (uint8_t[]){1, 100});
    write_bytes("bad", file, n);
    expect_refused(&s, "bad: image 1: label 100, expected 0 to 99");
    char text[500];
    write_bytes("labels", "", 0);
    s.labels = in_folder("labels");
    snprintf(text, sizeof text, "bad: CIFAR's files hold their labels, found labels in %s",
             s.labels);
    expect_refused(&s, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_kinds),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
