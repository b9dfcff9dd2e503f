#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "schedulers/cores.h"

static void test_quota(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t cores;
    } rows[] = {
        {"", 0},
        {"max 100000\n", 0},
        {"100000", 0},
        {"100000 0\n", 0},
        {"-1 100000\n", 0},
        {"9223372036854775807 1\n", 0},
        {"50000 100000\n", 1},
        {"200000 100000\n", 2},
        {"250000 100000\n", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_cores_of_quota(rows[i].text), rows[i].cores);
}

/* A batch system or taskset gives a process fewer cores than the machine has. */
static void test_affinity(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    assert_in_range(qsv_cores_available(), 1, (unsigned)CPU_COUNT(&all));
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(qsv_cores_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
