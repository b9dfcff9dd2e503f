/* eval's work: measuring and tracing the tiny network. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/h5.h"
#include "runner/inputs/loaded.h"
#include "runner/worker/measure.h"
#include "tests/unit/runner/tiny.h"

enum { N = 40, LIFS = 35, CLASSES = 4, PIXELS = 16 * 16 };

struct stage {
    struct folder folder;
    char trace[128];
    struct qsv_loaded loaded;
    struct qsv_images images;
};

static const struct qsv_quantizer quantizer = {"round", QSV_SCALE_MSE, QSV_F32};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    struct qsv_dataset_source source = {.images = "tests/data/tiny_images.h5", .count = N};
    struct qsv_dataset *d;
    assert_non_null(s);
    make_folder(&s->folder);
    snprintf(s->trace, sizeof s->trace, "%s/trace.h5", s->folder.path);
    assert_int_equal(qsv_loaded_open(&s->loaded, "tests/data/tiny.h5", &err), QSV_OK);
    assert_int_equal(qsv_dataset_open(&d, &source, &err), QSV_OK);
    assert_int_equal(qsv_images_init(&s->images, d, s->loaded.model, &err), QSV_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    qsv_images_fini(&s->images);
    qsv_loaded_fini(&s->loaded);
    remove_folder(&s->folder);
    free(s);
    return 0;
}

static void measure(struct stage *s, const char *trace, struct qsv_measured *m)
{
    const struct qsv_measure_options how = {.trace = trace};
    if (qsv_measure(m, s->loaded.model, s->loaded.network, &s->images, &how, &err))
        fail_msg("%s", err.text);
}

/* Every seventh label is wrong on purpose, see tests/reference/make_tiny.py; the others are what
 * PyTorch answered. */
static void the_answers_are_those_of_the_reference(void **state)
{
    struct stage *s = *state;
    struct qsv_measured m;
    assert_int_equal(qsv_loaded_build(&s->loaded, NULL, &quantizer, &err), QSV_OK);
    measure(s, NULL, &m);
    assert_int_equal(m.n_images, N);
    for (int i = 0; i < N; i++) {
        const float *l = m.logits + i * CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            best = l[c] > l[best] ? c : best;
        assert_int_equal((best + (i % 7 == 3)) % CLASSES, m.labels[i]);
    }
    assert_int_equal(m.n_top1, N - 6);
    assert_int_equal(m.n_top5, N);
    assert_true(m.loss_sum > 0 && m.seconds > 0);
    qsv_measured_fini(&m);
}

static void threads_change_nothing(void **state)
{
    struct stage *s = *state;
    struct qsv_measured want, got;
    const struct qsv_measure_options how = {.threads = 3};
    const struct qsv_graph *g = &s->loaded.model->graph;
    assert_int_equal(qsv_loaded_build(&s->loaded, NULL, &quantizer, &err), QSV_OK);
    measure(s, NULL, &want);
    assert_int_equal(qsv_measure(&got, s->loaded.model, s->loaded.network, &s->images, &how, &err),
                     QSV_OK);
    assert_true(want.threads == 1 && got.threads == 3);
    assert_memory_equal(want.logits, got.logits, N * CLASSES * sizeof *got.logits);
    assert_memory_equal(want.lif_spikes, got.lif_spikes, g->n_lifs * sizeof *got.lif_spikes);
    assert_memory_equal(want.site_ac, got.site_ac, g->n_layers * sizeof *got.site_ac);
    assert_true(want.loss_sum == got.loss_sum);
    qsv_measured_fini(&want);
    qsv_measured_fini(&got);
}

static uint64_t sum_of(hid_t spikes, const char *name, unsigned rank, const hsize_t *expected)
{
    hsize_t dims[5];
    void *data;
    uint64_t sum = 0;
    if (qsv_h5_read(spikes, name, H5T_NATIVE_UINT8, 1, rank, dims, 1 << 30, &data, &err))
        fail_msg("%s", err.text);
    hsize_t n = 1;
    for (unsigned i = 0; i < rank; i++) {
        assert_int_equal(dims[i], expected[i]);
        n *= dims[i];
    }
    for (hsize_t i = 0; i < n; i++) {
        assert_true(((uint8_t *)data)[i] <= 1);
        sum += ((uint8_t *)data)[i];
    }
    free(data);
    return sum;
}

static void a_trace_holds_every_spike(void **state)
{
    struct stage *s = *state;
    struct qsv_measured m;
    hid_t file, spikes;
    uint8_t formats[54];
    memset(formats, QSV_INT4, sizeof formats);
    assert_int_equal(qsv_loaded_build(&s->loaded, formats, &quantizer, &err), QSV_OK);
    measure(s, s->trace, &m);
    assert_int_equal(qsv_h5_open(&file, s->trace, &err), QSV_OK);
    spikes = H5Gopen2(file, "spikes", H5P_DEFAULT);
    assert_true(spikes >= 0);
    const struct qsv_graph *g = &s->loaded.model->graph;
    assert_int_equal(g->n_lifs, LIFS);
    for (size_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_lif *l = &g->lifs[i];
        const hsize_t dims[5] = {N, 2, l->shape.c, l->shape.h, l->shape.w};
        assert_int_equal(sum_of(spikes, l->name, i + 1 == LIFS ? 3 : 5, dims), m.lif_spikes[i]);
    }
    hsize_t dims[4];
    void *pixels, *logits;
    uint8_t image[PIXELS];
    assert_int_equal(
        qsv_h5_read(file, "images", H5T_NATIVE_UINT8, 1, 4, dims, 1 << 20, &pixels, &err), QSV_OK);
    assert_int_equal(dims[0] * dims[1] * dims[2] * dims[3], N * PIXELS);
    assert_int_equal(qsv_dataset_read(s->images.dataset, 33, image, NULL, &err), QSV_OK);
    assert_memory_equal((uint8_t *)pixels + 33 * PIXELS, image, PIXELS);
    assert_int_equal(
        qsv_h5_read(file, "logits", H5T_NATIVE_FLOAT, 4, 2, dims, 1 << 20, &logits, &err), QSV_OK);
    assert_memory_equal(logits, m.logits, N * CLASSES * sizeof(float));
    free(pixels);
    free(logits);
    H5Gclose(spikes);
    H5Fclose(file);
    qsv_measured_fini(&m);
}

static void a_trace_that_cannot_be_written_is_an_error(void **state)
{
    struct stage *s = *state;
    struct qsv_measured m;
    const struct qsv_measure_options how = {.trace = "tests/data/tiny.h5/trace.h5"};
    assert_int_equal(qsv_loaded_build(&s->loaded, NULL, &quantizer, &err), QSV_OK);
    assert_int_equal(qsv_measure(&m, s->loaded.model, s->loaded.network, &s->images, &how, &err),
                     QSV_EIO);
    qsv_measured_fini(&m);
}

static void a_stop_leaves_no_trace(void **state)
{
    struct stage *s = *state;
    struct qsv_measured m;
    volatile sig_atomic_t flag = 1;
    const struct qsv_stop stop = {.flag = &flag};
    const struct qsv_measure_options how = {s->trace, &stop, 0};
    assert_int_equal(qsv_loaded_build(&s->loaded, NULL, &quantizer, &err), QSV_OK);
    assert_int_equal(qsv_measure(&m, s->loaded.model, s->loaded.network, &s->images, &how, &err),
                     QSV_ESTOPPED);
    assert_int_equal(rmdir(s->folder.path), 0); /* empty: not even a temporary file */
    qsv_measured_fini(&m);
}

static void quantized_files_take_no_formats(void **state)
{
    struct stage *s = *state;
    uint8_t formats[54];
    memset(formats, QSV_INT4, sizeof formats);
    assert_int_equal(qsv_loaded_build(&s->loaded, formats, &quantizer, &err), QSV_OK);
    assert_int_equal(qsv_network_save(s->loaded.network, s->trace, &err), QSV_OK);
    struct qsv_loaded folded;
    assert_int_equal(qsv_loaded_open(&folded, s->trace, &err), QSV_OK);
    assert_int_equal(qsv_loaded_build(&folded, formats, &quantizer, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "is quantized already"));
    assert_int_equal(qsv_loaded_build(&folded, NULL, &quantizer, &err), QSV_OK);
    qsv_loaded_fini(&folded);
}

/* Whatever allocation fails: an error, nothing lost, nothing crashed. */
static void running_out_of_memory_is_an_error(void **state)
{
    struct stage *s = *state;
    assert_int_equal(qsv_loaded_build(&s->loaded, NULL, &quantizer, &err), QSV_OK);
    const struct qsv_measure_options how = {.trace = NULL};
    enum qsv_status st = QSV_ENOMEM;
    long n = 1;
    for (; st != QSV_OK; n++) {
        struct qsv_measured m;
        assert_true(n < 2000);
        qsv_alloc_fail_at(n);
        st = qsv_measure(&m, s->loaded.model, s->loaded.network, &s->images, &how, &err);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
        qsv_measured_fini(&m);
    }
    assert_true(n > 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_answers_are_those_of_the_reference),
        CASE(threads_change_nothing),
        CASE(a_trace_holds_every_spike),
        CASE(a_trace_that_cannot_be_written_is_an_error),
        CASE(a_stop_leaves_no_trace),
        CASE(quantized_files_take_no_formats),
        CASE(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
