/* The engine on several threads: the same bits as on one; stops and failures end all lanes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/engine.h"
#include "tests/unit/allocated.h"

enum { IMAGES = 7, NETS = 5, MAX_CLASSES = 8, MAX_LIFS = 128, MAX_SITES = 256, MAX_SUMS = 8192 };

static const struct qsv_quantizer quantizer = {"round", QSV_SCALE_MSE, QSV_F32};

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

/* Networks that agree up to some layer, so that every lane walks a trie. */
struct fixture {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_network *nets[NETS];
    uint8_t *pixels;
};

struct result { /* of one network */
    float logits[IMAGES * MAX_CLASSES];
    uint64_t lif_spikes[MAX_LIFS], site_ac[MAX_SITES];
    int64_t potentials[MAX_SUMS];
};

static int setup(void **state)
{
    struct fixture *f = qsv_alloc(1, sizeof *f);
    struct qsv_rng r;
    uint8_t formats[512] = {0};
    *state = f;
    qsv_rng_seed(&r, 17);
    OK(qsv_model_load(&f->model, "tests/data/golden/kd_model.h5", &err));
    OK(qsv_bank_create(&f->bank, f->model, &quantizer, &err));
    const struct qsv_graph *g = &f->model->graph;
    for (int i = 0; i < NETS; i++) {
        for (size_t l = g->n_layers * (size_t)i / NETS; l < g->n_layers; l++)
            formats[l] = (uint8_t)qsv_rng_below(&r, QSV_N_FORMATS);
        OK(qsv_network_create(&f->nets[i], f->model, f->bank, formats, &err));
    }
    struct qsv_shape s = f->model->options.input;
    size_t bytes = (size_t)IMAGES * s.c * s.h * s.w;
    f->pixels = qsv_alloc(bytes, 1);
    for (size_t i = 0; i < bytes; i++)
        f->pixels[i] = (uint8_t)qsv_rng_next(&r);
    assert_true(f->model->classes <= MAX_CLASSES && g->n_lifs <= MAX_LIFS);
    assert_true(g->n_layers + g->n_attentions <= MAX_SITES);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < NETS; i++)
        qsv_network_destroy(f->nets[i]);
    qsv_bank_destroy(f->bank);
    qsv_model_destroy(f->model);
    free(f->pixels);
    free(f);
    return 0;
}

static struct qsv_engine *engine_of(struct fixture *f, uint32_t threads)
{
    struct qsv_engine *e;
    OK(qsv_engine_create(&e, f->model, IMAGES, &err));
    OK(qsv_engine_use_threads(e, threads, &err));
    assert_true(qsv_engine_potential_count(e) <= MAX_SUMS);
    return e;
}

static enum qsv_status try_run(struct fixture *f, struct qsv_engine *e, uint32_t n,
                               struct result *results, const volatile sig_atomic_t *stop,
                               struct qsv_error *err)
{
    struct qsv_engine_output out[NETS];
    memset(results, 0, NETS * sizeof *results);
    for (int i = 0; i < NETS; i++)
        out[i] = (struct qsv_engine_output){results[i].logits, results[i].lif_spikes,
                                            results[i].site_ac, results[i].potentials};
    return qsv_engine_run(e, f->pixels, n, f->nets, NETS, out, NULL, stop, err);
}

static void run(struct fixture *f, struct qsv_engine *e, uint32_t n, struct result *results)
{
    OK(try_run(f, e, n, results, NULL, &err));
}

static void test_threads_change_nothing(void **state)
{
    static const uint32_t threads[] = {2, 3, 5, 64}; /* more than images, too */
    struct fixture *f = *state;
    struct result *want = qsv_alloc(NETS, sizeof *want), *got = qsv_alloc(NETS, sizeof *got);
    struct qsv_engine *one = engine_of(f, 1);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct qsv_engine *many = engine_of(f, threads[t]);
        for (uint32_t n = 1; n <= IMAGES; n++) {
            run(f, one, n, want);
            run(f, many, n, got);
            assert_memory_equal(want, got, NETS * sizeof *want);
        }
        struct qsv_engine_work work = qsv_engine_work_done(many);
        const uint64_t asked =
            (uint64_t)NETS * f->model->graph.n_layers * IMAGES * (IMAGES + 1) / 2;
        assert_int_equal(work.layer_forwards_asked, asked);
        assert_int_equal(work.layer_forwards_done,
                         qsv_engine_work_done(one).layer_forwards_done / (t + 1));
        qsv_engine_destroy(many);
    }
    qsv_engine_destroy(one);
    free(want);
    free(got);
}

static void test_threads_can_be_changed(void **state)
{
    struct fixture *f = *state;
    struct result *want = qsv_alloc(NETS, sizeof *want), *got = qsv_alloc(NETS, sizeof *got);
    struct qsv_engine *e = engine_of(f, 3);
    run(f, e, IMAGES, want);
    OK(qsv_engine_use_threads(e, 2, &err));
    run(f, e, IMAGES, got);
    assert_memory_equal(want, got, NETS * sizeof *want);
    qsv_engine_destroy(e);
    free(want);
    free(got);
}

static void test_stop(void **state)
{
    struct fixture *f = *state;
    struct qsv_error why = {0};
    const volatile sig_atomic_t stop = 1;
    struct result *r = qsv_alloc(NETS, sizeof *r);
    struct qsv_engine *e = engine_of(f, 3);
    assert_int_equal(try_run(f, e, IMAGES, r, &stop, &why), QSV_ESTOPPED);
    assert_string_equal(why.text, "stopped");
    qsv_engine_destroy(e);
    free(r);
}

struct patience {
    pthread_t caller;
    int asked, until; /* how often asked, until it says stop */
    bool elsewhere;   /* asked by another thread */
};

static bool ask(void *context)
{
    struct patience *p = context;
    p->elsewhere |= !pthread_equal(p->caller, pthread_self());
    return ++p->asked == p->until;
}

static void test_only_the_caller_asks(void **state)
{
    struct fixture *f = *state;
    struct qsv_error why = {0};
    struct patience p = {.caller = pthread_self(), .until = 30};
    struct result *want = qsv_alloc(NETS, sizeof *want), *got = qsv_alloc(NETS, sizeof *got);
    struct qsv_engine *e = engine_of(f, 3);
    run(f, e, IMAGES, want);
    qsv_engine_watch(e, ask, &p);
    assert_int_equal(try_run(f, e, IMAGES, got, NULL, &why), QSV_ESTOPPED);
    assert_true(p.asked >= 30);
    run(f, e, IMAGES, got); /* a stop is over with its call */
    assert_memory_equal(want, got, NETS * sizeof *want);
    assert_true(p.asked >= 30 + (int)f->model->graph.n_layers);
    assert_false(p.elsewhere);
    qsv_engine_destroy(e);
    free(want);
    free(got);
}

static enum qsv_status make_and_run(struct fixture *f, struct result *r)
{
    struct qsv_engine *e = NULL;
    struct qsv_error why = {0};
    enum qsv_status st = qsv_engine_create(&e, f->model, IMAGES, &why);
    if (!st)
        st = qsv_engine_use_threads(e, 3, &why);
    if (!st)
        st = try_run(f, e, IMAGES, r, NULL, &why);
    assert_true(st == QSV_OK || *why.text);
    qsv_engine_destroy(e);
    return st;
}

/* Every one while the engine is made; of those while lanes run, which are many, some. */
static void test_allocation_failures(void **state)
{
    struct fixture *f = *state;
    struct result *want = qsv_alloc(NETS, sizeof *want), *got = qsv_alloc(NETS, sizeof *got);
    enum qsv_status st = QSV_ENOMEM;
    int failures = 0;
    assert_int_equal(make_and_run(f, want), QSV_OK);
    for (long at = 1; st; at += 1 + at / 40, failures++) {
        qsv_alloc_fail_at(at);
        st = make_and_run(f, got);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
    }
    assert_true(failures > 100);
    assert_memory_equal(want, got, NETS * sizeof *want);
    free(want);
    free(got);
}

/* What is set aside where networks part, and what batches of another size need, is kept or given
 * back: a sweep runs for days. 300 bytes a call would be seen. */
static void test_memory_stays_flat(void **state)
{
    struct fixture *f = *state;
    struct result *r = qsv_alloc(NETS, sizeof *r);
    struct qsv_engine *e = engine_of(f, 2);
    size_t before = 0;
    for (int round = 0; round < 80; round++) {
        for (uint32_t n = 1; n <= IMAGES; n += 2)
            run(f, e, n, r);
        if (round == 10)
            before = allocated_bytes();
    }
    assert_true(allocated_bytes() < before + NOISE_BYTES);
    qsv_engine_destroy(e);
    free(r);
}

/* Memory that an engine has come to after it ran these networks. */
static size_t memory_of(struct fixture *f, struct qsv_network *const *nets, uint32_t n)
{
    struct qsv_engine_output out[64];
    float logits[MAX_CLASSES];
    const size_t before = allocated_bytes();
    struct qsv_engine *e = engine_of(f, 1);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct qsv_engine_output){.logits = logits};
    OK(qsv_engine_run(e, f->pixels, 1, nets, n, out, NULL, NULL, &err));
    const size_t bytes = allocated_bytes() - before;
    qsv_engine_destroy(e);
    return bytes;
}

/* As step 1 asks: every network differs from f32 in a layer of its own, so that all others wait, or
 * it does. What waits are parts of half the networks at most: of 33 six, not 33. */
static void test_few_values_wait_where_networks_part(void **state)
{
    enum { MANY = 33, FEW = 3 };
    struct fixture *f = *state;
    struct qsv_network *nets[MANY];
    uint8_t formats[512] = {0};
    for (uint32_t i = 0; i < MANY; i++) { /* layers of the first blocks, where values are large */
        formats[i] = i ? QSV_F16 : QSV_F32;
        OK(qsv_network_create(&nets[i], f->model, f->bank, formats, &err));
        formats[i] = QSV_F32;
    }
    const size_t few = memory_of(f, nets, FEW), many = memory_of(f, nets, MANY);
    size_t weights = 0;
    for (uint32_t i = FEW; i < MANY; i++)
        weights += f->model->graph.layers[i].n_weights * sizeof(float) * 2;
    assert_true(many < 2 * few + weights);
    for (uint32_t i = 0; i < MANY; i++)
        qsv_network_destroy(nets[i]);
}

/* Weights that were forgotten are made again, and give the same. */
static void test_forgotten_weights_are_made_again(void **state)
{
    struct fixture *f = *state;
    struct result *want = qsv_alloc(NETS, sizeof *want), *got = qsv_alloc(NETS, sizeof *got);
    struct qsv_engine *e = engine_of(f, 1);
    const size_t before = allocated_bytes();
    run(f, e, 2, want);
    const size_t with = allocated_bytes();
    qsv_engine_forget_weights(e);
    assert_true(allocated_bytes() < with);
    assert_true(allocated_bytes() >= before);
    run(f, e, 2, got);
    assert_memory_equal(want, got, NETS * sizeof *want);
    qsv_engine_destroy(e);
    free(want);
    free(got);
}

/* With room for no network's weights, each call has those of its own networks and no others. */
static void test_weights_make_room_for_others(void **state)
{
    struct fixture *f = *state;
    struct result *want = qsv_alloc(NETS, sizeof *want);
    float logits[MAX_CLASSES];
    struct qsv_engine *e = engine_of(f, 1), *roomy = engine_of(f, 1);
    struct qsv_engine_output out = {.logits = logits};
    const size_t before = allocated_bytes();
    run(f, roomy, 1, want);
    const size_t all = allocated_bytes() - before;
    qsv_engine_keep_weights(e, 1);
    size_t most = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NETS; i++) {
            const size_t began = allocated_bytes();
            OK(qsv_engine_run(e, f->pixels, 1, &f->nets[i], 1, &out, NULL, NULL, &err));
            most = round || i ? most : allocated_bytes() - began;
            assert_memory_equal(logits, want[i].logits, f->model->classes * sizeof *logits);
        }
    assert_true(allocated_bytes() - before - all < 2 * most);
    qsv_engine_destroy(e);
    qsv_engine_destroy(roomy);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_threads_can_be_changed),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_only_the_caller_asks),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_memory_stays_flat),
        cmocka_unit_test(test_forgotten_weights_are_made_again),
        cmocka_unit_test(test_weights_make_room_for_others),
        cmocka_unit_test(test_few_values_wait_where_networks_part),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
