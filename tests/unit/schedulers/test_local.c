#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "schedulers/local.h"

static char *arguments[] = {"qsvit", "run", "my spec.yaml", "--fresh", NULL};
static const struct qsv_local_machine machine = {
    .mpirun = "mpirun", .program = "/opt/qsvit", .output = "00abc", .cores = 6, .root = false};

static const char *in_environment(const struct qsv_local_plan *p, const char *name)
{
    size_t n = strlen(name);
    for (char **e = p->environment.list; *e; e++)
        if (!strncmp(*e, name, n) && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

static void test_command_line(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "mpirun",    "-q",   "--stdin",    "none", "-np",          "4",       "--oversubscribe",
        "--bind-to", "none", "/opt/qsvit", "run",  "my spec.yaml", "--fresh", NULL};
    struct qsv_local_plan p;
    struct qsv_launch launch = {.ranks = 4, .argv = arguments};
    assert_int_equal(qsv_local_plan_create(&p, &launch, &machine, NULL), QSV_OK);
    for (size_t i = 0; expected[i] || p.argv.list[i]; i++) {
        assert_non_null(p.argv.list[i]);
        assert_string_equal(p.argv.list[i], expected[i]);
    }
    assert_string_equal(in_environment(&p, "QSV_OUTPUT"), "00abc");
    qsv_local_plan_fini(&p);
}

static void test_one_rank_more_than_cores(void **state)
{
    (void)state;
    struct qsv_local_plan p;
    struct qsv_launch launch = {.ranks = 0, .argv = arguments};
    assert_int_equal(qsv_local_plan_create(&p, &launch, &machine, NULL), QSV_OK);
    assert_string_equal(p.argv.list[5], "7");
    qsv_local_plan_fini(&p);
}

static void test_ranks_of_several_cores(void **state)
{
    static const struct {
        uint32_t machine, rank, ranks;
    } rows[] = {{6, 0, 7}, {6, 1, 7}, {6, 2, 4}, {7, 2, 4}, {6, 6, 2}, {6, 9, 2}, {1, 1, 2}};
    struct qsv_local_plan p;
    struct qsv_launch launch = {.cores = 2, .argv = arguments};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_local_ranks(rows[i].machine, rows[i].rank), rows[i].ranks);
    assert_int_equal(qsv_local_plan_create(&p, &launch, &machine, NULL), QSV_OK);
    assert_string_equal(p.argv.list[5], "4");
    qsv_local_plan_fini(&p);
}

static void test_root_only_where_it_is(void **state)
{
    (void)state;
    struct qsv_local_plan p;
    struct qsv_local_machine m = machine;
    struct qsv_launch launch = {.ranks = 1, .argv = arguments};
    assert_int_equal(qsv_local_plan_create(&p, &launch, &m, NULL), QSV_OK);
    assert_null(in_environment(&p, "OMPI_ALLOW_RUN_AS_ROOT"));
    qsv_local_plan_fini(&p);
    m.root = true;
    m.output = "";
    assert_int_equal(qsv_local_plan_create(&p, &launch, &m, NULL), QSV_OK);
    assert_string_equal(in_environment(&p, "OMPI_ALLOW_RUN_AS_ROOT"), "1");
    assert_string_equal(in_environment(&p, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1");
    assert_null(in_environment(&p, "QSV_OUTPUT"));
    qsv_local_plan_fini(&p);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct qsv_launch launch = {.ranks = 4, .argv = arguments};
    long n = 1;
    for (;; n++) {
        struct qsv_local_plan p;
        qsv_alloc_fail_at(n);
        enum qsv_status st = qsv_local_plan_create(&p, &launch, &machine, NULL);
        qsv_alloc_fail_at(0);
        qsv_local_plan_fini(&p);
        if (!st)
            break;
        assert_int_equal(st, QSV_ENOMEM);
    }
    assert_true(n > 20);
}

/* A stand-in for mpirun: a shell script that `body` is part of. */
struct stand_in {
    char folder[64], path[96];
};

static int make_folder(void **state)
{
    static struct stand_in s;
    strcpy(s.folder, "/tmp/qsvit-local.XXXXXX");
    if (!mkdtemp(s.folder))
        return -1;
    snprintf(s.path, sizeof s.path, "%s/mpirun", s.folder);
    setenv("QSV_MPIRUN", s.path, 1);
    setenv("FOLDER", s.folder, 1);
    *state = &s;
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];
    struct stand_in *s = *state;
    unsetenv("QSV_MPIRUN");
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    return system(command);
}

static void write_script(const struct stand_in *s, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    assert_int_equal(qsv_file_write(s->path, text, strlen(text), NULL), QSV_OK);
    assert_int_equal(chmod(s->path, 0755), 0);
}

static enum qsv_status launch_script(const struct stand_in *s, const char *body,
                                     struct qsv_error *err)
{
    struct qsv_launch launch = {.ranks = 2, .argv = arguments};
    write_script(s, body);
    *err = (struct qsv_error){0};
    return qsv_launcher_local.run(&launch, err);
}

static void test_status_of_the_ranks(void **state)
{
    static const struct {
        const char *body;
        enum qsv_status status;
        const char *text;
    } rows[] = {
        {"exit 0", QSV_OK, ""},
        {"kill -9 $$", QSV_ESTOPPED, "ended by signal 9"},
        {"exit 139", QSV_EFAILED, "ended by signal 11"},
        {"exit 1", QSV_EFAILED, "before the run began"},
        {"exit 213", QSV_EFAILED, "status 213 before the run began"},
        {"exit 2", QSV_EINPUT, ""},
        {"exit 3", QSV_EUNMET, ""},
        {"exit 75", QSV_ESTOPPED, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_error err;
        assert_int_equal(launch_script(*state, rows[i].body, &err), rows[i].status);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_true(*rows[i].text || !*err.text);
    }
}

static void test_missing_mpirun(void **state)
{
    (void)state;
    struct qsv_launch launch = {.ranks = 2, .argv = arguments};
    struct qsv_error err = {0};
    setenv("QSV_MPIRUN", "/nonexistent/mpirun", 1);
    assert_int_equal(qsv_launcher_local.run(&launch, &err), QSV_EFAILED);
    assert_non_null(strstr(err.text, "/nonexistent/mpirun: No such file"));
    setenv("QSV_MPIRUN", ((struct stand_in *)*state)->path, 1);
}

static void test_environment_and_input(void **state)
{
    struct qsv_error err;
    setenv("OMPI_MCA_btl", "tcp,self", 1);
    assert_int_equal(launch_script(*state,
                                   "[ \"$OMPI_MCA_btl\" = tcp,self ] || kill -1 $$\n"
                                   "[ \"$OMPI_MCA_pml\" = ob1 ] || kill -2 $$\n"
                                   "[ \"${11}\" = 'my spec.yaml' ] || kill -4 $$\n"
                                   "[ $(wc -c) = 0 ] || kill -3 $$",
                                   &err),
                     QSV_OK);
    unsetenv("OMPI_MCA_btl");
}

/* Launches in a child that is sent a signal once the script says that it is there. */
static int signalled(const struct stand_in *s, const char *body, int first, int second)
{
    char ready[96];
    snprintf(ready, sizeof ready, "%s/ready", s->folder);
    unlink(ready);
    pid_t pid = fork();
    if (pid == 0) {
        struct qsv_error err;
        _exit((int)launch_script(s, body, &err));
    }
    while (access(ready, F_OK) < 0)
        usleep(1000);
    kill(pid, first);
    if (second) {
        usleep(200000);
        kill(pid, second);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_stopping(void **state)
{
    static const char nicely[] =
        "trap 'exit 75' USR1; : >$FOLDER/ready; while :; do sleep 0.01; done";
    static const char deaf[] = "trap '' USR1; : >$FOLDER/ready; while :; do sleep 0.01; done";
    static const char done[] = "trap 'exit 0' USR1; : >$FOLDER/ready; while :; do sleep 0.01; done";
    assert_int_equal(signalled(*state, nicely, SIGINT, 0), QSV_ESTOPPED);
    assert_int_equal(signalled(*state, nicely, SIGTERM, 0), QSV_ESTOPPED);
    assert_int_equal(signalled(*state, nicely, SIGHUP, 0), QSV_ESTOPPED);
    assert_int_equal(signalled(*state, nicely, SIGUSR1, 0), QSV_ESTOPPED);
    assert_int_equal(signalled(*state, deaf, SIGINT, SIGINT), QSV_ESTOPPED);
    assert_int_equal(signalled(*state, done, SIGTERM, 0), QSV_OK);
}

/* nohup and a script's background have signals ignored; a parent may have SIGCHLD ignored. */
static void test_ignored_signals(void **state)
{
    static const char slow[] =
        "trap 'exit 75' USR1; : >$FOLDER/ready; i=0; while [ $i -lt 30 ]; do sleep 0.01; "
        "i=$((i+1)); done; exit 3";
    signal(SIGHUP, SIG_IGN);
    assert_int_equal(signalled(*state, slow, SIGHUP, 0), QSV_EUNMET);
    signal(SIGHUP, SIG_DFL);
    struct qsv_error err;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(launch_script(*state, "exit 3", &err), QSV_EUNMET);
    signal(SIGCHLD, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_one_rank_more_than_cores),
        cmocka_unit_test(test_ranks_of_several_cores),
        cmocka_unit_test(test_root_only_where_it_is),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_status_of_the_ranks),
        cmocka_unit_test(test_missing_mpirun),
        cmocka_unit_test(test_environment_and_input),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_ignored_signals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
