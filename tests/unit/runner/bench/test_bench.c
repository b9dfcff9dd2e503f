/* Benchmarks of layers, models and tries: that they measure what they say. Never how long it took.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/model.h"
#include "runner/bench/bench_kernels.h"
#include "runner/bench/bench_models.h"
#include "runner/bench/bench_probe.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static int load(void **state)
{
    struct qsv_model *m;
    OK(qsv_model_load(&m, "tests/data/tiny.h5", &err));
    *state = m;
    return 0;
}

static int unload(void **state)
{
    qsv_model_destroy(*state);
    return 0;
}

static struct qsv_bench_kernels_setup setup_of(const struct qsv_model *m)
{
    return (struct qsv_bench_kernels_setup){.model = m,
                                            .formats = {QSV_INT4, QSV_F32},
                                            .n_formats = 2,
                                            .rates = {0.1, 0.3},
                                            .n_rates = 2,
                                            .batch = 4,
                                            .rounds = 1,
                                            .only = -1,
                                            .seed = 1};
}

static const struct qsv_layer *layer_named(const struct qsv_model *m, const char *name)
{
    for (size_t l = 0; l < m->graph.n_layers; l++)
        if (!strcmp(m->graph.layers[l].name, name))
            return &m->graph.layers[l];
    return NULL;
}

static void test_every_layer_counts_once(void **state)
{
    const struct qsv_model *m = *state;
    const struct qsv_bench_kernels_setup setup = setup_of(m);
    struct qsv_bench_kernels k;
    size_t layers = 0, attentions = 0;
    OK(qsv_bench_kernels_run(&k, &setup, &err));
    for (size_t i = 0; i < k.n; i++) {
        const struct qsv_bench_kernel *r = &k.v[i];
        const bool fires = qsv_bench_kind_fires(r->kind);
        assert_true(r->seconds > 0);
        if (r->kind == QSV_KIND_LIF)
            continue;
        assert_true(fires == (r->rate_asked > 0));
        if (r->format != QSV_INT4 || r->rate_asked != (fires ? 0.3 : 0))
            continue;
        if (r->kind == QSV_KIND_ATTENTION) {
            attentions += r->count;
            continue;
        }
        const struct qsv_layer *l = layer_named(m, r->layer);
        layers += r->count;
        assert_non_null(l);
        assert_int_equal(r->macs, l->macs);
        assert_int_equal(r->kind, qsv_bench_kind_of(l));
        assert_int_equal(r->frames, 4 * (r->kind == QSV_KIND_STEM ? 1 : m->options.time_steps));
    }
    assert_int_equal(layers, m->graph.n_layers);
    assert_int_equal(attentions, m->graph.n_attentions);
    assert_true(qsv_bench_kernels_gmacs(&k, QSV_KIND_CONV3, QSV_INT4, 0.3) > 0);
    assert_true(qsv_bench_kernels_gmacs(&k, QSV_KIND_CONV3, QSV_INT4, 0.2) == 0);
    qsv_bench_kernels_fini(&k);
}

static void test_only_one_kind(void **state)
{
    struct qsv_bench_kernels_setup setup = setup_of(*state);
    for (int kind = 0; kind < QSV_KIND_ADD; kind++) {
        struct qsv_bench_kernels k;
        setup.only = kind;
        OK(qsv_bench_kernels_run(&k, &setup, &err));
        assert_true(k.n > 0);
        for (size_t i = 0; i < k.n; i++)
            assert_int_equal(k.v[i].kind, kind);
        qsv_bench_kernels_fini(&k);
    }
}

static void test_throughput_weighs_by_count(void **state)
{
    struct qsv_bench_kernel rows[] = {
        {.kind = QSV_KIND_CONV1, .count = 3, .macs = 1000000, .frames = 2, .seconds = 1e-3},
        {.kind = QSV_KIND_CONV1, .count = 1, .macs = 4000000, .frames = 1, .seconds = 7e-3},
        {.kind = QSV_KIND_CONV3, .count = 9, .macs = 1, .frames = 1, .seconds = 1},
    };
    const struct qsv_bench_kernels k = {rows, 3, 3};
    (void)state;
    assert_float_equal(qsv_bench_kernel_gmacs(&rows[0]), 2, 1e-9);
    /* (3 x 2e6 + 4e6) / (3 x 1e-3 + 7e-3) */
    assert_float_equal(qsv_bench_kernels_gmacs(&k, QSV_KIND_CONV1, QSV_F32, 0), 1, 1e-9);
}

/* Neurons of a few thousand inputs each come within a point of what was asked for. */
static void test_probes_fire_at_the_rate(void **state)
{
    static const double rates[] = {0.05, 0.1, 0.2, 0.3, 0.7};
    const struct qsv_model *m = *state;
    struct qsv_probe p;
    uint32_t conv = 0;
    while (qsv_bench_kind_of(&m->graph.layers[conv]) != QSV_KIND_CONV3)
        conv++;
    OK(qsv_probe_chain(&p, m, conv, 16, 1, &err));
    assert_true(p.fires);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        OK(qsv_probe_set_rate(&p, rates[i], &err));
        OK(qsv_probe_run(&p, QSV_INT4, &err));
        assert_float_equal(p.rate, rates[i], 0.02);
    }
    qsv_probe_fini(&p);
}

static void test_median(void **state)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 9}, one[] = {7};
    (void)state;
    assert_float_equal(qsv_bench_median(odd, 3), 3, 0);
    assert_float_equal(qsv_bench_median(even, 4), 3.5, 0);
    assert_float_equal(qsv_bench_median(one, 1), 7, 0);
}

static struct qsv_bench_models_setup models_setup(const struct qsv_model *m, uint32_t threads)
{
    return (struct qsv_bench_models_setup){.model = m,
                                           .formats = {QSV_INT4, QSV_F32},
                                           .n_formats = 2,
                                           .batch = 4,
                                           .threads = threads,
                                           .rounds = 2,
                                           .round_s = 0.001,
                                           .seed = 1};
}

static void test_profile_adds_up(void **state)
{
    const struct qsv_model *m = *state;
    struct qsv_bench_model b[2][2];
    double macs = 0;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        const struct qsv_bench_models_setup setup = models_setup(m, threads);
        OK(qsv_bench_models_run(b[threads - 1], &setup, &err));
    }
    for (size_t l = 0; l < m->graph.n_layers; l++)
        macs += (double)m->graph.layers[l].macs *
                (m->graph.nodes[m->graph.layers[l].node].per_step ? m->options.time_steps : 1);
    for (int f = 0; f < 2; f++) {
        double sum = 0;
        for (int k = 0; k < QSV_N_KINDS; k++) {
            assert_true(b[0][f].kind_s[k] > 0);
            sum += k < QSV_KIND_ATTENTION ? b[0][f].kind_macs[k] : 0;
        }
        assert_float_equal(sum, macs, 0.5);
        assert_true(b[0][f].images_per_s > 0 && b[0][f].slowest <= b[0][f].images_per_s &&
                    b[0][f].images_per_s <= b[0][f].fastest);
        assert_true(b[0][f].rate > 0 && b[0][f].rate < 1);
        assert_true(b[0][f].rate == b[1][f].rate);
    }
}

static void test_trie_counts_forwards(void **state)
{
    const struct qsv_model *m = *state;
    const struct qsv_bench_models_setup setup = models_setup(m, 1);
    struct qsv_bench_trie t;
    OK(qsv_bench_trie_run(&t, &setup, &err));
    /* int4 in every layer, and the baseline, which f32 in every layer is once more */
    const uint64_t layers = m->graph.n_layers;
    assert_int_equal(t.networks, 1 + 2 * layers);
    assert_int_equal(t.alone.layer_forwards_done, t.networks * layers * setup.batch);
    assert_int_equal(t.together.layer_forwards_asked, t.alone.layer_forwards_asked);
    /* The baseline's layers, and of the network that leaves it at layer l those from l on. */
    assert_int_equal(t.together.layer_forwards_done,
                     (layers + layers * (layers + 1) / 2) * setup.batch);
}

static enum qsv_status run_all(const struct qsv_model *m, struct qsv_error *err)
{
    struct qsv_bench_kernels_setup layers = setup_of(m);
    const struct qsv_bench_models_setup models = models_setup(m, 1);
    struct qsv_bench_kernels k;
    struct qsv_bench_model b[2];
    struct qsv_bench_trie t;
    layers.only = QSV_KIND_ATTENTION;
    enum qsv_status st = qsv_bench_kernels_run(&k, &layers, err);
    if (!st)
        qsv_bench_kernels_fini(&k);
    if (!st)
        st = qsv_bench_models_run(b, &models, err);
    return st ? st : qsv_bench_trie_run(&t, &models, err);
}

/* What is left behind then, the address sanitizer tells. */
static void test_memory_runs_out(void **state)
{
    for (long n = 1;; n += 1 + n / 20) {
        struct qsv_error err = {0};
        qsv_alloc_fail_at(n);
        const enum qsv_status st = run_all(*state, &err);
        qsv_alloc_fail_at(0);
        if (!st)
            return;
        assert_int_equal(st, QSV_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer_counts_once),
        cmocka_unit_test(test_only_one_kind),
        cmocka_unit_test(test_throughput_weighs_by_count),
        cmocka_unit_test(test_probes_fire_at_the_rate),
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_profile_adds_up),
        cmocka_unit_test(test_trie_counts_forwards),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
