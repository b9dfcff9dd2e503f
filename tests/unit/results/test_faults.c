/* The store where calls of the operating system fail, and where the process dies at one: every call
 * in turn. What was reported as recorded stays, and the next opening goes on. */
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/base/io.h"

enum { SHARDS = 3 };

/* Opens, records shard by shard, folds in between, closes. Bit i of the result: shard i was
 * reported as recorded. */
static unsigned sweep(const struct fixture *f, enum qsv_status *st, struct qsv_error *err,
                      int report_fd)
{
    struct qsv_store *s;
    uint8_t formats[N_LAYERS];
    struct qsv_trial_setting setting = {make_setting(3, formats), formats};
    struct qsv_trial trial = {formats, 0, "x"};
    unsigned recorded = 0;
    *st = qsv_store_open(&s, f->folder, &f->run, NULL, err);
    if (*st)
        return 0;
    *st = qsv_store_add_trial(s, &trial, setting.trial_id, "base", err);
    for (uint32_t i = 0; i < SHARDS && !*st; i++) {
        char name[32];
        struct qsv_record r = make_record(f, 3, i);
        snprintf(name, sizeof name, "%u-1-%u", qsv_store_attempt(s), i);
        *st = qsv_segment_write(f->folder, name, &f->run, &r, 1, &setting, 1, err);
        if (!*st) {
            uint8_t shard = (uint8_t)i;
            recorded |= 1u << i;
            if (report_fd >= 0 && write(report_fd, &shard, 1) != 1)
                _exit(2);
            *st = qsv_store_add(s, &r, name, err);
        }
        if (!*st && i == 1)
            *st = qsv_store_fold(s, err);
        qsv_record_fini(&r);
    }
    struct qsv_error late;
    enum qsv_status closed = qsv_store_close(s, false, "test", &late);
    if (!*st && closed)
        *err = late;
    *st = *st ? *st : closed;
    return recorded;
}

static void assert_all_there(const struct fixture *f, unsigned recorded)
{
    struct qsv_strbuf warnings = {0};
    struct qsv_store *s = open_store(f, &warnings);
    assert_int_equal(warnings.len, 0);
    for (uint32_t i = 0; i < SHARDS; i++)
        if (recorded >> i & 1)
            assert_recorded(s, f, 3, i, 1);
    qsv_store_abandon(s);
}

static void empty(const char *folder)
{
    char path[512];
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
}

static void start_over(struct fixture *f)
{
    char segments[128];
    snprintf(segments, sizeof segments, "%s/segments", f->folder);
    empty(segments);
    rmdir(segments);
    empty(f->folder);
}

/* Calls until one is not reached any more: how many there are. */
static int fail_each(struct fixture *f, const char *how)
{
    for (int n = 1;; n++) {
        enum qsv_status st;
        struct qsv_error err = {0};
        char text[32];
        snprintf(text, sizeof text, "any:%d%s", n, how);
        start_over(f);
        assert_int_equal(qsv_io_set_fault(text, NULL), QSV_OK);
        unsigned recorded = sweep(f, &st, &err, -1);
        bool reached = qsv_io_calls() >= (unsigned long)n;
        qsv_io_set_fault(NULL, NULL);
        if (!reached)
            return n - 1;
        if (st != QSV_EIO || !strstr(err.text, f->folder))
            fail_msg("call %d: status %d: %s", n, (int)st, err.text);
        assert_all_there(f, recorded);
        sweep(f, &st, &err, -1);
        assert_int_equal(st, QSV_OK);
        assert_all_there(f, (1u << SHARDS) - 1);
    }
}

static void every_call_that_fails_is_told_and_costs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    /* lock 3, three folds and three segments of 7 each, folders */
    assert_true(fail_each(&f, ":EIO") > 40);
    assert_true(fail_each(&f, "+:ENOSPC") > 40);
    fixture_fini(&f);
}

/* False: it came to its end. */
static bool dies_at(struct fixture *f, int n, unsigned *recorded)
{
    int fds[2], status;
    uint8_t shard;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        enum qsv_status st;
        char text[32];
        close(fds[0]);
        snprintf(text, sizeof text, "any:%d:kill", n);
        qsv_io_set_fault(text, NULL);
        sweep(f, &st, NULL, fds[1]);
        _exit(st == QSV_OK ? 0 : 1);
    }
    close(fds[1]);
    while (read(fds[0], &shard, 1) == 1)
        *recorded |= 1u << shard;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void death_at_every_call_costs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    int kills = 0;
    fixture_init(&f, 0);
    for (int n = 1;; n++) {
        unsigned recorded = 0;
        enum qsv_status st;
        start_over(&f);
        if (!dies_at(&f, n, &recorded))
            break;
        kills++;
        dies_at(&f, n % 20 + 1, &recorded); /* and once more while it resumes */
        kills++;
        assert_all_there(&f, recorded);
        sweep(&f, &st, &err, -1);
        assert_int_equal(st, QSV_OK);
        assert_all_there(&f, (1u << SHARDS) - 1);
    }
    assert_true(kills > 80);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_that_fails_is_told_and_costs_nothing),
        cmocka_unit_test(death_at_every_call_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
