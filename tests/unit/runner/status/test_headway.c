/* Starts of a batch job that add records, and that add none. */
#include <stdint.h>

#include "core/base/file.h"
#include "runner/status/headway.h"
#include "tests/unit/results/fixture.h"

static enum qsv_status check(const struct fixture *f, uint32_t restarts)
{
    struct qsv_error err;
    enum qsv_status st = qsv_headway_check(f->folder, restarts, &err);
    if (st)
        assert_non_null(
            strstr(err.text, "starts of this job have recorded nothing; give each more time"));
    return st;
}

/* The baseline on a shard more. */
static void add_one(const struct fixture *f, uint32_t shard)
{
    struct qsv_store *s;
    uint8_t formats[N_LAYERS];
    const struct qsv_trial baseline = {formats, 0, ""};
    assert_int_equal(qsv_store_open(&s, f->folder, &f->run, NULL, NULL), QSV_OK);
    assert_int_equal(qsv_store_add_trial(s, &baseline, make_setting(0, formats), "baseline", NULL),
                     QSV_OK);
    struct qsv_record r = make_record(f, 0, shard);
    assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
    assert_int_equal(qsv_store_close(s, false, "stopped", NULL), QSV_OK);
}

static void nothing_is_ever_recorded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    assert_int_equal(check(&f, 0), QSV_OK);
    assert_int_equal(check(&f, 1), QSV_OK);
    assert_int_equal(check(&f, 2), QSV_ESTUCK);
    assert_int_equal(check(&f, 3), QSV_ESTUCK);
    assert_int_equal(check(&f, 0), QSV_OK); /* submitted again */
    assert_int_equal(check(&f, 1), QSV_OK);
    fixture_fini(&f);
}

static void one_start_in_vain_is_bad_luck(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    assert_int_equal(check(&f, 0), QSV_OK);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(check(&f, 2 * i + 1), QSV_OK);
        add_one(&f, i);
        assert_int_equal(check(&f, 2 * i + 2), QSV_OK);
    }
    assert_int_equal(check(&f, 7), QSV_OK);
    assert_int_equal(check(&f, 8), QSV_ESTUCK);
    fixture_fini(&f);
}

/* As when a job from before there were notes is restarted, or one was cut off. */
static void a_note_that_is_none(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    assert_int_equal(check(&f, 5), QSV_OK);
    assert_int_equal(qsv_file_write(path_in(&f, "headway"), "records", 7, NULL), QSV_OK);
    assert_int_equal(check(&f, 6), QSV_OK);
    assert_int_equal(check(&f, 7), QSV_OK);
    assert_int_equal(check(&f, 8), QSV_ESTUCK);
    fixture_fini(&f);
}

static void a_folder_that_is_not_there_is_made(void **state)
{
    (void)state;
    struct fixture f;
    char folder[128];
    fixture_init(&f, 0);
    snprintf(folder, sizeof folder, "%s/new", f.folder);
    assert_int_equal(qsv_headway_check(folder, 0, NULL), QSV_OK);
    assert_int_equal(qsv_headway_check("/proc/none", 0, NULL), QSV_EIO);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_ever_recorded),
        cmocka_unit_test(one_start_in_vain_is_bad_luck),
        cmocka_unit_test(a_note_that_is_none),
        cmocka_unit_test(a_folder_that_is_not_there_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
