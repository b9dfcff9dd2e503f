/* What Slurm's commands say, and what is made of it. The commands are stand-ins. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "schedulers/slurm.h"
#include "tests/unit/schedulers/commands.h"

static int begin(void **state)
{
    (void)state;
    return commands_begin();
}

static int end(void **state)
{
    (void)state;
    return commands_end();
}

static void test_ids(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } rows[] = {{"1", true},
                {"4711", true},
                {"", false},
                {"12a", false},
                {"-1", false},
                {"1.2", false},
                {"1_3", false},
                {" 1", false},
                {"1234567890123456789012", true},
                {"12345678901234567890123456", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_slurm_is_id(rows[i].text), rows[i].is);
}

#define LINE(id, state)                                                                            \
    id "\x1f" state "\x1f"                                                                         \
       "2\x1f"                                                                                     \
       "1:02\x1f"                                                                                  \
       "58:58\x1f"                                                                                 \
       "2026-01-31T12:00:00\x1f"                                                                   \
       "n[1-2]\x1f"                                                                                \
       "None\x1f"                                                                                  \
       "/r/job.sh\n"

static void test_jobs(void **state)
{
    (void)state;
    struct qsv_slurm_job job;
    assert_int_equal(qsv_slurm_parse_job(&job, LINE("42", "RUNNING"), NULL), QSV_OK);
    assert_true(job.known && job.running && !job.over);
    assert_string_equal(job.id, "42");
    assert_string_equal(job.state, "RUNNING");
    assert_string_equal(job.nodes, "2");
    assert_string_equal(job.used, "1:02");
    assert_string_equal(job.left, "58:58");
    assert_string_equal(job.start, "2026-01-31T12:00:00");
    assert_string_equal(job.node_list, "n[1-2]");
    assert_string_equal(job.reason, "None");
    assert_string_equal(job.command, "/r/job.sh");
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool running, over;
    } rows[] = {
        {LINE("1", "PENDING"), false, false},
        {LINE("1", "REQUEUED"), false, false},
        {LINE("1", "REQUEUE_HOLD"), false, false},
        {LINE("1", "COMPLETING"), true, false},
        {LINE("1", "SUSPENDED"), true, false},
        {LINE("1", "CONFIGURING"), true, false},
        {LINE("1", "COMPLETED"), false, true},
        {LINE("1", "CANCELLED"), false, true},
        {LINE("1", "TIMEOUT"), false, true},
        {LINE("1", "NODE_FAIL"), false, true},
        {LINE("1", "PREEMPTED"), false, true},
        {LINE("1", "OUT_OF_MEMORY"), false, true},
        /* One that this program has never heard of is not taken for gone. */
        {LINE("1", "SIGNALING"), true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_slurm_job job;
        assert_int_equal(qsv_slurm_parse_job(&job, rows[i].line, NULL), QSV_OK);
        assert_int_equal(job.running, rows[i].running);
        assert_int_equal(job.over, rows[i].over);
    }
}

static void test_odd_lines(void **state)
{
    (void)state;
    struct qsv_slurm_job job;
    struct qsv_error err;
    static const char *const bad[] = {
        "",
        "\n",
        "42",
        "42\x1fRUNNING\n",
        "x\x1fRUNNING\x1f"
        "1\x1f"
        "1\x1f"
        "1\x1f"
        "s\x1fn\x1fr\x1f/c\n",
        "4_2\x1fRUNNING\x1f"
        "1\x1f"
        "1\x1f"
        "1\x1f"
        "s\x1fn\x1fr\x1f/c\n",
        "42\x1f\x1f"
        "1\x1f"
        "1\x1f"
        "1\x1f"
        "s\x1fn\x1fr\x1f/c\n",
        "squeue: error: something",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(qsv_slurm_parse_job(&job, bad[i], &err), QSV_EFAILED);
        assert_non_null(strstr(err.text, "expected the nine fields"));
    }
    /* A script's path may hold anything but the separator, and an empty one is one. */
    assert_int_equal(qsv_slurm_parse_job(&job,
                                         "1\x1fPENDING\x1f"
                                         "1\x1f"
                                         "0\x1f"
                                         "0\x1fN/A\x1f\x1f(Res our|ces)\x1f/a |b",
                                         NULL),
                     QSV_OK);
    assert_string_equal(job.reason, "(Res our|ces)");
    assert_string_equal(job.command, "/a |b");
    assert_string_equal(job.node_list, "");
}

static void test_mutations(void **state)
{
    (void)state;
    static const char good[] = LINE("42", "RUNNING");
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 11);
    for (size_t n = 0; n < sizeof good; n++) {
        char *text = strndup(good, n);
        struct qsv_slurm_job job;
        enum qsv_status st = qsv_slurm_parse_job(&job, text, NULL);
        assert_true(st == QSV_OK || st == QSV_EFAILED);
        free(text);
    }
    for (int i = 0; i < 10000; i++) {
        char *text = strdup(good);
        struct qsv_slurm_job job;
        for (uint64_t k = qsv_rng_below(&rng, 4) + 1; k; k--)
            text[qsv_rng_below(&rng, sizeof good - 1)] = (char)qsv_rng_next(&rng);
        enum qsv_status st = qsv_slurm_parse_job(&job, text, NULL);
        assert_true(st == QSV_OK ? qsv_slurm_is_id(job.id) : st == QSV_EFAILED);
        free(text);
    }
}

static void test_look(void **state)
{
    (void)state;
    struct qsv_slurm_job job;
    struct qsv_error err;
    commands_set("squeue", "[ \"$3\" = --jobs=42 ] || exit 9\n"
                           "printf '42\\037PENDING\\0371\\0370:00\\0371:00\\037N/A\\037\\037"
                           "Resources\\037/r/job.sh\\n'");
    assert_int_equal(qsv_slurm_look(&job, "42", NULL), QSV_OK);
    assert_true(job.known && !job.running && !job.over);
    assert_string_equal(job.reason, "Resources");
    commands_set("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
    assert_int_equal(qsv_slurm_look(&job, "42", NULL), QSV_OK);
    assert_false(job.known);
    commands_set("squeue", ":"); /* as it answers for a job that has just been forgotten */
    assert_int_equal(qsv_slurm_look(&job, "42", NULL), QSV_OK);
    assert_false(job.known);
    commands_set("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; "
                           "exit 1");
    assert_int_equal(qsv_slurm_look(&job, "42", &err), QSV_EFAILED);
    assert_string_equal(err.text, "slurm_load_jobs error: Unable to contact slurm controller");
}

static void test_submit(void **state)
{
    (void)state;
    char id[QSV_JOB_ID];
    struct qsv_error err;
    commands_set("sbatch", "[ \"$1 $2\" = '--parsable /r/a b.sh' ] && echo 4711");
    assert_int_equal(qsv_slurm_submit(id, "/r/a b.sh", NULL), QSV_OK);
    assert_string_equal(id, "4711");
    commands_set("sbatch", "echo '4711;cluster'");
    assert_int_equal(qsv_slurm_submit(id, "/r/job.sh", NULL), QSV_OK);
    assert_string_equal(id, "4711");
    commands_set("sbatch", "echo 'Submitted batch job 4711'");
    assert_int_equal(qsv_slurm_submit(id, "/r/job.sh", &err), QSV_EFAILED);
    assert_string_equal(err.text,
                        "sbatch: found 'Submitted batch job 4711?', expected the job's number");
    commands_set("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2\n"
                           "echo 'sbatch: error: Batch job submission failed: Invalid partition "
                           "name specified' >&2\nexit 1");
    assert_int_equal(qsv_slurm_submit(id, "/r/job.sh", &err), QSV_EINPUT);
    assert_string_equal(err.text, "sbatch: error: invalid partition specified: x; sbatch: error: "
                                  "Batch job submission failed: Invalid partition name specified");
    commands_set("sbatch", "exit 3");
    assert_int_equal(qsv_slurm_submit(id, "/r/job.sh", &err), QSV_EINPUT);
    assert_string_equal(err.text, "sbatch: ended with status 3");
}

static void test_try(void **state)
{
    (void)state;
    struct qsv_strbuf words = {0};
    commands_set("sbatch", "[ \"$1\" = --test-only ] && echo 'sbatch: Job 3 to start at noon' >&2");
    assert_int_equal(qsv_slurm_try("/r/job.sh", &words, NULL), QSV_OK);
    assert_string_equal(words.text, "sbatch: Job 3 to start at noon");
    qsv_strbuf_fini(&words);
}

static void test_cancel(void **state)
{
    (void)state;
    struct qsv_error err;
    commands_set("scancel", "[ \"$*\" = 42 ]");
    assert_int_equal(qsv_slurm_cancel("42", NULL), QSV_OK);
    commands_set("scancel",
                 "echo 'scancel: error: Kill job error on job id 42: Access denied' >&2; "
                 "exit 1");
    assert_int_equal(qsv_slurm_cancel("42", &err), QSV_EFAILED);
    assert_string_equal(err.text, "scancel: error: Kill job error on job id 42: Access denied");
}

static void test_mpi(void **state)
{
    (void)state;
    static const char list[] = "MPI plugin types are...\n\tpmix\n\tnone\n\tpmi2\n"
                               "specific pmix plugin versions available: pmix_v4\n";
    assert_true(qsv_slurm_lists_mpi(list, "pmix"));
    assert_true(qsv_slurm_lists_mpi(list, "pmix_v4"));
    assert_false(qsv_slurm_lists_mpi(list, "pmix_v3"));
    assert_false(qsv_slurm_lists_mpi(list, "pmi"));
    assert_false(qsv_slurm_lists_mpi("", "pmix"));
    assert_true(qsv_slurm_lists_mpi("srun: MPI types are...\nsrun: pmix", "pmix"));

    struct qsv_error err;
    commands_set("srun", "printf 'MPI types:\\n\\tpmix\\n\\tnone\\n\\tpmi2\\n' >&2");
    commands_set("ompi_info", "echo 'mca:pmix:ext3x:version:1'");
    assert_int_equal(qsv_slurm_check_mpi("pmix", NULL), QSV_OK);
    assert_int_equal(qsv_slurm_check_mpi("pmix_v9", &err), QSV_EINPUT);
    assert_string_equal(err.text, "found 'pmix_v9', this Slurm has (srun --mpi=list): MPI types:; "
                                  "pmix; none; pmi2");
    assert_int_equal(qsv_slurm_check_mpi("none", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "every rank would be alone"));
    assert_int_equal(qsv_slurm_check_mpi("pmi2", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "this Open MPI has no support for it, expected pmix"));
    commands_set("ompi_info", "echo 'mca:pmix:s2:version:1'");
    assert_int_equal(qsv_slurm_check_mpi("pmi2", NULL), QSV_OK);
    commands_set("srun", "exit 1"); /* can't be asked: perhaps it works where the job runs */
    assert_int_equal(qsv_slurm_check_mpi("pmix_v9", NULL), QSV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),       cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_states),    cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_mutations), cmocka_unit_test(test_look),
        cmocka_unit_test(test_submit),    cmocka_unit_test(test_try),
        cmocka_unit_test(test_cancel),    cmocka_unit_test(test_mpi),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
