/* Records: the arrays do not overlap, a message holds everything, and no message harms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "jobs/record.h"

static const struct qsv_record_shape shape = {.n_layers = 3, .n_lifs = 4, .n_sites = 5};

static void fill(struct qsv_record *r, int with_answers)
{
    struct qsv_error err;
    assert_int_equal(qsv_record_init(r, &shape, 11, with_answers, &err), QSV_OK);
    r->trial_id = 0x0102030405060708u;
    r->shard = 7;
    r->n_top1 = 9;
    r->n_top5 = 10;
    r->n_only_trial = 2;
    r->n_only_baseline = 3;
    r->loss_sum = 1.25;
    r->loss_diff_sum = -0.5;
    r->loss_diff_square_sum = 0.75;
    r->kl_sum = 1e-300;
    r->kl_square_sum = 5e-324;
    r->ac_ops = UINT64_MAX;
    r->mac_ops = 1;
    r->drift = 0.1;
    r->attempt = 12;
    r->rank = 13;
    r->peak_mem_bytes = 1u << 31;
    r->wall_s = 0.25;
    r->t_end_unix_s = 1.7e9;
    for (unsigned i = 0; i < shape.n_lifs; i++) {
        r->lif_spikes[i] = 100 + i;
        r->lif_drift[i] = 200 + i;
    }
    for (unsigned i = 0; i < shape.n_sites; i++)
        r->site_ac[i] = 300 + i;
    r->correct[0] = 0xa5;
    r->correct[1] = 0x03;
    for (unsigned i = 0; with_answers && i < r->n_images; i++) {
        r->label[i] = (uint16_t)(400 + i);
        r->answer[i] = (uint16_t)(65535 - i);
        r->loss[i] = 0.5 * i;
    }
}

static void assert_same(const struct qsv_record *a, const struct qsv_record *b)
{
    struct qsv_record x = *a, y = *b;
    memset(&x.lif_spikes, 0, sizeof x - offsetof(struct qsv_record, lif_spikes));
    memset(&y.lif_spikes, 0, sizeof y - offsetof(struct qsv_record, lif_spikes));
    assert_memory_equal(&x, &y, sizeof x);
    assert_memory_equal(a->lif_spikes, b->lif_spikes, 8 * shape.n_lifs);
    assert_memory_equal(a->lif_drift, b->lif_drift, 8 * shape.n_lifs);
    assert_memory_equal(a->site_ac, b->site_ac, 8 * shape.n_sites);
    assert_memory_equal(a->correct, b->correct, 2);
    assert_int_equal(!a->loss, !b->loss);
    if (!a->loss)
        return;
    assert_memory_equal(a->label, b->label, 2 * a->n_images);
    assert_memory_equal(a->answer, b->answer, 2 * a->n_images);
    assert_memory_equal(a->loss, b->loss, 8 * a->n_images);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int with_answers = 0; with_answers < 2; with_answers++) {
        struct qsv_record r, back;
        struct qsv_strbuf message = {0};
        struct qsv_error err;
        fill(&r, with_answers);
        qsv_record_pack(&r, &shape, &message);
        qsv_record_pack(&r, &shape, &message); /* records follow each other in one message */
        assert_false(message.failed);

        struct qsv_cursor in = qsv_cursor_over(message.text, message.len);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(qsv_record_unpack(&back, &shape, &in, &err), QSV_OK);
            assert_same(&r, &back);
            qsv_record_fini(&back);
        }
        assert_int_equal(qsv_cursor_left(&in), 0);
        qsv_record_fini(&r);
        qsv_strbuf_fini(&message);
    }
}

static void test_message_bytes_are_little_endian(void **state)
{
    (void)state;
    struct qsv_record r;
    struct qsv_strbuf message = {0};
    fill(&r, 0);
    qsv_record_pack(&r, &shape, &message);
    static const uint8_t head[] = {
        3, 0, 0,    0,    4,    0,    0,    0,    5,    0,    0, 0, 11, 0, 0, 0, 0, 0,
        0, 0, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 7, 0, 0,  0, 9, 0, 0, 0,
    };
    assert_true(message.len > sizeof head);
    assert_memory_equal(message.text, head, sizeof head);
    qsv_record_fini(&r);
    qsv_strbuf_fini(&message);
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    struct qsv_record r, back;
    struct qsv_strbuf message = {0};
    struct qsv_error err;
    fill(&r, 1);
    qsv_record_pack(&r, &shape, &message);
    for (size_t n = 0; n < message.len; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees a read past the end */
        memcpy(exact, message.text, n);
        struct qsv_cursor in = qsv_cursor_over(exact, n);
        assert_int_equal(qsv_record_unpack(&back, &shape, &in, &err), QSV_EINPUT);
        assert_null(back.lif_spikes);
        free(exact);
    }
    qsv_record_fini(&r);
    qsv_strbuf_fini(&message);
}

static void test_hostile_heads_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
        const char *says;
    } rows[] = {
        {0, 4, "4 layers, 4 LIFs, 5 sites, expected 3, 4, 5"},
        {4, UINT32_MAX, "expected 3, 4, 5"},
        {8, 0, "expected 3, 4, 5"},
        {12, UINT32_MAX, "of 4294967295 images"},
        {12, 200, "of 200 images"},
        {16, 2, "flag is 2, expected 0 or 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_record r, back;
        struct qsv_strbuf message = {0};
        struct qsv_error err;
        fill(&r, 1);
        qsv_record_pack(&r, &shape, &message);
        for (int b = 0; b < 4; b++)
            message.text[rows[i].at + (size_t)b] = (char)(rows[i].value >> 8 * b);
        struct qsv_cursor in = qsv_cursor_over(message.text, message.len);
        assert_int_equal(qsv_record_unpack(&back, &shape, &in, &err), QSV_EINPUT);
        assert_non_null(strstr(err.text, rows[i].says));
        qsv_record_fini(&r);
        qsv_strbuf_fini(&message);
    }
}

static void test_mutations_do_no_harm(void **state)
{
    (void)state;
    struct qsv_record r, back;
    struct qsv_strbuf message = {0};
    struct qsv_error err;
    struct qsv_rng rng;
    fill(&r, 1);
    qsv_record_pack(&r, &shape, &message);
    qsv_rng_seed(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        size_t at = qsv_rng_below(&rng, message.len);
        char was = message.text[at];
        message.text[at] = (char)qsv_rng_next(&rng);
        struct qsv_cursor in = qsv_cursor_over(message.text, message.len);
        enum qsv_status st = qsv_record_unpack(&back, &shape, &in, &err);
        assert_true(st == QSV_OK || st == QSV_EINPUT);
        qsv_record_fini(&back);
        message.text[at] = was;
    }
    qsv_record_fini(&r);
    qsv_strbuf_fini(&message);
}

static void test_without_answers_there_are_none(void **state)
{
    (void)state;
    struct qsv_record r;
    fill(&r, 0);
    assert_null(r.label);
    assert_null(r.answer);
    assert_null(r.loss);
    qsv_record_fini(&r);
    assert_null(r.correct);
    qsv_record_fini(&r); /* twice is harmless */
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    struct qsv_record r, back;
    struct qsv_strbuf message = {0};
    struct qsv_error err;
    fill(&r, 1);
    qsv_record_pack(&r, &shape, &message);
    struct qsv_cursor in = qsv_cursor_over(message.text, message.len);
    qsv_alloc_fail_at(1);
    assert_int_equal(qsv_record_unpack(&back, &shape, &in, &err), QSV_ENOMEM);
    qsv_alloc_fail_at(0);
    assert_null(back.lif_spikes);
    qsv_record_fini(&r);
    qsv_strbuf_fini(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_hostile_heads_are_refused),
        cmocka_unit_test(test_mutations_do_no_harm),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_message_bytes_are_little_endian),
        cmocka_unit_test(test_without_answers_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
