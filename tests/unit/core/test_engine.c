/* The engine against PyTorch in f64 (tests/reference/make_engine_golden.py), and against itself:
 * batch, company and instruction set change no bit; a folded file is the same network. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/affine.h"
#include "core/cost.h"
#include "core/engine.h"
#include "core/h5.h"
#include "core/kernels/kernels.h"

static const char *const nets[] = {"kd", "grey"};
static const char *const formats[] = {"f32", "int8", "int4", "int2"};
static const struct qsv_quantizer quantizer = {"round", QSV_SCALE_MSE, QSV_F32};

enum { MAX_IMAGES = 8 };

struct fixture {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_engine *engine;
    uint8_t *images;
    double *logits;
    uint64_t *spikes;
    uint32_t n;
    char *lif_names;
};

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static void open_model(struct fixture *f, const char *net)
{
    char path[128];
    memset(f, 0, sizeof *f);
    snprintf(path, sizeof path, "tests/data/golden/%s_model.h5", net);
    OK(qsv_model_load(&f->model, path, &err));
    OK(qsv_bank_create(&f->bank, f->model, &quantizer, &err));
    OK(qsv_engine_create(&f->engine, f->model, MAX_IMAGES, &err));
}

static void read_golden(struct fixture *f, const char *net, const char *format)
{
    char path[128], name[64];
    hid_t file, text = H5Tcopy(H5T_C_S1);
    hsize_t d[4];
    H5Tset_size(text, 64);
    snprintf(path, sizeof path, "tests/data/golden/%s.h5", net);
    OK(qsv_h5_open(&file, path, &err));
    snprintf(name, sizeof name, "%s/images", format);
    OK(qsv_h5_read(file, name, H5T_NATIVE_UINT8, 1, 4, d, 1 << 20, (void **)&f->images, &err));
    f->n = (uint32_t)d[0];
    snprintf(name, sizeof name, "%s/logits", format);
    OK(qsv_h5_read(file, name, H5T_NATIVE_DOUBLE, 8, 2, d, 1 << 20, (void **)&f->logits, &err));
    snprintf(name, sizeof name, "%s/spikes", format);
    OK(qsv_h5_read(file, name, H5T_NATIVE_UINT64, 8, 2, d, 1 << 20, (void **)&f->spikes, &err));
    OK(qsv_h5_read(file, "lif_names", text, 64, 1, d, 1 << 20, (void **)&f->lif_names, &err));
    assert_int_equal(d[0], f->model->graph.n_lifs);
    H5Tclose(text);
    H5Fclose(file);
}

static void drop_golden(struct fixture *f)
{
    free(f->images);
    free(f->logits);
    free(f->spikes);
    free(f->lif_names);
    f->images = NULL;
    f->logits = NULL;
    f->spikes = NULL;
    f->lif_names = NULL;
}

static void close_model(struct fixture *f)
{
    drop_golden(f);
    qsv_engine_destroy(f->engine);
    qsv_bank_destroy(f->bank);
    qsv_model_destroy(f->model);
}

static struct qsv_network *uniform(struct fixture *f, const char *format)
{
    enum qsv_format id;
    uint8_t all[512];
    struct qsv_network *n;
    assert_true(qsv_format_find(&id, format));
    memset(all, (int)id, sizeof all);
    OK(qsv_network_create(&n, f->model, f->bank, all, &err));
    return n;
}

static const uint8_t *image(const struct fixture *f, uint32_t i)
{
    struct qsv_shape s = f->model->options.input;
    return f->images + (size_t)i * s.c * s.h * s.w;
}

static uint32_t golden_lif(const struct fixture *f, const char *name)
{
    for (uint32_t i = 0; i < f->model->graph.n_lifs; i++)
        if (!strcmp(f->lif_names + 64 * (size_t)i, name))
            return i;
    fail_msg("no LIF '%s' in the golden file", name);
    return 0;
}

static void check_image(struct fixture *f, struct qsv_network *net, uint32_t i, const char *what)
{
    const struct qsv_graph *g = &f->model->graph;
    float logits[64];
    uint64_t *spikes = qsv_alloc(g->n_lifs, sizeof *spikes);
    struct qsv_engine_output out = {.logits = logits, .lif_spikes = spikes};
    OK(qsv_engine_run(f->engine, image(f, i), 1, &net, 1, &out, NULL, NULL, &err));
    for (uint32_t l = 0; l < g->n_lifs; l++) {
        uint64_t want = f->spikes[i * g->n_lifs + golden_lif(f, g->lifs[l].name)];
        if (spikes[l] != want)
            fail_msg("%s image %u: LIF '%s' fired %llu times, PyTorch %llu", what, i,
                     g->lifs[l].name, (unsigned long long)spikes[l], (unsigned long long)want);
    }
    for (uint32_t c = 0; c < f->model->classes; c++) {
        double want = f->logits[i * f->model->classes + c];
        if (!(fabs((double)logits[c] - want) < 1e-5 * (1 + fabs(want))))
            fail_msg("%s image %u class %u: %.9g, PyTorch %.9g", what, i, c, (double)logits[c],
                     want);
    }
    free(spikes);
}

static void test_equals_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        open_model(&f, nets[i]);
        for (size_t k = 0; k < 4; k++) {
            char what[64];
            snprintf(what, sizeof what, "%s at %s", nets[i], formats[k]);
            read_golden(&f, nets[i], formats[k]);
            struct qsv_network *net = uniform(&f, formats[k]);
            for (uint32_t n = 0; n < f.n; n++)
                check_image(&f, net, n, what);
            qsv_network_destroy(net);
            drop_golden(&f);
        }
        close_model(&f);
    }
}

/* Everything one network gives on n images. */
struct result {
    float logits[MAX_IMAGES * 8];
    uint64_t lif_spikes[128], site_ac[256];
    int64_t potentials[8192];
};

static struct result *run(struct fixture *f, struct qsv_network *const *nets_run, uint32_t n_nets,
                          uint32_t n)
{
    struct result *r = qsv_alloc(n_nets, sizeof *r);
    struct qsv_engine_output out[16];
    assert_true(n_nets <= 16 && f->model->classes <= 8);
    assert_true(qsv_engine_potential_count(f->engine) <= 8192);
    for (uint32_t i = 0; i < n_nets; i++)
        out[i] =
            (struct qsv_engine_output){r[i].logits, r[i].lif_spikes, r[i].site_ac, r[i].potentials};
    OK(qsv_engine_run(f->engine, f->images, n, nets_run, n_nets, out, NULL, NULL, &err));
    return r;
}

static struct qsv_network *random_network(struct fixture *f, struct qsv_rng *r, const uint8_t *like)
{
    uint8_t mixed[512];
    struct qsv_network *n;
    size_t layers = f->model->graph.n_layers, keep = like ? qsv_rng_below(r, layers) : 0;
    for (size_t l = 0; l < layers; l++)
        mixed[l] = l < keep ? like[l] : (uint8_t)qsv_rng_below(r, QSV_N_FORMATS);
    OK(qsv_network_create(&n, f->model, f->bank, mixed, &err));
    return n;
}

static void test_company_changes_nothing(void **state)
{
    struct fixture f;
    struct qsv_rng r;
    struct qsv_network *n[9];
    (void)state;
    qsv_rng_seed(&r, 5);
    open_model(&f, "kd");
    read_golden(&f, "kd", "f32");
    n[0] = uniform(&f, "f32");
    for (int i = 1; i < 9;
         i++) /* prefixes shared with one before, so that the trie branches at every depth */
        n[i] = random_network(
            &f, &r, i % 4 ? qsv_network_formats(n[qsv_rng_below(&r, (uint64_t)i)]) : NULL);
    struct qsv_engine_work before = qsv_engine_work_done(f.engine);
    struct result *together = run(&f, n, 9, f.n);
    struct qsv_engine_work after = qsv_engine_work_done(f.engine);
    uint64_t asked = after.layer_forwards_asked - before.layer_forwards_asked;
    assert_int_equal(asked, 9 * f.model->graph.n_layers * f.n);
    assert_true(after.layer_forwards_done - before.layer_forwards_done < asked);
    for (int i = 0; i < 9; i++) {
        struct result *alone = run(&f, &n[i], 1, f.n);
        assert_memory_equal(alone, &together[i], sizeof *alone);
        free(alone);
        qsv_network_destroy(n[i]);
    }
    free(together);
    close_model(&f);
}

/* Layers of all these networks are f32 up to somewhere, and there have exact multipliers and
 * shifts, alone and beside the network that is f32 throughout. */
static void test_company_of_half_affines(void **state)
{
    struct fixture f;
    struct qsv_network *n[4];
    uint8_t setting[512] = {0};
    (void)state;
    open_model(&f, "kd");
    read_golden(&f, "kd", "f32");
    qsv_bank_set_affine(f.bank, QSV_F16);
    for (uint32_t i = 0; i < 4; i++) {
        if (i)
            setting[f.model->graph.n_layers - i] = QSV_INT4;
        OK(qsv_network_create(&n[i], f.model, f.bank, setting, &err));
    }
    struct result *together = run(&f, n, 4, f.n);
    for (uint32_t i = 0; i < 4; i++) {
        struct result *alone = run(&f, &n[i], 1, f.n);
        assert_memory_equal(alone, &together[i], sizeof *alone);
        free(alone);
        qsv_network_destroy(n[i]);
    }
    free(together);
    close_model(&f);
}

static void test_batch_changes_nothing(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "grey");
    read_golden(&f, "grey", "int4");
    struct qsv_network *net = uniform(&f, "int4");
    struct result *all = run(&f, &net, 1, f.n), sum = {0};
    for (uint32_t i = 0; i < f.n; i++) {
        struct qsv_engine_output out = {sum.logits + i * f.model->classes, sum.lif_spikes,
                                        sum.site_ac, sum.potentials};
        OK(qsv_engine_run(f.engine, image(&f, i), 1, &net, 1, &out, NULL, NULL, &err));
    }
    assert_memory_equal(all, &sum, sizeof sum);
    free(all);
    qsv_network_destroy(net);
    close_model(&f);
}

static void test_instruction_sets_agree(void **state)
{
    static const char *const isas[] = {"scalar", "avx2", "avx512"};
    struct qsv_rng r;
    struct result *want = NULL;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        if (!qsv_kernels_built[i] || !qsv_kernels_usable(qsv_kernels_built[i])) {
            print_message("NOT TESTED: this CPU lacks %s\n", isas[i]);
            continue;
        }
        setenv("QSV_ISA", isas[i], 1);
        open_model(&f, "kd");
        qsv_rng_seed(&r, 9);
        read_golden(&f, "kd", "f32");
        struct qsv_network *net = random_network(&f, &r, NULL);
        assert_string_equal(qsv_engine_isa(f.engine), isas[i]);
        struct result *got = run(&f, &net, 1, 1);
        if (want)
            assert_memory_equal(want, got, sizeof *want);
        else
            want = got;
        if (want != got)
            free(got);
        qsv_network_destroy(net);
        close_model(&f);
        unsetenv("QSV_ISA");
    }
    free(want);
}

static void test_unknown_isa(void **state)
{
    struct qsv_engine *e;
    struct qsv_error why = {0};
    struct qsv_model *m;
    (void)state;
    OK(qsv_model_load(&m, "tests/data/golden/kd_model.h5", &err));
    setenv("QSV_ISA", "sse9", 1);
    assert_int_equal(qsv_engine_create(&e, m, 1, &why), QSV_EUSAGE);
    assert_non_null(strstr(why.text, "sse9"));
    unsetenv("QSV_ISA");
    qsv_model_destroy(m);
}

static void test_stop(void **state)
{
    struct fixture f;
    struct qsv_error why = {0};
    const volatile sig_atomic_t stop = 1;
    float logits[8];
    struct qsv_engine_output out = {.logits = logits};
    (void)state;
    open_model(&f, "grey");
    read_golden(&f, "grey", "f32");
    struct qsv_network *net = uniform(&f, "f32");
    assert_int_equal(qsv_engine_run(f.engine, f.images, 1, &net, 1, &out, NULL, &stop, &why),
                     QSV_ESTOPPED);
    qsv_network_destroy(net);
    close_model(&f);
}

struct patience {
    int asked, until; /* how often asked, until it says stop */
};

static bool ask(void *context)
{
    struct patience *p = context;
    return ++p->asked == p->until;
}

static void test_watch(void **state)
{
    struct fixture f;
    struct qsv_error why = {0};
    struct patience p = {0, 20};
    float logits[8];
    struct qsv_engine_output out = {.logits = logits};
    (void)state;
    open_model(&f, "grey");
    read_golden(&f, "grey", "f32");
    struct qsv_network *net = uniform(&f, "f32");
    qsv_engine_watch(f.engine, ask, &p);
    assert_int_equal(qsv_engine_run(f.engine, f.images, 1, &net, 1, &out, NULL, NULL, &why),
                     QSV_ESTOPPED);
    assert_int_equal(p.asked, 20);
    assert_int_equal(qsv_engine_run(f.engine, f.images, 1, &net, 1, &out, NULL, NULL, &why),
                     QSV_OK);
    assert_true(p.asked >= 20 + (int)f.model->graph.n_layers); /* at least once a layer */
    qsv_engine_watch(f.engine, NULL, NULL);
    p.until = p.asked + 1;
    assert_int_equal(qsv_engine_run(f.engine, f.images, 1, &net, 1, &out, NULL, NULL, &why),
                     QSV_OK);
    qsv_network_destroy(net);
    close_model(&f);
}

struct counted {
    struct fixture *f;
    uint64_t *fired; /* [n_lifs] */
    uint32_t calls;
};

static enum qsv_status count_spikes(void *context, uint32_t lif, uint32_t n, const uint8_t *spikes,
                                    struct qsv_error *err)
{
    struct counted *c = context;
    struct qsv_shape s = c->f->model->graph.lifs[lif].shape;
    (void)err;
    for (size_t i = 0; i < (size_t)n * c->f->model->options.time_steps * s.c * s.h * s.w; i++) {
        assert_true(spikes[i] <= 1);
        c->fired[lif] += spikes[i];
    }
    c->calls++;
    return QSV_OK;
}

static void test_trace_counts_spikes(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "kd");
    read_golden(&f, "kd", "int2");
    struct qsv_network *net = uniform(&f, "int2");
    struct counted c = {&f, qsv_alloc(f.model->graph.n_lifs, 8), 0};
    struct qsv_engine_trace trace = {count_spikes, &c};
    uint64_t fired[128] = {0};
    float logits[64];
    struct qsv_engine_output out = {.logits = logits, .lif_spikes = fired};
    OK(qsv_engine_run(f.engine, f.images, f.n, &net, 1, &out, &trace, NULL, &err));
    assert_int_equal(c.calls, f.model->graph.n_lifs);
    assert_memory_equal(fired, c.fired, f.model->graph.n_lifs * 8);
    free(c.fired);
    qsv_network_destroy(net);
    close_model(&f);
}

/* SynOps of 1x1 layers are spikes x outputs; all layers lie below their dense count. */
static void test_accumulates(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "kd");
    read_golden(&f, "kd", "f32");
    const struct qsv_graph *g = &f.model->graph;
    struct qsv_network *net = uniform(&f, "f32");
    struct result *r = run(&f, &net, 1, f.n);
    uint32_t pointwise = 0;
    for (uint32_t l = 0; l < g->n_layers; l++) {
        const struct qsv_layer *layer = &g->layers[l];
        const struct qsv_node *from = &g->nodes[g->nodes[layer->node].in[0]];
        assert_true(r->site_ac[l] <= layer->macs * f.model->options.time_steps * f.n);
        if (!layer->spike_input)
            assert_int_equal(r->site_ac[l], 0);
        if (!layer->spike_input || layer->kernel != 1)
            continue;
        assert_int_equal(r->site_ac[l], r->lif_spikes[from->index] * layer->out_ch);
        pointwise++;
    }
    assert_true(pointwise > 10);
    free(r);
    qsv_network_destroy(net);
    close_model(&f);
}

/* A depthwise layer's accumulates, counted by brute force from a trace. */
struct depthwise_count {
    struct fixture *f;
    const struct qsv_layer *layer;
    uint32_t lif;
    uint64_t n;
};

static uint64_t reached(const struct qsv_layer *l, uint32_t y, uint32_t x)
{
    uint64_t n = 0;
    for (uint32_t oy = 0; oy < l->out.h; oy++)
        for (uint32_t ox = 0; ox < l->out.w; ox++)
            for (uint32_t ky = 0; ky < l->kernel; ky++)
                for (uint32_t kx = 0; kx < l->kernel; kx++)
                    n += oy * l->stride + ky == y + l->pad && ox * l->stride + kx == x + l->pad;
    return n;
}

static enum qsv_status count_depthwise(void *context, uint32_t lif, uint32_t n,
                                       const uint8_t *spikes, struct qsv_error *err)
{
    struct depthwise_count *c = context;
    struct qsv_shape s = c->layer->in;
    (void)err;
    if (lif != c->lif)
        return QSV_OK;
    for (size_t plane = 0; plane < (size_t)n * c->f->model->options.time_steps * s.c; plane++)
        for (uint32_t y = 0; y < s.h; y++)
            for (uint32_t x = 0; x < s.w; x++)
                if (*spikes++)
                    c->n += reached(c->layer, y, x);
    return QSV_OK;
}

static void test_depthwise_accumulates(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "kd");
    read_golden(&f, "kd", "f32");
    const struct qsv_graph *g = &f.model->graph;
    uint32_t l = 0;
    while (!(g->layers[l].groups > 1 && g->layers[l].spike_input))
        l++;
    struct depthwise_count c = {&f, &g->layers[l],
                                g->nodes[g->nodes[g->layers[l].node].in[0]].index, 0};
    struct qsv_engine_trace trace = {count_depthwise, &c};
    struct qsv_network *net = uniform(&f, "f32");
    uint64_t ac[256] = {0};
    float logits[64];
    struct qsv_engine_output out = {.logits = logits, .site_ac = ac};
    OK(qsv_engine_run(f.engine, f.images, 1, &net, 1, &out, &trace, NULL, &err));
    assert_true(c.n > 0);
    assert_int_equal(ac[l], c.n);
    qsv_network_destroy(net);
    close_model(&f);
}

static void check_file(struct fixture *f, struct qsv_network *net, const char *path)
{
    struct stat info;
    struct qsv_bytes bytes;
    struct fixture g = *f;
    struct qsv_network *again;
    qsv_cost_bytes(&bytes, f->model, qsv_bank_quantizer(f->bank)->affine, qsv_network_formats(net));
    OK(qsv_network_save(net, path, &err));
    assert_int_equal(stat(path, &info), 0);
    assert_true((uint64_t)info.st_size > bytes.model_bytes);
    assert_true((uint64_t)info.st_size <= bytes.model_bytes + 32768);
    OK(qsv_model_load(&g.model, path, &err));
    uint64_t stored = 0;
    for (size_t i = 0; i < g.model->tensors.n; i++)
        stored += qsv_affine_stored_bytes(&g.model->tensors.v[i]);
    assert_int_equal(stored, bytes.model_bytes);
    assert_int_equal(g.model->source_bytes, f->model->source_bytes);
    assert_true(g.model->folded);
    OK(qsv_network_create_folded(&again, g.model, &err));
    assert_memory_equal(qsv_network_formats(again), qsv_network_formats(net),
                        f->model->graph.n_layers);
    OK(qsv_engine_create(&g.engine, g.model, MAX_IMAGES, &err));
    struct result *want = run(f, &net, 1, f->n), *got = run(&g, &again, 1, f->n);
    assert_memory_equal(want, got, sizeof *want);
    free(want);
    free(got);
    qsv_network_destroy(again);
    qsv_engine_destroy(g.engine);
    qsv_model_destroy(g.model);
}

static void test_file_is_the_network(void **state)
{
    char path[] = "/tmp/qsv_engine_XXXXXX";
    struct qsv_rng r;
    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    qsv_rng_seed(&r, 3);
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        open_model(&f, nets[i]);
        read_golden(&f, nets[i], "f32");
        for (int k = 0; k < 6; k++) {
            static const enum qsv_format affines[] = {QSV_F32, QSV_F16, QSV_INT8};
            qsv_bank_set_affine(f.bank, affines[k % 3]);
            struct qsv_network *net = random_network(&f, &r, NULL);
            check_file(&f, net, path);
            qsv_network_destroy(net);
        }
        close_model(&f);
    }
    unlink(path);
}

static void check_vector(const float *exact, const float *half, size_t n)
{
    float want[512];
    assert_true(!exact == !half && n <= 512);
    if (!exact)
        return;
    memcpy(want, exact, n * sizeof *want);
    qsv_affine_round(QSV_F16, want, n);
    assert_memory_equal(half, want, n * sizeof *want);
}

/* Weights are the same; multipliers and shifts the rounded ones; all in f32 stays what it was. */
static void test_half_affines(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "kd");
    read_golden(&f, "kd", "f32");
    struct qsv_network *exact = uniform(&f, "int4"), *source = uniform(&f, "f32");
    qsv_bank_set_affine(f.bank, QSV_F16);
    struct qsv_network *half = uniform(&f, "int4"), *as_it_is = uniform(&f, "f32");
    bool differs = false;
    for (uint32_t l = 0; l < f.model->graph.n_layers; l++) {
        struct qsv_network_layer a = qsv_network_layer(exact, l), b = qsv_network_layer(half, l);
        size_t n = f.model->graph.layers[l].out_ch;
        assert_ptr_equal(a.weights, b.weights);
        check_vector(a.multiplier, b.multiplier, n);
        check_vector(a.shift, b.shift, n);
        differs = differs || (a.shift && memcmp(a.shift, b.shift, n * sizeof *a.shift) != 0);
        struct qsv_network_layer c = qsv_network_layer(source, l),
                                 d = qsv_network_layer(as_it_is, l);
        assert_true(!c.multiplier == !d.multiplier);
        if (c.multiplier)
            assert_memory_equal(c.multiplier, d.multiplier, n * sizeof *c.multiplier);
    }
    assert_true(differs);
    struct result *a = run(&f, &exact, 1, f.n), *b = run(&f, &half, 1, f.n);
    assert_true(memcmp(a, b, sizeof *a) != 0);
    free(a);
    free(b);
    qsv_network_destroy(exact);
    qsv_network_destroy(source);
    qsv_network_destroy(half);
    qsv_network_destroy(as_it_is);
    close_model(&f);
}

static void test_allocation_failures(void **state)
{
    struct fixture f;
    (void)state;
    open_model(&f, "grey");
    read_golden(&f, "grey", "f32");
    struct qsv_network *n[2] = {uniform(&f, "f32"), uniform(&f, "int4")};
    float logits[2][8];
    struct qsv_engine_output out[2] = {{.logits = logits[0]}, {.logits = logits[1]}};
    enum qsv_status st = QSV_ENOMEM;
    long at = 1;
    for (; st; at++) {
        struct qsv_error why = {0};
        struct qsv_engine *e = NULL;
        qsv_alloc_fail_at(at);
        st = qsv_engine_create(&e, f.model, 1, &why);
        if (!st)
            st = qsv_engine_run(e, f.images, 1, n, 2, out, NULL, NULL, &why);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
        qsv_engine_destroy(e);
    }
    assert_true(at > 10);
    qsv_network_destroy(n[0]);
    qsv_network_destroy(n[1]);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_pytorch),
        cmocka_unit_test(test_company_changes_nothing),
        cmocka_unit_test(test_company_of_half_affines),
        cmocka_unit_test(test_batch_changes_nothing),
        cmocka_unit_test(test_instruction_sets_agree),
        cmocka_unit_test(test_unknown_isa),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_trace_counts_spikes),
        cmocka_unit_test(test_accumulates),
        cmocka_unit_test(test_depthwise_accumulates),
        cmocka_unit_test(test_file_is_the_network),
        cmocka_unit_test(test_half_affines),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
