/* Random models: shapes, firing rates, determinism, refusals. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/synth.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

enum { PASSES = 24 };

static struct qsv_synth small(void)
{
    struct qsv_synth s = qsv_synth_default();
    memcpy(s.widths, (uint32_t[]){8, 16, 24, 32}, sizeof s.widths);
    memcpy(s.depths, (uint32_t[]){2, 1}, sizeof s.depths);
    s.classes = 10;
    s.options.heads = 2;
    s.options.time_steps = 2;
    s.options.input = (struct qsv_shape){3, 64, 64};
    return s;
}

/* Of LIFs that are held to it, on images that the norms were not set with. */
static double mean_rate(const struct qsv_model *m, double *lowest, double *highest)
{
    const struct qsv_graph *g = &m->graph;
    double *rates = calloc(g->n_lifs, sizeof *rates), sum = 0;
    size_t held = 0;
    OK(qsv_synth_rates(rates, m, 99, &err));
    *lowest = 1;
    *highest = 0;
    for (uint32_t i = 0; i < g->n_lifs; i++) {
        if (!qsv_synth_is_held(g, i))
            continue;
        held++;
        sum += rates[i];
        *lowest = fmin(*lowest, rates[i]);
        *highest = fmax(*highest, rates[i]);
    }
    assert_int_equal(held, g->n_lifs - g->n_attentions);
    free(rates);
    return sum / (double)held;
}

static void test_rate_is_reached(void **state)
{
    static const double asked[] = {0.1, 0.3};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct qsv_synth s = small();
        struct qsv_model *m;
        double lowest, highest;
        s.rate = asked[i];
        OK(qsv_synth_make_firing(&m, &s, PASSES, &err));
        const double mean = mean_rate(m, &lowest, &highest);
        if (fabs(mean / asked[i] - 1) > 0.1 || lowest < 0.5 * asked[i] || highest > 1.6 * asked[i])
            fail_msg("asked for %g: mean %g, %g to %g", asked[i], mean, lowest, highest);
        qsv_model_destroy(m);
    }
}

static void test_untuned_fires_elsewhere(void **state)
{
    struct qsv_synth s = small();
    struct qsv_model *m;
    double lowest, highest;
    (void)state;
    s.rate = 0.1;
    OK(qsv_synth_make(&m, &s, &err));
    mean_rate(m, &lowest, &highest);
    assert_true(lowest < 0.05 || highest > 0.16); /* else the test above shows nothing */
    qsv_model_destroy(m);
}

static uint64_t hash_of(const struct qsv_synth *s)
{
    struct qsv_model *m;
    OK(qsv_synth_make_firing(&m, s, 3, &err));
    const uint64_t hash = m->hash;
    qsv_model_destroy(m);
    return hash;
}

static void test_seed_decides(void **state)
{
    struct qsv_synth s = small();
    (void)state;
    s.options.input = (struct qsv_shape){1, 32, 32};
    const uint64_t hash = hash_of(&s);
    assert_int_equal(hash, hash_of(&s));
    s.seed++;
    assert_int_not_equal(hash, hash_of(&s));
}

static void test_instruction_sets_agree(void **state)
{
    struct qsv_synth s = small();
    (void)state;
    s.options.input = (struct qsv_shape){1, 32, 32};
    const uint64_t hash = hash_of(&s);
    setenv("QSV_ISA", "scalar", 1);
    assert_int_equal(hash, hash_of(&s));
    unsetenv("QSV_ISA");
}

static void test_shape(void **state)
{
    struct qsv_synth s = small();
    struct qsv_model *m, *loaded;
    char path[] = "/tmp/qsv-synth-XXXXXX";
    (void)state;
    s.kd = true;
    OK(qsv_synth_make_firing(&m, &s, 1, &err));
    /* 5 downsamplings, 5 a convolution block, 14 a transformer block, 2 heads */
    assert_int_equal(m->graph.n_layers, 5 + 4 * 5 + 3 * 14 + 2);
    assert_int_equal(m->graph.n_attentions, 3);
    assert_int_equal(m->classes, 10);
    assert_int_equal(m->graph.layers[0].out_ch, 4);
    assert_false(m->folded);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    OK(qsv_model_save(m, path, &err));
    OK(qsv_model_load(&loaded, path, &err));
    assert_int_equal(loaded->hash, m->hash); /* it is that of the tensors as they were tuned */
    qsv_model_destroy(loaded);
    qsv_model_destroy(m);
    unlink(path);
}

static void test_published_has_31_million_weights(void **state)
{
    const struct qsv_synth s = qsv_synth_default();
    struct qsv_model *m;
    (void)state;
    OK(qsv_synth_make(&m, &s, &err));
    assert_int_equal(m->graph.n_layers, 138);
    assert_in_range(m->graph.n_weights, 31000000, 31400000);
    qsv_model_destroy(m);
}

static void refuse(struct qsv_synth s, const char *text)
{
    struct qsv_model *m = NULL;
    struct qsv_error err = {0};
    enum qsv_status st = qsv_synth_make(&m, &s, &err);
    if (!st || m || !strstr(err.text, text))
        fail_msg("expected '%s', status %d: '%s'", text, st, err.text);
    assert_true(st == QSV_EUSAGE || st == QSV_EINPUT);
}

static void test_refusals(void **state)
{
    struct qsv_synth s;
    (void)state;
    s = small(), s.widths[0] = 9;
    refuse(s, "the first width is 9: it must be even");
    s = small(), s.widths[1] = 0;
    refuse(s, "width 0");
    s = small(), s.widths[3] = 1 << 20;
    refuse(s, "width 1048576");
    s = small(), s.widths[2] = 25;
    refuse(s, "third width is 25, which 2 attention heads do not divide");
    s = small(), s.widths[3] = 33;
    refuse(s, "fourth width is 33");
    s = small(), s.depths[1] = 0;
    refuse(s, "depth 0");
    s = small(), s.classes = 0;
    refuse(s, "0 classes");
    s = small(), s.options.heads = 0;
    refuse(s, "0 attention heads");
    s = small(), s.rate = 1;
    refuse(s, "firing rate 1");
    s = small(), s.rate = NAN;
    refuse(s, "firing rate");
    s = small(), s.options.time_steps = 0;
    refuse(s, "time steps");
    s = small(), s.options.input.h = 0;
    refuse(s, "input 3x0x64");
}

static void test_memory_runs_out(void **state)
{
    struct qsv_synth s = small();
    (void)state;
    s.options.input = (struct qsv_shape){1, 16, 16};
    s.depths[0] = 1;
    for (long n = 1;; n += n < 40 ? 1 : 97) {
        struct qsv_model *m = NULL;
        struct qsv_error err = {0};
        qsv_alloc_fail_at(n);
        enum qsv_status st = qsv_synth_make_firing(&m, &s, 1, &err);
        qsv_alloc_fail_at(0);
        if (!st) {
            qsv_model_destroy(m);
            return;
        }
        assert_int_equal(st, QSV_ENOMEM);
        assert_null(m);
    }
}

static void test_images(void **state)
{
    const struct qsv_shape shape = {3, 20, 12};
    enum { N = 3, BYTES = 3 * 20 * 12 };
    uint8_t a[N * BYTES], b[N * BYTES];
    unsigned sum = 0;
    (void)state;
    qsv_synth_images(a, N, shape, 5);
    qsv_synth_images(b, N, shape, 5);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, a + BYTES, BYTES);
    qsv_synth_images(b, N, shape, 6);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        sum += a[i];
    assert_in_range(sum / sizeof a, 110, 145);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_is_reached),
        cmocka_unit_test(test_untuned_fires_elsewhere),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_instruction_sets_agree),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_published_has_31_million_weights),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
