/* Model files with vectors of halves or bytes: what comes back, and what is refused. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/affine.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/network.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static char path[] = "/tmp/qsv_affine_XXXXXX";

/* The small golden model at ternary with affines in half precision, or in bytes. */
static struct qsv_model *folded(enum qsv_format affine)
{
    const struct qsv_quantizer q = {"round", QSV_SCALE_MSE, affine};
    struct qsv_model *source = NULL, *out = NULL;
    struct qsv_bank *bank;
    struct qsv_network *n;
    struct qsv_tensors tensors;
    uint8_t formats[256];
    OK(qsv_model_load(&source, "tests/data/golden/grey_model.h5", &err));
    OK(qsv_bank_create(&bank, source, &q, &err));
    memset(formats, QSV_TERNARY, sizeof formats);
    OK(qsv_network_create(&n, source, bank, formats, &err));
    OK(qsv_network_fold(&tensors, n, &err));
    OK(qsv_model_create(&out, &tensors, &source->options, "x.h5", &err));
    qsv_network_destroy(n);
    qsv_bank_destroy(bank);
    qsv_model_destroy(source);
    return out;
}

static struct qsv_tensor *find_vector(struct qsv_model *m)
{
    for (size_t i = 0; i < m->tensors.n; i++)
        if (qsv_affine_has_exponent(&m->tensors.v[i]))
            return &m->tensors.v[i];
    fail_msg("no halves");
    return NULL;
}

static struct qsv_tensor *find_weight(struct qsv_model *m)
{
    for (size_t i = 0; i < m->tensors.n; i++)
        if (m->tensors.v[i].rank > 1)
            return &m->tensors.v[i];
    fail_msg("no weights");
    return NULL;
}

static void check_comes_back(enum qsv_format affine)
{
    struct qsv_model *m = folded(affine), *back;
    OK(qsv_model_save(m, path, &err));
    OK(qsv_model_load(&back, path, &err));
    assert_int_equal(back->hash, m->hash);
    assert_int_equal(back->tensors.n, m->tensors.n);
    bool some = false;
    for (size_t i = 0; i < m->tensors.n; i++) {
        const struct qsv_tensor *a = &m->tensors.v[i], *b = &back->tensors.v[i];
        assert_int_equal(a->exponent, b->exponent);
        assert_int_equal(a->format, b->format);
        assert_memory_equal(a->data, b->data, a->bytes);
        assert_int_equal(qsv_affine_has_exponent(a), a->rank == 1); /* all of them */
        if (a->rank == 1)
            assert_int_equal(a->format, affine);
        some = some || a->exponent;
    }
    assert_true(some);
    qsv_model_destroy(back);
    qsv_model_destroy(m);
}

static void test_comes_back(void **state)
{
    (void)state;
    check_comes_back(QSV_F16);
    check_comes_back(QSV_INT8);
}

/* A file whose seal is good, and whose hash is that of its contents unless those are refused. */
static void refuse(struct qsv_model *m, const char *says)
{
    struct qsv_model *back;
    struct qsv_error why = {0};
    OK(qsv_model_save(m, path, &err));
    assert_int_equal(qsv_model_load(&back, path, &why), QSV_EINPUT);
    assert_null(back);
    if (!strstr(why.text, says))
        fail_msg("'%s' does not say '%s'", why.text, says);
}

static void test_refuses(void **state)
{
    struct qsv_model *m = folded(QSV_F16);
    struct qsv_tensor *v = find_vector(m), *w = find_weight(m);
    (void)state;
    static const int bad[] = {-128, -126, 113, 127};
    const int8_t good = v->exponent;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        v->exponent = (int8_t)bad[i];
        refuse(m, "expected -125..112");
    }
    v->exponent = (int8_t)(good + 1); /* possible, but not what the hash is of */
    refuse(m, "damaged");
    v->exponent = good;
    struct qsv_model *bytes = folded(QSV_INT8);
    find_vector(bytes)->exponent = 113;
    refuse(bytes, "expected -125..112");
    qsv_model_destroy(bytes);
    w->exponent = 1; /* codes have none */
    refuse(m, "has exponent 1, expected 0..0");
    w->exponent = 0;
    static const uint16_t halves[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        uint8_t old[2];
        memcpy(old, v->data + 2, 2);
        v->data[2] = (uint8_t)halves[i];
        v->data[3] = (uint8_t)(halves[i] >> 8);
        refuse(m, "at 1, expected finite numbers");
        memcpy(v->data + 2, old, 2);
    }
    v->shape[0]--; /* bytes and shape part */
    refuse(m, "do not fit its shape");
    v->shape[0]++;
    OK(qsv_model_save(m, path, &err));
    struct qsv_model *back;
    OK(qsv_model_load(&back, path, &err));
    qsv_model_destroy(back);
    qsv_model_destroy(m);
}

/* A vector in another format or length is not a network's. */
static void test_other_vectors(void **state)
{
    (void)state;
    static const struct {
        enum qsv_format format;
        int longer;
        const char *says;
    } rows[] = {{QSV_INT6, 0, "is int6 ["}, {QSV_F16, 1, "is f16 ["}, {QSV_F32, 1, "is f32 ["}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_model *m = folded(QSV_F16);
        struct qsv_network *n;
        struct qsv_error why = {0};
        struct qsv_tensor *v = find_vector(m);
        v->format = rows[i].format;
        v->shape[0] += (uint32_t)rows[i].longer;
        assert_int_equal(qsv_network_create_folded(&n, m, &why), QSV_EINPUT);
        if (!strstr(why.text, rows[i].says))
            fail_msg("'%s' does not say '%s'", why.text, rows[i].says);
        qsv_model_destroy(m);
    }
}

/* Every prefix, and changed bytes, are refused before HDF5 sees them. */
static void test_damaged_files(void **state)
{
    struct qsv_model *m = folded(QSV_F16), *back;
    struct qsv_rng r;
    uint8_t *data;
    size_t bytes;
    (void)state;
    OK(qsv_model_save(m, path, &err));
    OK(qsv_file_read(&data, &bytes, path, 1 << 22, &err));
    for (size_t n = 0; n < bytes; n += n < 2048 ? 61 : 1021) {
        OK(qsv_file_write(path, data, n, &err));
        assert_int_equal(qsv_model_load(&back, path, NULL), QSV_EINPUT);
    }
    qsv_rng_seed(&r, 13);
    for (int i = 0; i < 100; i++) {
        size_t at = qsv_rng_below(&r, bytes);
        data[at] ^= (uint8_t)(1 + qsv_rng_below(&r, 255));
        OK(qsv_file_write(path, data, bytes, &err));
        assert_int_equal(qsv_model_load(&back, path, NULL), QSV_EINPUT);
    }
    free(data);
    qsv_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_other_vectors),
        cmocka_unit_test(test_damaged_files),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
