#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "runner/transport/message.h"

static struct qsv_error err;

static const struct qsv_message_sizes sizes = {{.n_layers = 3, .n_lifs = 2, .n_sites = 4}, 10};

static void pack(const struct qsv_message *m, struct qsv_strbuf *out)
{
    qsv_message_pack(m, &sizes, out);
    assert_false(out->failed);
}

static struct qsv_message unpack(const struct qsv_strbuf *b)
{
    struct qsv_message m;
    assert_int_equal(qsv_message_unpack(&m, &sizes, b->text, b->len, &err), QSV_OK);
    return m;
}

static struct qsv_message a_hello(void)
{
    struct qsv_message m = {.type = QSV_MESSAGE_HELLO};
    struct qsv_hello *h = &m.u.hello;
    *h = (struct qsv_hello){.version = "1.2",
                            .commit = "abc",
                            .build = 12,
                            .host = "node7",
                            .isa = "avx2",
                            .pid = 4711,
                            .cores = 2,
                            .alone = "no room",
                            .spec = 5};
    h->identity = (struct qsv_identity){.model = 1,
                                        .dataset = 2,
                                        .calibration = 3,
                                        .order = 4,
                                        .shard_images = 6,
                                        .quantizer = 7,
                                        .engine = 8};
    h->sketches[0] = 9;
    h->sketches[1] = 10;
    return m;
}

static struct qsv_message a_task(void)
{
    struct qsv_message m = {.type = QSV_MESSAGE_TASK};
    struct qsv_task *t = &m.u.task;
    assert_int_equal(qsv_task_init(t, 2, 3, &err), QSV_OK);
    t->number = 99;
    t->kind = QSV_TASK_EVALUATE;
    t->attempt = 2;
    t->first_shard = 7;
    t->n_shards = 3;
    for (uint32_t i = 0; i < 2; i++) {
        t->trials[i].trial_id = 1000 + i;
        memset(t->formats + 3 * i, QSV_INT4 + (int)i, 3);
    }
    return m;
}

static struct qsv_message a_report(void)
{
    struct qsv_message m = {.type = QSV_MESSAGE_DONE};
    struct qsv_done *d = &m.u.done;
    *d = (struct qsv_done){.task = 99,
                           .seconds = 1.5,
                           .waited_s = 0.25,
                           .layer_forwards_asked = 70,
                           .layer_forwards_done = 40,
                           .segment = "1-2-3",
                           .n_records = 2};
    d->records = calloc(2, sizeof *d->records);
    assert_non_null(d->records);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(qsv_record_init(&d->records[i], &sizes.shape, 5, i == 0, &err), QSV_OK);
        d->records[i].trial_id = 1000 + i;
        d->records[i].shard = 7;
        d->records[i].loss_sum = 0.25 + i;
        d->records[i].site_ac[3] = 12 + i;
    }
    return m;
}

static struct qsv_message a_failure(void)
{
    struct qsv_message m = {.type = QSV_MESSAGE_FAILED};
    m.u.failed.task = 99;
    qsv_fail(&m.u.failed.error, QSV_EIO, "disk full");
    return m;
}

static struct qsv_message a_bye(void)
{
    return (struct qsv_message){.type = QSV_MESSAGE_BYE, .u.bye = {500, 300}};
}

static void each_message_comes_over(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    struct qsv_message m = a_hello(), got;
    pack(&m, &b);
    got = unpack(&b);
    assert_string_equal(got.u.hello.version, "1.2");
    assert_string_equal(got.u.hello.commit, "abc");
    assert_int_equal(got.u.hello.build, 12);
    assert_string_equal(got.u.hello.host, "node7");
    assert_string_equal(got.u.hello.isa, "avx2");
    assert_int_equal(got.u.hello.pid, 4711);
    assert_int_equal(got.u.hello.cores, 2);
    assert_string_equal(got.u.hello.alone, "no room");
    assert_int_equal(got.u.hello.spec, 5);
    assert_true(got.u.hello.sketches[0] == 9 && got.u.hello.sketches[1] == 10);
    assert_int_equal(qsv_identity_hash(&got.u.hello.identity),
                     qsv_identity_hash(&m.u.hello.identity));
    qsv_strbuf_fini(&b);

    m = (struct qsv_message){.type = QSV_MESSAGE_WELCOME, .u.welcome = m.u.hello.identity};
    pack(&m, &b);
    got = unpack(&b);
    assert_int_equal(got.type, QSV_MESSAGE_WELCOME);
    assert_int_equal(qsv_identity_hash(&got.u.welcome), qsv_identity_hash(&m.u.welcome));
    qsv_strbuf_fini(&b);

    m = a_failure();
    pack(&m, &b);
    got = unpack(&b);
    assert_int_equal(got.u.failed.task, 99);
    assert_int_equal(got.u.failed.error.code, QSV_EIO);
    assert_string_equal(got.u.failed.error.text, "disk full");
    qsv_strbuf_fini(&b);

    m = a_bye();
    pack(&m, &b);
    got = unpack(&b);
    assert_int_equal(got.u.bye.layer_forwards_asked, 500);
    assert_int_equal(got.u.bye.layer_forwards_done, 300);
    qsv_strbuf_fini(&b);

    m = (struct qsv_message){.type = QSV_MESSAGE_STOP};
    pack(&m, &b);
    assert_int_equal(unpack(&b).type, QSV_MESSAGE_STOP);
    qsv_strbuf_fini(&b);
}

static void a_task_comes_over(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    struct qsv_message m = a_task();
    pack(&m, &b);
    struct qsv_message got = unpack(&b);
    const struct qsv_task *t = &got.u.task;
    assert_int_equal(t->number, 99);
    assert_int_equal(t->kind, QSV_TASK_EVALUATE);
    assert_int_equal(t->attempt, 2);
    assert_int_equal(t->first_shard, 7);
    assert_int_equal(t->n_shards, 3);
    assert_int_equal(t->n_trials, 2);
    assert_int_equal(t->trials[1].trial_id, 1001);
    assert_int_equal(t->trials[1].formats[2], QSV_INT4 + 1);
    assert_true(qsv_task_holds(t, 1001, 9));
    assert_false(qsv_task_holds(t, 1001, 10));
    assert_false(qsv_task_holds(t, 1001, 6));
    assert_false(qsv_task_holds(t, 1002, 9));
    qsv_message_fini(&got);
    qsv_message_fini(&m);
    qsv_strbuf_fini(&b);
}

static void a_report_comes_over(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    struct qsv_message m = a_report();
    pack(&m, &b);
    struct qsv_message got = unpack(&b);
    const struct qsv_done *d = &got.u.done;
    assert_int_equal(d->task, 99);
    assert_true(d->seconds == 1.5 && d->waited_s == 0.25);
    assert_int_equal(d->layer_forwards_asked, 70);
    assert_int_equal(d->layer_forwards_done, 40);
    assert_string_equal(d->segment, "1-2-3");
    assert_int_equal(d->n_records, 2);
    assert_int_equal(d->records[1].trial_id, 1001);
    assert_true(d->records[1].loss_sum == 1.25);
    assert_int_equal(d->records[1].site_ac[3], 13);
    assert_non_null(d->records[0].loss);
    assert_null(d->records[1].loss);
    qsv_message_fini(&got);
    qsv_message_fini(&m);
    qsv_strbuf_fini(&b);
}

static void wrong_tasks_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, first, n, format;
    } rows[] = {
        {0, 7, 3, QSV_INT4},
        {QSV_N_TASK_KINDS, 7, 3, QSV_INT4},
        {QSV_TASK_EVALUATE, 8, 3, 0},
        {QSV_TASK_EVALUATE, 10, 1, 0},
        {QSV_TASK_EVALUATE, 7, 0, 0},
        {QSV_TASK_EVALUATE, 1, UINT32_MAX, 0},
        {QSV_TASK_EVALUATE, 7, 3, QSV_N_FORMATS},
        {QSV_TASK_EVALUATE, 7, 3, 255},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        struct qsv_message m = a_task(), got;
        m.u.task.kind = (enum qsv_task_kind)rows[i].kind;
        m.u.task.first_shard = rows[i].first;
        m.u.task.n_shards = rows[i].n;
        m.u.task.formats[4] = (uint8_t)rows[i].format;
        pack(&m, &b);
        assert_int_equal(qsv_message_unpack(&got, &sizes, b.text, b.len, &err), QSV_EFAILED);
        qsv_message_fini(&m);
        qsv_strbuf_fini(&b);
    }
}

/* Bytes of every kind of message, cut short, prolonged and mutated: an answer, never a crash. */
static void damaged_messages_are_refused(void **state)
{
    (void)state;
    struct qsv_message good[] = {a_hello(), a_task(), a_report(), a_failure(), a_bye()};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct qsv_strbuf b = {0};
        struct qsv_message got;
        pack(&good[i], &b);
        for (size_t n = 0; n < b.len; n++) {
            char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
            assert_non_null(exact);
            memcpy(exact, b.text, n);
            assert_int_not_equal(qsv_message_unpack(&got, &sizes, exact, n, &err), QSV_OK);
            free(exact);
        }
        for (int round = 0; round < 3000; round++) {
            size_t at = qsv_rng_below(&rng, b.len);
            char old = b.text[at];
            b.text[at] = (char)qsv_rng_next(&rng);
            if (qsv_message_unpack(&got, &sizes, b.text, b.len, &err) == QSV_OK)
                qsv_message_fini(&got);
            b.text[at] = old;
        }
        qsv_strbuf_puts(&b, "x");
        assert_int_not_equal(qsv_message_unpack(&got, &sizes, b.text, b.len, &err), QSV_OK);
        qsv_strbuf_fini(&b);
        qsv_message_fini(&good[i]);
    }
}

/* Bytes 4 to 7 are the version of the messages themselves. */
static void a_rank_of_another_time_is_named(void **state)
{
    (void)state;
    struct qsv_message m = a_hello(), got;
    struct qsv_strbuf b = {0};
    pack(&m, &b);
    b.text[4]++;
    assert_int_equal(qsv_message_unpack(&got, &sizes, b.text, b.len, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "qsvit 1.2 (abc) on node7"));
    assert_int_equal(qsv_message_unpack(&got, &sizes, b.text, 20, &err), QSV_EFAILED);
    b.text[8] = QSV_MESSAGE_BYE;
    assert_int_equal(qsv_message_unpack(&got, &sizes, b.text, b.len, &err), QSV_EFAILED);
    qsv_strbuf_fini(&b);
}

static void signs_of_life_come_over(void **state)
{
    (void)state;
    struct qsv_message m = {.type = QSV_MESSAGE_ALIVE};
    struct qsv_strbuf b = {0};
    pack(&m, &b);
    m = unpack(&b);
    assert_int_equal(m.type, QSV_MESSAGE_ALIVE);
    qsv_strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_comes_over),
        cmocka_unit_test(a_task_comes_over),
        cmocka_unit_test(a_report_comes_over),
        cmocka_unit_test(wrong_tasks_are_refused),
        cmocka_unit_test(damaged_messages_are_refused),
        cmocka_unit_test(a_rank_of_another_time_is_named),
        cmocka_unit_test(signs_of_life_come_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
