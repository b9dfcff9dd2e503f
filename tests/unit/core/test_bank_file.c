/* Banks chosen by statistics: losses, installed entries, files good and bad. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/bank.h"
#include "core/network.h"
#include "core/statistics.h"
#include "tests/unit/core/sealed_files.h"

static const struct qsv_quantizer compensated = {"compensated", QSV_SCALE_MSE, QSV_F32};
static const struct qsv_quantizer searched = {"searched", QSV_SCALE_MSE, QSV_F32};
static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F32};

static struct qsv_statistics *collect(struct golden *g)
{
    struct qsv_statistics *s;
    OK(qsv_statistics_create(&s, g->model, NULL, &err));
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    qsv_engine_observe(g->engine, &face);
    golden_run(g, 0, GOLDEN_IMAGES);
    qsv_engine_observe(g->engine, NULL);
    return s;
}

static struct qsv_bank *bank_of(const struct golden *g, const struct qsv_quantizer *q,
                                const struct qsv_statistics *s)
{
    struct qsv_bank *b;
    OK(qsv_bank_create(&b, g->model, q, &err));
    if (s)
        OK(qsv_bank_use_statistics(b, s, &err));
    return b;
}

static const struct qsv_bank_entry *get(struct qsv_bank *b, uint32_t layer, enum qsv_format f)
{
    const struct qsv_bank_entry *e;
    OK(qsv_bank_get(&e, b, layer, f, &err));
    return e;
}

/* tr(dW H dW^T), written out. */
static double loss_of(const struct golden *g, const struct qsv_statistics *s, uint32_t layer,
                      const struct qsv_bank_entry *e)
{
    const struct qsv_layer *l = &g->model->graph.layers[layer];
    const size_t k = (size_t)l->n_weights / l->out_ch;
    const float *w =
        (const float *)(const void *)qsv_tensors_findf(&g->model->tensors, "%s.weight", l->name)
            ->data;
    double *h = qsv_alloc(k * k, sizeof *h), *d = qsv_alloc(k, sizeof *d), loss = 0;
    for (uint32_t o = 0; o < l->out_ch; o++) {
        OK(qsv_statistics_moments(s, layer, l->groups > 1 ? o : 0, h, NULL, &err));
        for (size_t i = 0; i < k; i++)
            d[i] =
                (double)w[o * k + i] - (e->codes ? (double)e->codes[o * k + i] * (double)e->scale[o]
                                                 : (double)e->values[o * k + i]);
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                loss += d[i] * h[i * k + j] * d[j];
    }
    free(h);
    free(d);
    return loss;
}

static void test_losses(void **state)
{
    (void)state;
    static const enum qsv_format formats[] = {QSV_F32, QSV_F16, QSV_INT4, QSV_TERNARY, QSV_NONE};
    struct golden g;
    golden_open(&g, "grey");
    struct qsv_statistics *s = collect(&g);
    struct qsv_bank *chosen = bank_of(&g, &compensated, s), *rounded = bank_of(&g, &by_max, s),
                    *blind = bank_of(&g, &by_max, NULL);
    double sums[2] = {0};
    for (uint32_t l = 0; l < g.model->graph.n_layers; l++)
        for (size_t f = 0; f < 5; f++) {
            const struct qsv_bank_entry *a = get(chosen, l, formats[f]),
                                        *b = get(rounded, l, formats[f]),
                                        *c = get(blind, l, formats[f]);
            const double want = loss_of(&g, s, l, a);
            if (!(fabs(a->loss - want) <= 1e-9 * want + 1e-18))
                fail_msg("loss of %s is %g, expected %g", g.model->graph.layers[l].name, a->loss,
                         want);
            assert_true(fabs(b->loss - loss_of(&g, s, l, b)) <= 1e-9 * b->loss + 1e-18);
            assert_true(formats[f] == QSV_F32 ? c->loss == 0 : isnan(c->loss));
            if (formats[f] == QSV_INT4) {
                sums[0] += a->loss;
                sums[1] += b->loss;
            }
        }
    assert_true(sums[0] < 0.7 * sums[1]);
    qsv_bank_destroy(chosen);
    qsv_bank_destroy(rounded);
    qsv_bank_destroy(blind);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

/* E[dW x], and the loss with it: tr(dW (H - m m^T) dW^T), written out. */
static void check_correction(const struct golden *g, const struct qsv_statistics *s, uint32_t layer,
                             const struct qsv_bank_entry *e)
{
    const struct qsv_layer *l = &g->model->graph.layers[layer];
    const size_t k = (size_t)l->n_weights / l->out_ch;
    const float *w =
        (const float *)(const void *)qsv_tensors_findf(&g->model->tensors, "%s.weight", l->name)
            ->data;
    double *h = qsv_alloc(k * k, sizeof *h), *mean = qsv_alloc(k, sizeof *mean), lacks_squared = 0;
    assert_non_null(e->correction);
    for (uint32_t o = 0; o < l->out_ch; o++) {
        double lacks = 0;
        OK(qsv_statistics_moments(s, layer, l->groups > 1 ? o : 0, h, mean, &err));
        for (size_t i = 0; i < k; i++)
            lacks += ((double)w[o * k + i] - (double)e->codes[o * k + i] * (double)e->scale[o]) *
                     mean[i];
        assert_true(fabs((double)e->correction[o] - lacks) <= 1e-6 * fabs(lacks) + 1e-9);
        lacks_squared += lacks * lacks;
    }
    const double want = loss_of(g, s, layer, e) - lacks_squared;
    if (!(fabs(e->loss - want) <= 1e-7 * (want + lacks_squared) + 1e-12))
        fail_msg("loss of %s is %g, expected %g", l->name, e->loss, want);
    free(h);
    free(mean);
}

static void test_corrections(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "kd");
    struct qsv_statistics *s = collect(&g);
    struct qsv_bank *a = bank_of(&g, &searched, s), *b = bank_of(&g, &compensated, s);
    double sums[2] = {0};
    for (uint32_t l = 0; l < g.model->graph.n_layers; l++) {
        const struct qsv_bank_entry *half = get(a, l, QSV_F16), *e = get(a, l, QSV_INT2);
        assert_null(half->correction);
        assert_true(fabs(half->loss - loss_of(&g, s, l, half)) <= 1e-7 * half->loss + 1e-12);
        check_correction(&g, s, l, e);
        check_correction(&g, s, l, get(a, l, QSV_NONE));
        assert_null(get(b, l, QSV_NONE)->correction);
        sums[0] += e->loss;
        sums[1] += get(b, l, QSV_INT2)->loss;
    }
    assert_true(sums[0] < sums[1]);
    qsv_bank_destroy(a);
    qsv_bank_destroy(b);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

/* The engine with shifts and a checkpoint with norms and biases compute the same; formats: layers
 * in turn. */
static void check_checkpoint(const enum qsv_format in_turn[3])
{
    struct golden g;
    struct qsv_network *quantized, *back;
    struct qsv_tensors tensors;
    struct qsv_model *model;
    struct qsv_bank *f32;
    golden_open(&g, "kd");
    struct qsv_statistics *s = collect(&g);
    struct qsv_bank *b = bank_of(&g, &searched, s);
    const struct qsv_graph *graph = &g.model->graph;
    uint8_t *formats = qsv_alloc(graph->n_layers, 1);
    for (size_t l = 0; l < graph->n_layers; l++)
        formats[l] = (uint8_t)in_turn[l % 3];
    OK(qsv_network_create(&quantized, g.model, b, formats, &err));
    OK(qsv_network_dequantize(&tensors, quantized, &err));
    OK(qsv_model_create(&model, &tensors, &g.model->options, "back", &err));
    OK(qsv_bank_create(&f32, model, &by_max, &err));
    memset(formats, QSV_F32, graph->n_layers);
    OK(qsv_network_create(&back, model, f32, formats, &err));
    for (uint32_t l = 0; l < graph->n_layers; l++) {
        const struct qsv_network_layer x = qsv_network_layer(quantized, l),
                                       y = qsv_network_layer(back, l);
        assert_true(!x.shift == !y.shift);
        for (uint32_t o = 0; x.shift && o < graph->layers[l].out_ch; o++)
            if (!(fabs((double)(x.shift[o] - y.shift[o])) < 1e-4 * (1 + fabs((double)x.shift[o]))))
                fail_msg("%s: shift %u is %g, in the checkpoint %g", graph->layers[l].name, o,
                         (double)x.shift[o], (double)y.shift[o]);
    }
    free(formats);
    qsv_network_destroy(quantized);
    qsv_network_destroy(back);
    qsv_bank_destroy(b);
    qsv_bank_destroy(f32);
    qsv_model_destroy(model);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

static void test_corrections_in_a_checkpoint(void **state)
{
    (void)state;
    check_checkpoint((enum qsv_format[]){QSV_BINARY, QSV_BINARY, QSV_BINARY});
    check_checkpoint((enum qsv_format[]){QSV_NONE, QSV_NONE, QSV_NONE});
    check_checkpoint((enum qsv_format[]){QSV_NONE, QSV_BINARY, QSV_INT4});
    check_checkpoint((enum qsv_format[]){QSV_INT2, QSV_NONE, QSV_F32});
}

static void test_needs_statistics_of_this_model(void **state)
{
    (void)state;
    struct golden g, other;
    struct qsv_error refusal;
    const struct qsv_bank_entry *e;
    golden_open(&g, "grey");
    golden_open(&other, "kd");
    struct qsv_bank *b = bank_of(&g, &compensated, NULL);
    struct qsv_statistics *s = collect(&other);
    assert_int_equal(qsv_bank_get(&e, b, 0, QSV_INT4, &refusal), QSV_EINPUT);
    assert_string_equal(refusal.text,
                        "quantizer 'compensated' needs statistics of the layers' inputs, which "
                        "qsvit calibrate collects");
    assert_int_equal(qsv_bank_use_statistics(b, s, &refusal), QSV_EINPUT);
    OK(qsv_bank_get(&e, b, 0, QSV_F16, &err));
    qsv_statistics_destroy(s);
    qsv_bank_destroy(b);
    golden_close(&g);
    golden_close(&other);
}

static void test_order_changes_nothing(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "grey");
    struct qsv_statistics *s = collect(&g);
    struct qsv_bank *a = bank_of(&g, &compensated, s), *b = bank_of(&g, &compensated, s);
    const uint32_t n = (uint32_t)g.model->graph.n_layers;
    for (uint32_t l = 0; l < n; l++)
        for (int f = QSV_INT3; f < QSV_N_FORMATS; f++)
            get(a, l, f);
    for (int f = QSV_N_FORMATS - 1; f >= QSV_INT3; f--)
        for (uint32_t l = n; l-- > 0;) {
            const struct qsv_bank_entry *x = get(b, l, f), *y = get(a, l, f);
            const struct qsv_layer *layer = &g.model->graph.layers[l];
            assert_memory_equal(x->codes, y->codes, layer->n_weights);
            assert_memory_equal(x->scale, y->scale, layer->out_ch * sizeof(float));
            assert_true(x->loss == y->loss);
        }
    qsv_bank_destroy(a);
    qsv_bank_destroy(b);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

static void test_install(void **state)
{
    (void)state;
    struct golden g;
    struct qsv_error refusal;
    golden_open(&g, "grey");
    struct qsv_bank *b = bank_of(&g, &compensated, NULL);
    const struct qsv_layer *l = &g.model->graph.layers[0];
    int8_t *codes = qsv_alloc(l->n_weights, 1);
    float *scale = qsv_alloc(l->out_ch, sizeof *scale);
    for (uint32_t o = 0; o < l->out_ch; o++)
        scale[o] = 1 + (float)o;
    memset(codes, 3, l->n_weights);
    struct qsv_bank_entry in = {.format = QSV_TERNARY, .codes = codes, .scale = scale, .loss = 0.5};
    assert_int_equal(qsv_bank_install(b, 0, &in, &refusal), QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "code 0 is 3, which is not one of ternary's"));
    codes[l->n_weights - 1] = 2;
    in.format = QSV_INT2;
    assert_int_equal(qsv_bank_install(b, 0, &in, &refusal), QSV_EINPUT);
    codes[l->n_weights - 1] = -3;
    scale[1] = 0;
    assert_int_equal(qsv_bank_install(b, 0, &in, &refusal), QSV_EINPUT);
    scale[1] = NAN;
    in.correction = scale;
    assert_int_equal(qsv_bank_install(b, 0, &in, &refusal), QSV_EINPUT);
    scale[1] = -2;
    assert_false(qsv_bank_has(b, 0, QSV_INT2));
    OK(qsv_bank_install(b, 0, &in, &err));
    assert_true(qsv_bank_has(b, 0, QSV_INT2));
    assert_int_equal(qsv_bank_install(b, 0, &in, &refusal), QSV_EINPUT);
    const struct qsv_bank_entry *e = get(b, 0, QSV_INT2);
    assert_memory_equal(e->codes, codes, l->n_weights);
    assert_memory_equal(e->scale, scale, l->out_ch * sizeof *scale);
    assert_memory_equal(e->correction, scale, l->out_ch * sizeof *scale);
    assert_true(e->loss == 0.5 && e->format == QSV_INT2);
    free(codes);
    free(scale);
    qsv_bank_destroy(b);
    golden_close(&g);
}

/* ---- files ---- */

static void check_files(const struct qsv_quantizer *quantizer)
{
    struct golden g, other;
    struct qsv_error refusal;
    struct qsv_bank *back;
    const struct qsv_bank_entry *e;
    char *path = qsv_file_join(folder, "b.h5"), *again = qsv_file_join(folder, "c.h5");
    golden_open(&g, "grey");
    golden_open(&other, "kd");
    struct qsv_statistics *s = collect(&g);
    struct qsv_bank *b = bank_of(&g, quantizer, s);
    for (uint32_t l = 0; l < g.model->graph.n_layers; l++)
        for (int f = QSV_INT8 + (int)l % 2; f < QSV_N_FORMATS; f += 2)
            get(b, l, f);
    OK(qsv_bank_save(b, path, &err));
    OK(qsv_bank_load(&back, g.model, path, &err));
    assert_string_equal(qsv_bank_quantizer(back)->name, quantizer->name);
    for (uint32_t l = 0; l < g.model->graph.n_layers; l++)
        for (int f = QSV_INT8 + (int)l % 2; f < QSV_N_FORMATS; f += 2) {
            const struct qsv_layer *layer = &g.model->graph.layers[l];
            const struct qsv_bank_entry *x = get(b, l, f), *y = get(back, l, f);
            assert_true(!x->correction == !y->correction);
            if (x->correction)
                assert_memory_equal(x->correction, y->correction, layer->out_ch * sizeof(float));
            assert_memory_equal(x->codes, y->codes, layer->n_weights);
            assert_memory_equal(x->scale, y->scale, layer->out_ch * sizeof(float));
            assert_true(x->loss == y->loss);
        }
    get(back, 1, QSV_F32);
    assert_int_equal(qsv_bank_get(&e, back, 1, QSV_INT8, &refusal), QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "holds no int8 codes of layer"));
    OK(qsv_bank_save(back, again, &err));
    uint8_t *x, *y;
    size_t nx, ny;
    OK(qsv_file_read(&x, &nx, path, 1 << 24, &err));
    OK(qsv_file_read(&y, &ny, again, 1 << 24, &err));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    free(x);
    free(y);
    qsv_bank_destroy(back);
    assert_int_equal(qsv_bank_load(&back, other.model, path, &refusal), QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "codes of model"));
    assert_int_equal(qsv_bank_load(&back, g.model, "tests/data/golden/grey_model.h5", &refusal),
                     QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "not a bank file"));
    assert_int_equal(qsv_bank_load(&back, g.model, "/nonexistent", &refusal), QSV_EINPUT);
    assert_null(back);
    unlink(path);
    unlink(again);
    free(path);
    free(again);
    qsv_bank_destroy(b);
    qsv_statistics_destroy(s);
    golden_close(&g);
    golden_close(&other);
}

static void test_files(void **state)
{
    (void)state;
    check_files(&compensated);
    check_files(&searched);
}

static void assert_refused(const struct golden *g, const char *path)
{
    struct qsv_bank *b = NULL;
    assert_int_equal(qsv_bank_load(&b, g->model, path, NULL), QSV_EINPUT);
    assert_null(b);
}

static void test_damaged_files(void **state)
{
    (void)state;
    struct golden g;
    char *path = qsv_file_join(folder, "b.h5");
    golden_open(&g, "grey");
    struct qsv_bank *b = bank_of(&g, &by_max, NULL);
    get(b, 0, QSV_TERNARY);
    OK(qsv_bank_save(b, path, &err));
    assert_damage_is_refused(assert_refused, &g, path);
    free(path);
    qsv_bank_destroy(b);
    golden_close(&g);
}

/* What a sealed file may say that is not so. */
struct lie {
    uint64_t model_hash; /* 0: right */
    const char *quantizer, *rule;
    uint32_t layer;
    uint8_t format;
    uint64_t offset, bytes, first_scale;
    uint64_t correction; /* 0: none; else one more than the first's place */
    uint8_t byte;        /* of codes */
    const char *says;
};

struct row {
    uint32_t layer;
    uint8_t format;
    uint64_t offset, bytes, first_scale, first_correction;
    double loss;
};

static void write_lie(const struct golden *g, const struct lie *lie, const char *path)
{
    const struct qsv_layer *l = &g->model->graph.layers[0];
    const size_t n = qsv_format_packed_bytes(QSV_TERNARY, l->n_weights);
    struct row row = {.layer = lie->layer,
                      .format = lie->format ? lie->format : QSV_TERNARY,
                      .offset = lie->offset,
                      .bytes = lie->bytes ? lie->bytes : n,
                      .first_scale = lie->first_scale,
                      .first_correction = lie->correction - 1};
    uint8_t *codes = qsv_alloc(n, 1);
    float *scales = qsv_alloc(l->out_ch, sizeof *scales);
    struct qsv_h5_image *image;
    memset(codes, lie->byte, n);
    for (uint32_t o = 0; o < l->out_ch; o++)
        scales[o] = 1;
    hid_t t = H5Tcreate(H5T_COMPOUND, sizeof row);
    H5Tinsert(t, "layer", offsetof(struct row, layer), H5T_NATIVE_UINT32);
    H5Tinsert(t, "format", offsetof(struct row, format), H5T_NATIVE_UINT8);
    H5Tinsert(t, "offset", offsetof(struct row, offset), H5T_NATIVE_UINT64);
    H5Tinsert(t, "bytes", offsetof(struct row, bytes), H5T_NATIVE_UINT64);
    H5Tinsert(t, "first_scale", offsetof(struct row, first_scale), H5T_NATIVE_UINT64);
    H5Tinsert(t, "first_correction", offsetof(struct row, first_correction), H5T_NATIVE_UINT64);
    H5Tinsert(t, "loss", offsetof(struct row, loss), H5T_NATIVE_DOUBLE);
    OK(qsv_seal_create(&image, &err));
    hid_t to = qsv_h5_image_file(image);
    OK(qsv_h5_set_u64(to, "qsvit_bank_version", 1, &err));
    OK(qsv_h5_set_u64(to, "model_hash", lie->model_hash ? lie->model_hash : g->model->hash, &err));
    OK(qsv_h5_set_u64(to, "statistics_hash", 5, &err));
    OK(qsv_h5_set_string(to, "quantizer", lie->quantizer ? lie->quantizer : "round", &err));
    OK(qsv_h5_set_string(to, "scale_rule", lie->rule ? lie->rule : "max", &err));
    const struct qsv_h5_layout one = {.rank = 1, .dims = {1}}, all = {.rank = 1, .dims = {n}},
                               channels = {.rank = 1, .dims = {l->out_ch}};
    OK(qsv_h5_write(to, "entries", t, t, &one, &row, &err));
    OK(qsv_h5_write(to, "codes", H5T_STD_U8LE, H5T_NATIVE_UINT8, &all, codes, &err));
    OK(qsv_h5_write(to, "scales", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &channels, scales, &err));
    OK(qsv_h5_write(to, "corrections", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &channels, scales, &err));
    OK(qsv_seal_commit(image, path, &err));
    H5Tclose(t);
    free(codes);
    free(scales);
}

static void test_sealed_files_that_lie(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {.model_hash = 1, .says = "codes of model 0000000000000001"},
        {.quantizer = "best",
         .says = "quantizer 'best' is none of searched, compensated, gptq, round"},
        {.rule = "min", .says = "scale rule 'min'"},
        {.layer = 4000, .says = "names layer 4000"},
        {.format = QSV_N_FORMATS, .says = "no such codes"},
        {.format = QSV_F16, .says = "no such codes"},
        {.format = QSV_INT4, .says = "do not fit layer"},
        {.offset = 1, .says = "do not fit layer"},
        {.offset = UINT64_MAX, .says = "do not fit layer"},
        {.bytes = UINT64_MAX, .says = "do not fit layer"},
        {.first_scale = 1, .says = "do not fit layer"},
        {.first_scale = UINT64_MAX, .says = "do not fit layer"},
        {.correction = 2, .says = "do not fit layer"},
        {.correction = UINT64_MAX, .says = "do not fit layer"},
        {.byte = 243, .says = "stands for no ternary codes"},
        {.format = QSV_NONE, .bytes = 1, .says = "do not fit layer"},
    };
    struct golden g;
    struct qsv_error refusal;
    struct qsv_bank *b;
    char *path = qsv_file_join(folder, "lie.h5");
    golden_open(&g, "grey");
    for (uint64_t correction = 0; correction < 2; correction++) {
        const struct lie truth = {.correction = correction};
        write_lie(&g, &truth, path);
        OK(qsv_bank_load(&b, g.model, path, &err));
        assert_true((get(b, 0, QSV_TERNARY)->correction != NULL) == (correction == 1));
        qsv_bank_destroy(b);
    }
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        write_lie(&g, &lies[i], path);
        assert_int_equal(qsv_bank_load(&b, g.model, path, &refusal), QSV_EINPUT);
        if (!strstr(refusal.text, lies[i].says))
            fail_msg("'%s' does not say '%s'", refusal.text, lies[i].says);
    }
    unlink(path);
    free(path);
    golden_close(&g);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct golden g;
    int failures = 0;
    golden_open(&g, "grey");
    struct qsv_statistics *s = collect(&g);
    const uint32_t last = (uint32_t)g.model->graph.n_layers - 1;
    for (long n = 1;; n++, failures++) {
        struct qsv_bank *b = bank_of(&g, &compensated, s);
        const struct qsv_bank_entry *e;
        qsv_alloc_fail_at(n);
        const enum qsv_status st = qsv_bank_get(&e, b, last, QSV_INT2, NULL);
        qsv_alloc_fail_at(0);
        if (st)
            assert_int_equal(st, QSV_ENOMEM);
        get(b, last, QSV_INT2);
        qsv_bank_destroy(b);
        if (!st)
            break;
    }
    assert_true(failures > 10);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_corrections),
        cmocka_unit_test(test_corrections_in_a_checkpoint),
        cmocka_unit_test(test_needs_statistics_of_this_model),
        cmocka_unit_test(test_order_changes_nothing),
        cmocka_unit_test(test_install),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_sealed_files_that_lie),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
