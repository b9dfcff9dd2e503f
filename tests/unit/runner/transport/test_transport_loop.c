#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runner/transport/transport_loop.h"

static struct qsv_error err;

static void post(struct qsv_loop *loop, int from, int to, const char *text)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, text);
    struct qsv_transport *t = qsv_loop_end(loop, from);
    assert_int_equal(t->send(t, to, &b, &err), QSV_OK);
    assert_null(b.text);
}

static void expect(struct qsv_loop *loop, int rank, int from, const char *text)
{
    struct qsv_parcel p;
    struct qsv_transport *t = qsv_loop_end(loop, rank);
    assert_int_equal(t->poll(t, &p, &err), QSV_OK);
    if (!text) {
        assert_null(p.data);
        return;
    }
    assert_non_null(p.data);
    assert_int_equal(p.from, from);
    assert_int_equal(p.bytes, strlen(text));
    assert_memory_equal(p.data, text, p.bytes);
    free(p.data);
}

static void messages_arrive_in_order(void **state)
{
    (void)state;
    struct qsv_loop *loop;
    assert_int_equal(qsv_loop_create(&loop, 3, &err), QSV_OK);
    expect(loop, 1, 0, NULL);
    post(loop, 0, 1, "one");
    post(loop, 2, 1, "two");
    post(loop, 0, 2, "other");
    post(loop, 0, 1, "three");
    expect(loop, 1, 0, "one");
    expect(loop, 1, 2, "two");
    expect(loop, 1, 0, "three");
    expect(loop, 1, 0, NULL);
    expect(loop, 2, 0, "other");
    post(loop, 1, 1, "to myself");
    expect(loop, 1, 1, "to myself");
    post(loop, 1, 0, "never read");
    qsv_loop_destroy(loop);
}

struct stepper {
    struct qsv_loop *loop;
    int rank, steps, quiet; /* quiet: steps before it says something */
    enum qsv_status status;
};

static enum qsv_status step(void *context, struct qsv_error *e)
{
    struct stepper *s = context;
    s->steps++;
    if (s->status)
        return qsv_fail(e, s->status, "rank %d broke", s->rank);
    if (s->quiet-- <= 0)
        post(s->loop, s->rank, 0, s->rank == 1 ? "from 1" : "from 2");
    return QSV_OK;
}

static void others_step_while_rank_0_waits(void **state)
{
    (void)state;
    struct qsv_loop *loop;
    assert_int_equal(qsv_loop_create(&loop, 3, &err), QSV_OK);
    struct stepper one = {loop, 1, 0, 1, QSV_OK}, two = {loop, 2, 0, 0, QSV_OK};
    qsv_loop_attach(loop, 1, step, &one);
    qsv_loop_attach(loop, 2, step, &two);
    expect(loop, 0, 2, "from 2");
    assert_int_equal(one.steps, 1);
    expect(loop, 0, 1, "from 1");
    assert_int_equal(one.steps, 2);
    assert_int_equal(two.steps, 1);
    /* The turn goes round: rank 1 does not starve rank 2. */
    expect(loop, 0, 2, "from 2");
    /* What lies there is taken before anybody works. */
    post(loop, 1, 0, "lay there");
    expect(loop, 0, 1, "lay there");
    assert_int_equal(one.steps + two.steps, 4);
    one.status = two.status = QSV_EIO;
    struct qsv_parcel p;
    struct qsv_transport *t = qsv_loop_end(loop, 0);
    assert_int_equal(t->poll(t, &p, &err), QSV_EIO);
    assert_string_equal(err.text, "rank 1 broke");
    qsv_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_order),
        cmocka_unit_test(others_step_while_rank_0_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
