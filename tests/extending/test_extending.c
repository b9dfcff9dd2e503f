/* What docs/extending.md adds, each a file beside this one and a line in a list: found by its name
 * in the table, named in messages, and working through the interfaces that everything else uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/constraint.h"
#include "jobs/spec_keys.h"
#include "schedulers/launcher.h"
#include "tests/unit/core/dataset_files.h"
#include "tests/unit/jobs/searches.h"

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name))
        names++;
    return *names != NULL;
}

/* ---- a strategy ---- */

static void test_strategy(void **state)
{
    (void)state;
    assert_non_null(strstr(qsv_strategy_names(), ", first"));
    for (int apart = 0; apart < 2; apart++) {
        struct world *w = world_create(16, 2);
        w->spec.has_calibration = apart;
        struct qsv_selection first = search_by(w, "first"), uniform;
        const uint32_t calls = w->calls, asked = w->asked[QSV_JUDGE] + w->asked[QSV_DECIDE];
        uniform = search_by(w, "uniform");
        assert_true(first.meets && first.trial_id == uniform.trial_id);
        assert_true(asked < w->asked[QSV_JUDGE] + w->asked[QSV_DECIDE]);
        assert_int_equal(first.baseline.n_images, first.judged.n_images);
        qsv_selection_fini(&first);
        qsv_selection_fini(&uniform);
        assert_same_questions(w, "first");
        assert_ends_with_evaluator(w, "first", calls);
        assert_ends_without_memory(w, "first", 5);
        world_destroy(w);
    }
}

/* ---- a quantizer ---- */

static void test_quantizer(void **state)
{
    (void)state;
    const float weights[] = {0.3f, -0.7f, 1.1f, 0.02f, -0.01f, 0.003f};
    const struct qsv_quantizer q = {qsv_quantizer_find("power"), QSV_SCALE_MAX, QSV_F32};
    int8_t codes[6];
    float scale[2];
    assert_string_equal(q.name, "power");
    assert_true(is_among(qsv_spec_key_find("quantizer.method")->choices, "power"));
    assert_non_null(strstr(qsv_quantizer_names(), ", power"));
    assert_false(qsv_quantizer_needs_statistics(&q));
    qsv_quantize(&q, QSV_INT4, weights, 2, 3, codes, scale);
    /* Largest / 7: 0.157 and 0.00286; 1/8 and 1/256 are the nearest powers. */
    assert_true(scale[0] == 0.125f && scale[1] == 0.00390625f);
    static const int8_t expected[] = {2, -6, 7, 5, -3, 1};
    assert_memory_equal(codes, expected, sizeof expected);
    qsv_quantize(&q, QSV_NONE, weights, 2, 3, codes, scale);
    assert_true(scale[0] == 1 && codes[0] == 0);
}

/* ---- a reader ---- */

static const char pgm[] = "P5\n2 6\n255\nabcdefghijkl";

static void test_reader(void **state)
{
    (void)state;
    static const uint8_t classes[] = {3, 0, 9};
    struct qsv_dataset_source s = {.images = in_folder("pgm"), .labels = in_folder("classes")};
    struct qsv_dataset *d;
    assert_true(is_among(qsv_spec_key_find("dataset.format")->choices, "pgm"));
    write_bytes("pgm", pgm, sizeof pgm - 1);
    write_bytes("classes", classes, sizeof classes);
    for (int by_name = 0; by_name < 2; by_name++) {
        s.format = by_name ? "pgm" : NULL;
        assert_int_equal(qsv_dataset_open(&d, &s, NULL), QSV_OK);
        assert_int_equal(qsv_dataset_count(d), 3);
        for (uint32_t i = 0; i < 3; i++) {
            uint8_t pixels[4];
            uint32_t label;
            assert_int_equal(qsv_dataset_read(d, i, pixels, &label, NULL), QSV_OK);
            assert_memory_equal(pixels, pgm + sizeof pgm - 1 - 12 + 4 * i, 4);
            assert_int_equal(label, classes[i]);
        }
        qsv_dataset_close(d);
    }
}

/* Every part of a good file, and every byte of its header changed in every way. */
static void test_reader_of_damaged_files(void **state)
{
    (void)state;
    const struct qsv_dataset_source s = {
        .format = "pgm", .images = in_folder("bad"), .labels = in_folder("classes")};
    struct qsv_dataset *d;
    for (size_t n = 0; n < sizeof pgm - 1; n++) {
        write_bytes("bad", pgm, n);
        assert_int_equal(qsv_dataset_open(&d, &s, NULL), QSV_EINPUT);
    }
    for (size_t at = 0; at < 11; at++)
        for (int value = 0; value < 256; value++) {
            char text[sizeof pgm];
            memcpy(text, pgm, sizeof pgm);
            text[at] = (char)value;
            write_bytes("bad", text, sizeof pgm - 1);
            enum qsv_status st = qsv_dataset_open(&d, &s, NULL);
            assert_true(st == QSV_OK || st == QSV_EINPUT);
            if (!st)
                qsv_dataset_close(d);
        }
}

/* ---- a launcher ---- */

static void test_launcher(void **state)
{
    (void)state;
    char *options[] = {"--oversubscribe"};
    const struct qsv_spec_scheduler how = {.mpi = "pmix", .launcher_options = {options, 1}};
    const struct qsv_launch launch = {.ranks = 3, .how = &how};
    static const char *const expected[] = {
        "timeout", "--foreground",   "--preserve-status", "--signal=USR1", "1h", "mpirun", "-np",
        "3",       "--oversubscribe"};
    enum { N = sizeof expected / sizeof *expected };
    struct qsv_words words = {0};
    assert_non_null(strstr(qsv_launcher_names(), ", hour"));
    qsv_launcher_find("hour")->words(&words, &launch);
    assert_false(words.failed);
    assert_int_equal(words.n, N);
    for (size_t i = 0; i < N; i++)
        assert_string_equal(words.list[i], expected[i]);
    qsv_words_fini(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategy), cmocka_unit_test(test_quantizer),
        cmocka_unit_test(test_reader),   cmocka_unit_test(test_reader_of_damaged_files),
        cmocka_unit_test(test_launcher),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
