/* Bytes and energy of a model small enough to count by hand. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/cost.h"
#include "core/fold.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9 * (1 + fabs(b)))

static struct qsv_model *load(void)
{
    struct qsv_model *m = NULL;
    assert_int_equal(qsv_model_load(&m, "tests/data/golden/kd_model.h5", NULL), QSV_OK);
    return m;
}

static void fill(const struct qsv_model *m, uint8_t *formats, enum qsv_format f)
{
    memset(formats, (int)f, m->graph.n_layers);
}

/* Channels behind which a multiplier, a shift and a scale with no norm are stored. */
static void count_channels(const struct qsv_model *m, uint64_t *multipliers, uint64_t *shifts,
                           uint64_t *alone)
{
    *multipliers = *shifts = *alone = 0;
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        const struct qsv_layer *l = &m->graph.layers[i];
        const char *end = strrchr(l->name, '.');
        bool rep_first =
            end && !strcmp(end, ".0") && !l->pad_norm; /* body.0: what follows is depthwise */
        bool bare = !strncmp(l->name, "head", 4) || l->groups > 1;
        *multipliers += rep_first ? 0 : l->out_ch;
        *shifts += rep_first || l->groups > 1 ? 0 : l->out_ch;
        *alone += bare ? l->out_ch : 0;
    }
}

static void test_bytes(void **state)
{
    struct qsv_model *m = load();
    uint8_t formats[256];
    uint64_t multipliers, shifts, alone;
    struct qsv_bytes b;
    (void)state;
    count_channels(m, &multipliers, &shifts, &alone);
    fill(m, formats, QSV_INT8);
    qsv_cost_bytes(&b, m, QSV_F32, formats);
    assert_int_equal(b.weights_bytes, m->graph.n_weights + 4 * alone);
    assert_int_equal(b.model_bytes, m->graph.n_weights + 4 * (multipliers + shifts));
    NEAR(b.avg_bits, 8.0 * (double)b.weights_bytes / (double)m->graph.n_weights);
    uint64_t vectors = 0;
    for (uint32_t l = 0; l < m->graph.n_layers; l++) {
        struct qsv_fold_parts p = qsv_fold_parts(&m->graph, formats, l);
        vectors += (p.multiplier ? 1 : 0) + (p.shift ? 1 : 0);
    }
    uint64_t alone_vectors = 0;
    for (uint32_t l = 0; l < m->graph.n_layers; l++)
        alone_vectors += qsv_fold_parts(&m->graph, formats, l).scale_alone;
    qsv_cost_bytes(&b, m, QSV_F16, formats); /* halves, and a byte a vector for its exponent */
    assert_int_equal(b.weights_bytes, m->graph.n_weights + 2 * alone + alone_vectors);
    assert_int_equal(b.model_bytes, m->graph.n_weights + 2 * (multipliers + shifts) + vectors);
    NEAR(b.avg_bits, 8.0 * (double)b.weights_bytes / (double)m->graph.n_weights);
    fill(m, formats, QSV_F16); /* a head's or dwconv's f16 weights need no scale */
    qsv_cost_bytes(&b, m, QSV_F32, formats);
    assert_int_equal(b.weights_bytes, 2 * m->graph.n_weights);
    assert_true(b.model_bytes < 2 * m->graph.n_weights + 4 * (multipliers + shifts));
    fill(m, formats, QSV_F32);
    qsv_cost_bytes(&b, m, QSV_F32, formats);
    assert_int_equal(b.weights_bytes, 4 * m->graph.n_weights);
    assert_int_equal(b.model_bytes, m->source_bytes);
    qsv_cost_bytes(&b, m, QSV_F16, formats); /* the source as it is */
    assert_int_equal(b.model_bytes, m->source_bytes);
    qsv_model_destroy(m);
}

/* One layer after the other left out of a network at int8: no codes, no multiplier, the shift
 * stays.
 */
static void test_bytes_of_none(void **state)
{
    struct qsv_model *m = load();
    const struct qsv_graph *g = &m->graph;
    uint8_t formats[256];
    struct qsv_bytes all, some;
    (void)state;
    for (uint32_t l = 0; l < g->n_layers; l++) {
        fill(m, formats, QSV_INT8);
        qsv_cost_bytes(&all, m, QSV_F32, formats);
        const struct qsv_fold_parts was = qsv_fold_parts(g, formats, l);
        formats[l] = QSV_NONE;
        qsv_cost_bytes(&some, m, QSV_F32, formats);
        const uint64_t weights = g->layers[l].n_weights, vector = 4 * g->layers[l].out_ch;
        assert_int_equal(all.weights_bytes - some.weights_bytes,
                         weights + (was.scale_alone ? vector : 0));
        assert_int_equal(all.model_bytes - some.model_bytes,
                         weights + (was.multiplier ? vector : 0));
        assert_true(qsv_fold_parts(g, formats, l).shift == was.shift);
    }
    fill(m, formats, QSV_NONE);
    uint64_t multipliers, shifts, alone;
    count_channels(m, &multipliers, &shifts, &alone);
    qsv_cost_bytes(&all, m, QSV_F32, formats);
    assert_int_equal(all.weights_bytes, 0);
    assert_int_equal(all.model_bytes, 4 * shifts);
    assert_true(all.avg_bits == 0);
    qsv_model_destroy(m);
}

static void test_energy(void **state)
{
    struct qsv_model *m = load();
    const struct qsv_graph *g = &m->graph;
    uint8_t formats[256];
    uint64_t ac[256] = {0}, mac = 0;
    struct qsv_energy e;
    struct qsv_bytes b;
    uint32_t spiking = 0;
    (void)state;
    while (!g->layers[spiking].spike_input)
        spiking++;
    for (size_t i = 0; i < g->n_layers; i++)
        if (!g->layers[i].spike_input)
            mac += g->layers[i].macs * (i ? m->options.time_steps : 1); /* layer 0 is the stem */
    assert_int_equal(qsv_cost_mac_ops(m, formats), mac);
    ac[spiking] = 3000;
    ac[g->n_layers] = 600; /* the first attention product */
    fill(m, formats, QSV_INT4);
    qsv_cost_bytes(&b, m, QSV_F32, formats);
    qsv_cost_energy(&e, m, QSV_F32, formats, ac, 3, &qsv_energy_default);
    NEAR(e.compute_pj, 1000 * 0.015 + 200 * 0.06 + (double)mac * 4.6);
    NEAR(e.sram_pj, (1000 + (double)mac) * 0.5 * 1.25);
    NEAR(e.dram_pj, (double)b.model_bytes * 162.5);
    NEAR(e.total_pj, e.compute_pj + e.sram_pj + e.dram_pj);
    qsv_cost_bytes(&b, m, QSV_F16, formats);
    qsv_cost_energy(&e, m, QSV_F16, formats, ac, 3, &qsv_energy_default);
    NEAR(e.dram_pj, (double)b.model_bytes * 162.5);
    fill(m, formats, QSV_F32);
    qsv_cost_energy(&e, m, QSV_F32, formats, ac, 3, &qsv_energy_default);
    NEAR(e.compute_pj, 1000 * 0.9 + 200 * 0.06 + (double)mac * 4.6);
    NEAR(e.sram_pj, (1000 + (double)mac) * 4 * 1.25);
    formats[0] = QSV_NONE; /* the stem's multiplications are gone */
    const uint64_t fewer = mac - g->layers[0].macs;
    assert_int_equal(qsv_cost_mac_ops(m, formats), fewer);
    qsv_cost_energy(&e, m, QSV_F32, formats, ac, 3, &qsv_energy_default);
    NEAR(e.compute_pj, 1000 * 0.9 + 200 * 0.06 + (double)fewer * 4.6);
    NEAR(e.sram_pj, (1000 + (double)fewer) * 4 * 1.25);
    fill(m, formats, QSV_NONE);
    ac[spiking] = 0;
    qsv_cost_energy(&e, m, QSV_F32, formats, ac, 3, &qsv_energy_default);
    NEAR(e.compute_pj, 200 * 0.06);
    assert_true(e.sram_pj == 0);
    qsv_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),
                                       cmocka_unit_test(test_bytes_of_none),
                                       cmocka_unit_test(test_energy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
