/* Codes chosen by H: against every setting of codes on tiny layers, against gptq and coordinate
 * descent written out as the papers state them, and against each other. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/h5.h"
#include "core/quantizers/codes.h"
#include "core/quantizers/quantizers.h"

enum { MAX_K = 160, MAX_ROWS = 24 };

struct layer {
    size_t rows, k;
    float w[MAX_ROWS * MAX_K];
    double h[MAX_K * MAX_K];
    struct qsv_curvature c;
    int8_t codes[MAX_ROWS * MAX_K];
    float scale[MAX_ROWS];
};

static double normal(struct qsv_rng *r)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += qsv_rng_unit(r);
    return sum - 6;
}

/* Inputs that fire together, some of them never; H of `n` samples. */
static void make_h(struct layer *l, struct qsv_rng *r, size_t n)
{
    double x[MAX_K], rate[MAX_K];
    memset(l->h, 0, sizeof l->h);
    for (size_t i = 0; i < l->k; i++)
        rate[i] = i == 2 ? 0 : 0.6 * qsv_rng_unit(r);
    for (size_t s = 0; s < n; s++) {
        const double common = 0.5 + qsv_rng_unit(r);
        for (size_t i = 0; i < l->k; i++)
            x[i] = qsv_rng_unit(r) < rate[i] * common ? 1 : 0;
        for (size_t i = 0; i < l->k; i++)
            for (size_t j = 0; j < l->k; j++)
                l->h[i * l->k + j] += x[i] * x[j] / (double)n;
    }
}

static struct layer *make_layer(struct qsv_rng *r, size_t rows, size_t k)
{
    struct layer *l = qsv_alloc(1, sizeof *l);
    l->rows = rows;
    l->k = k;
    make_h(l, r, 4 * k);
    for (size_t i = 0; i < rows * k; i++)
        l->w[i] = (float)(0.1 * normal(r));
    double *h = qsv_alloc(k * k, sizeof *h);
    memcpy(h, l->h, k * k * sizeof *h);
    assert_int_equal(qsv_curvature_init(&l->c, h, l->w, rows, k, NULL), QSV_OK);
    return l;
}

static void drop(struct layer *l)
{
    qsv_curvature_fini(&l->c);
    free(l);
}

static void quantize(struct layer *l, const char *name, enum qsv_format f)
{
    const struct qsv_quantizer q = {name, QSV_SCALE_MSE, QSV_F32};
    assert_int_equal(
        qsv_quantize_group(&q, f, l->w, l->rows, l->k, &l->c, l->codes, l->scale, NULL), QSV_OK);
    for (size_t i = 0; i < l->rows * l->k; i++)
        assert_true(qsv_nearest_code(l->codes[i], qsv_format_info(f)) == l->codes[i]);
    for (size_t o = 0; o < l->rows; o++)
        assert_true(isnormal(l->scale[o]));
}

/* e H e^T of one row, written out; damping is added to the diagonal. */
static double row_loss(const struct layer *l, size_t row, const double *q, double scale,
                       double damping)
{
    double loss = 0;
    for (size_t i = 0; i < l->k; i++)
        for (size_t j = 0; j < l->k; j++) {
            const double ei = (double)l->w[row * l->k + i] - scale * q[i];
            const double ej = (double)l->w[row * l->k + j] - scale * q[j];
            loss += ei * ej * (l->h[i * l->k + j] + (i == j ? damping : 0));
        }
    return loss;
}

static double loss_of_row(const struct layer *l, size_t row, double damping)
{
    double q[MAX_K];
    for (size_t i = 0; i < l->k; i++)
        q[i] = l->codes[row * l->k + i];
    return row_loss(l, row, q, (double)l->scale[row], damping);
}

static double loss_of(const struct layer *l, double damping)
{
    double loss = 0;
    for (size_t r = 0; r < l->rows; r++)
        loss += loss_of_row(l, r, damping);
    return loss;
}

static void test_loss_is_the_sum_written_out(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 1);
    for (int n = 0; n < 10; n++) {
        struct layer *l = make_layer(&r, 3, 5 + 13 * (size_t)n);
        double difference[MAX_ROWS * MAX_K], loss;
        quantize(l, "round", QSV_INT3);
        for (size_t i = 0; i < l->rows * l->k; i++)
            difference[i] = (double)l->w[i] - (double)l->codes[i] * (double)l->scale[i / l->k];
        assert_int_equal(qsv_curvature_loss(&loss, &l->c, difference, NULL), QSV_OK);
        assert_true(fabs(loss - loss_of(l, 0)) < 1e-10 * loss);
        drop(l);
    }
}

/* Loses least with the codes that are there: W H q / q H q. */
static void fit_scale(struct layer *l, size_t row, double damping)
{
    const int8_t *q = l->codes + row * l->k;
    double wq = 0, qq = 0;
    for (size_t i = 0; i < l->k; i++)
        for (size_t j = 0; j < l->k; j++) {
            const double h = l->h[i * l->k + j] + (i == j ? damping : 0);
            wq += (double)l->w[row * l->k + i] * h * q[j];
            qq += q[i] * h * q[j];
        }
    l->scale[row] = (float)(wq / qq);
}

/* The least loss that any codes reach, each with its best scale: W H q / q H q. */
static double least_loss(const struct layer *l, size_t row, const struct qsv_format_info *f,
                         double damping)
{
    double best = INFINITY, q[MAX_K];
    size_t codes = (size_t)((f->code_max - f->code_min) / f->code_step) + 1, all = 1;
    for (size_t i = 0; i < l->k; i++)
        all *= codes;
    for (size_t n = 0; n < all; n++) {
        double wq = 0, qq = 0;
        size_t rest = n;
        for (size_t i = 0; i < l->k; i++, rest /= codes)
            q[i] = f->code_min + (double)(rest % codes) * f->code_step;
        for (size_t i = 0; i < l->k; i++)
            for (size_t j = 0; j < l->k; j++) {
                const double h = l->h[i * l->k + j] + (i == j ? damping : 0);
                wq += (double)l->w[row * l->k + i] * h * q[j];
                qq += q[i] * h * q[j];
            }
        const double loss = row_loss(l, row, q, qq > 0 ? wq / qq : 0, damping);
        best = loss < best ? loss : best;
    }
    return best;
}

static void against_every_setting_of_codes(const char *name, size_t percent_optimal)
{
    static const enum qsv_format formats[] = {QSV_BINARY, QSV_TERNARY, QSV_INT2};
    struct qsv_rng r;
    size_t optimal = 0, rows = 0;
    qsv_rng_seed(&r, 2);
    for (int n = 0; n < 30; n++) {
        struct layer *l = make_layer(&r, 4, 3 + (size_t)n % 4);
        for (size_t f = 0; f < 3; f++) {
            quantize(l, name, formats[f]);
            for (size_t o = 0; o < l->rows; o++, rows++) {
                fit_scale(l, o, l->c.damping);
                const double is = loss_of_row(l, o, l->c.damping);
                const double least = least_loss(l, o, qsv_format_info(formats[f]), l->c.damping);
                if (!(is >= least * (1 - 1e-9) - 1e-15))
                    fail_msg("loss %g is below the least, %g", is, least);
                optimal += is <= least * (1 + 1e-6) + 1e-15;
            }
        }
        drop(l);
    }
    /* Descent may end in a local optimum; it rarely does with so few inputs. */
    if (!(optimal >= rows * percent_optimal / 100))
        fail_msg("%s: %zu of %zu rows are optimal", name, optimal, rows);
}

static void test_against_every_setting_of_codes(void **state)
{
    (void)state;
    against_every_setting_of_codes("compensated", 70);
    against_every_setting_of_codes("searched", 95);
}

static void test_better_than_rounding(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 3);
    for (int n = 0; n < 6; n++) {
        struct layer *l = make_layer(&r, 8, 16 + 28 * (size_t)n);
        for (int f = QSV_INT8; f <= QSV_BINARY; f++) {
            quantize(l, "round", f);
            const double rounded = loss_of(l, l->c.damping);
            quantize(l, "gptq", f);
            const double gptq = loss_of(l, l->c.damping);
            quantize(l, "compensated", f);
            const double compensated = loss_of(l, l->c.damping);
            double each[MAX_ROWS];
            for (size_t o = 0; o < l->rows; o++)
                each[o] = loss_of_row(l, o, l->c.damping);
            quantize(l, "searched", f);
            for (size_t o = 0; o < l->rows; o++) {
                fit_scale(l, o, l->c.damping);
                assert_true(loss_of_row(l, o, l->c.damping) <= each[o] * (1 + 1e-6));
            }
            assert_true(loss_of(l, l->c.damping) < compensated);
            if (!(gptq < rounded && compensated < gptq))
                fail_msg("%s, %zu inputs: round %g, gptq %g, compensated %g",
                         qsv_format_info(f)->name, l->k, rounded, gptq, compensated);
        }
        drop(l);
    }
}

/* E[(w x)^2]: of a row's outputs, not damped. */
static double power_of(const struct layer *l, const double *w)
{
    double sum = 0;
    for (size_t i = 0; i < l->k; i++)
        for (size_t j = 0; j < l->k; j++)
            sum += w[i] * l->h[i * l->k + j] * w[j];
    return sum;
}

/* Least squares shrink; "searched" gives outputs the spread that they have with the weights. */
static void test_searched_keeps_the_spread_of_outputs(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 12);
    for (int n = 0; n < 4; n++) {
        struct layer *l = make_layer(&r, 6, 12 + 25 * (size_t)n);
        for (int f = QSV_INT8; f <= QSV_BINARY; f++) {
            quantize(l, "searched", f);
            for (size_t o = 0; o < l->rows; o++) {
                double w[MAX_K], q[MAX_K], least[MAX_K];
                const double scale = (double)l->scale[o];
                fit_scale(l, o, l->c.damping);
                for (size_t i = 0; i < l->k; i++) {
                    w[i] = l->w[o * l->k + i];
                    q[i] = scale * l->codes[o * l->k + i];
                    least[i] = (double)l->scale[o] * l->codes[o * l->k + i];
                }
                const double wanted = power_of(l, w), shrunk = power_of(l, least);
                if (shrunk < wanted)
                    assert_true(fabs(power_of(l, q) / wanted - 1) < 1e-5);
                else
                    assert_true(fabs(power_of(l, q) / shrunk - 1) < 1e-5);
            }
        }
        drop(l);
    }
}

/* ---- gptq as its paper states it: the inverse of H, and what is left of the weights ---- */

static void invert(const double *a, double *inverse, size_t n)
{
    double *m = qsv_alloc(n * n, sizeof *m);
    memcpy(m, a, n * n * sizeof *m);
    memset(inverse, 0, n * n * sizeof *inverse);
    for (size_t i = 0; i < n; i++)
        inverse[i * n + i] = 1;
    for (size_t p = 0; p < n; p++) {
        const double pivot = m[p * n + p];
        for (size_t j = 0; j < n; j++) {
            m[p * n + j] /= pivot;
            inverse[p * n + j] /= pivot;
        }
        for (size_t i = 0; i < n; i++) {
            const double by = i == p ? 0 : m[i * n + p];
            for (size_t j = 0; j < n; j++) {
                m[i * n + j] -= by * m[p * n + j];
                inverse[i * n + j] -= by * inverse[p * n + j];
            }
        }
    }
    free(m);
}

/* Optimal brain surgeon, one input after another: those left are corrected by the inverse, from
 * which the input is then eliminated. */
static void gptq_written_out(const struct layer *l, size_t row, double scale,
                             const struct qsv_format_info *f, double *q)
{
    const size_t k = l->k;
    double *inverse = qsv_alloc(k * k, sizeof *inverse), v[MAX_K];
    bool done[MAX_K] = {false};
    invert(l->c.h, inverse, k);
    for (size_t i = 0; i < k; i++)
        v[i] = (double)l->w[row * k + i];
    for (size_t n = 0; n < k; n++) {
        const size_t p = l->c.order[k - 1 - n];
        q[p] = qsv_nearest_code(v[p] / scale, f);
        const double error = (v[p] - scale * q[p]) / inverse[p * k + p];
        done[p] = true;
        for (size_t j = 0; j < k; j++)
            v[j] -= done[j] ? 0 : error * inverse[p * k + j];
        double row_p[MAX_K];
        memcpy(row_p, inverse + p * k, k * sizeof *row_p);
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                inverse[i * k + j] -= row_p[i] * row_p[j] / row_p[p];
    }
    free(inverse);
}

static void test_gptq_is_the_papers(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 4);
    for (int n = 0; n < 4; n++) {
        struct layer *l = make_layer(&r, 5, 9 + 45 * (size_t)n);
        for (int f = QSV_INT8; f <= QSV_BINARY; f++) {
            quantize(l, "gptq", f);
            for (size_t o = 0; o < l->rows; o++) {
                double q[MAX_K];
                gptq_written_out(l, o, (double)l->scale[o], qsv_format_info(f), q);
                for (size_t i = 0; i < l->k; i++)
                    if (q[i] != l->codes[o * l->k + i])
                        fail_msg("%s, row %zu, input %zu of %zu: %d, expected %g",
                                 qsv_format_info(f)->name, o, i, l->k, l->codes[o * l->k + i],
                                 q[i]);
            }
        }
        drop(l);
    }
}

static void test_scales_are_weighted_by_the_diagonal(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 5);
    struct layer *l = make_layer(&r, 6, 20);
    for (int f = QSV_INT8; f <= QSV_BINARY; f++) {
        const struct qsv_format_info *info = qsv_format_info(f);
        quantize(l, "gptq", f);
        for (size_t o = 0; o < l->rows; o++) {
            double largest = 0, best = INFINITY, scale = 0;
            for (size_t i = 0; i < l->k; i++)
                largest = fmax(largest, fabs((double)l->w[o * l->k + i]));
            for (int sign = 1; sign >= (info->code_min == -info->code_max ? 1 : -1); sign -= 2)
                for (int j = 10; j <= 105; j++) {
                    const double s = sign * (double)(float)(j / 100.0 * largest / info->code_max);
                    double error = 0;
                    for (size_t i = 0; i < l->k; i++) {
                        const double w = (double)l->w[o * l->k + i];
                        const double d = w - s * qsv_nearest_code(w / s, info);
                        error += d * d * l->c.diagonal[i];
                    }
                    if (error < best * (1 - 1e-12)) {
                        best = error;
                        scale = s;
                    }
                }
            assert_true(fabs((double)l->scale[o] - scale) < 1e-6 * fabs(scale));
        }
    }
    drop(l);
}

/* No single change of a code, and no change of the scale, betters a result that has settled. */
static void test_compensated_is_near_a_local_optimum(void **state)
{
    (void)state;
    struct qsv_rng r;
    size_t better = 0, tried = 0;
    qsv_rng_seed(&r, 6);
    struct layer *l = make_layer(&r, 6, 40);
    quantize(l, "compensated", QSV_TERNARY);
    for (size_t o = 0; o < l->rows; o++) {
        const double loss = loss_of_row(l, o, l->c.damping);
        const float scale = l->scale[o];
        for (int step = -1; step <= 1; step += 2) {
            l->scale[o] = scale * (1 + 0.001f * (float)step);
            assert_true(loss_of_row(l, o, l->c.damping) >= loss);
        }
        l->scale[o] = scale;
        for (size_t i = 0; i < l->k; i++)
            for (int code = -1; code <= 1; code++, tried++) {
                const int8_t was = l->codes[o * l->k + i];
                l->codes[o * l->k + i] = (int8_t)code;
                better += loss_of_row(l, o, l->c.damping) < loss * (1 - 1e-9);
                l->codes[o * l->k + i] = was;
            }
    }
    if (better > tried / 100)
        fail_msg("%zu of %zu changes would be better", better, tried);
    drop(l);
}

static void test_isas_change_no_code(void **state)
{
    (void)state;
    static const char *const isas[] = {"scalar", "avx2", "avx512"};
    struct layer *l[3];
    for (int i = 0; i < 3; i++) {
        struct qsv_rng r;
        qsv_rng_seed(&r, 7);
        setenv("QSV_ISA", isas[i], 1);
        l[i] = make_layer(&r, 9, 150);
        quantize(l[i], "searched", QSV_INT3);
        assert_memory_equal(l[i]->codes, l[0]->codes, sizeof l[i]->codes);
        assert_memory_equal(l[i]->scale, l[0]->scale, sizeof l[i]->scale);
    }
    unsetenv("QSV_ISA");
    for (int i = 0; i < 3; i++)
        drop(l[i]);
}

static void test_channels_of_zeros_and_inputs_that_never_fire(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 8);
    struct layer *l = make_layer(&r, 3, 6);
    memset(l->w, 0, sizeof l->w);
    double *h = qsv_alloc(36, sizeof *h);
    memset(l->h, 0, sizeof l->h);
    qsv_curvature_fini(&l->c);
    assert_int_equal(qsv_curvature_init(&l->c, h, l->w, 3, 6, NULL), QSV_OK);
    for (int f = QSV_INT8; f <= QSV_BINARY; f++) {
        quantize(l, "compensated", f);
        for (size_t o = 0; o < 3; o++)
            assert_true(fabs((double)l->scale[o]) <= 1e-12);
    }
    drop(l);
}

static void test_refuses_moments_that_are_no_numbers(void **state)
{
    (void)state;
    const float w[2] = {1, 2};
    struct qsv_curvature c;
    struct qsv_error err;
    double *h = qsv_alloc(4, sizeof *h);
    h[0] = h[3] = 1;
    h[2] = NAN;
    assert_int_equal(qsv_curvature_init(&c, h, w, 1, 2, &err), QSV_EINPUT);
    assert_string_equal(err.text, "second moment (1, 0) of the inputs is nan");
}

/* ---- against PyTorch (tests/reference/make_quantizer_golden.py) ---- */

static void *read(hid_t file, const char *path, hid_t type, size_t size, unsigned rank,
                  hsize_t *dims)
{
    void *data;
    struct qsv_error err;
    if (qsv_h5_read(file, path, type, size, rank, dims, 1 << 20, &data, &err))
        fail_msg("%s", err.text);
    return data;
}

static struct layer *read_layer(hid_t file, int n)
{
    char path[64];
    hsize_t dims[2];
    struct layer *l = qsv_alloc(1, sizeof *l);
    snprintf(path, sizeof path, "%d/w", n);
    float *w = read(file, path, H5T_NATIVE_FLOAT, sizeof *w, 2, dims);
    assert_true(dims[0] <= MAX_ROWS && dims[1] <= MAX_K);
    l->rows = dims[0];
    l->k = dims[1];
    memcpy(l->w, w, l->rows * l->k * sizeof *w);
    snprintf(path, sizeof path, "%d/h", n);
    double *h = read(file, path, H5T_NATIVE_DOUBLE, sizeof *h, 2, dims);
    memcpy(l->h, h, l->k * l->k * sizeof *h);
    assert_int_equal(qsv_curvature_init(&l->c, h, l->w, l->rows, l->k, NULL), QSV_OK);
    free(w);
    return l;
}

static void compare_with_pytorch(hid_t file, int n, struct layer *l, enum qsv_format f)
{
    char path[64];
    hsize_t dims[2];
    const char *name = qsv_format_info(f)->name;
    quantize(l, "compensated", f);
    snprintf(path, sizeof path, "%d/%s/loss", n, name);
    double *loss = read(file, path, H5T_NATIVE_DOUBLE, sizeof *loss, 1, dims);
    snprintf(path, sizeof path, "%d/%s/codes", n, name);
    int8_t *codes = read(file, path, H5T_NATIVE_INT8, 1, 2, dims);
    const double is = loss_of(l, 0);
    if (!(fabs(is - *loss) <= 1e-9 * *loss))
        fail_msg("%s, case %d: loss %.12g, PyTorch %.12g", name, n, is, *loss);
    assert_memory_equal(l->codes, codes, l->rows * l->k);
    free(loss);
    free(codes);
}

static void test_equals_pytorch(void **state)
{
    (void)state;
    hid_t file;
    assert_int_equal(qsv_h5_open(&file, "tests/data/golden/compensated.h5", NULL), QSV_OK);
    for (int n = 0; n < 3; n++) {
        struct layer *l = read_layer(file, n);
        for (int f = QSV_INT8; f <= QSV_BINARY; f++)
            compare_with_pytorch(file, n, l, f);
        drop(l);
    }
    H5Fclose(file);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    const struct qsv_quantizer q = {"compensated", QSV_SCALE_MSE, QSV_F32};
    struct qsv_rng r;
    int failures = 0;
    qsv_rng_seed(&r, 9);
    struct layer *l = make_layer(&r, 3, 10);
    for (long n = 1;; n++, failures++) {
        qsv_alloc_fail_at(n);
        enum qsv_status st =
            qsv_quantize_group(&q, QSV_INT2, l->w, l->rows, l->k, &l->c, l->codes, l->scale, NULL);
        qsv_alloc_fail_at(0);
        if (!st)
            break;
        assert_int_equal(st, QSV_ENOMEM);
    }
    assert_true(failures >= 6);
    drop(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_is_the_sum_written_out),
        cmocka_unit_test(test_against_every_setting_of_codes),
        cmocka_unit_test(test_better_than_rounding),
        cmocka_unit_test(test_searched_keeps_the_spread_of_outputs),
        cmocka_unit_test(test_gptq_is_the_papers),
        cmocka_unit_test(test_scales_are_weighted_by_the_diagonal),
        cmocka_unit_test(test_compensated_is_near_a_local_optimum),
        cmocka_unit_test(test_isas_change_no_code),
        cmocka_unit_test(test_channels_of_zeros_and_inputs_that_never_fire),
        cmocka_unit_test(test_equals_pytorch),
        cmocka_unit_test(test_refuses_moments_that_are_no_numbers),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
