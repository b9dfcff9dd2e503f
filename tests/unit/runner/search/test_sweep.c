/* Whole sweeps on the tiny network, by one rank in this process. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "results/ledger.h"
#include "results/reader.h"
#include "runner/search/sweep.h"
#include "tests/unit/runner/tiny.h"

static const char few_formats[] = "  formats: [int8, int4]\n";
/* 64 deciding images are too few for a margin: next to nothing would hold. */
static const char loose[] = "constraint:\n  max_top1_drop: 10\n  margin: 0\n  reserve: 0\n";

struct stage {
    struct folder folder;
    char *out, *log; /* of the last run */
    volatile sig_atomic_t stop;
    long looks, stop_at; /* asks to stop at the so manieth look at the clock; 0: never */
};

/* A clock that counts how often it is looked at: seeded moments to stop at. */
static double clock_now(void *context)
{
    struct stage *s = context;
    if (++s->looks == s->stop_at)
        s->stop = 1;
    return qsv_clock_monotonic_s();
}

static double clock_unix(void *context)
{
    (void)context;
    return qsv_clock_unix_s();
}

static void clock_nap(void *context, double seconds)
{
    (void)context;
    qsv_clock_nap_s(seconds);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    make_folder(&s->folder);
    *state = s;
    return 0;
}

static void forget_output(struct stage *s)
{
    free(s->out);
    free(s->log);
    s->out = s->log = NULL;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    forget_output(s);
    remove_folder(&s->folder);
    free(s);
    return 0;
}

/* fail_at: the how manieth allocation fails; 0: none. */
static enum qsv_status run_with(struct stage *s, const char *search, const char *more, bool fresh,
                                long fail_at)
{
    const struct qsv_clock clock = {s, clock_now, clock_unix, clock_nap};
    size_t n;
    forget_output(s);
    s->stop = 0;
    s->looks = 0;
    struct qsv_sweep sweep = {.spec = tiny_spec(&s->folder, search, more),
                              .fresh = fresh,
                              .clock = &clock,
                              .stop = &s->stop,
                              .out = open_memstream(&s->out, &n),
                              .log = open_memstream(&s->log, &n),
                              .command_line = "qsvit run",
                              .libraries = "HDF5"};
    qsv_alloc_fail_at(fail_at);
    enum qsv_status st = qsv_sweep_alone(&sweep, &err);
    qsv_alloc_fail_at(0);
    fclose(sweep.out);
    fclose(sweep.log);
    qsv_spec_destroy(sweep.spec);
    return st;
}

static enum qsv_status run(struct stage *s, const char *search, const char *more, bool fresh)
{
    return run_with(s, search, more, fresh, 0);
}

static void run_well(struct stage *s, const char *search, const char *more)
{
    if (run(s, search, more, false))
        fail_msg("%s\n%s", err.text, s->log);
}

static const char *last_line(const struct stage *s)
{
    static char line[256];
    size_t n = strlen(s->out);
    assert_true(n > 0 && s->out[n - 1] == '\n');
    const char *at = s->out + n - 1;
    while (at > s->out && at[-1] != '\n')
        at--;
    snprintf(line, sizeof line, "%.*s", (int)(s->out + n - 1 - at), at);
    return line;
}

static bool is_there(const struct stage *s, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", s->folder.path, name);
    return access(path, F_OK) == 0;
}

static struct qsv_reader *read_run(const struct stage *s)
{
    char path[128];
    struct qsv_reader *r;
    snprintf(path, sizeof path, "%s/run", s->folder.path);
    if (qsv_reader_open(&r, path, true, NULL, &err))
        fail_msg("%s", err.text);
    return r;
}

static size_t records_of_attempt(const struct stage *s, uint32_t attempt)
{
    struct qsv_reader *r = read_run(s);
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    size_t n = 0;
    for (size_t i = 0; i < l->n_evaluations; i++)
        n += l->evaluations[i]->record.attempt == attempt;
    qsv_reader_close(r);
    return n;
}

static size_t searches(const struct stage *s)
{
    struct qsv_reader *r = read_run(s);
    size_t n = qsv_reader_ledger(r)->n_searches;
    qsv_reader_close(r);
    return n;
}

/* What two runs of the same spec must have in common, as text. */
static char *describe_run(const struct stage *s)
{
    struct qsv_strbuf b = {0};
    struct qsv_reader *r = read_run(s);
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_recorded_search *search = &l->searches[0];
    qsv_strbuf_printf(&b, "selected %016lx meets %d\n", (unsigned long)search->row.selected,
                      search->row.meets);
    for (size_t i = 0; i < search->n_steps; i++)
        qsv_strbuf_printf(&b, "%s %s %s\n", search->steps[i].name, search->steps[i].decision,
                          search->steps[i].why);
    for (size_t t = 0; t < l->n_trials; t++) {
        for (uint32_t shard = 0; shard < l->partition.n_shards; shard++) {
            struct qsv_evaluation *e = qsv_ledger_evaluation(l, l->trials[t].id, shard);
            if (!e)
                continue;
            struct qsv_record record = e->record;
            record.attempt = record.rank = 0;
            record.wall_s = record.t_end_unix_s = 0;
            record.peak_mem_bytes = 0;
            qsv_record_pack(&record, &l->shape, &b);
        }
    }
    qsv_reader_close(r);
    assert_false(b.failed);
    char *hash = malloc(64);
    assert_non_null(hash);
    snprintf(hash, 64, "%zu bytes, hash %016lx", b.len,
             (unsigned long)qsv_hash_bytes(b.text, b.len));
    qsv_strbuf_fini(&b);
    return hash;
}

static void a_sweep_runs_to_its_end(void **state)
{
    struct stage *s = *state;
    float saved, drop;
    char path[128], expected[128];
    run_well(s, few_formats, loose);
    assert_int_equal(sscanf(last_line(s),
                            "selected: weights saved %f %%, top-1 drop %f points, %127s", &saved,
                            &drop, path),
                     3);
    snprintf(expected, sizeof expected, "%s/run/results.h5", s->folder.path);
    assert_string_equal(path, expected);
    assert_true(saved > 0 && saved < 88 && drop <= 10);
    assert_non_null(strstr(s->out, "baseline        top-1 85.42 %"));
    assert_non_null(strstr(s->out, "22.75 % memory and 21.33 % power saved within 2.1 points"));
    assert_non_null(strstr(s->log, "verify: equal"));
    assert_true(is_there(s, "run/selected.h5"));
    assert_true(is_there(s, "run/spec.yaml"));
    struct qsv_reader *r = read_run(s);
    assert_true(qsv_reader_complete(r));
    qsv_reader_close(r);
}

static void a_finished_run_asks_nothing_again(void **state)
{
    struct stage *s = *state;
    run_well(s, few_formats, loose);
    char *before = describe_run(s), first[256];
    snprintf(first, sizeof first, "%s", last_line(s));
    run_well(s, few_formats, loose);
    char *after = describe_run(s);
    assert_string_equal(before, after);
    assert_string_equal(first, last_line(s));
    assert_int_equal(records_of_attempt(s, 2), 0);
    assert_null(strstr(s->log, "images/s"));
    assert_int_equal(searches(s), 1);
    free(before);
    free(after);
}

static void a_changed_bound_goes_on_in_the_same_run(void **state)
{
    struct stage *s = *state;
    run_well(s, few_formats, loose);
    size_t first = records_of_attempt(s, 1);
    run_well(s, few_formats, "constraint:\n  max_top1_drop: 20\n");
    assert_int_equal(records_of_attempt(s, 1), first);
    assert_true(records_of_attempt(s, 2) > 0);
    assert_non_null(strstr(s->log, "sensitivity: 29 trials on 32 images: recorded already"));
    assert_int_equal(searches(s), 2);
}

static void a_stopped_run_goes_on_and_ends_the_same(void **state)
{
    struct stage *s = *state;
    run_well(s, few_formats, loose);
    char *undisturbed = describe_run(s);
    const double moments[] = {0.03, 0.2, 0.3, 0.2}; /* of the looks at the clock */
    long looks = s->looks;
    int stops = 0;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        s->stop_at = (long)(moments[i] * (double)looks);
        enum qsv_status st = run(s, few_formats, loose, i == 0);
        assert_true(st == QSV_OK || st == QSV_ESTOPPED);
        stops += st == QSV_ESTOPPED;
        if (st == QSV_ESTOPPED)
            assert_string_equal(err.text, "stopped before the end; the same command goes on");
    }
    s->stop_at = 0;
    run_well(s, few_formats, loose);
    assert_true(is_there(s, "run.old-1/results.h5")); /* the first one, moved aside */
    assert_true(stops >= 2);
    char *resumed = describe_run(s);
    assert_string_equal(undisturbed, resumed);
    free(undisturbed);
    free(resumed);
}

static void another_identity_is_refused(void **state)
{
    struct stage *s = *state;
    run_well(s, few_formats, loose);
    assert_int_equal(run(s, few_formats,
                         "quantizer:\n  method: round\n  scale: max\nconstraint:\n"
                         "  max_top1_drop: 5\n",
                         false),
                     QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "quantizer"));
    assert_int_equal(run(s, few_formats,
                         "quantizer:\n  method: round\n  scale: max\nconstraint:\n"
                         "  max_top1_drop: 5\n",
                         true),
                     QSV_OK);
    assert_true(is_there(s, "run.old-1/results.h5"));
}

static void what_cannot_be_met_is_said(void **state)
{
    struct stage *s = *state;
    const char *impossible = "constraint:\n  max_top1_drop: 0.1\n  max_bytes: 20000\n";
    assert_int_equal(run(s, few_formats, impossible, false), QSV_EUNMET);
    assert_int_equal(strncmp(last_line(s), "nearest: weights saved ", 23), 0);
    assert_non_null(strstr(s->out, "no setting was found that meets it: "));
    assert_false(is_there(s, "run/selected.h5"));
}

static void random_spends_what_qsvit_spent(void **state)
{
    struct stage *s = *state;
    run_well(s, few_formats, loose);
    enum qsv_status st = run(s, "  formats: [int8, int4]\n  strategy: random\n", loose, false);
    assert_true(st == QSV_OK || st == QSV_EUNMET);
    struct qsv_reader *r = read_run(s);
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    assert_int_equal(l->n_searches, 2);
    assert_true(l->searches[1].n_asked >= l->searches[0].n_asked / 2);
    qsv_reader_close(r);
}

static struct qsv_search_cost cost_of_last_search(const struct stage *s)
{
    struct qsv_reader *r = read_run(s);
    struct qsv_search_cost cost = qsv_ledger_search(qsv_reader_ledger(r))->row.cost;
    qsv_reader_close(r);
    return cost;
}

/* Eight formats, f32 among them, on all 96 judging and all 64 deciding images, each once;
 * none of them shares its first layer with another. */
static void a_search_costs_what_it_asks(void **state)
{
    struct stage *s = *state;
    const char uniform[] = "  formats: [int8, int4]\n  strategy: uniform\n";
    run_well(s, uniform, loose);
    struct qsv_search_cost alone = cost_of_last_search(s);
    assert_int_equal(alone.image_forwards, (96 + 64) * 8);
    assert_true(alone.trie_forwards == (96 + 64) * 8); /* f32 is the baseline */
    assert_true(alone.worker_s > 0);
    run_well(s, few_formats, loose);
    struct qsv_search_cost guided = cost_of_last_search(s);
    assert_true(guided.image_forwards > 29 * 32);
    assert_true(guided.trie_forwards < 0.9 * (double)guided.image_forwards);

    /* Recorded already or not, in whatever order. */
    run_well(s, uniform, loose);
    struct qsv_search_cost again = cost_of_last_search(s);
    assert_memory_equal(&again, &alone, sizeof again);
    assert_int_equal(run(s, few_formats, loose, true), QSV_OK);
    struct qsv_search_cost first = cost_of_last_search(s);
    assert_int_equal(first.image_forwards, guided.image_forwards);
    assert_true(first.trie_forwards == guided.trie_forwards);
}

/* Step 1 asks for 29 x 32, the ends for 3 x 64, a round for up to 4 x 64; certified are two
 * settings on 96 images, and one on 64. */
static void a_budget_ends_at_the_same_question(void **state)
{
    struct stage *s = *state;
    const char budget[] = "  formats: [int8, int4]\n  max_image_forwards: 1150\n";
    enum qsv_status st = run(s, budget, loose, false);
    assert_true(st == QSV_OK || st == QSV_EUNMET);
    char *undisturbed = describe_run(s);
    assert_non_null(strstr(s->log, "end: the budget: 1120 of 1150 image-forwards asked for"));
    assert_true(cost_of_last_search(s).image_forwards <= 1150 + 2 * 96 + 2 * 64);
    s->stop_at = s->looks / 2;
    assert_int_equal(run(s, budget, loose, true), QSV_ESTOPPED);
    s->stop_at = 0;
    assert_int_equal(run(s, budget, loose, false), st);
    char *resumed = describe_run(s);
    assert_string_equal(undisturbed, resumed);
    free(undisturbed);
    free(resumed);
}

static void what_a_spec_names_must_be_there(void **state)
{
    struct stage *s = *state;
    assert_int_equal(
        run(s, few_formats, "constraint:\n  max_top1_drop: 5\npins:\n  nonsense.*: int8\n", false),
        QSV_EINPUT);
    assert_non_null(strstr(err.text, "nonsense"));
}

/* Wherever memory runs out: an error, nothing recorded is lost, and the run goes on afterwards. */
static void running_out_of_memory_loses_nothing(void **state)
{
    struct stage *s = *state;
    const char small[] = "  formats: [int4]\n  max_rounds: 1\n";
    for (long n = 1; n < 100000; n += n / 2 + 1) {
        enum qsv_status st = run_with(s, small, loose, false, n);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
    }
    run_well(s, small, loose);
    char *disturbed = describe_run(s);
    assert_int_equal(run(s, small, loose, true), QSV_OK);
    char *undisturbed = describe_run(s);
    assert_string_equal(disturbed, undisturbed);
    free(disturbed);
    free(undisturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sweep_runs_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_run_asks_nothing_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_bound_goes_on_in_the_same_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_run_goes_on_and_ends_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(another_identity_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_met_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(random_spends_what_qsvit_spent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_search_costs_what_it_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_ends_at_the_same_question, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_spec_names_must_be_there, setup, teardown),
        cmocka_unit_test_setup_teardown(running_out_of_memory_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
