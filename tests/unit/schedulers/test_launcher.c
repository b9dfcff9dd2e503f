#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/launcher.h"

static void test_find(void **state)
{
    (void)state;
    assert_null(qsv_launcher_find("Local"));
    assert_null(qsv_launcher_find(""));
    assert_string_equal(qsv_launcher_find("local")->name, "local");
    for (size_t i = 0; qsv_launchers[i]; i++)
        assert_ptr_equal(qsv_launcher_find(qsv_launchers[i]->name), qsv_launchers[i]);
    assert_string_equal(qsv_launcher_names(), "local, srun, mpirun");
}

/* What a batch script puts before the program. */
static void test_words(void **state)
{
    (void)state;
    char *options[] = {"--cpu-bind=cores", " --map-by  node "};
    const struct qsv_spec_scheduler how = {.mpi = "pmix_v4", .launcher_options = {options, 2}};
    static const struct {
        const char *launcher;
        uint32_t ranks;
        const char *words[9];
    } cases[] = {
        {"srun",
         0,
         {"srun", "--mpi=pmix_v4", "--kill-on-bad-exit=1", "--cpu-bind=cores", "--map-by", "node"}},
        {"srun",
         12,
         {"srun", "--mpi=pmix_v4", "--kill-on-bad-exit=1", "--ntasks=12", "--cpu-bind=cores",
          "--map-by", "node"}},
        {"mpirun", 0, {"mpirun", "--cpu-bind=cores", "--map-by", "node"}},
        {"mpirun", 3, {"mpirun", "-np", "3", "--cpu-bind=cores", "--map-by", "node"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_words words = {0};
        const struct qsv_launch launch = {.ranks = cases[i].ranks, .how = &how};
        qsv_launcher_find(cases[i].launcher)->words(&words, &launch);
        assert_false(words.failed);
        for (size_t k = 0; k < words.n || cases[i].words[k]; k++)
            assert_string_equal(k < words.n ? words.list[k] : "(none)",
                                cases[i].words[k] ? cases[i].words[k] : "(none)");
        assert_null(words.list[words.n]);
        qsv_words_fini(&words);
    }
    assert_null(qsv_launcher_find("local")->words);
}

/* A rank of several threads gets as many cores, unless the spec's own options place it. */
static void test_cores_of_a_rank(void **state)
{
    (void)state;
    static const struct {
        const char *launcher, *option;
        uint32_t cores;
        const char *words;
    } cases[] = {
        {"srun", NULL, 1, "srun --mpi=pmix --kill-on-bad-exit=1"},
        {"srun", NULL, 4,
         "srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=4 --cpu-bind=cores"},
        {"srun", "--cpu-bind=none", 4,
         "srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=4 --cpu-bind=none"},
        {"srun", "-l", 4,
         "srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=4 --cpu-bind=cores -l"},
        {"mpirun", NULL, 1, "mpirun"},
        {"mpirun", NULL, 4, "mpirun --map-by slot:PE=4"},
        {"mpirun", "--map-by node:PE=4", 4, "mpirun --map-by node:PE=4"},
        {"mpirun", "--bind-to none", 4, "mpirun --bind-to none"},
        {"mpirun", "-q", 2, "mpirun --map-by slot:PE=2 -q"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *options[] = {(char *)cases[i].option};
        const struct qsv_spec_scheduler how = {
            .mpi = "pmix", .launcher_options = {options, cases[i].option ? 1 : 0}};
        const struct qsv_launch launch = {.cores = cases[i].cores, .how = &how};
        struct qsv_words words = {0};
        char line[256] = "";
        qsv_launcher_find(cases[i].launcher)->words(&words, &launch);
        for (size_t k = 0; k < words.n; k++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", k ? " " : "",
                     words.list[k]);
        assert_string_equal(line, cases[i].words);
        qsv_words_fini(&words);
    }
}

/* srun would ask for an allocation of its own, and wait for it. */
static void test_srun_outside_of_a_job(void **state)
{
    (void)state;
    char *arguments[] = {"qsvit", "run", NULL};
    const struct qsv_spec_scheduler how = {.mpi = "pmix"};
    const struct qsv_launch launch = {.argv = arguments, .how = &how};
    struct qsv_error err;
    unsetenv("SLURM_JOB_ID");
    assert_int_equal(qsv_launcher_find("srun")->run(&launch, &err), QSV_EUSAGE);
    assert_non_null(strstr(err.text, "qsvit submit"));
    assert_non_null(strstr(err.text, "--launcher local"));
}

/* Variables as launchers set them, and what they say. */
static const struct row {
    const char *names[5], *values[5];
    struct qsv_rank_info info;
} rows[] = {
    {.info = {.launched = false}},
    {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
     {"3", "8"},
     {.launched = true, .way = QSV_WAY_MPI, .rank = 3, .ranks = 8}},
    /* srun --mpi=pmix */
    {{"PMIX_RANK", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_JOB_ID"},
     {"1", "1", "4", "77"},
     {.launched = true, .way = QSV_WAY_MPI, .rank = 1, .ranks = 4}},
    /* srun --mpi=pmi2 */
    {{"PMI_RANK", "PMI_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
     {"1", "3", "1", "3"},
     {.launched = true, .way = QSV_WAY_PMI, .rank = 1, .ranks = 3}},
    /* srun --mpi=none: as many programs that are each alone */
    {{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
     {"2", "4"},
     {.launched = true, .way = QSV_WAY_NONE, .rank = 2, .ranks = 4}},
    /* MPICH's mpiexec */
    {{"PMI_RANK", "PMI_SIZE"},
     {"0", "2"},
     {.launched = true, .way = QSV_WAY_PMI, .rank = 0, .ranks = 2}},
    /* A batch script, and a shell that srun started: nobody has launched ranks there. */
    {{"SLURM_PROCID", "SLURM_JOB_ID", "SLURM_NTASKS"}, {"0", "77", "4"}, {.launched = false}},
    {{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}, {"0", "1"}, {.launched = false}},
    /* Not from a launcher, but whatever. */
    {{"OMPI_COMM_WORLD_RANK"}, {""}, {.launched = false}},
    {{"OMPI_COMM_WORLD_RANK"}, {"4x"}, {.launched = false}},
    {{"OMPI_COMM_WORLD_RANK"}, {"4294967296"}, {.launched = false}},
};

static void test_rank_info(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; rows[i].names[k]; k++)
            setenv(rows[i].names[k], rows[i].values[k], 1);
        struct qsv_rank_info info = qsv_rank_info_read();
        assert_int_equal(info.launched, rows[i].info.launched);
        assert_int_equal(info.way, rows[i].info.way);
        assert_int_equal(info.rank, rows[i].info.rank);
        assert_int_equal(info.ranks, rows[i].info.ranks);
        for (size_t k = 0; rows[i].names[k]; k++)
            unsetenv(rows[i].names[k]);
    }
}

/* A socket that is long gone must not be waited for, nor change anything. */
static void test_take_output_of_nobody(void **state)
{
    (void)state;
    setenv("QSV_OUTPUT", "no such socket", 1);
    setenv("OMPI_COMM_WORLD_RANK", "0", 1);
    qsv_launcher_take_output();
    assert_non_null(getenv("QSV_OUTPUT"));
    unsetenv("OMPI_COMM_WORLD_RANK");
    unsetenv("QSV_OUTPUT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_cores_of_a_rank),
        cmocka_unit_test(test_srun_outside_of_a_job),
        cmocka_unit_test(test_rank_info),
        cmocka_unit_test(test_take_output_of_nobody),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; rows[i].names[k]; k++)
            unsetenv(rows[i].names[k]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
