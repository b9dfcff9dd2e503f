/* Entries in a checkpoint's terms: folded exactly they give what a network stores. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "core/fold.h"
#include "core/network.h"
#include "core/refit.h"
#include "tests/unit/core/golden_model.h"

enum { MAX_LAYERS = 256 };

struct net {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_network *network;
    const struct qsv_bank_entry *entries[MAX_LAYERS];
    float *multiplier[MAX_LAYERS], *shift[MAX_LAYERS]; /* as stored, the network's */
    uint8_t formats[MAX_LAYERS];
};

/* A golden model with formats at random, and multipliers and shifts stored as `affine`. */
static void open_net(struct net *n, const char *name, enum qsv_format affine, uint64_t seed)
{
    const struct qsv_quantizer q = {"round", QSV_SCALE_MSE, affine};
    static const enum qsv_format all[] = {QSV_F32,  QSV_F16,     QSV_INT4,  QSV_INT2,
                                          QSV_INT2, QSV_TERNARY, QSV_BINARY};
    char path[64];
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    snprintf(path, sizeof path, "tests/data/golden/%s_model.h5", name);
    OK(qsv_model_load(&n->model, path, &err));
    OK(qsv_bank_create(&n->bank, n->model, &q, &err));
    assert_true(n->model->graph.n_layers <= MAX_LAYERS);
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++)
        n->formats[l] = (uint8_t)all[qsv_rng_below(&r, sizeof all / sizeof *all)];
    OK(qsv_network_create(&n->network, n->model, n->bank, n->formats, &err));
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++) {
        const struct qsv_network_layer layer = qsv_network_layer(n->network, l);
        n->entries[l] = layer.weights;
        n->multiplier[l] = (float *)(uintptr_t)layer.multiplier;
        n->shift[l] = (float *)(uintptr_t)layer.shift;
    }
}

static void close_net(struct net *n)
{
    qsv_network_destroy(n->network);
    qsv_bank_destroy(n->bank);
    qsv_model_destroy(n->model);
}

static float *folded[2][MAX_LAYERS];

/* Multipliers and shifts that entries fold to, in `folded`. */
static void fold(const struct net *n, const struct qsv_bank_entry *const *entries)
{
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++)
        for (int k = 0; k < 2; k++)
            folded[k][l] = calloc(n->model->graph.layers[l].out_ch, sizeof(float));
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++)
        if (n->model->graph.links[l].previous == QSV_NO_LAYER)
            OK(qsv_fold_chain(n->model, entries, n->formats, l, folded[0], folded[1], &err));
}

static void forget_folded(const struct net *n)
{
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++)
        for (int k = 0; k < 2; k++)
            free(folded[k][l]);
}

/* Weights that are no codes have a row's factor in them. */
static double row_factor(const struct net *n, const struct qsv_bank_entry *e, uint32_t l,
                         uint32_t channel)
{
    const size_t k =
        (size_t)(n->model->graph.layers[l].n_weights / n->model->graph.layers[l].out_ch);
    const float *before = n->entries[l]->values, *after = e->values;
    for (size_t i = channel * k; before && i < (channel + 1) * k; i++)
        if (fabs((double)before[i]) > 1e-3)
            return (double)after[i] / (double)before[i];
    return 1;
}

/* The largest difference between stored and folded vectors, as a part of the vector's largest. */
static double worst(const struct net *n, const struct qsv_bank_entry *const *entries)
{
    double worst = 0;
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++)
        for (int k = 0; k < 2; k++) {
            const float *stored = k ? n->shift[l] : n->multiplier[l];
            double largest = 0, off = 0;
            for (uint32_t o = 0; stored && o < n->model->graph.layers[l].out_ch; o++) {
                largest = fmax(largest, fabs((double)stored[o]));
                const double by = k ? 1 : row_factor(n, entries[l], l, o);
                off = fmax(off, fabs((double)stored[o] - by * (double)folded[k][l][o]));
            }
            worst = fmax(worst, largest > 0 ? off / largest : off);
        }
    return worst;
}

static void test_gives_what_is_stored(void **state)
{
    static const enum qsv_format affines[] = {QSV_F16, QSV_INT8};
    static const char *const names[] = {"grey", "kd"};
    (void)state;
    for (int i = 0; i < 12; i++) {
        static struct net n;
        struct qsv_refit *r;
        open_net(&n, names[i % 2], affines[i / 2 % 2], 100 + (uint64_t)i);
        fold(&n, n.entries);
        assert_true(worst(&n, n.entries) > 1e-5); /* rounding was felt */
        forget_folded(&n);
        OK(qsv_refit_create(&r, n.model, n.entries, n.formats, n.multiplier, n.shift, &err));
        fold(&n, qsv_refit_entries(r));
        if (worst(&n, qsv_refit_entries(r)) > 2e-6)
            fail_msg("%s, net %d: off by %g", names[i % 2], i, worst(&n, qsv_refit_entries(r)));
        forget_folded(&n);
        qsv_refit_destroy(r);
        close_net(&n);
    }
}

static void test_codes_stay(void **state)
{
    static struct net n;
    struct qsv_refit *r;
    (void)state;
    open_net(&n, "grey", QSV_INT8, 7);
    OK(qsv_refit_create(&r, n.model, n.entries, n.formats, n.multiplier, n.shift, &err));
    for (uint32_t l = 0; l < n.model->graph.n_layers; l++) {
        const struct qsv_bank_entry *a = n.entries[l], *b = qsv_refit_entries(r)[l];
        assert_ptr_equal(a->codes, b->codes);
        assert_int_equal(a->format, b->format);
        if (!n.multiplier[l] && a->scale)
            assert_memory_equal(a->scale, b->scale,
                                n.model->graph.layers[l].out_ch * sizeof *a->scale);
    }
    qsv_refit_destroy(r);
    close_net(&n);
}

static void test_allocation_failures(void **state)
{
    static struct net n;
    enum qsv_status st = QSV_ENOMEM;
    (void)state;
    open_net(&n, "grey", QSV_INT8, 8);
    for (long at = 1; st; at++) {
        struct qsv_refit *r;
        qsv_alloc_fail_at(at);
        st = qsv_refit_create(&r, n.model, n.entries, n.formats, n.multiplier, n.shift, NULL);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
        assert_true(!r == (st != QSV_OK));
        qsv_refit_destroy(r);
    }
    close_net(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_what_is_stored),
        cmocka_unit_test(test_codes_stay),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
