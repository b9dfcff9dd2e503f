#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "jobs/setting.h"
#include "runner/worker/workbench.h"
#include "tests/unit/allocated.h"
#include "tests/unit/runner/tiny.h"

enum { SHARD = 2, N_LAYERS = 54, N_TRIALS = 4 };

struct bench {
    struct folder folder;
    struct qsv_spec *spec;
    struct qsv_inputs in;
    struct qsv_workbench *bench;
    volatile sig_atomic_t flag;
    struct qsv_stop stop;
    uint8_t formats[N_TRIALS][N_LAYERS];
    struct qsv_trial_setting trials[N_TRIALS]; /* f32, last layer int4, first layer int4, int8 */
};

static struct qsv_workbench *make_bench_of(struct bench *b, uint32_t threads)
{
    struct qsv_workbench *bench;
    struct qsv_workbench_setup setup = {.model = b->in.model,
                                        .bank = b->in.bank,
                                        .images = {&b->in.images[0], &b->in.images[1]},
                                        .partition = &b->in.partition,
                                        .shape = b->in.run.shape,
                                        .stop = &b->stop,
                                        .threads = threads};
    assert_int_equal(qsv_workbench_create(&bench, &setup, &err), QSV_OK);
    return bench;
}

static struct qsv_workbench *make_bench(struct bench *b)
{
    return make_bench_of(b, 0);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    make_folder(&b->folder);
    b->spec = tiny_spec(&b->folder, "", "constraint:\n  max_top1_drop: 5\n");
    load_inputs(&b->in, b->spec);
    assert_int_equal(b->in.model->graph.n_layers, N_LAYERS);
    b->stop.flag = &b->flag;
    b->bench = make_bench(b);
    b->formats[1][N_LAYERS - 1] = QSV_INT4;
    b->formats[2][0] = QSV_INT4;
    memset(b->formats[3], QSV_INT8, N_LAYERS);
    for (int i = 0; i < N_TRIALS; i++)
        b->trials[i] =
            (struct qsv_trial_setting){qsv_setting_id(b->formats[i], N_LAYERS), b->formats[i]};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    qsv_workbench_destroy(b->bench);
    qsv_inputs_fini(&b->in);
    qsv_spec_destroy(b->spec);
    remove_folder(&b->folder);
    free(b);
    return 0;
}

static void evaluate(struct qsv_workbench *bench, const struct qsv_trial_setting *trials,
                     uint32_t n, uint32_t shard, struct qsv_record *records)
{
    if (qsv_workbench_evaluate(bench, trials, n, shard, records, &err))
        fail_msg("%s", err.text);
}

/* Every byte that goes over the wire, so every field. */
static void assert_same(const struct bench *b, const struct qsv_record *x,
                        const struct qsv_record *y)
{
    struct qsv_strbuf p = {0}, q = {0};
    qsv_record_pack(x, &b->in.run.shape, &p);
    qsv_record_pack(y, &b->in.run.shape, &q);
    assert_int_equal(p.len, q.len);
    assert_memory_equal(p.text, q.text, p.len);
    qsv_strbuf_fini(&p);
    qsv_strbuf_fini(&q);
}

static void company_and_order_change_nothing(void **state)
{
    struct bench *b = *state;
    struct qsv_record together[N_TRIALS], alone;
    evaluate(b->bench, b->trials, N_TRIALS, SHARD, together);
    for (int i = N_TRIALS - 1; i >= 0; i--) {
        /* On a bench that has it all, and on one that has nothing. */
        evaluate(b->bench, &b->trials[i], 1, SHARD, &alone);
        assert_same(b, &together[i], &alone);
        qsv_record_fini(&alone);
        struct qsv_workbench *fresh = make_bench(b);
        evaluate(fresh, &b->trials[i], 1, SHARD, &alone);
        assert_same(b, &together[i], &alone);
        qsv_record_fini(&alone);
        qsv_workbench_destroy(fresh);
    }
    for (int i = 0; i < N_TRIALS; i++)
        qsv_record_fini(&together[i]);
}

static void threads_change_nothing(void **state)
{
    struct bench *b = *state;
    for (uint32_t threads = 2; threads < 5; threads++) {
        struct qsv_record want[N_TRIALS], got[N_TRIALS];
        struct qsv_workbench *bench = make_bench_of(b, threads);
        evaluate(b->bench, b->trials, N_TRIALS, SHARD, want);
        evaluate(bench, b->trials, N_TRIALS, SHARD, got);
        for (int i = 0; i < N_TRIALS; i++) {
            assert_same(b, &want[i], &got[i]);
            qsv_record_fini(&want[i]);
            qsv_record_fini(&got[i]);
        }
        qsv_workbench_destroy(bench);
    }
}

/* All of them, in time, too late, and never. */
static void expecting_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct qsv_workbench *bench = make_bench_of(b, 2);
    const uint32_t n = b->in.partition.n_shards;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t s = 0; s < n; s += 2)
            qsv_workbench_expect(bench, s);
        for (uint32_t s = 0; s < n; s++) {
            struct qsv_record want, got;
            evaluate(b->bench, &b->trials[1], 1, s, &want);
            evaluate(bench, &b->trials[1], 1, s, &got);
            assert_same(b, &want, &got);
            qsv_record_fini(&want);
            qsv_record_fini(&got);
        }
    }
    const double waited_s = qsv_workbench_waited_s(bench);
    struct qsv_record r;
    evaluate(bench, &b->trials[2], 1, 0, &r); /* its images are here */
    qsv_record_fini(&r);
    assert_true(waited_s > 0 && qsv_workbench_waited_s(bench) == waited_s);
    qsv_workbench_destroy(bench);
}

/* A sweep evaluates for days: what is kept for later is bounded. 3 KB a round would be seen. */
static void memory_stays_flat(void **state)
{
    struct bench *b = *state;
    struct qsv_workbench *bench = make_bench_of(b, 2);
    size_t before = 0;
    for (int round = 0; round < 30; round++) {
        for (uint32_t shard = 0; shard < b->in.partition.n_shards; shard++) {
            struct qsv_record r[N_TRIALS];
            evaluate(bench, b->trials, N_TRIALS, shard, r);
            for (int i = 0; i < N_TRIALS; i++)
                qsv_record_fini(&r[i]);
        }
        if (round == 5)
            before = allocated_bytes();
    }
    assert_true(allocated_bytes() < before + NOISE_BYTES);
    qsv_workbench_destroy(bench);
}

static void records_say_what_happened(void **state)
{
    struct bench *b = *state;
    struct qsv_record r[N_TRIALS];
    uint32_t last = b->in.partition.n_shards - 1; /* a deciding one */
    evaluate(b->bench, b->trials, N_TRIALS, last, r);
    assert_int_equal(r[0].shard, last);
    assert_int_equal(r[0].n_images, 16);
    assert_true(r[0].trial_id == b->trials[0].trial_id && r[3].trial_id == b->trials[3].trial_id);
    uint32_t right = 0;
    for (uint32_t i = 0; i < 16; i++) {
        struct qsv_shard s = qsv_partition_shard(&b->in.partition, last);
        uint32_t label, number = b->in.partition.order[QSV_DECIDE][s.first + i];
        assert_int_equal(
            qsv_dataset_read(b->in.images[QSV_DECIDE].dataset, number, NULL, &label, &err), QSV_OK);
        assert_int_equal(r[0].label[i], label);
        right += r[0].answer[i] == label;
    }
    assert_int_equal(r[0].n_top1, right);
    assert_true(right >= 11 && right < 16); /* a seventh of the labels is wrong on purpose */
    assert_true(r[0].kl_sum == 0 && r[0].drift == 0);
    /* The head alone changes no spike; the first layer changes them all. */
    assert_true(r[1].kl_sum > 0 && r[1].drift == 0 && r[1].ac_ops == r[0].ac_ops);
    assert_true(r[2].kl_sum > 0 && r[2].drift > 0 && r[2].lif_drift[0] > 0);
    assert_true(r[3].loss_diff_sum != 0);
    for (int i = 0; i < N_TRIALS; i++) {
        assert_int_equal(r[i].n_only_trial + right, r[i].n_top1 + r[i].n_only_baseline);
        qsv_record_fini(&r[i]);
    }
}

static void an_exported_network_gives_the_same_record(void **state)
{
    struct bench *b = *state;
    char path[128];
    for (int i = 0; i < N_TRIALS; i++) {
        struct qsv_network *network;
        struct qsv_record measured, exported;
        snprintf(path, sizeof path, "%s/%d.h5", b->folder.path, i);
        assert_int_equal(qsv_network_create(&network, b->in.model, b->in.bank, b->formats[i], &err),
                         QSV_OK);
        assert_int_equal(qsv_network_save(network, path, &err), QSV_OK);
        qsv_network_destroy(network);
        evaluate(b->bench, &b->trials[i], 1, SHARD, &measured);
        if (qsv_workbench_evaluate_exported(b->bench, path, b->trials[i].trial_id, SHARD, &exported,
                                            &err))
            fail_msg("%s", err.text);
        assert_true(measured.n_top1 == exported.n_top1 && measured.loss_sum == exported.loss_sum &&
                    measured.kl_sum == exported.kl_sum && measured.drift == exported.drift &&
                    measured.ac_ops == exported.ac_ops);
        qsv_record_fini(&measured);
        qsv_record_fini(&exported);
    }
}

static void another_models_file_is_refused(void **state)
{
    struct bench *b = *state;
    struct qsv_record r;
    assert_int_equal(
        qsv_workbench_evaluate_exported(b->bench, "tests/data/tiny_images.h5", 1, 0, &r, &err),
        QSV_EINPUT);
    assert_int_equal(
        qsv_workbench_evaluate_exported(b->bench, "tests/data/tiny.h5/model.h5", 1, 0, &r, &err),
        QSV_EINPUT);
}

static void a_stop_ends_it_without_a_record(void **state)
{
    struct bench *b = *state;
    struct qsv_record r[N_TRIALS];
    struct qsv_workbench *fresh = make_bench(b);
    b->flag = 1;
    assert_int_equal(qsv_workbench_evaluate(fresh, b->trials, N_TRIALS, SHARD, r, &err),
                     QSV_ESTOPPED);
    b->flag = 0;
    evaluate(fresh, b->trials, 1, SHARD, r); /* and nothing half done was kept */
    assert_true(r[0].n_top1 > 8);
    qsv_record_fini(&r[0]);
    qsv_workbench_destroy(fresh);
}

/* Whichever allocation fails: an error, and nothing lost. */
static void running_out_of_memory_is_an_error(void **state)
{
    struct bench *b = *state;
    enum qsv_status st = QSV_ENOMEM;
    long n = 1;
    for (; st != QSV_OK; n++) {
        struct qsv_record r[N_TRIALS];
        struct qsv_workbench *fresh = make_bench(b);
        assert_true(n < 20000);
        qsv_alloc_fail_at(n);
        st = qsv_workbench_evaluate(fresh, b->trials, N_TRIALS, SHARD, r, &err);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
        for (int i = 0; i < N_TRIALS && !st; i++)
            qsv_record_fini(&r[i]);
        qsv_workbench_destroy(fresh);
        n += n / 8; /* all of the first ones, then samples */
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(company_and_order_change_nothing),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(expecting_changes_nothing),
        cmocka_unit_test(memory_stays_flat),
        cmocka_unit_test(records_say_what_happened),
        cmocka_unit_test(an_exported_network_gives_the_same_record),
        cmocka_unit_test(another_models_file_is_refused),
        cmocka_unit_test(a_stop_ends_it_without_a_record),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
