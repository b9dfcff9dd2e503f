/* A worker on the tiny network; the test is its coordinator. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "jobs/setting.h"
#include "results/ledger_file.h"
#include "runner/transport/transport_loop.h"
#include "runner/worker/worker.h"
#include "tests/unit/runner/tiny.h"

enum { N_LAYERS = 54 };

/* Time passes where somebody looks at it. */
static double now_s, look_s;

static double clock_now(void *context)
{
    (void)context;
    return now_s += look_s;
}

static void clock_nap(void *context, double seconds)
{
    (void)context;
    now_s += seconds;
}

static const struct qsv_clock test_clock = {NULL, clock_now, clock_now, clock_nap};

struct stage {
    struct folder folder;
    char run_folder[96], exported[128];
    struct qsv_spec *spec;
    struct qsv_inputs in;
    struct qsv_message_sizes sizes;
    struct qsv_loop *loop;
    struct qsv_worker *worker;
    volatile sig_atomic_t flag;
    uint8_t formats[2][N_LAYERS];
};

static double flush_interval_s;

static struct qsv_message receive(struct stage *s)
{
    struct qsv_transport *t = qsv_loop_end(s->loop, 0);
    struct qsv_parcel p;
    struct qsv_message m;
    assert_int_equal(t->poll(t, &p, &err), QSV_OK);
    assert_non_null(p.data);
    assert_int_equal(p.from, 1);
    assert_int_equal(qsv_message_unpack(&m, &s->sizes, p.data, p.bytes, &err), QSV_OK);
    free(p.data);
    return m;
}

static void send_message(struct stage *s, const struct qsv_message *m)
{
    assert_int_equal(qsv_message_send(qsv_loop_end(s->loop, 0), 1, m, &s->sizes, &err), QSV_OK);
}

static void step(struct stage *s)
{
    bool idle;
    assert_int_equal(qsv_worker_step(s->worker, &idle, &err), QSV_OK);
    assert_false(idle);
}

/* All trials (f32 and int4) on shards first .. first + n - 1. */
static void give_task(struct stage *s, enum qsv_task_kind kind, uint32_t first, uint32_t n,
                      uint32_t n_trials)
{
    struct qsv_message m = {.type = QSV_MESSAGE_TASK};
    struct qsv_task *t = &m.u.task;
    assert_int_equal(qsv_task_init(t, n_trials, N_LAYERS, &err), QSV_OK);
    t->number = 5;
    t->kind = kind;
    t->attempt = 3;
    t->first_shard = first;
    t->n_shards = n;
    for (uint32_t i = 0; i < n_trials; i++) {
        memcpy(t->formats + i * N_LAYERS, s->formats[i], N_LAYERS);
        t->trials[i].trial_id = qsv_setting_id(s->formats[i], N_LAYERS);
    }
    send_message(s, &m);
    qsv_message_fini(&m);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    make_folder(&s->folder);
    snprintf(s->run_folder, sizeof s->run_folder, "%s/run", s->folder.path);
    snprintf(s->exported, sizeof s->exported, "%s/selected.h5", s->folder.path);
    s->spec = tiny_spec(&s->folder, "", "constraint:\n  max_top1_drop: 5\n");
    load_inputs(&s->in, s->spec);
    s->sizes = (struct qsv_message_sizes){s->in.run.shape, s->in.partition.n_shards};
    memset(s->formats[1], QSV_INT4, N_LAYERS);
    now_s = 1000;
    look_s = 0.001;
    assert_int_equal(qsv_loop_create(&s->loop, 2, &err), QSV_OK);
    struct qsv_worker_setup setup = {
        .transport = qsv_loop_end(s->loop, 1),
        .clock = &test_clock,
        .stop = &s->flag,
        .worker_timeout_s = 50,
        .flush_interval_s = flush_interval_s,
        .run_folder = s->run_folder,
        .exported = s->exported,
        .run = &s->in.run,
        .bench = {.model = s->in.model,
                  .bank = s->in.bank,
                  .images = {&s->in.images[0], &s->in.images[1]},
                  .partition = &s->in.partition,
                  .shape = s->in.run.shape},
        .hello = &s->in.hello,
    };
    assert_int_equal(qsv_worker_create(&s->worker, &setup, &err), QSV_OK);
    struct qsv_message hello = receive(s);
    assert_int_equal(hello.type, QSV_MESSAGE_HELLO);
    assert_true(strlen(hello.u.hello.isa) > 0);
    assert_int_equal(qsv_identity_hash(&hello.u.hello.identity),
                     qsv_identity_hash(&s->in.run.identity));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    qsv_worker_destroy(s->worker);
    qsv_loop_destroy(s->loop);
    qsv_inputs_fini(&s->in);
    qsv_spec_destroy(s->spec);
    remove_folder(&s->folder);
    free(s);
    return 0;
}

static void make_run_folder(const struct stage *s)
{
    char command[160];
    snprintf(command, sizeof command, "mkdir -p '%s/segments'", s->run_folder);
    assert_int_equal(system(command), 0);
}

static void a_task_is_recorded_then_reported(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    for (int i = 1; i <= 2; i++) {
        char path[160], name[32];
        give_task(s, QSV_TASK_EVALUATE, 4, 3, 2); /* the last judging shards and a deciding one */
        step(s);
        struct qsv_message m = receive(s);
        assert_int_equal(m.type, QSV_MESSAGE_DONE);
        const struct qsv_done *d = &m.u.done;
        snprintf(name, sizeof name, "3-1-%d", i);
        assert_string_equal(d->segment, name);
        snprintf(path, sizeof path, "%s/segments/%s.h5", s->run_folder, name);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(d->task, 5);
        assert_int_equal(d->n_records, 6);
        assert_true(d->layer_forwards_done > 0);
        assert_int_equal(d->waited_s > 0, i == 1); /* then it has the images */
        assert_true(d->layer_forwards_asked >= d->layer_forwards_done);
        for (uint32_t r = 0; r < 6; r++) {
            assert_int_equal(d->records[r].shard, 4 + r / 2);
            assert_int_equal(d->records[r].attempt, 3);
            assert_int_equal(d->records[r].rank, 1);
            assert_int_equal(d->records[r].label != NULL, r % 2 == 0); /* the baseline's */
            assert_true(d->records[r].peak_mem_bytes > 1 << 20);
            assert_true(d->records[r].wall_s == d->seconds / 6);
        }
        qsv_message_fini(&m);
    }
}

static bool is_recorded(const struct stage *s, const char *segment)
{
    char path[160];
    snprintf(path, sizeof path, "%s/segments/%s.h5", s->run_folder, segment);
    return access(path, F_OK) == 0;
}

static void assert_silent(struct stage *s)
{
    struct qsv_transport *t = qsv_loop_end(s->loop, 0);
    struct qsv_parcel p;
    assert_int_equal(t->poll(t, &p, &err), QSV_OK);
    assert_null(p.data);
}

static int setup_gathering(void **state)
{
    flush_interval_s = 1e7;
    int failed = setup(state);
    flush_interval_s = 0;
    return failed;
}

/* The second is there already when the first is done; then there is no third to wait for. */
static void tasks_are_recorded_together_then_reported(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 2);
    give_task(s, QSV_TASK_EVALUATE, 1, 2, 2);
    step(s);
    assert_false(is_recorded(s, "3-1-1"));
    assert_silent(s);
    step(s);
    struct qsv_message first = receive(s), second = receive(s);
    assert_int_equal(first.type, QSV_MESSAGE_DONE);
    assert_int_equal(second.type, QSV_MESSAGE_DONE);
    assert_int_equal(first.u.done.n_records, 2);
    assert_int_equal(second.u.done.n_records, 4);
    /* Whoever deletes the segment must know all that it holds. */
    assert_string_equal(first.u.done.segment, "");
    assert_string_equal(second.u.done.segment, "3-1-1");
    struct qsv_ledger l = {0};
    char path[160];
    snprintf(path, sizeof path, "%s/segments/3-1-1.h5", s->run_folder);
    assert_int_equal(qsv_ledger_describe(&l, &s->in.run, &err), QSV_OK);
    assert_int_equal(qsv_ledger_read_segment(&l, path, &err), QSV_OK);
    assert_int_equal(l.n_evaluations, 6);
    assert_int_equal(l.n_trials, 2);
    qsv_ledger_fini(&l);
    qsv_message_fini(&first);
    qsv_message_fini(&second);
}

/* They come while the first is in work, and none is forgotten. */
static void many_tasks_may_wait_for_their_turn(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    for (uint32_t i = 0; i < 5; i++)
        give_task(s, QSV_TASK_EVALUATE, i, 1, 1);
    look_s = 11; /* it looks what has come between any two layers */
    for (int i = 0; i < 5; i++)
        step(s);
    look_s = 0.001;
    for (uint32_t i = 0; i < 5;) {
        struct qsv_message m = receive(s);
        if (m.type == QSV_MESSAGE_ALIVE)
            continue;
        assert_int_equal(m.type, QSV_MESSAGE_DONE);
        assert_int_equal(m.u.done.records[0].shard, i);
        assert_string_equal(m.u.done.segment, ++i == 5 ? "3-1-1" : "");
        qsv_message_fini(&m);
    }
}

static void what_waits_is_recorded_before_it_stops(void **state)
{
    struct stage *s = *state;
    const struct qsv_message stop = {.type = QSV_MESSAGE_STOP};
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 2);
    give_task(s, QSV_TASK_EVALUATE, 1, 2, 2);
    step(s);
    assert_silent(s);
    send_message(s, &stop);
    step(s);
    assert_int_equal(receive(s).type, QSV_MESSAGE_BYE);
    assert_true(is_recorded(s, "3-1-1"));
}

static void what_waits_is_recorded_when_the_next_task_fails(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    give_task(s, QSV_TASK_VERIFY, 1, 1, 1); /* there is no such file */
    step(s);
    step(s);
    struct qsv_message first = receive(s), second = receive(s);
    assert_int_equal(first.type, QSV_MESSAGE_DONE);
    assert_string_equal(first.u.done.segment, "3-1-1");
    assert_true(is_recorded(s, "3-1-1"));
    assert_int_equal(second.type, QSV_MESSAGE_FAILED);
    qsv_message_fini(&first);
}

static void what_cannot_be_recorded_is_no_success(void **state)
{
    struct stage *s = *state; /* there is no run folder */
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    step(s);
    struct qsv_message m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_FAILED);
    assert_int_equal(m.u.failed.task, 5);
    assert_int_equal(m.u.failed.error.code, QSV_EIO);
    assert_non_null(strstr(m.u.failed.error.text, "run/segments"));
    qsv_message_fini(&m);
    make_run_folder(s); /* and it goes on */
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    step(s);
    m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    qsv_message_fini(&m);
}

static void an_exported_network_is_run_and_not_recorded(void **state)
{
    struct stage *s = *state;
    give_task(s, QSV_TASK_VERIFY, 1, 1, 1);
    step(s);
    struct qsv_message m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_FAILED); /* there is no such file */
    assert_non_null(strstr(m.u.failed.error.text, "selected.h5"));
    qsv_message_fini(&m);
    assert_int_equal(qsv_model_save(s->in.model, s->exported, &err), QSV_OK);
    give_task(s, QSV_TASK_VERIFY, 1, 2, 1);
    step(s);
    m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    assert_string_equal(m.u.done.segment, "");
    assert_int_equal(m.u.done.n_records, 2);
    qsv_message_fini(&m);
    give_task(s, QSV_TASK_VERIFY, 1, 1, 2);
    step(s);
    m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_FAILED); /* one file holds one trial */
    qsv_message_fini(&m);
}

static void a_signal_ends_the_task(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    s->flag = 1;
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    step(s);
    struct qsv_message m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_FAILED);
    assert_int_equal(m.u.failed.error.code, QSV_ESTOPPED);
    qsv_message_fini(&m);
}

static void a_message_ends_the_task_between_batches(void **state)
{
    struct stage *s = *state;
    const struct qsv_message stop = {.type = QSV_MESSAGE_STOP};
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    send_message(s, &stop); /* lies there when the worker looks for it */
    step(s);
    struct qsv_message m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_BYE); /* nothing is reported any more */
    assert_true(qsv_worker_is_done(s->worker));
}

/* A layer takes longer than the 10 s between two signs of life. */
static void a_worker_that_computes_is_heard_from(void **state)
{
    struct stage *s = *state;
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    look_s = 11;
    step(s);
    int n_alive = 0;
    struct qsv_message m;
    while ((m = receive(s)).type == QSV_MESSAGE_ALIVE)
        n_alive++;
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    assert_true(n_alive >= N_LAYERS);
    qsv_message_fini(&m);
    look_s = 0.001;
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 1);
    step(s);
    m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    qsv_message_fini(&m);
}

static void bye_says_how_much_was_shared(void **state)
{
    struct stage *s = *state;
    const struct qsv_message stop = {.type = QSV_MESSAGE_STOP};
    make_run_folder(s);
    give_task(s, QSV_TASK_EVALUATE, 0, 1, 2);
    step(s);
    struct qsv_message m = receive(s);
    qsv_message_fini(&m);
    send_message(s, &stop);
    step(s);
    m = receive(s);
    assert_int_equal(m.type, QSV_MESSAGE_BYE);
    assert_int_equal(m.u.bye.layer_forwards_asked, 2 * N_LAYERS * 16);
    assert_true(m.u.bye.layer_forwards_done <= m.u.bye.layer_forwards_asked);
    bool idle;
    assert_int_equal(qsv_worker_step(s->worker, &idle, &err), QSV_OK);
    assert_true(idle);
}

static void a_wrong_message_is_an_error(void **state)
{
    struct stage *s = *state;
    const struct qsv_message bye = {.type = QSV_MESSAGE_BYE};
    bool idle;
    send_message(s, &bye);
    assert_int_equal(qsv_worker_step(s->worker, &idle, &err), QSV_EFAILED);
}

#define CASE(f)      cmocka_unit_test_setup_teardown(f, setup, teardown)
#define GATHERING(f) cmocka_unit_test_setup_teardown(f, setup_gathering, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_task_is_recorded_then_reported),
        GATHERING(tasks_are_recorded_together_then_reported),
        GATHERING(many_tasks_may_wait_for_their_turn),
        GATHERING(what_waits_is_recorded_before_it_stops),
        GATHERING(what_waits_is_recorded_when_the_next_task_fails),
        CASE(what_cannot_be_recorded_is_no_success),
        CASE(an_exported_network_is_run_and_not_recorded),
        CASE(a_signal_ends_the_task),
        CASE(a_message_ends_the_task_between_batches),
        CASE(a_worker_that_computes_is_heard_from),
        CASE(bye_says_how_much_was_shared),
        CASE(a_wrong_message_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
