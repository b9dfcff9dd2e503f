/* A whole sweep, one rank, where every single call that writes fails in turn, and where the process
 * dies at it: it says what happened, and goes on to the same end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/wait.h>

#include "core/base/io.h"
#include "results/diff.h"
#include "runner/search/sweep.h"
#include "tests/unit/runner/tiny.h"

static const char search[] = "  formats: [int4]\n  max_rounds: 1\n";
static const char more[] = "constraint:\n  max_top1_drop: 5\ntask_seconds: 20\n";

/* Of an undisturbed sweep. */
static struct folder whole;
static unsigned long n_calls;

/* In memory where there is such a place: this syncs thousands of times. */
static void make_quick_folder(struct folder *f)
{
    snprintf(f->path, sizeof f->path, "%s/qsvit_faults_XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->path));
}

static enum qsv_status sweep(const struct folder *f, const char *fault)
{
    static volatile sig_atomic_t stop;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    struct qsv_sweep s = {.spec = tiny_spec(f, search, more),
                          .clock = &qsv_clock_system,
                          .stop = &stop,
                          .out = nowhere,
                          .log = nowhere,
                          .command_line = "qsvit run",
                          .libraries = "HDF5"};
    assert_int_equal(qsv_io_set_fault(fault, NULL), QSV_OK);
    err.text[0] = '\0';
    enum qsv_status st = qsv_sweep_alone(&s, &err);
    n_calls = qsv_io_calls();
    qsv_io_set_fault(NULL, NULL);
    qsv_spec_destroy(s.spec);
    fclose(nowhere);
    return st;
}

static void assert_ends_the_same(const struct folder *f)
{
    struct qsv_diff diff = {0};
    struct qsv_strbuf text = {0}, warnings = {0};
    char a[128], b[128];
    if (sweep(f, NULL))
        fail_msg("%s", err.text);
    snprintf(a, sizeof a, "%s/run", whole.path);
    snprintf(b, sizeof b, "%s/run", f->path);
    assert_int_equal(qsv_diff_run(&diff, a, b, &text, &warnings, &err), QSV_OK);
    if (!diff.equal || warnings.len)
        fail_msg("%s%s", text.text, warnings.len ? warnings.text : "");
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&warnings);
}

static int setup(void **state)
{
    (void)state;
    make_quick_folder(&whole);
    if (sweep(&whole, "any:1000000"))
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_folder(&whole);
    return 0;
}

/* The first calls and the last ones, and some between; QSV_TEST_ALL=1: all of them. */
static unsigned long after(unsigned long n, unsigned long calls)
{
    bool all = getenv("QSV_TEST_ALL") || n < 8 || n + 6 >= calls;
    return n + 29 < calls && !all ? n + 29 : n + 1;
}

static void every_call_that_fails_stops_it_in_one_line(void **state)
{
    (void)state;
    unsigned long calls = n_calls;
    assert_true(calls > 50);
    for (unsigned long n = 1; n <= calls; n = after(n, calls)) {
        struct folder f;
        char fault[32];
        make_quick_folder(&f);
        snprintf(fault, sizeof fault, "any:%lu%s", n, n % 2 ? ":EIO" : "+:ENOSPC");
        enum qsv_status st = sweep(&f, fault);
        if (st != QSV_EIO || !strstr(err.text, f.path) || strchr(err.text, '\n'))
            fail_msg("%s: status %d: %s", fault, (int)st, err.text);
        assert_ends_the_same(&f);
        remove_folder(&f);
    }
}

static bool dies(const struct folder *f, unsigned long n)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        char fault[32];
        snprintf(fault, sizeof fault, "any:%lu:kill", n);
        _exit(sweep(f, fault) != QSV_OK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status);
}

/* Again and again, each time a few calls later: start, records, fold, export, resume. */
static void killed_at_a_call_it_goes_on_to_the_same_end(void **state)
{
    (void)state;
    struct folder f;
    int kills = 0;
    make_quick_folder(&f);
    for (unsigned long n = 1; dies(&f, n); n += n < 12 ? 2 : 9)
        kills++;
    assert_ends_the_same(&f);
    remove_folder(&f);
    assert_true(kills > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_that_fails_stops_it_in_one_line),
        cmocka_unit_test(killed_at_a_call_it_goes_on_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
