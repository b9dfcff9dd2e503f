/* The batch script: its text for a spec with every key (tests/data/golden/job.sh), what other specs
 * change in it, and what is refused. What it does is in tests/cli/test_job.sh. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "schedulers/batch_script.h"

#define LEAST "model: m.h5\ndataset: {images: i}\nconstraint: {max_top1_drop: 2}\n"
#define SRUN  LEAST "scheduler:\n  launcher: srun\n  ranks_per_node: 4\n"

static struct qsv_spec *parse(const char *text)
{
    struct qsv_spec *s;
    struct qsv_error err;
    if (qsv_spec_parse(&s, text, strlen(text), "c.yaml", &err))
        fail_msg("%s", err.text);
    return s;
}

static enum qsv_status write_in(struct qsv_strbuf *out, const char *text, const char *run,
                                struct qsv_error *err)
{
    struct qsv_spec *s = parse(text);
    const struct qsv_batch b = {.spec = s,
                                .launcher = qsv_launcher_find(s->scheduler.launcher),
                                .program = "/opt/qsvit",
                                .run = run,
                                .folder = "/home/me"};
    enum qsv_status st = qsv_batch_script(out, &b, err);
    qsv_spec_destroy(s);
    return st;
}

static void test_golden(void **state)
{
    (void)state;
    static const char text[] =
        LEAST "scheduler:\n"
              "  launcher: srun\n  mpi: pmix_v4\n  launcher_options: [--cpu-bind=cores]\n"
              "  nodes: 4\n  ranks_per_node: 64\n  threads_per_rank: 2\n  memory: 200G\n"
              "  time: 1-12\n  partition: cpu\n  account: project\n  qos: normal\n"
              "  constraint: '[avx512|amx]'\n  mail_user: me@example.org\n"
              "  sbatch_options: [--exclusive, '--comment=a \"b\" # c']\n"
              "  setup: [module load openmpi, 'export HDF5_USE_FILE_LOCKING=FALSE']\n"
              "  signal_lead_s: 90\n  max_restarts: 12\n";
    struct qsv_strbuf b = {0};
    uint8_t *golden;
    size_t bytes;
    assert_int_equal(write_in(&b, text, "/scratch/me/it's 100%", NULL), QSV_OK);
    if (getenv("QSV_UPDATE_GOLDEN"))
        assert_int_equal(qsv_file_write("tests/data/golden/job.sh", b.text, b.len, NULL), QSV_OK);
    assert_int_equal(qsv_file_read(&golden, &bytes, "tests/data/golden/job.sh", 1 << 20, NULL),
                     QSV_OK);
    size_t line = 1, at = 0;
    for (; golden[at] && golden[at] == (uint8_t)b.text[at]; at++)
        line += golden[at] == '\n';
    if (golden[at] != (uint8_t)b.text[at])
        fail_msg("tests/data/golden/job.sh:%zu: is out of date from here on: %.500s\n"
                 "(QSV_UPDATE_GOLDEN=1 writes it anew)",
                 line, b.text + at);
    free(golden);
    qsv_strbuf_fini(&b);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *has, *has_not;
    } rows[] = {
        {SRUN, "#SBATCH --nodes=1\n#SBATCH --ntasks-per-node=4\n#SBATCH --cpus-per-task=1\n\n",
         "-mail"},
        {SRUN, "#SBATCH --job-name=qsvit-r\n", "--time"},
        {SRUN "  job_name: mine\n", "#SBATCH --job-name=mine\n", "qsvit-r\n"},
        {SRUN "  time: 90\n", "#SBATCH --time=0-01:30:00\n", NULL},
        {SRUN "  mail_user: a@b\n", "#SBATCH --mail-user=a@b\n#SBATCH --mail-type=END,FAIL\n",
         NULL},
        {SRUN "  mail_type: ALL\n", "", "mail-type"},
        {SRUN,
         "    exec srun --mpi=pmix --kill-on-bad-exit=1 \"$qsvit\" run \"$run/job.yaml\" \\\n",
         "--ranks"},
        {LEAST "ranks: 100\nscheduler: {launcher: srun, nodes: 3}\n",
         "#SBATCH --nodes=3\n#SBATCH --ntasks=100\n", "per-node"},
        {LEAST "scheduler: {launcher: mpirun, ranks_per_node: 2, launcher_options: [-x, '--map-by  "
               "node']}\n",
         "    exec mpirun -x --map-by node \"$qsvit\" run", "srun"},
        /* On one machine the program starts its ranks itself. */
        {LEAST, "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n#SBATCH --exclusive\n", "cpus-per-task"},
        {LEAST,
         "    exec \"$qsvit\" run \"$run/job.yaml\" \\\n        --paths-from \"$folder\" --run "
         "\"$run\" --status-file \"$noted\"\n}\n",
         NULL},
        {LEAST "scheduler: {ranks_per_node: 8, threads_per_rank: 2}\n",
         "#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=16\n", "exclusive"},
        {LEAST "threads: 3\nscheduler: {ranks_per_node: 8}\n",
         "#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=24\n", "exclusive"},
        {LEAST "threads: 2\nscheduler: {launcher: srun, ranks_per_node: 4}\n",
         "#SBATCH --cpus-per-task=2\n", "--cpus-per-task=1"},
        {LEAST "ranks: 5\n", "--status-file \"$noted\" --ranks 5\n", NULL},
        {LEAST "scheduler: {setup: [\"a\\nb\", c]}\n", "# The spec's scheduler.setup:\na\nb\nc\n\n",
         NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        assert_int_equal(write_in(&b, rows[i].spec, "/runs/r", NULL), QSV_OK);
        if (!strstr(b.text, rows[i].has))
            fail_msg("row %zu: not there: %s\n%s", i, rows[i].has, b.text);
        if (rows[i].has_not && strstr(b.text, rows[i].has_not))
            fail_msg("row %zu: there: %s", i, rows[i].has_not);
        assert_null(strstr(b.text, "#@"));
        assert_null(strstr(b.text, "shellcheck"));
        qsv_strbuf_fini(&b);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *run, *says;
    } rows[] = {
        {LEAST "scheduler: {nodes: 2}\n", "/r",
         "c.yaml:4: scheduler.nodes: found 2, expected 1: the launcher 'local' stays on one "
         "machine"},
        {LEAST "scheduler: {launcher: srun}\n", "/r",
         "c.yaml: scheduler.ranks_per_node: is missing, expected how many ranks each node runs"},
        {LEAST "ranks: 7\nscheduler: {launcher: srun, nodes: 2, ranks_per_node: 3}\n", "/r",
         "c.yaml:4: ranks: found 7, but under scheduler 2 nodes of 3 ranks"},
        {SRUN "  time: 2\n  signal_lead_s: 120\n", "/r",
         "c.yaml:8: scheduler.signal_lead_s: found 120, expected less than the time limit of 120 "
         "s"},
        {SRUN "  sbatch_options: [--array=1-3]\n", "/r", "found '--array=1-3', but one job"},
        {SRUN "  sbatch_options: ['-a 1']\n", "/r", "found '-a 1', but one job"},
        {SRUN, "/a\nb", "expected one that a batch script can hold"},
        {SRUN, "/a\\b", "found a control character or a backslash in this path"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        struct qsv_error err;
        assert_int_equal(write_in(&b, rows[i].spec, rows[i].run, &err), QSV_EINPUT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
        qsv_strbuf_fini(&b);
    }
}

/* Whatever a path is made of, it stays one line that sbatch reads and one value of the shell. */
static void test_hostile_paths(void **state)
{
    (void)state;
    static const char run[] = "/r/$(touch x) `y` '; rm -rf ~ #\"&|*%j";
    struct qsv_strbuf b = {0};
    assert_int_equal(write_in(&b, SRUN, run, NULL), QSV_OK);
    assert_non_null(strstr(
        b.text, "\n#SBATCH \"--output=/r/$(touch x) `y` '; rm -rf ~ #\\\"&|*%%j/job.log\"\n"));
    assert_non_null(strstr(b.text, "\nrun='/r/$(touch x) `y` '\\''; rm -rf ~ #\"&|*%j'\n"));
    assert_non_null(
        strstr(b.text, "\n#SBATCH --job-name=qsvit-__touch_x___y_____rm_-rf________%j\n"));
    qsv_strbuf_fini(&b);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    enum qsv_status st = QSV_ENOMEM;
    struct qsv_spec *s = parse(SRUN "  setup: [a]\n");
    const struct qsv_batch batch = {.spec = s,
                                    .launcher = qsv_launcher_find("srun"),
                                    .program = "/p",
                                    .run = "/r",
                                    .folder = "/f"};
    long n = 1;
    for (; st == QSV_ENOMEM; n++) {
        struct qsv_strbuf b = {0};
        qsv_alloc_fail_at(n);
        st = qsv_batch_script(&b, &batch, NULL);
        qsv_alloc_fail_at(0);
        qsv_strbuf_fini(&b);
    }
    assert_int_equal(st, QSV_OK);
    assert_true(n > 20);
    qsv_spec_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_hostile_paths),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
