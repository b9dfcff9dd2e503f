/* A run's jobs by their files, and what a log says; squeue is a stand-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "results/lock.h"
#include "runner/coordinator/leftover.h"
#include "runner/status/situation.h"
#include "runner/status/submission.h"
#include "tests/unit/schedulers/commands.h"

static char folder[64];

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/qsvit-submission.XXXXXX");
    return commands_begin() || !mkdtemp(folder);
}

static int end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return commands_end() || system(command);
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(qsv_file_write(path, text, strlen(text), NULL), QSV_OK);
}

static void take_away(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* Answers for some jobs; knows no other. */
static void queue(const char *cases)
{
    char body[1024];
    snprintf(body, sizeof body,
             "line() { printf '%%s\\037%%s\\0371\\0370:10\\0371:00\\037N/A\\037%%s\\037%%s\\037"
             "%s/job.sh\\n' \"$@\"; }\n"
             "case $3 in\n%s\n*) echo 'error: Invalid job id' >&2; exit 1;; esac",
             folder, cases);
    commands_set("squeue", body);
}

static void put_lock(const char *job)
{
    char text[256];
    snprintf(
        text, sizeof text,
        "qsvit host elsewhere pid 7 start 1 space pid:[1] since 1700000000.5 job %s restarts 0\n",
        job);
    put("lock", text);
}

static void test_ids(void **state)
{
    (void)state;
    struct qsv_job_ids ids;
    qsv_job_ids_read(&ids, folder);
    assert_int_equal(ids.n, 0);
    put("job.id", "42\n43\nnonsense\n42\n\n");
    qsv_job_ids_read(&ids, folder);
    assert_int_equal(ids.n, 2);
    assert_string_equal(ids.v[0], "42");
    assert_string_equal(ids.v[1], "43");
    put("job.id", "1\n2\n3\n4\n5\n6");
    qsv_job_ids_read(&ids, folder);
    assert_int_equal(ids.n, QSV_MOST_JOBS);
    take_away("job.id");
}

static void test_the_job_that_counts(void **state)
{
    (void)state;
    struct qsv_slurm_job job;
    put("job.id", "42\n43\n");
    static const struct {
        const char *cases, *id;
    } rows[] = {
        {"*42) line 42 COMPLETED n1 None;; *43) line 43 PENDING '' Dependency;;", "43"},
        {"*42) line 42 RUNNING n1 None;; *43) line 43 PENDING '' Dependency;;", "42"},
        {"*42) line 42 COMPLETED n1 None;; *43) line 43 FAILED n1 NonZeroExitCode;;", "43"},
        {"*42) line 42 COMPLETED n1 None;;", "42"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        queue(rows[i].cases);
        assert_int_equal(qsv_job_find(&job, folder, NULL), QSV_OK);
        assert_string_equal(job.id, rows[i].id);
        assert_int_equal(job.known, *rows[i].id != '\0');
    }
    take_away("job.id");
}

static void test_run_of_a_job(void **state)
{
    (void)state;
    struct qsv_error err;
    char *found;
    queue("*42) line 42 RUNNING n1 None;;");
    assert_int_equal(qsv_run_find(&found, "42", NULL), QSV_OK);
    assert_string_equal(found, folder);
    free(found);
    assert_int_equal(qsv_run_find(&found, "44", &err), QSV_EUSAGE);
    assert_non_null(strstr(err.text, "there is no folder '44', and Slurm knows no such job"));
    assert_null(found);
    assert_int_equal(qsv_run_find(&found, "runs/x", NULL), QSV_OK);
    assert_string_equal(found, "runs/x");
    free(found);
}

static void test_seal(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, "#!/bin/bash\necho a\necho b\n");
    assert_false(qsv_script_is_sealed(b.text));
    qsv_script_seal(&b);
    assert_true(!strncmp(b.text, "#!/bin/bash\n# qsvit-script ", 27));
    assert_non_null(strstr(b.text, "\necho a\necho b\n"));
    assert_true(qsv_script_is_sealed(b.text));
    b.text[b.len - 2] = 'c';
    assert_false(qsv_script_is_sealed(b.text));
    b.text[b.len - 2] = 'b';
    assert_true(qsv_script_is_sealed(b.text));
    b.text[30] = b.text[30] == '0' ? '1' : '0';
    assert_false(qsv_script_is_sealed(b.text));
    qsv_strbuf_fini(&b);
    assert_false(qsv_script_is_sealed(""));
    assert_false(qsv_script_is_sealed("\n"));
    assert_false(qsv_script_is_sealed("a\nb"));
}

static void test_log_errors(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"base: 3 trials\nqsvit: warning: x\n", ""},
        {"qsvit: /r: no room\nlast line", "qsvit: /r: no room"},
        {"qsvit: first\nqsvit: second", "qsvit: second"},
        {"srun: error: n1: task 2: Killed\n", "srun: error: n1: task 2: Killed"},
        /* what the program says is worth more than what Slurm makes of it */
        {"qsvit: why\nsrun: error: n1: tasks 0-1: Exited with exit code 1\n", "qsvit: why"},
        /* being asked to stop is no error, and a new start begins anew */
        {"qsvit: stopped before the end\nsrun: error: n1: tasks 0-2: Exited with exit code 75\n",
         ""},
        {"qsvit: old\n2026-01-31 12:00:00 job 42: restart 1 on n1\nbase: 3 trials\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        qsv_log_error(&b, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(b.len ? b.text : "", rows[i][1]);
        qsv_strbuf_fini(&b);
    }
}

/* What the lock's holder was part of decides, when it ran elsewhere. */
static void test_leftover_locks(void **state)
{
    (void)state;
    static const struct {
        const char *cases;
        bool goes;
    } rows[] = {
        {"*42) line 42 RUNNING n1 None;;", false},
        {"*42) line 42 COMPLETING n1 None;;", false},
        {"*42) line 42 PENDING '' BeginTime;;", true},
        {"*42) line 42 FAILED n1 None;;", true},
        {"", true},
    };
    char path[128];
    FILE *null = fopen("/dev/null", "w");
    snprintf(path, sizeof path, "%s/lock", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_lock("42");
        queue(rows[i].cases);
        qsv_leftover_clear(folder, null);
        assert_int_equal(access(path, F_OK), rows[i].goes ? -1 : 0);
    }
    put_lock("42");
    commands_set("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1");
    qsv_leftover_clear(folder, null);
    assert_int_equal(access(path, F_OK), 0);
    put_lock("-"); /* no job: nobody to ask */
    queue("");
    qsv_leftover_clear(folder, null);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    fclose(null);
}

static void test_situation(void **state)
{
    (void)state;
    struct qsv_situation s;
    struct qsv_strbuf b = {0};
    qsv_situation_find(&s, folder);
    qsv_situation_print(&s, &b);
    assert_int_equal(b.len, 0); /* a run that has no job and does not go on */
    qsv_situation_fini(&s);

    put("job.id", "42\n");
    put("job.log", "qsvit: /r: no room\n");
    put("live", "qsvit live 1700000000\nattempt 1\nworkers 8 alive 7\ntrials 4 images 100\n"
                "recorded 0 done 100 all 400 in 10 s\nworked 80 s waited 2 s\nstep base\n");
    put_lock("42");
    queue("*42) line 42 RUNNING n[1-2] None;;");
    qsv_situation_find(&s, folder);
    assert_true(s.goes_on && s.has_live && !s.ended);
    qsv_situation_print(&s, &b);
    assert_non_null(strstr(
        b.text, "job        42 RUNNING on n[1-2] for 0:10, 1:00 left until its time limit\n"
                "now        base: 4 trials on 100 images, 25 %, 10 images a second, 30 s left of "
                "this call ("));
    assert_non_null(strstr(b.text, "workers    7 of 8 alive\n"
                                   "images     workers wait 2.5 % of their time for them\n"
                                   "last error qsvit: /r: no room\n"));
    qsv_strbuf_fini(&b);
    qsv_situation_fini(&s);

    /* The job was killed and waits again: nothing that it said of itself holds any more. */
    queue("*42) line 42 PENDING '' BeginTime;;");
    qsv_situation_find(&s, folder);
    assert_false(s.goes_on || s.has_live);
    qsv_situation_fini(&s);

    put("job.end", "4 42\n");
    queue("");
    qsv_situation_find(&s, folder);
    assert_true(s.ended);
    assert_int_equal(s.status, 4);
    assert_int_equal(qsv_situation_add_json(&s, folder, &b, NULL), QSV_OK);
    assert_non_null(strstr(b.text, "\"exit_status\": 4"));
    assert_non_null(strstr(b.text, "\"state\": \"FORGOTTEN\""));
    qsv_strbuf_fini(&b);
    qsv_situation_fini(&s);

    commands_set("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1");
    qsv_situation_find(&s, folder);
    qsv_situation_print(&s, &b);
    assert_non_null(strstr(b.text, "job        42 (the queue can't be asked: Unable to contact"));
    qsv_strbuf_fini(&b);
    qsv_situation_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),          cmocka_unit_test(test_the_job_that_counts),
        cmocka_unit_test(test_run_of_a_job), cmocka_unit_test(test_seal),
        cmocka_unit_test(test_log_errors),   cmocka_unit_test(test_leftover_locks),
        cmocka_unit_test(test_situation),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
