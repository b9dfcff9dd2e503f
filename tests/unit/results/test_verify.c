/* Checking and repairing a run whose files were cut or changed at random. */
#include "fixture.h"

#include <sys/stat.h>

#include "core/base/file.h"
#include "results/reader.h"
#include "results/verify.h"

enum { FOLDED = 9, IN_FIRST = 2, IN_SECOND = 3 };

static struct fixture f;
static const char *const files[] = {"results.h5", "segments/1-1-2.h5", "segments/1-1-3.h5"};
static const size_t held[] = {FOLDED, IN_FIRST, IN_SECOND};

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f.folder, name);
    return path;
}

/* Nine records in results.h5, two and three in segments. */
static int make_run(void **state)
{
    (void)state;
    fixture_init(&f, 15);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "spec", NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 3, "base", "three");
    record(s, &f, "1-1-1", 0, 0, FOLDED);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, &f, "1-1-2", 3, 1, IN_FIRST);
    record(s, &f, "1-1-3", 3, 4, IN_SECOND);
    qsv_store_abandon(s);
    return 0;
}

static int remove_run(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static size_t verify(struct qsv_strbuf *text)
{
    size_t n = 99;
    struct qsv_error err;
    text->len = 0;
    if (qsv_verify_run(&n, f.folder, text, &err))
        fail_msg("%s", err.text);
    return n;
}

static void repair(struct qsv_strbuf *text)
{
    struct qsv_error err;
    text->len = 0;
    if (qsv_repair_run(f.folder, false, text, &err))
        fail_msg("%s", err.text);
}

static void expect(const struct qsv_strbuf *text, const char *words)
{
    if (!strstr(text->text, words))
        fail_msg("'%s' is not in: %s", words, text->text);
}

static void a_good_run_is_good(void **state)
{
    (void)state;
    struct qsv_strbuf text = {0};
    assert_int_equal(verify(&text), 0);
    expect(&text, "results.h5: good, 9 records of 2 trials\n");
    expect(&text, "segments: 2 good");
    expect(&text, "together: 14 records");
    repair(&text);
    expect(&text, "2 segments folded");
    expect(&text, "nothing was damaged");
    assert_int_equal(verify(&text), 0);
    expect(&text, "results.h5: good, 14 records of 2 trials\n");
    struct qsv_store *s = open_store(&f, NULL);
    assert_recorded(s, &f, 0, 0, FOLDED);
    assert_recorded(s, &f, 3, 1, IN_FIRST);
    assert_recorded(s, &f, 3, 4, IN_SECOND);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&text);
}

static void what_was_in_a_damaged_file_is_named(void **state)
{
    (void)state;
    struct qsv_strbuf text = {0};
    char expected[100];
    uint8_t formats[N_LAYERS];
    /* The seal itself: everything else can be read. */
    FILE *file = fopen(path_of(files[2]), "r+b");
    assert_non_null(file);
    fputc('Q', file);
    fclose(file);
    snprintf(expected, sizeof expected, "evaluated again: trial %016llx on shards 4-6\n",
             (unsigned long long)make_setting(3, formats));
    assert_int_equal(verify(&text), 1);
    expect(&text, expected);
    repair(&text);
    expect(&text, expected);
    expect(&text, "1 segments folded");
    assert_int_equal(access(path_of("segments/1-1-3.h5.damaged"), F_OK), 0);
    assert_int_equal(verify(&text), 0);
    expect(&text, "results.h5: good, 11 records");
    qsv_strbuf_fini(&text);
}

static void damage(struct qsv_rng *rng, const char *path, const uint8_t *good, size_t bytes)
{
    uint8_t *bad = malloc(bytes);
    assert_non_null(bad);
    memcpy(bad, good, bytes);
    size_t left = bytes;
    if (qsv_rng_below(rng, 2))
        left = (size_t)qsv_rng_below(rng, bytes);
    else
        bad[qsv_rng_below(rng, bytes)] ^= (uint8_t)(1u << qsv_rng_below(rng, 8));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bad, 1, left, file), left);
    fclose(file);
    free(bad);
}

static size_t count_records(void)
{
    struct qsv_store *s = open_store(&f, NULL);
    size_t n = qsv_store_record_count(s);
    qsv_store_abandon(s);
    return n;
}

/* Whatever is changed: it is found, and costs what was in that file. */
static void any_damage_is_found_and_costs_one_file(void **state)
{
    (void)state;
    enum { ROUNDS = 60 };
    struct qsv_strbuf text = {0};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 4711);
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *good;
        size_t bytes, which = (size_t)qsv_rng_below(&rng, 3);
        assert_int_equal(qsv_file_read(&good, &bytes, path_of(files[which]), 1 << 24, NULL),
                         QSV_OK);
        damage(&rng, path_of(files[which]), good, bytes);
        free(good);
        assert_int_equal(verify(&text), 1);
        if (i % 2)
            repair(&text);
        else
            assert_true(count_records() > 0); /* a run that goes on does the same */
        assert_int_equal(verify(&text), 0);
        assert_int_equal(count_records(), FOLDED + IN_FIRST + IN_SECOND - held[which]);
        remove_run(NULL);
        make_run(NULL);
    }
    qsv_strbuf_fini(&text);
}

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    size_t n;
    struct qsv_error err;
    struct qsv_strbuf text = {0};
    assert_int_equal(qsv_verify_run(&n, "/tmp", &text, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "/tmp: is no run's folder"));
    assert_int_equal(qsv_repair_run("/tmp", true, &text, &err), QSV_EINPUT);
    qsv_strbuf_fini(&text);
}

static void a_held_run_is_left_alone(void **state)
{
    (void)state;
    struct qsv_error err;
    struct qsv_strbuf text = {0};
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(verify(&text), 0);
    expect(&text, "is writing this run");
    assert_int_equal(qsv_repair_run(f.folder, true, &text, &err), QSV_EIDENTITY);
    assert_int_equal(access(path_of("lock"), F_OK), 0);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&text);
}

static void the_lock_of_another_host_goes_only_when_told(void **state)
{
    (void)state;
    static const char line[] =
        "qsvit host elsewhere pid 7 start 1 space pid:[1] since 1.000 job - restarts 0\n";
    struct qsv_error err;
    struct qsv_strbuf text = {0};
    assert_int_equal(qsv_file_write(path_of("lock"), line, sizeof line - 1, NULL), QSV_OK);
    assert_int_equal(qsv_repair_run(f.folder, false, &text, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "elsewhere"));
    assert_int_equal(qsv_repair_run(f.folder, true, &text, &err), QSV_OK);
    expect(&text, "lock: of process 7 on host elsewhere; removed");
    assert_int_equal(access(path_of("lock"), F_OK), -1);
    qsv_strbuf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_run_is_good, make_run, remove_run),
        cmocka_unit_test_setup_teardown(what_was_in_a_damaged_file_is_named, make_run, remove_run),
        cmocka_unit_test_setup_teardown(any_damage_is_found_and_costs_one_file, make_run,
                                        remove_run),
        cmocka_unit_test_setup_teardown(what_is_no_run_is_refused, make_run, remove_run),
        cmocka_unit_test_setup_teardown(a_held_run_is_left_alone, make_run, remove_run),
        cmocka_unit_test_setup_teardown(the_lock_of_another_host_goes_only_when_told, make_run,
                                        remove_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
