#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "results/holder.h"
#include "results/lock.h"

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/qsvit_lock_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/lock", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails where a temporary file was left */
}

/* A lock whose holder is dead. */
static void leave_lock(void)
{
    int status;
    struct qsv_lock *lock;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        _exit(qsv_lock_take(&lock, folder, NULL) != QSV_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(path, F_OK), 0);
}

static void only_one_holds_it(void **state)
{
    (void)state;
    struct qsv_lock *lock, *other;
    struct qsv_error err;
    char pid[32];
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    assert_int_equal(qsv_lock_take(&other, folder, &err), QSV_EIDENTITY);
    assert_null(other);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "; qsvit watch "));
    qsv_lock_release(lock);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    qsv_lock_release(lock);
}

static void a_dead_holder_is_seen_and_replaced(void **state)
{
    (void)state;
    struct qsv_lock_holder holder;
    struct qsv_lock *lock;
    qsv_lock_look(folder, &holder);
    assert_int_equal(holder.state, QSV_LOCK_FREE);
    leave_lock();
    qsv_lock_look(folder, &holder);
    assert_int_equal(holder.state, QSV_LOCK_DEAD);
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    qsv_lock_look(folder, &holder);
    assert_int_equal(holder.state, QSV_LOCK_ALIVE);
    assert_int_equal(holder.pid, getpid());
    qsv_lock_release(lock);
}

static void write_lock(const char *format, long pid)
{
    char text[256];
    snprintf(text, sizeof text, format, pid);
    assert_int_equal(qsv_file_write(path, text, strlen(text), NULL), QSV_OK);
}

static void another_host_or_nonsense_is_not_replaced(void **state)
{
    (void)state;
    const struct {
        const char *lock, *message;
    } cases[] = {
        {"qsvit host elsewhere pid %ld start 1 space pid:[1] since 1700000000.5 job - restarts 0\n",
         "process 1 on host elsewhere since 2023-11-14T22:13:20Z"},
        {"qsvit host elsewhere pid %ld start 1 space pid:[1] since 1700000000.5 job 99 restarts "
         "0\n",
         "process 1 on host elsewhere, job 99, since 2023-11-14T22:13:20Z"},
        {"", "cannot be read"},
        {"garbage", "cannot be read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_lock *lock;
        struct qsv_error err;
        write_lock(cases[i].lock, 1);
        assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_EIDENTITY);
        assert_non_null(strstr(err.text, cases[i].message));
        assert_non_null(strstr(err.text, "remove the file"));
    }
    unlink(path);
}

/* A process of the holder's number that started at another time is another process. */
static void a_reused_pid_is_no_holder(void **state)
{
    (void)state;
    struct qsv_lock *lock;
    uint8_t *text;
    size_t bytes;
    char line[QSV_HOLDER_LINE];
    struct qsv_holder h;
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    assert_int_equal(qsv_file_read(&text, &bytes, path, 1000, NULL), QSV_OK);
    assert_true(qsv_holder_parse(&h, (char *)text));
    h.start_ticks--;
    qsv_holder_format(line, &h);
    assert_int_equal(qsv_file_write(path, line, strlen(line), NULL), QSV_OK);
    qsv_lock_release(lock); /* not its own any more: stays */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    qsv_lock_release(lock);
    free(text);
}

static const char remote[] =
    "qsvit host elsewhere pid %ld start 1 space pid:[1] since 1700000000.5 job 99 restarts 1\n";

static void touch(double age_s)
{
    struct timespec now, times[2];
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= (time_t)age_s;
    times[0] = times[1] = now;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void one_without_a_sign_of_life_is_replaced(void **state)
{
    (void)state;
    struct qsv_lock *lock;
    struct qsv_lock_holder holder;
    struct qsv_error err;
    write_lock(remote, 1);
    touch(QSV_LOCK_STALE_S - 60);
    qsv_lock_look(folder, &holder);
    assert_int_equal(holder.state, QSV_LOCK_REMOTE);
    assert_string_equal(holder.job, "99");
    assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "gave a sign of life 24"));
    touch(QSV_LOCK_STALE_S + 60);
    qsv_lock_look(folder, &holder);
    assert_int_equal(holder.state, QSV_LOCK_STALE);
    assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_OK);
    qsv_lock_release(lock);
}

static void an_earlier_start_of_this_job_is_gone(void **state)
{
    (void)state;
    struct qsv_lock *lock;
    struct qsv_error err;
    setenv("SLURM_JOB_ID", "99", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    write_lock(remote, 1);
    assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_EIDENTITY);
    setenv("SLURM_JOB_ID", "98", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_EIDENTITY);
    setenv("SLURM_JOB_ID", "99", 1);
    assert_int_equal(qsv_lock_take(&lock, folder, &err), QSV_OK);
    assert_int_equal(qsv_lock_check(lock, &err), QSV_OK);
    qsv_lock_release(lock);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

static void a_holder_touches_it_and_sees_that_it_was_taken(void **state)
{
    (void)state;
    struct qsv_lock *lock;
    struct qsv_lock_holder holder;
    struct qsv_error err;
    assert_int_equal(qsv_lock_take(&lock, folder, NULL), QSV_OK);
    touch(1000);
    assert_int_equal(qsv_lock_refresh(lock, &err), QSV_OK);
    qsv_lock_look(folder, &holder);
    assert_true(holder.age_s < 100);
    write_lock(remote, 1);
    assert_int_equal(qsv_lock_check(lock, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "no longer this process's"));
    qsv_lock_release(lock);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

/* Takes the lock when told to, says so, and holds it until it is killed. */
static void contend(int start_fd, int won_fd)
{
    char c;
    struct qsv_lock *lock;
    alarm(30); /* a second winner must not hang the test */
    if (read(start_fd, &c, 1) < 0)
        _exit(1);
    if (qsv_lock_take(&lock, folder, NULL))
        _exit(0);
    if (write(won_fd, "w", 1) != 1)
        _exit(1);
    pause();
}

static void of_many_that_race_for_a_dead_lock_one_wins(void **state)
{
    (void)state;
    enum { ROUNDS = 20, RACERS = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], won[2], losers = 0;
        pid_t children[RACERS];
        char c[RACERS];
        leave_lock();
        assert_int_equal(pipe(start) | pipe(won), 0);
        for (int i = 0; i < RACERS; i++)
            if (!(children[i] = fork())) {
                close(start[1]);
                contend(start[0], won[1]);
            }
        close(start[0]);
        close(start[1]); /* go */
        while (losers < RACERS - 1)
            losers += wait(NULL) > 0;
        assert_int_equal(read(won[0], c, 1), 1);
        for (int i = 0; i < RACERS; i++)
            kill(children[i], SIGKILL);
        while (wait(NULL) > 0)
            ;
        close(won[1]);
        assert_int_equal(read(won[0], c, RACERS), 0);
        close(won[0]);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_holds_it),
        cmocka_unit_test(a_dead_holder_is_seen_and_replaced),
        cmocka_unit_test(another_host_or_nonsense_is_not_replaced),
        cmocka_unit_test(one_without_a_sign_of_life_is_replaced),
        cmocka_unit_test(an_earlier_start_of_this_job_is_gone),
        cmocka_unit_test(a_holder_touches_it_and_sees_that_it_was_taken),
        cmocka_unit_test(a_reused_pid_is_no_holder),
        cmocka_unit_test(of_many_that_race_for_a_dead_lock_one_wins),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
