#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/cursor.h"

static const uint8_t bytes[] = {1,    2,    3,    4,    5,    6,    7,    8,
                                0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8};

static void test_reads_in_order(void **state)
{
    (void)state;
    struct qsv_cursor c = qsv_cursor_over(bytes, sizeof bytes);
    uint8_t copy[3];
    assert_int_equal(qsv_cursor_u8(&c), 1);
    assert_int_equal(qsv_cursor_u16(&c), 0x0302);
    assert_int_equal(qsv_cursor_u32(&c), 0x07060504);
    assert_int_equal(qsv_cursor_left(&c), 9);
    assert_ptr_equal(qsv_cursor_take(&c, 1), bytes + 7);
    qsv_cursor_copy(&c, copy, 3);
    assert_memory_equal(copy, bytes + 8, 3);
    assert_int_equal(qsv_cursor_u32_be(&c), 0xfcfbfaf9);
    assert_int_equal(qsv_cursor_left(&c), 1);
    assert_false(c.failed);
    c = qsv_cursor_over(bytes, sizeof bytes);
    assert_int_equal(qsv_cursor_u64(&c), 0x0807060504030201);
    assert_int_equal(qsv_cursor_u64(&c), 0xf8f9fafbfcfdfeff);
    assert_int_equal(qsv_cursor_left(&c), 0);
    assert_false(c.failed);
}

static void test_many_at_once(void **state)
{
    (void)state;
    uint64_t v[3] = {7, 7, 7};
    struct qsv_cursor c = qsv_cursor_over(bytes, sizeof bytes);
    qsv_cursor_u64s(&c, v, 2);
    assert_int_equal(v[0], 0x0807060504030201);
    assert_int_equal(v[1], 0xf8f9fafbfcfdfeff);
    assert_int_equal(v[2], 7);
    assert_false(c.failed);
    c = qsv_cursor_over(bytes, sizeof bytes);
    qsv_cursor_u64s(&c, v, 3);
    assert_true(c.failed);
    assert_int_equal(v[0] | v[1] | v[2], 0);
}

static void test_f64(void **state)
{
    (void)state;
    struct qsv_cursor c = qsv_cursor_over("\0\0\0\0\0\0\xf8\xbf", 8);
    assert_true(qsv_cursor_f64(&c) == -1.5);
}

static uint64_t read_kind(struct qsv_cursor *c, int kind)
{
    uint8_t copy[5] = {9, 9, 9, 9, 9};
    double d;
    switch (kind) {
    case 0:
        return qsv_cursor_u8(c);
    case 1:
        return qsv_cursor_u16(c);
    case 2:
        return qsv_cursor_u32(c);
    case 3:
        return qsv_cursor_u64(c);
    case 4:
        return qsv_cursor_u32_be(c);
    case 5:
        d = qsv_cursor_f64(c);
        return d != 0;
    case 6:
        return qsv_cursor_take(c, 3) != NULL;
    default:
        qsv_cursor_copy(c, copy, sizeof copy);
        return copy[0] + copy[1] + copy[2] + copy[3] + copy[4];
    }
}

static void test_every_overrun_fails_for_good(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 4, 8, 4, 8, 3, 5};
    for (int kind = 0; kind < 8; kind++)
        for (size_t left = 0; left <= 8; left++) {
            struct qsv_cursor c = qsv_cursor_over(bytes, left);
            uint64_t v = read_kind(&c, kind);
            assert_int_equal(c.failed, left < sizes[kind]);
            if (!c.failed) {
                assert_int_equal(qsv_cursor_left(&c), left - sizes[kind]);
                continue;
            }
            assert_int_equal(v, 0);
            assert_int_equal(qsv_cursor_left(&c), 0);
            for (int next = 0; next < 8; next++)
                assert_int_equal(read_kind(&c, next), 0);
            assert_null(qsv_cursor_take(&c, 0));
        }
}

static void test_huge_lengths(void **state)
{
    (void)state;
    struct qsv_cursor c = qsv_cursor_over(bytes, sizeof bytes);
    qsv_cursor_u64(&c);
    assert_null(qsv_cursor_take(&c, SIZE_MAX));
    assert_true(c.failed);
    c = qsv_cursor_over(bytes, sizeof bytes);
    qsv_cursor_u64(&c);
    assert_null(qsv_cursor_take(&c, SIZE_MAX - 7));
    assert_true(c.failed);
}

static void test_nothing_to_read(void **state)
{
    (void)state;
    struct qsv_cursor c = qsv_cursor_over(NULL, 0);
    assert_int_equal(qsv_cursor_left(&c), 0);
    assert_int_equal(qsv_cursor_u8(&c), 0);
    assert_true(c.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_in_order),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_every_overrun_fails_for_good),
        cmocka_unit_test(test_huge_lengths),
        cmocka_unit_test(test_nothing_to_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
