/* Models: what the graph of a known architecture looks like, what is refused, and files that come
 * back as they were or not at all. */
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
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/model.h"

static const char *const kd_path = "tests/data/golden/kd_model.h5";

static struct qsv_model *load(const char *path)
{
    struct qsv_model *m = NULL;
    struct qsv_error err = {0};
    if (qsv_model_load(&m, path, &err))
        fail_msg("%s", err.text);
    return m;
}

static void copy_tensors(struct qsv_tensors *out, const struct qsv_tensors *from)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < from->n; i++) {
        const struct qsv_tensor *t = &from->v[i];
        struct qsv_tensor *copy;
        assert_int_equal(qsv_tensors_add(out, t->name, t->format, t->rank, t->shape, &copy, NULL),
                         QSV_OK);
        memcpy(copy->data, t->data, t->bytes);
    }
}

static struct qsv_tensor *find(struct qsv_tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->v[i].name, name))
            return &t->v[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static const struct qsv_layer *layer(const struct qsv_model *m, const char *name)
{
    for (size_t i = 0; i < m->graph.n_layers; i++)
        if (!strcmp(m->graph.layers[i].name, name))
            return &m->graph.layers[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static void test_default_model(void **state)
{
    struct qsv_model *m = load("models/sdtv2_fmnist_t4.h5");
    (void)state;
    assert_string_equal(m->architecture, "sdtv2");
    assert_int_equal(m->graph.n_layers, 138);
    assert_int_equal(m->graph.n_blocks, 26);
    assert_int_equal(m->graph.n_stages, 5);
    assert_int_equal(m->graph.n_weights, 877656);
    assert_int_equal(m->source_bytes, 3684776);
    assert_int_equal(m->classes, 10);
    assert_false(m->folded);
    const struct qsv_layer *stem = layer(m, "downsample1_1.encode_conv");
    assert_false(stem->spike_input);
    assert_false(m->graph.nodes[stem->node].per_step);
    assert_int_equal(stem->out.h, 28);
    const struct qsv_layer *dw = layer(m, "block3.0.attn.q_conv.0.body.2.0");
    assert_true(dw->pad_norm);
    assert_int_equal(dw->groups, dw->out_ch);
    assert_false(dw->spike_input);
    /* 4x4 pixels: 10 of 12 taps a side lie inside */
    assert_int_equal(dw->macs, 10 * 10 * dw->out_ch);
    assert_true(layer(m, "ConvBlock1_1.0.Conv.dwconv")->spike_input);
    assert_false(layer(m, "ConvBlock1_1.0.Conv.pwconv2")->spike_input);
    qsv_model_destroy(m);
}

struct bad_case {
    const char *what;
    void (*spoil)(struct qsv_tensors *t, struct qsv_model_options *o);
    const char *says;
};

static void drop(struct qsv_tensors *t, const char *name)
{
    struct qsv_tensor *v = find(t, name);
    free(v->name);
    v->name = qsv_strdup("unused");
}

static void no_norm(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    drop(t, "block3.0.mlp.fc1_bn.running_var");
}

static void no_layer(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    drop(t, "ConvBlock2_1.0.conv2.weight");
}

static void no_head(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    drop(t, "head.weight");
}

static void wrong_width(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    find(t, "downsample2.encode_conv.weight")->shape[1] = 3;
}

static void not_a_number(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    ((float *)find(t, "head.weight")->data)[2] = (float)NAN;
}

static void short_bias(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    find(t, "head.bias")->shape[0] = 4;
}

static void seven_heads(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->heads = 7;
}

static void no_heads(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->heads = 0;
}

static void no_time(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->time_steps = 0;
}

static void no_std(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->std[1] = 0;
}

static void no_height(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->input.h = 0;
}

static void grey(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)t;
    o->input.c = 1;
}

static void unreadable(struct qsv_tensors *t, struct qsv_model_options *o)
{
    (void)o;
    find(t, "block4.0.mlp.fc2_conv.weight")->defect = qsv_strdup("it is a numpy array");
}

static const struct bad_case bad_cases[] = {
    {"a norm's tensor is missing", no_norm, "block3.0.mlp.fc1_bn.running_var"},
    {"a layer's tensor is missing", no_layer, "ConvBlock2_1.0.conv2.weight"},
    {"no architecture fits", no_head, "sdtv2"},
    {"a width does not fit", wrong_width, "downsample2.encode_conv.weight"},
    {"a weight is not a number", not_a_number, "head.weight"},
    {"a bias has another length", short_bias, "head.bias"},
    {"heads do not divide", seven_heads, "7 heads"},
    {"no heads", no_heads, "0 heads"},
    {"no time steps", no_time, "0 time steps"},
    {"a standard deviation of 0", no_std, "channel 1"},
    {"no height", no_height, "input 3x0x24"},
    {"other channels", grey, "downsample1_1.encode_conv.weight"},
    {"a needed tensor can't be read", unreadable, "it is a numpy array"},
};

static void test_refuses(void **state)
{
    struct qsv_model *m = load(kd_path);
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        struct qsv_model_options o = m->options;
        struct qsv_tensors t;
        struct qsv_model *out;
        struct qsv_error err = {0};
        copy_tensors(&t, &m->tensors);
        bad_cases[i].spoil(&t, &o);
        if (qsv_model_create(&out, &t, &o, "ckpt.pth", &err) != QSV_EINPUT)
            fail_msg("%s: not refused", bad_cases[i].what);
        if (!strstr(err.text, bad_cases[i].says) || strncmp(err.text, "ckpt.pth: ", 10))
            fail_msg("%s: says '%s'", bad_cases[i].what, err.text);
        assert_null(out);
    }
    qsv_model_destroy(m);
}

static void test_saves_what_it_loaded(void **state)
{
    char path[] = "/tmp/qsv_model_XXXXXX";
    struct qsv_model *m = load(kd_path), *again;
    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    assert_int_equal(qsv_model_save(m, path, NULL), QSV_OK);
    again = load(path);
    assert_int_equal(again->hash, m->hash);
    assert_int_equal(again->tensors.n, m->tensors.n);
    assert_int_equal(again->source_bytes, m->source_bytes);
    qsv_model_destroy(again);
    qsv_model_destroy(m);
    unlink(path);
}

static void test_every_value_is_in_the_hash(void **state)
{
    struct qsv_model *m = load(kd_path);
    (void)state;
    for (size_t i = 0; i < m->tensors.n; i += 7) {
        struct qsv_tensors t;
        struct qsv_model *other;
        copy_tensors(&t, &m->tensors);
        ((float *)t.v[i].data)[0] += 1;
        assert_int_equal(qsv_model_create(&other, &t, &m->options, "x", NULL), QSV_OK);
        assert_true(other->hash != m->hash);
        qsv_model_destroy(other);
    }
    qsv_model_destroy(m);
}

static void refuse(const char *path, const uint8_t *data, size_t bytes)
{
    struct qsv_model *m = NULL;
    struct qsv_error err = {0};
    assert_int_equal(qsv_file_write(path, data, bytes, NULL), QSV_OK);
    enum qsv_status st = qsv_model_load(&m, path, &err);
    assert_int_equal(st, QSV_EINPUT);
    assert_null(m);
    assert_true(strlen(err.text) > 10);
}

static void test_damaged_files(void **state)
{
    char path[] = "/tmp/qsv_model_XXXXXX";
    uint8_t *data;
    size_t bytes;
    struct qsv_rng r;
    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    assert_int_equal(qsv_file_read(&data, &bytes, kd_path, 1 << 22, NULL), QSV_OK);
    for (size_t n = 0; n < bytes; n += n < 2048 ? 61 : 4099)
        refuse(path, data, n);
    qsv_rng_seed(&r, 11);
    for (int i = 0; i < 200; i++) {
        size_t at = qsv_rng_below(&r, bytes);
        uint8_t old = data[at];
        data[at] ^= (uint8_t)(1 + qsv_rng_below(&r, 255));
        refuse(path, data, bytes);
        data[at] = old;
    }
    free(data);
    unlink(path);
}

static void test_other_files(void **state)
{
    static const char *const paths[] = {"tests/data/golden/kd.h5", "Makefile", "tests",
                                        "no/such/file"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct qsv_model *m;
        struct qsv_error err = {0};
        assert_int_equal(qsv_model_load(&m, paths[i], &err), QSV_EINPUT);
        assert_non_null(strstr(err.text, paths[i]));
    }
}

/* Two as two ranks have them: one copy of the data, the same model. */
static void test_shared(void **state)
{
    struct qsv_model *m[3];
    struct qsv_error err = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(qsv_model_load(&m[i], "tests/data/tiny.h5", &err), QSV_OK);
    for (int i = 1; i < 3; i++)
        if (qsv_model_share(m[i], &err))
            fail_msg("%s", err.text);
    qsv_model_destroy(m[1]); /* the other's data stay */
    for (size_t i = 0; i < m[0]->tensors.n; i++) {
        const struct qsv_tensor *own = &m[0]->tensors.v[i], *shared = &m[2]->tensors.v[i];
        assert_true(shared->borrowed && !own->borrowed);
        assert_int_equal(own->bytes, shared->bytes);
        assert_memory_equal(own->data, shared->data, own->bytes);
    }
    qsv_model_destroy(m[0]);
    qsv_model_destroy(m[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_model),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_saves_what_it_loaded),
        cmocka_unit_test(test_every_value_is_in_the_hash),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
