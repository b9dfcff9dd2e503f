/* Reading ahead: the same pixels, labels and errors whatever the threads do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include <png.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "runner/inputs/ahead.h"
#include "tests/unit/allocated.h"
#include "tests/unit/runner/tiny.h"

/* An image is larger than what a thread reads at once: several read a portion. */
enum {
    N_PORTIONS = 12,
    PORTION = 7,
    N_NUMBERS = N_PORTIONS * PORTION,
    MOST_THREADS = 8,
    CROP = 160
};

struct source {
    struct qsv_images images;
    uint32_t numbers[N_NUMBERS];
    size_t image_bytes;
};

/* The last one is shorter. */
static struct qsv_portion find(void *context, uint64_t portion)
{
    struct source *s = context;
    return (struct qsv_portion){&s->images, s->numbers + portion * PORTION,
                                portion == N_PORTIONS - 1 ? 3 : PORTION};
}

static void open_source(struct source *s, const char *path, uint32_t crop, uint32_t factor)
{
    const struct qsv_dataset_source source = {.images = path,
                                              .transform = {crop + 8, crop, QSV_BICUBIC}};
    struct qsv_rng rng;
    *s = (struct source){.images = {.factor = factor}};
    assert_int_equal(qsv_dataset_open_again(&s->images.dataset, &source, &err), QSV_OK);
    s->images.shape = qsv_dataset_shape(s->images.dataset);
    s->images.shape.h *= factor;
    s->images.shape.w *= factor;
    s->image_bytes = qsv_images_bytes(&s->images);
    qsv_rng_seed(&rng, 3);
    for (uint32_t i = 0; i < N_NUMBERS; i++)
        s->numbers[i] =
            (uint32_t)(qsv_rng_unit(&rng) * (double)qsv_dataset_count(s->images.dataset));
}

static struct qsv_ahead *make(struct source *s, uint32_t threads, size_t max_bytes)
{
    const struct qsv_ahead_setup setup = {s, find, threads, max_bytes};
    struct qsv_ahead *a;
    assert_int_equal(qsv_ahead_create(&a, &setup, &err), QSV_OK);
    return a;
}

/* Reads a portion without any of this. */
static void assert_right(struct source *s, uint64_t portion, const struct qsv_pixels *got)
{
    const struct qsv_portion p = find(s, portion);
    uint8_t *pixels = malloc(p.n * s->image_bytes);
    uint32_t labels[PORTION];
    assert_non_null(pixels);
    assert_int_equal(qsv_images_read(&s->images, p.numbers, p.n, pixels, labels, &err), QSV_OK);
    assert_int_equal(got->n, p.n);
    assert_memory_equal(got->pixels, pixels, p.n * s->image_bytes);
    assert_memory_equal(got->labels, labels, p.n * sizeof *labels);
    free(pixels);
}

static void take(struct source *s, struct qsv_ahead *a, uint64_t portion)
{
    struct qsv_pixels got;
    if (qsv_ahead_take(a, portion, &got, NULL, &err))
        fail_msg("%s", err.text);
    assert_right(s, portion, &got);
    qsv_pixels_fini(&got);
}

static void expect_all(struct qsv_ahead *a)
{
    for (uint64_t k = 0; k < N_PORTIONS; k++)
        qsv_ahead_expect(a, k);
}

static void threads_and_formats_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint32_t crop, factor;
    } sources[] = {{"tests/data/images", CROP, 1}, {"tests/data/tiny_images.h5", 0, 2}};
    for (size_t i = 0; i < 2; i++) {
        struct source s;
        open_source(&s, sources[i].path, sources[i].crop, sources[i].factor);
        assert_true(qsv_dataset_is_concurrent(s.images.dataset));
        for (uint32_t threads = 0; threads <= MOST_THREADS; threads++) {
            struct qsv_ahead *a = make(&s, threads, 3 * PORTION * s.image_bytes);
            expect_all(a);
            for (uint64_t k = 0; k < N_PORTIONS; k++)
                take(&s, a, k);
            assert_true(qsv_ahead_waited_s(a) > 0);
            qsv_ahead_destroy(a);
        }
        qsv_dataset_close(s.images.dataset);
    }
}

/* Taken as they come: never expected, expected twice, passed over, expected anew. */
static void any_order_will_do(void **state)
{
    (void)state;
    struct source s;
    struct qsv_rng rng;
    open_source(&s, "tests/data/images", CROP, 1);
    qsv_rng_seed(&rng, 4);
    for (uint32_t threads = 0; threads < 4; threads++) {
        struct qsv_ahead *a = make(&s, threads, 2 * PORTION * s.image_bytes);
        for (int i = 0; i < 60; i++) {
            for (int k = 0; k < 2; k++)
                qsv_ahead_expect(a, (uint64_t)(qsv_rng_unit(&rng) * N_PORTIONS));
            take(&s, a, (uint64_t)(qsv_rng_unit(&rng) * N_PORTIONS));
        }
        qsv_ahead_destroy(a);
    }
    qsv_dataset_close(s.images.dataset);
}

static void wait_until_read(struct qsv_ahead *a, size_t bytes)
{
    for (int i = 0; i < 10000 && qsv_ahead_peak_bytes(a) < bytes; i++)
        qsv_clock_nap_s(1e-3);
    assert_true(qsv_ahead_peak_bytes(a) >= bytes);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct source s;
    open_source(&s, "tests/data/images", CROP, 1);
    const size_t portion = PORTION * (s.image_bytes + sizeof(uint32_t));
    static const size_t bounds[] = {0, 1, 2, 5};
    for (size_t i = 0; i < 4; i++) {
        struct qsv_ahead *a = make(&s, 3, bounds[i] * portion + 1);
        const size_t most = bounds[i] ? bounds[i] : 1; /* one of any size */
        expect_all(a);
        wait_until_read(a, most * portion);
        for (uint64_t k = 0; k < N_PORTIONS; k++) {
            take(&s, a, k);
            assert_true(qsv_ahead_peak_bytes(a) <= most * portion);
        }
        /* One that nobody expected comes on top. */
        expect_all(a);
        wait_until_read(a, most * portion);
        take(&s, a, 0);
        qsv_ahead_expect(a, 0);
        take(&s, a, N_PORTIONS - 1);
        assert_true(qsv_ahead_peak_bytes(a) <= (most + 1) * portion);
        qsv_ahead_destroy(a);
    }
    qsv_dataset_close(s.images.dataset);
}

/* What is passed over is given up, so that there is room for what comes. */
static void what_is_passed_over_makes_room(void **state)
{
    (void)state;
    struct source s;
    struct qsv_pixels got = {0};
    volatile sig_atomic_t stop = 1; /* waits for nothing */
    open_source(&s, "tests/data/images", CROP, 1);
    struct qsv_ahead *a = make(&s, 2, 2 * PORTION * (s.image_bytes + sizeof(uint32_t)));
    for (uint64_t k = 0; k < 6; k++)
        qsv_ahead_expect(a, k);
    take(&s, a, 5);
    enum qsv_status st = QSV_ESTOPPED;
    for (int i = 1; i < 200 && st; i++) {
        qsv_ahead_expect(a, 6);
        qsv_clock_nap_s(1e-3 * i);
        st = qsv_ahead_take(a, 6, &got, &stop, &err);
    }
    assert_int_equal(st, QSV_OK);
    assert_right(&s, 6, &got);
    qsv_pixels_fini(&got);
    qsv_ahead_destroy(a);
    qsv_dataset_close(s.images.dataset);
}

/* A square image that is found to lack its end after all of it was decoded. */
static void write_cut_png(const char *path, uint32_t side)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = side, .height = side, .format = PNG_FORMAT_GRAY};
    uint8_t *pixels = calloc(side, side);
    struct stat info;
    assert_non_null(pixels);
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 10), 0);
    free(pixels);
}

/* Image 15 fails in a few milliseconds, 16 in many, 6 at once. */
static void make_damaged(const struct folder *f)
{
    char text[400];
    snprintf(text, sizeof text,
             "cp -r tests/data/images '%s/d' && echo text >'%s/d/n02099601/cmyk.JPEG'", f->path,
             f->path);
    assert_int_equal(system(text), 0);
    snprintf(text, sizeof text, "%s/d/n03445777/grey.png", f->path);
    write_cut_png(text, 800);
    snprintf(text, sizeof text, "%s/d/n03445777/interlaced.png", f->path);
    write_cut_png(text, 2500);
}

static void the_first_failure_is_named(void **state)
{
    (void)state;
    static const uint32_t numbers[2 * PORTION] = {0, 1, 2, 15, 16, 6, 4, 0, 1, 2, 3, 4, 5, 7};
    struct folder f;
    struct source s;
    char path[100], expected[300];
    uint8_t *pixels = malloc(PORTION * CROP * CROP * 3);
    uint32_t labels[PORTION];
    assert_non_null(pixels);
    make_folder(&f);
    make_damaged(&f);
    snprintf(path, sizeof path, "%s/d", f.path);
    open_source(&s, path, CROP, 1);
    memcpy(s.numbers, numbers, sizeof numbers);
    assert_int_equal(qsv_images_read(&s.images, numbers, PORTION, pixels, labels, &err),
                     QSV_EINPUT);
    snprintf(expected, sizeof expected, "%s", err.text);
    assert_non_null(strstr(expected, "d/n03445777/grey.png: "));
    for (int round = 0; round < 15; round++) {
        struct qsv_ahead *a = make(&s, (uint32_t)round % 5, 1 << 20);
        struct qsv_pixels got;
        qsv_ahead_expect(a, 0);
        qsv_ahead_expect(a, 1);
        assert_int_equal(qsv_ahead_take(a, 0, &got, NULL, &err), QSV_EINPUT);
        assert_string_equal(err.text, expected);
        assert_null(got.pixels);
        take(&s, a, 1);
        assert_int_equal(qsv_ahead_take(a, 0, &got, NULL, NULL), QSV_EINPUT);
        qsv_ahead_expect(a, 0); /* and nobody takes it */
        qsv_ahead_destroy(a);
    }
    free(pixels);
    qsv_dataset_close(s.images.dataset);
    remove_folder(&f);
}

static void a_stop_ends_the_waiting(void **state)
{
    (void)state;
    struct source s;
    open_source(&s, "tests/data/images", CROP, 1);
    for (uint32_t threads = 0; threads < 4; threads++) {
        struct qsv_ahead *a = make(&s, threads, 1 << 20);
        struct qsv_pixels got;
        volatile sig_atomic_t stop = 1;
        assert_int_equal(qsv_ahead_take(a, 2, &got, &stop, &err), QSV_ESTOPPED);
        assert_null(got.pixels);
        stop = 0;
        take(&s, a, 2); /* nothing half done was kept */
        assert_int_equal(qsv_ahead_take(a, 3, &got, &stop, &err), QSV_OK);
        assert_right(&s, 3, &got);
        qsv_pixels_fini(&got);
        qsv_ahead_destroy(a);
    }
    qsv_dataset_close(s.images.dataset);
}

/* At any moment, whatever is being read. */
static void its_end_waits_for_little(void **state)
{
    (void)state;
    struct source s;
    open_source(&s, "tests/data/images", CROP, 1);
    for (int round = 0; round < 60; round++) {
        struct qsv_ahead *a = make(&s, (uint32_t)round % 4, 1 << 20);
        const double began_s = qsv_clock_monotonic_s();
        expect_all(a);
        if (round % 3)
            qsv_clock_nap_s(1e-4 * round);
        if (round % 3 == 2)
            take(&s, a, (uint64_t)round % N_PORTIONS);
        qsv_ahead_destroy(a);
        assert_true(qsv_clock_monotonic_s() - began_s < 20);
    }
    qsv_dataset_close(s.images.dataset);
}

/* As a sweep does for days. */
static void memory_stays_flat(void **state)
{
    (void)state;
    struct source s;
    size_t before = 0;
    open_source(&s, "tests/data/images", CROP, 1);
    struct qsv_ahead *a = make(&s, 2, 1 << 16);
    for (int round = 0; round < 30; round++) {
        expect_all(a);
        for (uint64_t k = round % 2; k < N_PORTIONS; k++)
            take(&s, a, k);
        if (round == 9)
            before = allocated_bytes();
    }
    assert_true(allocated_bytes() < before + 4 * NOISE_BYTES);
    qsv_ahead_destroy(a);
    qsv_dataset_close(s.images.dataset);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    struct source s;
    open_source(&s, "tests/data/images", CROP, 1);
    for (uint32_t threads = 0; threads < 3; threads++) {
        enum qsv_status st = QSV_ENOMEM;
        for (long n = 1; st; n++) {
            struct qsv_pixels got;
            struct qsv_ahead *a = make(&s, threads, 1 << 20);
            assert_true(n < 1000);
            qsv_alloc_fail_at(n);
            qsv_ahead_expect(a, 0);
            st = qsv_ahead_take(a, 0, &got, NULL, &err);
            qsv_alloc_fail_at(0);
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            qsv_pixels_fini(&got);
            take(&s, a, 0);
            qsv_ahead_destroy(a);
        }
    }
    qsv_dataset_close(s.images.dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_formats_change_nothing),
        cmocka_unit_test(any_order_will_do),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(what_is_passed_over_makes_room),
        cmocka_unit_test(the_first_failure_is_named),
        cmocka_unit_test(a_stop_ends_the_waiting),
        cmocka_unit_test(its_end_waits_for_little),
        cmocka_unit_test(memory_stays_flat),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
