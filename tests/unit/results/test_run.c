#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "results/run.h"

static const struct qsv_identity base = {1, 2, 3, 4, 5, 6, 7};

static void every_part_changes_the_hash_and_is_named(void **state)
{
    (void)state;
    struct qsv_identity changed[] = {
        {9, 2, 3, 4, 5, 6, 7}, {1, 9, 3, 4, 5, 6, 7}, {1, 2, 9, 4, 5, 6, 7}, {1, 2, 3, 9, 5, 6, 7},
        {1, 2, 3, 4, 9, 6, 7}, {1, 2, 3, 4, 5, 9, 7}, {1, 2, 3, 4, 5, 6, 9}};
    const char *names[] = {"model",        "dataset",   "calibration", "order",
                           "shard_images", "quantizer", "engine"};
    for (int i = 0; i < 7; i++) {
        struct qsv_error err;
        assert_int_not_equal(qsv_identity_hash(&base), qsv_identity_hash(&changed[i]));
        assert_int_equal(qsv_identity_compare(&base, &changed[i], "runs/x", &err), QSV_EIDENTITY);
        assert_int_equal(strncmp(err.text, "runs/x: ", 8), 0);
        for (int k = 0; k < 7; k++) {
            char named[32];
            snprintf(named, sizeof named, "%s (", names[k]);
            assert_int_equal(strstr(err.text, named) != NULL, k == i);
        }
    }
}

static void the_same_identity_is_the_same(void **state)
{
    (void)state;
    struct qsv_identity copy = base;
    assert_int_equal(qsv_identity_hash(&base), qsv_identity_hash(&copy));
    assert_int_equal(qsv_identity_compare(&base, &copy, "x", NULL), QSV_OK);
    /* Written to files: must not change from version to version. */
    assert_int_equal(qsv_identity_hash(&base), 0xf104a76d62165084u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_changes_the_hash_and_is_named),
        cmocka_unit_test(the_same_identity_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
