/* Files that are torn, changed or made up: the answer is an error, never a crash, a hang or a huge
 * allocation. */
#include "fixture.h"

#include <sys/stat.h>

#include "core/base/file.h"
#include "core/seal.h"
#include "results/reader.h"

static struct fixture f;
static char results[128], segment[128];

static int make_run(void **state)
{
    (void)state;
    fixture_init(&f, 15);
    snprintf(results, sizeof results, "%s/results.h5", f.folder);
    snprintf(segment, sizeof segment, "%s/segments/1-1-2.h5", f.folder);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "spec", NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 3, "base", "three");
    record(s, &f, "1-1-1", 0, 0, 9);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, &f, "1-1-2", 0, 0, 2);
    qsv_store_abandon(s);
    return 0;
}

static int remove_run(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static enum qsv_status open_results(struct qsv_error *err)
{
    struct qsv_reader *r;
    enum qsv_status st = qsv_reader_open(&r, results, true, NULL, err);
    qsv_reader_close(r);
    return st;
}

/* The segment is left out with a warning, the rest is there. */
static bool segment_is_left_out(void)
{
    struct qsv_reader *r;
    struct qsv_strbuf warnings = {0};
    assert_int_equal(qsv_reader_open(&r, f.folder, true, &warnings, NULL), QSV_OK);
    assert_int_equal(qsv_reader_record_count(r), 9);
    bool left_out = warnings.len > 0;
    qsv_strbuf_fini(&warnings);
    qsv_reader_close(r);
    return left_out;
}

static void truncated_results_are_refused(void **state)
{
    (void)state;
    uint8_t *good;
    size_t bytes;
    assert_int_equal(qsv_file_read(&good, &bytes, results, 1 << 24, NULL), QSV_OK);
    for (size_t n = bytes; n > 0; n = n > 13 ? n - 13 : 0) {
        assert_int_equal(truncate(results, (off_t)(n - 1)), 0);
        assert_int_equal(open_results(NULL), QSV_EINPUT);
    }
    assert_int_equal(qsv_file_write(results, good, bytes, NULL), QSV_OK);
    assert_int_equal(open_results(NULL), QSV_OK);
    free(good);
}

static void truncated_segments_are_left_out(void **state)
{
    (void)state;
    uint8_t *good;
    size_t bytes;
    assert_false(segment_is_left_out());
    assert_int_equal(qsv_file_read(&good, &bytes, segment, 1 << 24, NULL), QSV_OK);
    for (size_t n = bytes; n > 0; n = n > 31 ? n - 31 : 0) {
        assert_int_equal(truncate(segment, (off_t)(n - 1)), 0);
        assert_true(segment_is_left_out());
    }
    assert_int_equal(qsv_file_write(segment, good, bytes, NULL), QSV_OK);
    assert_false(segment_is_left_out());
    free(good);
}

static void mutate(const char *path, void (*check)(void), int n_mutations)
{
    uint8_t *bytes;
    size_t n;
    struct qsv_rng rng;
    assert_int_equal(qsv_file_read(&bytes, &n, path, 1 << 24, NULL), QSV_OK);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    qsv_rng_seed(&rng, 17);
    for (int i = 0; i < n_mutations; i++) {
        size_t at = (size_t)qsv_rng_below(&rng, n);
        fseek(file, (long)at, SEEK_SET);
        fputc((uint8_t)(bytes[at] ^ (1 + qsv_rng_below(&rng, 255))), file);
        check();
        fseek(file, (long)at, SEEK_SET);
        fputc(bytes[at], file);
    }
    fclose(file);
    free(bytes);
}

static void expect_refusal(void)
{
    assert_int_equal(open_results(NULL), QSV_EINPUT);
}

static void changed_results_are_refused(void **state)
{
    (void)state;
    mutate(results, expect_refusal, 10000);
    assert_int_equal(open_results(NULL), QSV_OK);
}

static void expect_segment_refusal(void)
{
    hid_t file;
    assert_int_equal(qsv_seal_open(&file, segment, NULL), QSV_EINPUT);
}

static void changed_segments_are_refused(void **state)
{
    (void)state;
    mutate(segment, expect_segment_refusal, 10000);
    assert_false(segment_is_left_out());
}

/* Files with an intact seal whose contents make no sense. */

/* Sets one column of a table, in all rows. */
static void set_column(hid_t file, const char *table, const char *column, uint64_t value)
{
    uint64_t values[256];
    hid_t d = H5Dopen2(file, table, H5P_DEFAULT);
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof value);
    for (int i = 0; i < 256; i++)
        values[i] = value;
    H5Tinsert(type, column, 0, H5T_NATIVE_UINT64);
    assert_true(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Tclose(type);
    H5Dclose(d);
}

static void shard_out_of_range(hid_t file)
{
    set_column(file, "evaluations", "shard", 9);
}
static void wrong_image_count(hid_t file)
{
    set_column(file, "evaluations", "n_images", 4000000000u);
}
static void wrong_counts(hid_t file)
{
    set_column(file, "evaluations", "n_top1", 1);
}
static void unknown_trial(hid_t file)
{
    set_column(file, "evaluations", "trial_id", 1);
}
static void wrong_id(hid_t file)
{
    set_column(file, "trials", "trial_id", 5);
}
static void wrong_label(hid_t file)
{
    set_column(file, "baseline", "label", 70000);
}
static void not_measured(hid_t file)
{
    set_column(file, "baseline", "measured", 0);
}
static void wrong_set(hid_t file)
{
    set_column(file, "baseline", "set", 1);
}
static void wrong_search(hid_t file)
{
    set_column(file, "searches", "search", 3);
}
static void wrong_asked(hid_t file)
{
    set_column(file, "asked", "search", 0);
}
static void no_such_search(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "current_search", 2, NULL), QSV_OK);
}
static void too_many_images(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "n_judge_images", UINT64_MAX, NULL), QSV_OK);
}
static void more_images(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "n_judge_images", 4000000000u, NULL), QSV_OK);
}
static void no_shard_size(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "identity_shard_images", 0, NULL), QSV_OK);
}
static void more_layers(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "n_layers", UINT32_MAX, NULL), QSV_OK);
}
static void wide_layers(hid_t file)
{
    assert_int_equal(qsv_h5_set_u64(file, "n_layers", UINT64_MAX, NULL), QSV_OK);
}
static void no_version(hid_t file)
{
    assert_true(H5Adelete(file, "schema_version") >= 0);
}
static void text_version(hid_t file)
{
    assert_int_equal(qsv_h5_set_string(file, "schema_version", "1", NULL), QSV_OK);
}
static void no_constants(hid_t file)
{
    assert_true(H5Adelete(file, "energy_constants_pj") >= 0);
}
static void no_trials(hid_t file)
{
    assert_true(H5Ldelete(file, "trials", H5P_DEFAULT) >= 0);
}
static void no_arrays(hid_t file)
{
    assert_true(H5Ldelete(file, "records", H5P_DEFAULT) >= 0);
}
static void group_for_table(hid_t file)
{
    no_trials(file);
    H5Gclose(H5Gcreate2(file, "trials", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void loop_of_links(hid_t file)
{
    no_trials(file);
    assert_true(H5Lcreate_soft("/trials", file, "trials", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}
static void other_file(hid_t file)
{
    no_trials(file);
    assert_true(H5Lcreate_external("/etc/passwd", "/trials", file, "trials", H5P_DEFAULT,
                                   H5P_DEFAULT) >= 0);
}

static void replace_dataset(hid_t file, const char *name, hid_t type, unsigned rank,
                            const hsize_t *dims)
{
    hsize_t chunk[2] = {1, 1};
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple((int)rank, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, (int)rank, chunk);
    hid_t d = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(d >= 0);
    H5Dclose(d);
    H5Pclose(list);
    H5Sclose(space);
}

static void huge_settings(hid_t file)
{
    replace_dataset(file, "settings", H5T_STD_U8LE, 2, (hsize_t[]){1ull << 40, N_LAYERS});
}
static void flat_settings(hid_t file)
{
    replace_dataset(file, "settings", H5T_STD_U8LE, 1, (hsize_t[]){12});
}
static void text_settings(hid_t file)
{
    replace_dataset(file, "settings", H5T_C_S1, 2, (hsize_t[]){2, N_LAYERS});
}
static void plain_trials(hid_t file)
{
    replace_dataset(file, "trials", H5T_STD_U64LE, 1, (hsize_t[]){2});
}
static void huge_trials(hid_t file)
{
    hid_t d = H5Dopen2(file, "trials", H5P_DEFAULT), type = H5Dget_type(d);
    H5Dclose(d);
    replace_dataset(file, "trials", type, 1, (hsize_t[]){1ull << 40});
    H5Tclose(type);
}
static void fewer_bits(hid_t file)
{
    replace_dataset(file, "correct_bits", H5T_STD_U8LE, 2, (hsize_t[]){2, 9});
}
static void variable_names(hid_t file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(char *) * 2), text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tinsert(type, "name", 0, text);
    H5Tinsert(type, "kind", sizeof(char *), text);
    replace_dataset(file, "sites", type, 1, (hsize_t[]){N_SITES});
    H5Tclose(text);
    H5Tclose(type);
}

/* Seals what another program has changed. */
static void seal_again(void)
{
    uint8_t *bytes;
    size_t n;
    assert_int_equal(qsv_file_read(&bytes, &n, results, 1 << 24, NULL), QSV_OK);
    qsv_seal_make(bytes, bytes + QSV_SEAL_BYTES, n - QSV_SEAL_BYTES);
    assert_int_equal(qsv_file_write(results, bytes, n, NULL), QSV_OK);
    free(bytes);
}

static void contents_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*damage)(hid_t file);
        const char *message;
    } cases[] = {
        {shard_out_of_range, "on shard 9"},
        {wrong_image_count, "4000000000 images"},
        {wrong_counts, "record of trial"},
        {unknown_trial, "unknown trial"},
        {wrong_id, "is that of trial"},
        {wrong_label, "lacks the answer"},
        {not_measured, "lacks the answer"},
        {wrong_set, "another set"},
        {wrong_search, "'searches' has search 3"},
        {wrong_asked, "'asked' names search 0 of 1"},
        {no_such_search, "'searches' names search 2 of 1"},
        {too_many_images, "judging and"},
        {more_images, "'baseline' has 78 rows"},
        {no_shard_size, "in shards of 0"},
        {more_layers, "'layers' has 6 rows"},
        {wide_layers, "expected at most 4294967295"},
        {no_version, "'schema_version' is missing"},
        {text_version, "'schema_version' is missing or not"},
        {no_constants, "energy_constants_pj"},
        {no_trials, "no dataset 'trials'"},
        {no_arrays, "no group 'records'"},
        {group_for_table, "'trials'"},
        {loop_of_links, "no dataset 'trials'"},
        {other_file, "no dataset 'trials'"},
        {huge_settings, "larger than"},
        {flat_settings, "1 dimensions, expected 2"},
        {text_settings, "settings"},
        {plain_trials, "is not a table"},
        {huge_trials, "larger than"},
        {fewer_bits, "2 x 9, expected 2 x 10"},
        {variable_names, "no column 'name' of the expected type"},
    };
    uint8_t *good;
    size_t bytes;
    assert_int_equal(qsv_file_read(&good, &bytes, results, 1 << 24, NULL), QSV_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_error err = {0};
        hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(file >= 0);
        cases[i].damage(file);
        assert_int_equal(qsv_h5_close(file, results, NULL), QSV_OK);
        seal_again();
        enum qsv_status st = open_results(&err);
        if (st != QSV_EINPUT || !strstr(err.text, cases[i].message))
            fail_msg("case %zu: status %d: '%s' does not say '%s'", i, (int)st, err.text,
                     cases[i].message);
        assert_int_equal(qsv_file_write(results, good, bytes, NULL), QSV_OK);
    }
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_results_are_refused),
        cmocka_unit_test(truncated_segments_are_left_out),
        cmocka_unit_test(changed_results_are_refused),
        cmocka_unit_test(changed_segments_are_refused),
        cmocka_unit_test(contents_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
