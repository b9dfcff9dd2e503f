/* What a rank is said to take, against what an engine and a bank really allocate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/statistics.h"
#include "core/synth.h"
#include "runner/forecast/footprint.h"
#include "runner/inputs/images.h"
#include "tests/unit/allocated.h"

static struct qsv_error err;

/* Of a search over these formats, by codes that need no statistics. */
static const char text[] = "model: none.h5\ndataset:\n  images: none\n"
                           "search:\n  formats: [f16, int8, int4, binary, none]\n"
                           "quantizer:\n  method: round\nconstraint:\n  max_top1_drop: 1\n";

struct subject {
    struct qsv_spec *spec;
    struct qsv_model *model;
    struct qsv_inputs in;
};

static void open_subject(struct subject *s)
{
    struct qsv_synth how = qsv_synth_default();
    memcpy(how.widths, (uint32_t[4]){16, 32, 64, 80}, sizeof how.widths);
    how.options.input = (struct qsv_shape){3, 64, 64};
    how.classes = 10;
    assert_int_equal(qsv_spec_parse(&s->spec, text, sizeof text - 1, "s.yaml", &err), QSV_OK);
    assert_int_equal(qsv_synth_make(&s->model, &how, &err), QSV_OK);
    s->in = (struct qsv_inputs){.spec = s->spec, .model = s->model, .codes.spec = s->spec};
}

static void close_subject(struct subject *s)
{
    qsv_spec_destroy(s->spec);
    qsv_model_destroy(s->model);
}

static struct qsv_footprint model_of(const struct subject *s, uint64_t trials)
{
    struct qsv_footprint f;
    if (qsv_footprint_model(&f, &s->in, trials, &err))
        fail_msg("%s", err.text);
    return f;
}

/* Within a part of it, and what the allocator keeps. */
static void expect_near(size_t is, uint64_t model, double part)
{
    const double most = part * (double)model + NOISE_BYTES;
    if ((double)is < (double)model - most || (double)is > (double)model + most)
        fail_msg("%zu bytes, the model says %llu", is, (unsigned long long)model);
}

static void test_an_engine_takes_what_the_model_says(void **state)
{
    (void)state;
    struct subject s;
    struct qsv_engine *e;
    open_subject(&s);
    const size_t before = allocated_bytes();
    assert_int_equal(qsv_engine_create(&e, s.model, qsv_images_batch(s.model), &err), QSV_OK);
    expect_near(allocated_bytes() - before, model_of(&s, 1).engine, 0.02);
    qsv_engine_destroy(e);
    close_subject(&s);
}

static void run_in(struct subject *s, struct qsv_bank *bank, struct qsv_engine *e, uint8_t format)
{
    const struct qsv_shape in = s->model->options.input;
    uint8_t *formats = malloc(s->model->graph.n_layers);
    uint8_t *pixels = calloc(in.c * in.h, in.w);
    float logits[16];
    struct qsv_network *n;
    struct qsv_engine_output out = {.logits = logits};
    memset(formats, format, s->model->graph.n_layers);
    assert_int_equal(qsv_network_create(&n, s->model, bank, formats, &err), QSV_OK);
    assert_int_equal(qsv_engine_run(e, pixels, 1, &n, 1, &out, NULL, NULL, &err), QSV_OK);
    qsv_network_destroy(n);
    free(pixels);
    free(formats);
}

static void test_weights_take_what_the_model_says(void **state)
{
    (void)state;
    struct subject s;
    struct qsv_engine *e;
    struct qsv_bank *bank;
    open_subject(&s);
    assert_int_equal(qsv_engine_create(&e, s.model, 1, &err), QSV_OK);
    assert_int_equal(qsv_bank_create(&bank, s.model, &s.spec->quantizer, &err), QSV_OK);
    const size_t before = allocated_bytes();
    run_in(&s, bank, e, QSV_F32);
    for (uint32_t f = 0; f < s.spec->search.n_formats; f++)
        run_in(&s, bank, e, s.spec->search.formats[f]);
    /* Beside them: scales, and what a call of the engine needs of a layer's shape. */
    expect_near(allocated_bytes() - before, model_of(&s, 1).weights + model_of(&s, 1).bank, 0.06);
    qsv_bank_destroy(bank);
    qsv_engine_destroy(e);
    close_subject(&s);
}

static void test_more_trials_take_a_little_more(void **state)
{
    (void)state;
    struct subject s;
    open_subject(&s);
    const uint64_t one = model_of(&s, 1).engine, two = model_of(&s, 2).engine;
    assert_true(two > one);
    assert_int_equal(model_of(&s, 1024).engine - one, 10 * (two - one));
    close_subject(&s);
}

static void test_codes_count_where_they_are_made(void **state)
{
    (void)state;
    struct subject s;
    open_subject(&s);
    assert_int_equal(model_of(&s, 1).codes, 0);
    s.spec->quantizer.name = qsv_quantizer_find("searched");
    struct qsv_partition one_shard = {.n_judge = 1, .n_shards = 1};
    s.in.partition = one_shard;
    assert_int_equal(qsv_bank_create(&s.in.bank, s.model, &s.spec->quantizer, &err), QSV_OK);
    s.in.codes = (struct qsv_codes){
        .spec = s.spec, .model = s.model, .bank = s.in.bank, .partition = &s.in.partition};
    const struct qsv_footprint f = model_of(&s, 1);
    /* The widest layer, ConvBlock2's conv2, reads 9 x 128 inputs: H and its factor. */
    assert_true(f.codes > 2ull * 9 * 128 * 9 * 128 * sizeof(double));
    assert_true(f.codes > qsv_statistics_bytes(s.model, NULL));
    assert_true(f.rank >= f.codes + f.engine);
    qsv_bank_destroy(s.in.bank);
    close_subject(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_engine_takes_what_the_model_says),
        cmocka_unit_test(test_weights_take_what_the_model_says),
        cmocka_unit_test(test_more_trials_take_a_little_more),
        cmocka_unit_test(test_codes_count_where_they_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
