/* Layers in format none: their output is what they leave behind, in the engine of every instruction
 * set, alone and beside other networks, and in files. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/affine.h"
#include "core/cost.h"
#include "core/fold.h"
#include "core/kernels/kernels.h"
#include "core/network.h"
#include "core/statistics.h"
#include "tests/unit/core/golden_model.h"

static const struct qsv_quantizer searched = {"searched", QSV_SCALE_MSE, QSV_F32};

struct fixture {
    struct golden g;
    struct qsv_statistics *statistics;
    struct qsv_bank *bank; /* with corrections */
    uint8_t *formats;      /* [n_layers] */
};

static void open_fixture(struct fixture *f)
{
    golden_open(&f->g, "kd");
    OK(qsv_statistics_create(&f->statistics, f->g.model, NULL, &err));
    const struct qsv_engine_observer face = qsv_statistics_observer(f->statistics);
    qsv_engine_observe(f->g.engine, &face);
    golden_run(&f->g, 0, GOLDEN_IMAGES);
    qsv_engine_observe(f->g.engine, NULL);
    OK(qsv_bank_create(&f->bank, f->g.model, &searched, &err));
    OK(qsv_bank_use_statistics(f->bank, f->statistics, &err));
    f->formats = qsv_alloc(f->g.model->graph.n_layers, 1);
}

static void close_fixture(struct fixture *f)
{
    free(f->formats);
    qsv_bank_destroy(f->bank);
    qsv_statistics_destroy(f->statistics);
    golden_close(&f->g);
}

static struct qsv_network *network_of(struct fixture *f, struct qsv_bank *bank)
{
    struct qsv_network *n;
    OK(qsv_network_create(&n, f->g.model, bank, f->formats, &err));
    return n;
}

/* Everything that a network gives on two images. */
enum { IMAGES = 2 };
struct result {
    float logits[IMAGES * 8];
    uint64_t lif_spikes[128];
    int64_t potentials[8192];
    uint64_t site_ac[256];
};

static struct result *run(struct fixture *f, struct qsv_engine *e,
                          struct qsv_network *const *networks, uint32_t n)
{
    struct result *r = qsv_alloc(n, sizeof *r);
    struct qsv_engine_output out[2];
    assert_true(n <= 2 && f->g.model->classes <= 8 && qsv_engine_potential_count(e) <= 8192);
    for (uint32_t i = 0; i < n; i++)
        out[i] =
            (struct qsv_engine_output){r[i].logits, r[i].lif_spikes, r[i].site_ac, r[i].potentials};
    OK(qsv_engine_run(e, f->g.pixels, IMAGES, networks, n, out, NULL, NULL, &err));
    return r;
}

/* A bank in which every layer's ternary codes are 0, and its correction is that of none. */
static struct qsv_bank *bank_of_zeros(struct fixture *f)
{
    struct qsv_bank *b;
    OK(qsv_bank_create(&b, f->g.model, &searched, &err));
    OK(qsv_bank_use_statistics(b, f->statistics, &err));
    for (uint32_t l = 0; l < f->g.model->graph.n_layers; l++) {
        const struct qsv_bank_entry *none;
        OK(qsv_bank_get(&none, f->bank, l, QSV_NONE, &err));
        struct qsv_bank_entry zeros = *none;
        zeros.format = QSV_TERNARY;
        OK(qsv_bank_install(b, l, &zeros, &err));
    }
    return b;
}

/* The kernels' sums of codes that are 0 are what is left out. */
static void test_is_a_layer_of_zeros(void **state)
{
    (void)state;
    for (size_t isa = 0; qsv_kernels_built[isa]; isa++) {
        if (!qsv_kernels_usable(qsv_kernels_built[isa])) {
            print_message("NOT TESTED: this CPU lacks %s\n", qsv_kernels_built[isa]->isa);
            continue;
        }
        setenv("QSV_ISA", qsv_kernels_built[isa]->isa, 1);
        struct fixture f;
        open_fixture(&f);
        struct qsv_bank *zeros = bank_of_zeros(&f);
        const uint32_t n_layers = (uint32_t)f.g.model->graph.n_layers;
        uint32_t did_work = 0;
        for (uint32_t l = 0; l < n_layers; l++) {
            f.formats[l] = QSV_NONE;
            struct qsv_network *none = network_of(&f, f.bank);
            f.formats[l] = QSV_TERNARY;
            struct qsv_network *coded = network_of(&f, zeros);
            struct result *x = run(&f, f.g.engine, &none, 1), *y = run(&f, f.g.engine, &coded, 1);
            if (memcmp(x, y, offsetof(struct result, site_ac)) != 0)
                fail_msg("%s differs by %s", f.g.model->graph.layers[l].name,
                         qsv_engine_isa(f.g.engine));
            assert_int_equal(x->site_ac[l], 0);
            did_work += y->site_ac[l] > 0;
            free(x);
            free(y);
            qsv_network_destroy(none);
            qsv_network_destroy(coded);
            f.formats[l] = QSV_F32;
        }
        assert_true(did_work > 10);
        qsv_bank_destroy(zeros);
        close_fixture(&f);
        unsetenv("QSV_ISA");
    }
}

/* Logits of a network whose heads are left out are their shifts' mean, whatever the image. */
static void test_output_is_the_shift(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    const struct qsv_graph *g = &f.g.model->graph;
    uint32_t heads[2], n = 0;
    for (uint32_t l = 0; l < g->n_layers; l++)
        if (!strncmp(g->layers[l].name, "head", 4))
            heads[n++ % 2] = l;
    assert_int_equal(n, 2);
    f.formats[heads[0]] = f.formats[heads[1]] = QSV_NONE;
    struct qsv_network *net = network_of(&f, f.bank);
    const struct qsv_network_layer a = qsv_network_layer(net, heads[0]),
                                   b = qsv_network_layer(net, heads[1]);
    struct result *r = run(&f, f.g.engine, &net, 1);
    assert_null(a.multiplier);
    const uint32_t classes = f.g.model->classes;
    for (uint32_t i = 0; i < IMAGES * classes; i++) {
        const float want = (a.shift[i % classes] + b.shift[i % classes]) / 2;
        assert_true(fabsf(r->logits[i] - want) <= 1e-6f * fabsf(want));
        assert_true(r->logits[i] == r->logits[i % classes]);
    }
    free(r);
    qsv_network_destroy(net);
    close_fixture(&f);
}

static const float *vector_of(const struct qsv_model *m, const char *name, const char *part)
{
    return (const float *)(const void *)qsv_tensors_findf(&m->tensors, "%s.%s", name, part)->data;
}

/* Where one norm follows, the shift is what it makes of the layer's mean output. */
static void test_shift_is_the_mean_behind_the_norm(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t seen = 0;
    open_fixture(&f);
    const struct qsv_model *m = f.g.model;
    memset(f.formats, QSV_NONE, m->graph.n_layers);
    struct qsv_network *net = network_of(&f, f.bank);
    for (uint32_t l = 0; l < m->graph.n_layers; l++) {
        const struct qsv_link *link = &m->graph.links[l];
        const struct qsv_network_layer layer = qsv_network_layer(net, l);
        assert_null(layer.multiplier);
        if (link->next != QSV_NO_LAYER)
            assert_null(layer.shift);
        if (link->next != QSV_NO_LAYER || link->n_norms != 1 || m->graph.layers[l].has_bias)
            continue;
        const struct qsv_norm *n = &m->graph.norms[link->norms[0]];
        const float *gamma = vector_of(m, n->name, "weight"), *beta = vector_of(m, n->name, "bias"),
                    *mean = vector_of(m, n->name, "running_mean"),
                    *var = vector_of(m, n->name, "running_var");
        for (uint32_t o = 0; o < m->graph.layers[l].out_ch; o++) {
            const double out = (double)layer.weights->correction[o];
            const double want =
                (double)gamma[o] * (out - (double)mean[o]) / sqrt((double)var[o] + n->eps) +
                (double)beta[o];
            assert_true(fabs((double)layer.shift[o] - want) < 1e-5 * (1 + fabs(want)));
        }
        seen++;
    }
    assert_true(seen > 10);
    qsv_network_destroy(net);
    close_fixture(&f);
}

/* Without statistics nothing is known of the mean: 0. */
static void test_without_statistics(void **state)
{
    (void)state;
    struct golden g;
    const struct qsv_bank_entry *e;
    golden_open(&g, "kd");
    OK(qsv_bank_get(&e, g.bank, 3, QSV_NONE, &err));
    assert_null(e->correction);
    assert_true(isnan(e->loss));
    golden_close(&g);
}

/* A network with layers left out beside one without: each as it is alone. */
static void test_company_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    const uint32_t n_layers = (uint32_t)f.g.model->graph.n_layers;
    for (uint32_t from = 0; from < n_layers; from += 7) {
        struct qsv_network *both[2];
        memset(f.formats, QSV_INT4, n_layers);
        both[0] = network_of(&f, f.bank);
        for (uint32_t l = from; l < n_layers; l += 3)
            f.formats[l] = QSV_NONE;
        both[1] = network_of(&f, f.bank);
        struct result *together = run(&f, f.g.engine, both, 2);
        for (int i = 0; i < 2; i++) {
            struct result *alone = run(&f, f.g.engine, &both[i], 1);
            assert_memory_equal(alone, &together[i], sizeof *alone);
            free(alone);
            qsv_network_destroy(both[i]);
        }
        free(together);
    }
    close_fixture(&f);
}

/* ---- files ---- */

static char path[] = "/tmp/qsv_none_XXXXXX";

/* What is stored is what is counted, and what comes back gives the same answers. */
static void check_file(struct fixture *f)
{
    struct qsv_network *net = network_of(f, f->bank), *again;
    struct qsv_model *back;
    struct qsv_engine *e;
    struct qsv_bytes bytes;
    uint64_t stored = 0;
    qsv_cost_bytes(&bytes, f->g.model, qsv_bank_quantizer(f->bank)->affine, f->formats);
    OK(qsv_network_save(net, path, &err));
    OK(qsv_model_load(&back, path, &err));
    assert_true(back->folded);
    for (size_t i = 0; i < back->tensors.n; i++)
        stored += qsv_affine_stored_bytes(&back->tensors.v[i]);
    assert_int_equal(stored, bytes.model_bytes);
    OK(qsv_network_create_folded(&again, back, &err));
    assert_memory_equal(qsv_network_formats(again), f->formats, back->graph.n_layers);
    OK(qsv_engine_create(&e, back, GOLDEN_IMAGES, &err));
    struct result *want = run(f, f->g.engine, &net, 1), *got = run(f, e, &again, 1);
    assert_memory_equal(want, got, sizeof *want);
    free(want);
    free(got);
    qsv_engine_destroy(e);
    qsv_network_destroy(again);
    qsv_model_destroy(back);
    qsv_network_destroy(net);
}

static void test_files(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    const uint32_t n_layers = (uint32_t)f.g.model->graph.n_layers;
    for (int affine = 0; affine < 2; affine++) {
        qsv_bank_set_affine(f.bank, affine ? QSV_F16 : QSV_F32);
        for (uint32_t every = 1; every < 6; every++) { /* 1: nothing but shifts are stored */
            memset(f.formats, every % 2 ? QSV_BINARY : QSV_F32, n_layers);
            for (uint32_t l = 0; l < n_layers; l += every)
                f.formats[l] = QSV_NONE;
            check_file(&f);
        }
    }
    close_fixture(&f);
}

/* The small model with every layer left out. */
static struct qsv_model *left_out(void)
{
    struct golden g;
    struct qsv_tensors tensors;
    struct qsv_network *n;
    struct qsv_model *m;
    golden_open(&g, "kd");
    uint8_t *formats = qsv_alloc(g.model->graph.n_layers, 1);
    memset(formats, QSV_NONE, g.model->graph.n_layers);
    OK(qsv_network_create(&n, g.model, g.bank, formats, &err));
    OK(qsv_network_fold(&tensors, n, &err));
    OK(qsv_model_create(&m, &tensors, &g.model->options, "x.h5", &err));
    free(formats);
    qsv_network_destroy(n);
    golden_close(&g);
    return m;
}

static struct qsv_tensor *find_left_out(struct qsv_model *m)
{
    for (size_t i = 0; i < m->tensors.n; i++)
        if (m->tensors.v[i].format == QSV_NONE && m->tensors.v[i].shape[2] > 1)
            return &m->tensors.v[i];
    fail_msg("no layer is left out");
    return NULL;
}

/* No bytes vouch for the shape of a layer that is left out. */
static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        uint32_t out, in; /* channels */
        size_t bytes;
        const char *says;
    } rows[] = {
        {65536, 65536, 0, "do not fit its shape"},
        {UINT32_MAX, UINT32_MAX, 0, "do not fit its shape"},
        {1 << 16, 1 << 13, 0, "do not fit its shape"},
        {65536, 1, 0, "channels in"},
        {0, 0, 0, "channels in"},
        {1, 1, 1, "do not fit its shape"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_model *m = left_out(), *back;
        struct qsv_tensor *t = find_left_out(m);
        struct qsv_error why = {0};
        t->shape[0] = rows[i].out;
        t->shape[1] = rows[i].in;
        t->bytes = rows[i].bytes;
        OK(qsv_model_save(m, path, &err));
        assert_int_equal(qsv_model_load(&back, path, &why), QSV_EINPUT);
        assert_null(back);
        if (!strstr(why.text, rows[i].says))
            fail_msg("row %zu: '%s' does not say '%s'", i, why.text, rows[i].says);
        qsv_model_destroy(m);
    }
}

/* A shift can't be left out, nor be of this format. */
static void test_needs_its_shift(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        struct qsv_model *m = left_out();
        struct qsv_network *n;
        struct qsv_error why = {0};
        for (size_t i = 0; i < m->tensors.n; i++) {
            struct qsv_tensor *t = &m->tensors.v[i];
            if (t->rank != 1)
                continue;
            if (gone)
                t->name[0] = '_';
            else
                t->format = QSV_NONE;
            break;
        }
        assert_int_equal(qsv_network_create_folded(&n, m, &why), QSV_EINPUT);
        assert_non_null(strstr(why.text, gone ? "is missing" : "is none ["));
        qsv_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_a_layer_of_zeros),
        cmocka_unit_test(test_output_is_the_shift),
        cmocka_unit_test(test_shift_is_the_mean_behind_the_norm),
        cmocka_unit_test(test_without_statistics),
        cmocka_unit_test(test_company_changes_nothing),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_needs_its_shift),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
