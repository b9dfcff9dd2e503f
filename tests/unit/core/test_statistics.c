/* Statistics of every layer of the golden models (strides, padding, depthwise, 1x1, real inputs)
 * against sums written out; partitions; files. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/fold.h"
#include "core/kernels/moments.h"
#include "core/statistics.h"
#include "tests/unit/core/sealed_files.h"

static const char *const nets[] = {"kd", "grey"};

/* ---- against sums written out ---- */

struct brute {
    const struct qsv_model *model;
    double **h; /* [n_layers][groups x k x k], sums */
    double **mean;
    uint64_t *positions;
};

static size_t inputs_of(const struct qsv_layer *l)
{
    return (size_t)l->in_ch * l->kernel * l->kernel;
}

static double value_at(const struct qsv_engine_input *in, const struct qsv_layer *l, size_t c,
                       size_t t, size_t i, int64_t y, int64_t x)
{
    if (y < 0 || x < 0 || y >= l->in.h || x >= l->in.w)
        return 0;
    size_t at = t * in->block + i * l->in.h * l->in.w + (size_t)(y * l->in.w + x);
    if (in->spikes)
        return (double)(in->spikes[c * in->stride + at / 64] >> at % 64 & 1);
    return (double)in->values[c * in->stride + at];
}

static void add_position(struct brute *b, const struct qsv_engine_input *in, size_t t, size_t i,
                         uint32_t oy, uint32_t ox)
{
    const struct qsv_layer *l = &b->model->graph.layers[in->layer];
    const size_t k = inputs_of(l), groups = l->groups > 1 ? l->out_ch : 1;
    double *v = qsv_alloc(k, sizeof *v), *factor = qsv_alloc(l->in.c, sizeof *factor),
           *constant = qsv_alloc(l->in.c, sizeof *constant);
    OK(qsv_fold_input(b->model, in->layer, factor, constant, &err));
    for (size_t g = 0; g < groups; g++) {
        size_t n = 0;
        for (size_t c = g; c < g + l->in_ch; c++)
            for (uint32_t ky = 0; ky < l->kernel; ky++)
                for (uint32_t kx = 0; kx < l->kernel; kx++)
                    v[n++] =
                        factor[c] * value_at(in, l, c, t, i, (int64_t)oy * l->stride + ky - l->pad,
                                             (int64_t)ox * l->stride + kx - l->pad) +
                        constant[c];
        for (size_t p = 0; p < k; p++) {
            b->mean[in->layer][g * k + p] += v[p];
            for (size_t q = 0; q < k; q++)
                b->h[in->layer][(g * k + p) * k + q] += v[p] * v[q];
        }
    }
    b->positions[in->layer]++;
    free(v);
    free(factor);
    free(constant);
}

static enum qsv_status watch(void *context, const struct qsv_engine_input *in,
                             struct qsv_error *err)
{
    struct brute *b = context;
    const struct qsv_layer *l = &b->model->graph.layers[in->layer];
    (void)err;
    for (size_t t = 0; t < in->steps; t++)
        for (size_t i = 0; i < in->images; i++)
            for (uint32_t oy = 0; oy < l->out.h; oy++)
                for (uint32_t ox = 0; ox < l->out.w; ox++)
                    add_position(b, in, t, i, oy, ox);
    return QSV_OK;
}

static void brute_init(struct brute *b, const struct qsv_model *m)
{
    const size_t n = m->graph.n_layers;
    *b = (struct brute){m, qsv_alloc(n, sizeof(double *)), qsv_alloc(n, sizeof(double *)),
                        qsv_alloc(n, sizeof(uint64_t))};
    for (size_t i = 0; i < n; i++) {
        const struct qsv_layer *l = &m->graph.layers[i];
        const size_t k = inputs_of(l), groups = l->groups > 1 ? l->out_ch : 1;
        b->h[i] = qsv_alloc(groups * k * k, sizeof(double));
        b->mean[i] = qsv_alloc(groups * k, sizeof(double));
    }
}

static void brute_fini(struct brute *b)
{
    for (size_t i = 0; i < b->model->graph.n_layers; i++) {
        free(b->h[i]);
        free(b->mean[i]);
    }
    free(b->h);
    free(b->mean);
    free(b->positions);
}

static void expect_near(double is, double want, const char *what, size_t at)
{
    if (!(fabs(is - want) <= 1e-9 * (1 + fabs(want))))
        fail_msg("%s: element %zu is %.17g, expected %.17g", what, at, is, want);
}

static void compare_layer(const struct qsv_statistics *s, const struct brute *b, uint32_t layer)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    const size_t k = inputs_of(l), groups = l->groups > 1 ? l->out_ch : 1;
    const double n = (double)b->positions[layer];
    double *h = qsv_alloc(k * k, sizeof *h), *mean = qsv_alloc(k, sizeof *mean);
    assert_int_equal(qsv_statistics_inputs(s, layer), k);
    assert_int_equal(qsv_statistics_positions(s, layer), b->positions[layer]);
    for (size_t g = 0; g < groups; g++) {
        OK(qsv_statistics_moments(s, layer, (uint32_t)g, h, mean, &err));
        for (size_t e = 0; e < k * k; e++)
            expect_near(h[e], b->h[layer][g * k * k + e] / n, l->name, e);
        for (size_t e = 0; e < k; e++)
            expect_near(mean[e], b->mean[layer][g * k + e] / n, l->name, e);
    }
    free(h);
    free(mean);
}

static void test_equals_sums_written_out(void **state)
{
    (void)state;
    for (size_t net = 0; net < 2; net++) {
        struct golden g;
        struct brute b;
        struct qsv_statistics *s;
        golden_open(&g, nets[net]);
        brute_init(&b, g.model);
        OK(qsv_statistics_create(&s, g.model, NULL, &err));
        const struct qsv_engine_observer brute_face = {watch, &b},
                                         face = qsv_statistics_observer(s);
        qsv_engine_observe(g.engine, &brute_face);
        golden_run(&g, 0, 2);
        qsv_engine_observe(g.engine, &face);
        golden_run(&g, 0, 2);
        qsv_engine_observe(g.engine, NULL);
        golden_run(&g, 2, 1);
        for (uint32_t l = 0; l < g.model->graph.n_layers; l++)
            compare_layer(s, &b, l);
        qsv_statistics_destroy(s);
        brute_fini(&b);
        golden_close(&g);
    }
}

/* ---- E[output] against the real-valued layers that follow ---- */

static void test_output_mean_is_what_the_next_layer_reads(void **state)
{
    (void)state;
    struct golden g;
    struct qsv_statistics *s;
    size_t checked = 0;
    golden_open(&g, "kd");
    OK(qsv_statistics_create(&s, g.model, NULL, &err));
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    qsv_engine_observe(g.engine, &face);
    golden_run(&g, 0, GOLDEN_IMAGES);
    for (uint32_t l = 0; l < g.model->graph.n_layers; l++) {
        const struct qsv_link *link = &g.model->graph.links[l];
        if (link->next == QSV_NO_LAYER || link->n_norms ||
            g.model->graph.layers[link->next].kernel > 1)
            continue; /* read by a 1x1 layer at the same positions */
        const struct qsv_layer *after = &g.model->graph.layers[link->next];
        double *output = qsv_alloc(after->in.c, sizeof *output);
        double *mean = qsv_alloc(after->in.c, sizeof *mean);
        double *h = qsv_alloc((size_t)after->in.c * after->in.c, sizeof *h);
        OK(qsv_statistics_output(s, l, output, &err));
        OK(qsv_statistics_moments(s, link->next, 0, h, mean, &err));
        for (size_t c = 0; c < after->in.c; c++)
            if (!(fabs(output[c] - mean[c]) < 1e-5 * (1 + fabs(mean[c]))))
                fail_msg("%s: E[output] %zu is %g, what follows reads %g",
                         g.model->graph.layers[l].name, c, output[c], mean[c]);
        free(output);
        free(mean);
        free(h);
        checked++;
    }
    assert_true(checked > 2);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

/* ---- partitions ---- */

static struct qsv_statistics *shard(struct golden *g, uint32_t first, uint32_t n, uint32_t batch)
{
    struct qsv_statistics *s;
    uint32_t numbers[GOLDEN_IMAGES];
    OK(qsv_statistics_create(&s, g->model, NULL, &err));
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    qsv_engine_observe(g->engine, &face);
    for (uint32_t at = first; at < first + n; at += batch)
        golden_run(g, at, first + n - at < batch ? first + n - at : batch);
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = first + i;
    OK(qsv_statistics_note(s, 99, numbers, n, &err));
    return s;
}

static void test_batches_and_isas_change_nothing(void **state)
{
    (void)state;
    static const char *const isas[] = {"scalar", "avx2", "avx512"};
    struct golden g;
    golden_open(&g, "grey");
    struct qsv_statistics *s = shard(&g, 0, GOLDEN_IMAGES, GOLDEN_IMAGES);
    const uint64_t want = qsv_statistics_hash(s);
    qsv_statistics_destroy(s);
    for (uint32_t batch = 1; batch < GOLDEN_IMAGES; batch++)
        for (int i = 0; i < 3; i++) {
            setenv("QSV_ISA", isas[i], 1);
            s = shard(&g, 0, GOLDEN_IMAGES, batch);
            assert_true(qsv_statistics_hash(s) == want);
            qsv_statistics_destroy(s);
        }
    unsetenv("QSV_ISA");
    golden_close(&g);
}

static double largest_difference(const struct qsv_statistics *a, const struct qsv_statistics *b,
                                 bool spikes)
{
    const struct qsv_graph *g = &qsv_statistics_model(a)->graph;
    double largest = 0;
    for (uint32_t l = 0; l < g->n_layers; l++) {
        const size_t k = qsv_statistics_inputs(a, l);
        double *x = qsv_alloc(k * k, sizeof *x), *y = qsv_alloc(k * k, sizeof *y);
        if (g->layers[l].spike_input == spikes) {
            OK(qsv_statistics_moments(a, l, 0, x, NULL, &err));
            OK(qsv_statistics_moments(b, l, 0, y, NULL, &err));
            for (size_t e = 0; e < k * k; e++)
                largest = fmax(largest, fabs(x[e] - y[e]) / (1e-9 + fabs(x[e])));
        }
        free(x);
        free(y);
    }
    return largest;
}

static void test_shards_add_up(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "kd");
    struct qsv_statistics *whole = shard(&g, 0, 5, 5), *a = shard(&g, 0, 2, 2),
                          *b = shard(&g, 2, 3, 1), *again = shard(&g, 0, 2, 1);
    size_t n;
    OK(qsv_statistics_add(a, b, &err));
    OK(qsv_statistics_add(again, b, &err));
    assert_true(qsv_statistics_hash(a) == qsv_statistics_hash(again));
    assert_true(largest_difference(whole, a, true) == 0);
    assert_true(largest_difference(whole, a, false) < 1e-12);
    const uint32_t *images = qsv_statistics_images(a, &n);
    assert_int_equal(n, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(images[i], i);
    assert_true(qsv_statistics_fingerprint(a) == 99);
    qsv_statistics_destroy(whole);
    qsv_statistics_destroy(a);
    qsv_statistics_destroy(b);
    qsv_statistics_destroy(again);
    golden_close(&g);
}

static void test_refuses_what_does_not_belong(void **state)
{
    (void)state;
    struct golden g, other;
    struct qsv_statistics *s, *t;
    struct qsv_error refusal;
    const uint32_t number = 0;
    golden_open(&g, "kd");
    golden_open(&other, "grey");
    bool *some = qsv_alloc(g.model->graph.n_layers, sizeof *some);
    some[3] = true;
    s = shard(&g, 0, 1, 1);
    assert_int_equal(qsv_statistics_note(s, 98, &number, 1, &refusal), QSV_EINPUT);
    t = shard(&other, 0, 1, 1);
    assert_int_equal(qsv_statistics_add(s, t, &refusal), QSV_EINPUT);
    qsv_statistics_destroy(t);
    OK(qsv_statistics_create(&t, g.model, some, &err));
    assert_true(qsv_statistics_bytes(g.model, some) < qsv_statistics_bytes(g.model, NULL));
    assert_int_equal(qsv_statistics_add(s, t, &refusal), QSV_EINPUT);
    double h[1];
    assert_int_equal(qsv_statistics_moments(t, 0, 0, h, NULL, &refusal), QSV_EINPUT);
    assert_string_equal(refusal.text, "no statistics of layer 'downsample1_1.encode_conv'");
    qsv_statistics_destroy(s);
    qsv_statistics_destroy(t);
    free(some);
    golden_close(&g);
    golden_close(&other);
}

/* ---- files ---- */

static void test_files(void **state)
{
    (void)state;
    struct golden g, other;
    struct qsv_error refusal;
    struct qsv_statistics *back;
    char *path = qsv_file_join(folder, "s.h5");
    golden_open(&g, "grey");
    golden_open(&other, "kd");
    struct qsv_statistics *s = shard(&g, 0, 3, 2);
    OK(qsv_statistics_save(s, path, &err));
    OK(qsv_statistics_load(&back, g.model, path, &err));
    assert_true(qsv_statistics_hash(s) == qsv_statistics_hash(back));
    OK(qsv_statistics_add(back, s, &err));
    qsv_statistics_destroy(back);
    assert_int_equal(qsv_statistics_load(&back, other.model, path, &refusal), QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "statistics of model"));
    assert_null(back);
    assert_int_equal(qsv_statistics_load(&back, g.model, "/nonexistent", &refusal), QSV_EINPUT);
    assert_int_equal(
        qsv_statistics_load(&back, g.model, "tests/data/golden/grey_model.h5", &refusal),
        QSV_EINPUT);
    assert_non_null(strstr(refusal.text, "qsvit calibrate"));
    unlink(path);
    free(path);
    qsv_statistics_destroy(s);
    golden_close(&g);
    golden_close(&other);
}

/* A small file of a few layers, so that many damaged ones are tried quickly. */
static struct qsv_statistics *small(struct golden *g)
{
    struct qsv_statistics *s;
    const uint32_t number = 4;
    bool *some = qsv_alloc(g->model->graph.n_layers, sizeof *some);
    for (size_t l = 0, found = 0; l < g->model->graph.n_layers && found < 2; l++)
        found += some[l] = inputs_of(&g->model->graph.layers[l]) < 10;
    OK(qsv_statistics_create(&s, g->model, some, &err));
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    qsv_engine_observe(g->engine, &face);
    golden_run(g, 0, 1);
    OK(qsv_statistics_note(s, 5, &number, 1, &err));
    free(some);
    return s;
}

static void assert_refused(const struct golden *g, const char *path)
{
    struct qsv_statistics *s = NULL;
    assert_int_equal(qsv_statistics_load(&s, g->model, path, NULL), QSV_EINPUT);
    assert_null(s);
}

static void test_damaged_files(void **state)
{
    (void)state;
    struct golden g;
    char *path = qsv_file_join(folder, "s.h5");
    golden_open(&g, "grey");
    struct qsv_statistics *s = small(&g);
    OK(qsv_statistics_save(s, path, &err));
    assert_damage_is_refused(assert_refused, &g, path);
    free(path);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

/* Sealed, but not what qsvit writes: what the seal can't catch. */
static void test_sealed_files_that_lie(void **state)
{
    (void)state;
    static const char *const broken[] = {"moments", "layers", "images"};
    struct golden g;
    struct qsv_error refusal;
    char *path = qsv_file_join(folder, "s.h5"), *lie = qsv_file_join(folder, "lie.h5");
    golden_open(&g, "grey");
    struct qsv_statistics *s = small(&g), *back;
    OK(qsv_statistics_save(s, path, &err));
    for (size_t i = 0; i < 3; i++) {
        struct qsv_h5_image *image;
        hid_t from;
        OK(qsv_seal_open(&from, path, &err));
        OK(qsv_seal_create(&image, &err));
        hid_t to = qsv_h5_image_file(image);
        OK(qsv_h5_set_u64(to, "qsvit_statistics_version", 1, &err));
        OK(qsv_h5_set_u64(to, "model_hash", g.model->hash, &err));
        OK(qsv_h5_set_u64(to, "dataset_fingerprint", 5, &err));
        OK(qsv_h5_set_u64(to, "hash", qsv_statistics_hash(s), &err));
        for (size_t j = 0; j < 3; j++)
            if (j != i)
                assert_true(H5Ocopy(from, broken[j], to, broken[j], H5P_DEFAULT, H5P_DEFAULT) >= 0);
        H5Fclose(from);
        OK(qsv_seal_commit(image, lie, &err));
        assert_int_equal(qsv_statistics_load(&back, g.model, lie, &refusal), QSV_EINPUT);
        assert_non_null(strstr(refusal.text, broken[i]));
    }
    unlink(path);
    unlink(lie);
    free(path);
    free(lie);
    qsv_statistics_destroy(s);
    golden_close(&g);
}

/* Every integer entry of a bank by statistics that are used, or spent. */
static void fill_bank(struct qsv_bank **out, const struct golden *g, struct qsv_statistics *s,
                      bool spend)
{
    static const struct qsv_quantizer searched = {"searched", QSV_SCALE_MSE, QSV_F32};
    const struct qsv_bank_entry *e;
    OK(qsv_bank_create(out, g->model, &searched, &err));
    if (spend)
        OK(qsv_bank_spend_statistics(*out, s, &err));
    else
        OK(qsv_bank_use_statistics(*out, s, &err));
    for (uint32_t l = 0; l < g->model->graph.n_layers; l++)
        for (int f = QSV_INT4; f <= QSV_BINARY; f++)
            OK(qsv_bank_get(&e, *out, l, (enum qsv_format)f, &err));
}

static void test_spent_statistics_give_the_same_bank(void **state)
{
    (void)state;
    struct golden g;
    struct qsv_bank *bank;
    uint8_t *files[2];
    size_t bytes[2];
    char *path = qsv_file_join(folder, "b.h5");
    golden_open(&g, "grey");
    for (int spend = 0; spend < 2; spend++) {
        struct qsv_statistics *s = shard(&g, 0, 3, 3);
        fill_bank(&bank, &g, s, spend);
        OK(qsv_bank_save(bank, path, &err));
        OK(qsv_file_read(&files[spend], &bytes[spend], path, 1 << 24, &err));
        for (uint32_t l = 0; spend && l < g.model->graph.n_layers; l++)
            assert_int_equal(qsv_statistics_positions(s, l), 0);
        qsv_bank_destroy(bank);
        qsv_statistics_destroy(s);
        unlink(path);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(files[0], files[1], bytes[0]);
    free(files[0]);
    free(files[1]);
    free(path);
    golden_close(&g);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct golden g;
    struct qsv_statistics *s;
    golden_open(&g, "grey");
    for (long n = 1;; n++) {
        qsv_alloc_fail_at(n);
        const enum qsv_status st = qsv_statistics_create(&s, g.model, NULL, NULL);
        qsv_alloc_fail_at(0);
        if (!st)
            break;
        assert_int_equal(st, QSV_ENOMEM);
        assert_null(s);
    }
    qsv_statistics_destroy(s);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_sums_written_out),
        cmocka_unit_test(test_output_mean_is_what_the_next_layer_reads),
        cmocka_unit_test(test_batches_and_isas_change_nothing),
        cmocka_unit_test(test_shards_add_up),
        cmocka_unit_test(test_refuses_what_does_not_belong),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_sealed_files_that_lie),
        cmocka_unit_test(test_spent_statistics_give_the_same_bank),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
