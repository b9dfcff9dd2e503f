/* The store when memory runs out, writes fail, and processes are killed. */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/alloc.h"

static void one_sweep(const struct fixture *f, struct qsv_record *r, struct qsv_error *err,
                      enum qsv_status *st)
{
    struct qsv_store *s = NULL;
    struct qsv_step step = {"base", 0, "base", "because"};
    uint8_t formats[N_LAYERS];
    struct qsv_trial trial = {formats, 0, "what"};
    struct qsv_trial_setting setting = {make_setting(9, formats), formats};
    *st = qsv_segment_write(f->folder, "1-9-9", &f->run, r, 1, &setting, 1, err);
    if (!*st)
        *st = qsv_store_open(&s, f->folder, &f->run, NULL, err);
    if (!*st)
        *st = qsv_store_begin_search(s, 1, "qsvit", "spec", err);
    if (!*st)
        *st = qsv_store_add_trial(s, &trial, setting.trial_id, "base", err);
    if (!*st)
        *st = qsv_store_add(s, r, "1-9-9", err);
    if (!*st)
        *st = qsv_store_add_step(s, &step, err);
    if (!*st)
        *st = qsv_store_close(s, false, "stopped", err);
    else
        qsv_store_abandon(s);
}

/* A run that holds folded records and one that is not folded. */
static void prepare(const struct fixture *f)
{
    struct qsv_store *s = open_store(f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 1, "qsvit", "spec", NULL), QSV_OK);
    ask(s, 0, "baseline", "x");
    record(s, f, "1-1-1", 0, 0, 2);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, f, "1-1-2", 0, 2, 1);
    qsv_store_abandon(s);
}

static void copy_tree(const char *from, const char *to)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

static void every_failing_allocation_is_an_error_and_loses_nothing(void **state)
{
    (void)state;
    struct fixture f, master;
    struct qsv_error err;
    enum qsv_status st;
    fixture_init(&f, 0);
    fixture_init(&master, 0);
    prepare(&master);
    /* A failure while cleaning up is forgiven, so that one success is not the end yet. */
    int n = 1;
    for (int successes = 0; successes < 10; n++) {
        copy_tree(master.folder, f.folder);
        struct qsv_record r = make_record(&f, 9, 1);
        qsv_alloc_fail_at(n);
        one_sweep(&f, &r, &err, &st);
        qsv_alloc_fail_at(0);
        qsv_record_fini(&r);
        successes = st ? 0 : successes + 1;
        if (st && st != QSV_ENOMEM)
            fail_msg("allocation %d: status %d: %s", n, (int)st, err.text);
        assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
        assert_int_equal(count_files(f.folder, ".damaged"), 0);
        assert_int_equal(count_files(path_in(&f, "segments"), ".damaged"), 0);
        if (n % 8)
            continue;
        struct qsv_store *s = open_store(&f, NULL);
        assert_recorded(s, &f, 0, 0, 3);
        qsv_store_abandon(s);
    }
    assert_true(n > 200);
    fixture_fini(&master);
    fixture_fini(&f);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As on a full disk: writes fail from some size on, at each step of the way in turn. */
static void a_write_that_fails_is_told_and_costs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    int failures = 0;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 0, "baseline", "x");
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 0, 0, 3);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 60000; bytes += 1500) {
        uint8_t formats[N_LAYERS];
        struct qsv_trial_setting setting = {make_setting(3, formats), formats};
        struct qsv_record r = make_record(&f, 3, 1);
        limit_file_size(bytes);
        enum qsv_status segment =
            qsv_segment_write(f.folder, "1-1-2", &f.run, &r, 1, &setting, 1, &err);
        enum qsv_status folded = qsv_store_fold(s, &err);
        limit_file_size(RLIM_INFINITY);
        assert_true(segment == QSV_OK || segment == QSV_EIO);
        assert_true(folded == QSV_OK || folded == QSV_EIO);
        failures += (segment != QSV_OK) + (folded != QSV_OK);
        assert_int_equal(count_files(f.folder, ".tmp"), 0);
        assert_int_equal(count_files(path_in(&f, "segments"), ".tmp"), 0);
        qsv_record_fini(&r);
    }
    assert_true(failures > 10);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_recorded(s, &f, 0, 0, 3);
    assert_recorded(s, &f, 3, 1, 1);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

/* Writes segments and folds until it is killed, and tells the pipe what was recorded. */
static void work_until_killed(const struct fixture *f, int pipe_fd, uint64_t seed)
{
    struct qsv_store *s = open_store(f, NULL);
    for (uint32_t shard = 0; shard < f->partition.n_shards; shard++) {
        char name[32];
        uint8_t done[2] = {(uint8_t)seed, (uint8_t)shard};
        snprintf(name, sizeof name, "%u-1-%u", qsv_store_attempt(s), shard);
        ask(s, seed, "base", "x");
        write_segment(f, name, seed, shard, 1);
        if (write(pipe_fd, done, 2) != 2)
            _exit(1);
        add_records(s, f, name, seed, shard, 1);
        if (shard % 2)
            qsv_store_fold(s, NULL);
    }
    for (;;)
        qsv_store_fold(s, NULL);
}

/* Kills the child some time after its n-th report. */
static void kill_after(const struct fixture *f, uint64_t seed, uint64_t n, uint64_t more_us,
                       uint8_t recorded[256][16])
{
    uint8_t done[2];
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        close(fds[0]);
        work_until_killed(f, fds[1], seed);
    }
    close(fds[1]);
    for (uint64_t i = 0; i < n && read(fds[0], done, 2) == 2; i++)
        recorded[done[0]][done[1]] = 1;
    usleep((useconds_t)more_us);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    while (read(fds[0], done, 2) == 2)
        recorded[done[0]][done[1]] = 1;
    close(fds[0]);
}

static void what_was_reported_survives_kill_9(void **state)
{
    (void)state;
    enum { KILLS = 25 };
    static uint8_t recorded[256][16];
    struct fixture f;
    struct qsv_rng rng;
    size_t n = 0;
    fixture_init(&f, 25);
    qsv_rng_seed(&rng, 20240817);
    for (uint64_t k = 1; k <= KILLS; k++) {
        uint64_t reports = qsv_rng_below(&rng, 11), more_us = qsv_rng_below(&rng, 8000);
        kill_after(&f, k, reports, more_us, recorded);
    }
    struct qsv_strbuf warnings = {0};
    struct qsv_store *s = open_store(&f, &warnings);
    assert_int_equal(warnings.len, 0);
    for (uint32_t k = 1; k <= KILLS; k++)
        for (uint32_t shard = 0; shard < 10; shard++)
            if (recorded[k][shard]) {
                assert_recorded(s, &f, k, shard, 1);
                n++;
            }
    assert_true(n > KILLS); /* the kills came late enough to tell */
    assert_true(qsv_store_record_count(s) >= n);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_an_error_and_loses_nothing),
        cmocka_unit_test(a_write_that_fails_is_told_and_costs_nothing),
        cmocka_unit_test(what_was_reported_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
