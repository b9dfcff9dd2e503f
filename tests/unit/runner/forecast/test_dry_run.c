/* What a dry run says of the tiny network's sweep. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "runner/forecast/dry_run.h"
#include "tests/unit/runner/tiny.h"

/* Its text; free. */
static char *dry_run(const char *search, const char *more)
{
    struct folder f;
    char *text = NULL, run[80];
    size_t bytes = 0;
    struct stat info;
    make_folder(&f);
    struct qsv_spec *spec = tiny_spec(&f, search, more);
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    if (qsv_dry_run(spec, out, &err))
        fail_msg("%s", err.text);
    fclose(out);
    snprintf(run, sizeof run, "%s/run", f.path);
    assert_int_equal(stat(run, &info), -1); /* nothing is written */
    qsv_spec_destroy(spec);
    remove_folder(&f);
    return text;
}

/* The line of a step: its trials, and images x trials. */
static bool find_step(const char *text, const char *step, unsigned *trials, unsigned long *forwards)
{
    char line[32];
    snprintf(line, sizeof line, "           %s ", step);
    const char *at = strstr(text, line);
    return at && sscanf(at + strlen(line), "%u %lu", trials, forwards) == 2;
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("expected '%s' in:\n%s", part, text);
}

#define FORMATS "  formats: [int8, int4, int2]\n"
#define BOUND   "constraint:\n  max_top1_drop: 5\n"

/* Every block of the tiny network at three formats, and the baseline, on two shards of 16. */
static void test_step_1_is_counted(void **state)
{
    (void)state;
    struct qsv_model *m;
    unsigned trials;
    unsigned long forwards;
    assert_int_equal(qsv_model_load(&m, "tests/data/tiny.h5", &err), QSV_OK);
    const unsigned cells = 1 + 3 * (unsigned)m->graph.n_blocks;
    qsv_model_destroy(m);
    char *text = dry_run(FORMATS, BOUND);
    assert_true(find_step(text, "sensitivity", &trials, &forwards));
    assert_int_equal(trials, cells);
    assert_int_equal(forwards, 32 * cells);
    assert_false(find_step(text, "bank", &trials, &forwards));
    free(text);
}

static void test_what_is_measured_or_modelled_says_so(void **state)
{
    (void)state;
    char *text = dry_run(FORMATS, BOUND "ranks: 5\nthreads: 1\n");
    expect(text, "speed      measured on this machine just now, processor time of one thread");
    expect(text, "ms at int2");
    expect(text, "Trials, their order and times are a forecast");
    expect(text, "memory     by a model, not measured");
    expect(text, "ranks      5, of which one coordinates");
    expect(text, "on 5 ranks, ");
    assert_null(strstr(text, "choosing codes"));
    free(text);
}

static void test_codes_are_planned(void **state)
{
    (void)state;
    unsigned trials;
    unsigned long forwards;
    char *text = dry_run("  strategy: frontier\n" FORMATS,
                         BOUND "quantizer:\n  method: searched\n  images: 48\n");
    assert_true(find_step(text, "bank", &trials, &forwards));
    assert_int_equal(forwards, 48 * 8); /* a pass for each of eight parts */
    expect(text, "ms more for statistics of what layers read");
    expect(text, "Not counted: choosing codes by the statistics (bank)");
    expect(text, "; before that, making codes ");
    free(text);
}

static void test_ranks_of_a_cluster(void **state)
{
    (void)state;
    char *text = dry_run(FORMATS, BOUND "scheduler:\n  launcher: srun\n  nodes: 3\n"
                                        "  ranks_per_node: 4\n");
    expect(text, "ranks      12, of which one coordinates; on 3 nodes by srun");
    expect(text, "; a node of 4 ranks ");
    free(text);
    text = dry_run(FORMATS, BOUND "scheduler:\n  launcher: mpirun\n");
    expect(text, "ranks      as many as the launcher starts; on 1 node by mpirun");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_1_is_counted),
        cmocka_unit_test(test_what_is_measured_or_modelled_says_so),
        cmocka_unit_test(test_codes_are_planned),
        cmocka_unit_test(test_ranks_of_a_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
