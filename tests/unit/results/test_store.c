#include "fixture.h"

#include "core/base/file.h"
#include "core/seal.h"

static int count_segments(const struct fixture *f)
{
    return count_files(path_in(f, "segments"), ".h5");
}

static void a_record_comes_back_from_segment_and_from_results(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 25);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 0, "baseline", "all f32");
    ask(s, 5, "base", "try");
    record(s, &f, "1-1-1", 0, 0, 10);
    record(s, &f, "1-1-2", 5, 4, 6);
    assert_int_equal(qsv_store_record_count(s), 16);
    assert_recorded(s, &f, 5, 4, 6);
    qsv_store_abandon(s);
    assert_int_equal(count_segments(&f), 2);

    s = open_store(&f, NULL); /* from segments */
    assert_int_equal(count_segments(&f), 0);
    assert_recorded(s, &f, 0, 0, 10);
    assert_recorded(s, &f, 5, 4, 6);
    assert_null(qsv_store_find(s, 12345, 0));
    qsv_store_abandon(s);

    s = open_store(&f, NULL); /* from results.h5 */
    assert_recorded(s, &f, 0, 0, 10);
    assert_recorded(s, &f, 5, 4, 6);
    assert_int_equal(qsv_store_record_count(s), 16);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void attempts_count_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 1);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 2);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 3);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void the_same_record_counts_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    record(s, &f, "1-2-1", 3, 1, 2);
    assert_int_equal(qsv_store_record_count(s), 3);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_record_count(s), 3);
    assert_recorded(s, &f, 3, 0, 3);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void a_run_of_another_identity_is_refused_by_field(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    struct qsv_store *s;
    fixture_init(&f, 0);
    qsv_store_abandon(open_store(&f, NULL));
    f.run.identity.quantizer = 0x9999;
    f.run.identity.engine = 2;
    assert_int_equal(qsv_store_open(&s, f.folder, &f.run, NULL, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "quantizer"));
    assert_non_null(strstr(err.text, "0000000000005555 there, 0000000000009999 now"));
    assert_non_null(strstr(err.text, "1 there, 2 now"));
    assert_non_null(strstr(err.text, "or start over with --fresh"));
    assert_null(strstr(err.text, "dataset"));
    assert_int_equal(access(path_in(&f, "results.h5"), F_OK), 0);
    assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
    fixture_fini(&f);
}

static void flip_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    long here = ftell(file);
    int c = fgetc(file);
    fseek(file, here, SEEK_SET);
    fputc(c ^ 0x10, file);
    fclose(file);
}

static void a_damaged_segment_costs_only_itself(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    record(s, &f, "1-1-2", 3, 2, 2);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "segments/1-1-1.h5"), -40);
    s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 2);
    assert_recorded(s, &f, 3, 2, 2);
    assert_non_null(strstr(warnings.text, "1-1-1.h5"));
    assert_non_null(strstr(warnings.text, "set aside as"));
    assert_int_equal(access(path_in(&f, "segments/1-1-1.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&warnings);
    fixture_fini(&f);
}

static void damaged_results_are_set_aside_and_segments_kept(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, &f, "1-1-2", 3, 2, 2);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "results.h5"), 700);
    s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 2);
    assert_recorded(s, &f, 3, 2, 2);
    assert_int_equal(qsv_store_attempt(s), 2); /* from the records */
    assert_int_equal(access(path_in(&f, "results.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "results.h5"), 700);
    qsv_store_abandon(open_store(&f, &warnings));
    assert_int_equal(access(path_in(&f, "results.h5.damaged.2"), F_OK), 0);
    qsv_strbuf_fini(&warnings);
    fixture_fini(&f);
}

static void another_schema_version_is_refused_not_set_aside(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    struct qsv_store *s;
    struct qsv_h5_image *image;
    fixture_init(&f, 0);
    assert_int_equal(qsv_seal_create(&image, NULL), QSV_OK);
    assert_int_equal(
        qsv_h5_set_u64(qsv_h5_image_file(image), "schema_version", QSV_SCHEMA_VERSION + 1, NULL),
        QSV_OK);
    assert_int_equal(qsv_seal_commit(image, path_in(&f, "results.h5"), NULL), QSV_OK);
    assert_int_equal(qsv_store_open(&s, f.folder, &f.run, NULL, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "schema version 2, written by a newer qsvit"));
    assert_int_equal(access(path_in(&f, "results.h5"), F_OK), 0);
    fixture_fini(&f);
}

static void temporaries_of_killed_writers_are_removed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    qsv_store_abandon(open_store(&f, NULL));
    assert_int_equal(qsv_file_write(path_in(&f, "segments/1-1-1.h5.77.tmp"), "x", 1, NULL), QSV_OK);
    assert_int_equal(qsv_file_write(path_in(&f, "results.h5.77.tmp"), "x", 1, NULL), QSV_OK);
    assert_int_equal(qsv_file_write(path_in(&f, "mine.tmp"), "x", 1, NULL), QSV_OK);
    qsv_store_abandon(open_store(&f, NULL));
    assert_int_equal(count_files(path_in(&f, "segments"), ".tmp"), 0);
    assert_int_equal(count_files(f.folder, ".tmp"), 1);
    fixture_fini(&f);
}

/* A record that does not fit its run, by what is wrong with it. */
static void break_shard(struct qsv_record *r)
{
    r->shard = 7;
}
static void break_images(struct qsv_record *r)
{
    r->n_images = 3;
}
static void break_bits(struct qsv_record *r)
{
    r->correct[0] ^= 1;
}
static void break_padding(struct qsv_record *r)
{
    r->correct[1] |= 0x80;
}
static void break_counts(struct qsv_record *r)
{
    r->n_only_baseline = 11;
}
static void break_trial(struct qsv_record *r)
{
    r->trial_id++;
}

static void records_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const struct {
        void (*damage)(struct qsv_record *);
        const char *message;
    } cases[] = {
        {break_shard, "no such shard"},
        {break_images, "number of images"},
        {break_bits, "not as many as it counts"},
        {break_padding, "not as many as it counts"},
        {break_counts, "contradict"},
        {break_trial, "no setting"},
    };
    struct fixture f;
    struct qsv_error err;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_record r = make_record(&f, 3, 0);
        cases[i].damage(&r);
        assert_int_equal(qsv_store_add(s, &r, "1-1-1", &err), QSV_EINPUT);
        assert_non_null(strstr(err.text, cases[i].message));
        assert_non_null(r.lif_spikes); /* still the caller's */
        qsv_record_fini(&r);
    }
    assert_int_equal(qsv_store_record_count(s), 0);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void a_segment_whose_records_do_not_fit_is_damage(void **state)
{
    (void)state;
    struct fixture f, other;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    fixture_init(&other, 0);
    qsv_store_abandon(open_store(&f, NULL));
    /* The same identity, but a partition of other images. */
    qsv_partition_fini(&other.partition);
    assert_int_equal(qsv_partition_init(&other.partition, 100, 0, SHARD, 7, NULL), QSV_OK);
    remove_tree(other.folder);
    strcpy(other.folder, f.folder);
    write_segment(&other, "1-1-1", 3, 8, 1);
    struct qsv_store *s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 0);
    assert_int_equal(access(path_in(&f, "segments/1-1-1.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&warnings);
    qsv_partition_fini(&other.partition);
    fixture_fini(&f);
}

static void folding_waits_for_segments_and_time(void **state)
{
    (void)state;
    struct fixture f;
    char name[32];
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    for (uint64_t t = 1; t <= 8; t++) {
        ask(s, t, "base", "x");
        for (uint32_t shard = 0; shard < 5; shard++) {
            snprintf(name, sizeof name, "1-%llu-%u", (unsigned long long)t, shard);
            record(s, &f, name, t, shard, 1);
        }
    }
    assert_int_equal(qsv_store_fold_if_due(s, NULL), QSV_OK);
    assert_int_equal(count_segments(&f), 40); /* 40 segments, but the last fold was just now */
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    assert_int_equal(count_segments(&f), 0);
    assert_int_equal(qsv_store_close(s, false, "stopped", NULL), QSV_OK);
    assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_from_segment_and_from_results),
        cmocka_unit_test(attempts_count_up),
        cmocka_unit_test(the_same_record_counts_once),
        cmocka_unit_test(a_run_of_another_identity_is_refused_by_field),
        cmocka_unit_test(a_damaged_segment_costs_only_itself),
        cmocka_unit_test(damaged_results_are_set_aside_and_segments_kept),
        cmocka_unit_test(another_schema_version_is_refused_not_set_aside),
        cmocka_unit_test(temporaries_of_killed_writers_are_removed),
        cmocka_unit_test(records_that_do_not_fit_are_refused),
        cmocka_unit_test(a_segment_whose_records_do_not_fit_is_damage),
        cmocka_unit_test(folding_waits_for_segments_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
