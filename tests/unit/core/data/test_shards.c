#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/data/shards.h"

static void expect_path(char *path, const char *expected)
{
    assert_non_null(path);
    assert_string_equal(path, expected);
    free(path);
}

static void test_names(void **state)
{
    (void)state;
    expect_path(qsv_shard_path("d/val.h5", 0, 1), "d/val.h5");
    expect_path(qsv_shard_path("d/val.h5", 3, 8), "d/val.0003-of-0008.h5");
    expect_path(qsv_shard_path("d.x/val", 511, 512), "d.x/val.0511-of-0512");
    expect_path(qsv_shard_path(".val", 0, 2), ".val.0000-of-0002");
    expect_path(qsv_shard_path("a.b.hdf5", 1, 2), "a.b.0001-of-0002.hdf5");
}

static void test_siblings(void **state)
{
    (void)state;
    expect_path(qsv_shard_sibling("x.0000-of-0002/val.0003-of-0008.h5", 7),
                "x.0000-of-0002/val.0007-of-0008.h5");
    expect_path(qsv_shard_sibling("val.0003-of-0008", 0), "val.0000-of-0008");
}

static void test_what_names_say(void **state)
{
    (void)state;
    uint32_t k, n;
    assert_true(qsv_shard_parse("d/val.0003-of-0008.h5", &k, &n));
    assert_true(k == 3 && n == 8);
    assert_true(qsv_shard_parse("val.0000-of-0512", &k, &n));
    assert_true(k == 0 && n == 512);
    static const char *const others[] = {
        "",
        "val.h5",
        "d.0003-of-0008.h5/val.h5",
        "val.0008-of-0008.h5",
        "val.0000-of-0513.h5",
        "val.0000-of-0000.h5",
        "val.003-of-0008.h5",
        "val.00x3-of-0008.h5",
        "val.0003-of-00080.h5",
        "val.0003-in-0008.h5",
        "0003-of-0008.h5",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(qsv_shard_parse(others[i], &k, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_what_names_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
