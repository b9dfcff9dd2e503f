#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/sandbox.h"

static const struct qsv_sandbox_limits limits = {1 << 28, 1};
static int touched;

static enum qsv_status succeed(void *context, void *result, struct qsv_error *err)
{
    (void)err;
    touched = 1;
    memcpy(result, context, 4);
    printf("nobody sees this\n");
    fflush(stdout);
    return QSV_OK;
}

static enum qsv_status fail_with_text(void *context, void *result, struct qsv_error *err)
{
    (void)context;
    (void)result;
    return qsv_fail(err, QSV_EIDENTITY, "100 %% of %s", "it");
}

/* Ends in the way that *context says, after a first result. */
static enum qsv_status end_badly(void *context, void *result, struct qsv_error *err)
{
    (void)err;
    memcpy(result, "half", 4);
    switch (*(char *)context) {
    case 's':
        raise(SIGSEGV);
        break;
    case 'a':
        abort();
    case 'x':
        _exit(0);
    case 't':
        raise(SIGTERM);
        break;
    case 'k':
        raise(SIGKILL);
        break;
    default:
        for (volatile unsigned i = 0;; i++)
            ;
    }
    return QSV_OK;
}

static enum qsv_status map_much(void *context, void *result, struct qsv_error *err)
{
    (void)result;
    void *p =
        mmap(NULL, *(size_t *)context, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? qsv_fail_memory(err, "much") : QSV_OK;
}

static void test_gives_what_work_gave(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    char word[] = "word", result[5] = "none";
    touched = 0;
    assert_int_equal(qsv_sandbox_run(succeed, word, result, 4, &limits, "f", &err), QSV_OK);
    assert_string_equal(result, "word");
    assert_int_equal(touched, 0);
    assert_int_equal(qsv_sandbox_run(fail_with_text, NULL, result, 4, &limits, "f", &err),
                     QSV_EIDENTITY);
    assert_string_equal(err.text, "100 % of it");
    assert_memory_equal(result, "\0\0\0\0", 4);
    assert_int_equal(qsv_sandbox_run(fail_with_text, NULL, result, 0, &limits, "f", NULL),
                     QSV_EIDENTITY);
}

static void on_signal(int signal)
{
    touched = signal;
}

static void test_bad_ends(void **state)
{
    (void)state;
    static const struct {
        char how;
        enum qsv_status status;
        const char *text;
    } rows[] = {
        {'s', QSV_EINPUT, "f.h5: damaged: reading it crashed the library (Segmentation fault)"},
        {'a', QSV_EINPUT, "f.h5: damaged: reading it crashed the library (Aborted)"},
        {'x', QSV_EINPUT, "f.h5: damaged: reading it crashed the library (it ended the program)"},
        {'t', QSV_ESTOPPED, "f.h5: stopped while reading it"},
        {'k', QSV_EINPUT,
         "f.h5: damaged: reading it was given up, it took too long or too much memory"},
        {'l', QSV_EINPUT,
         "f.h5: damaged: reading it was given up, it took too long or too much memory"},
    };
    touched = 0;
    void (*old_segv)(int) = signal(SIGSEGV, on_signal);
    void (*old_term)(int) = signal(SIGTERM, on_signal);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_error err = {0};
        char how = rows[i].how, result[5] = "none";
        assert_int_equal(qsv_sandbox_run(end_badly, &how, result, 4, &limits, "f.h5", &err),
                         rows[i].status);
        assert_string_equal(err.text, rows[i].text);
        assert_string_equal(result, "half");
    }
    signal(SIGSEGV, old_segv);
    signal(SIGTERM, old_term);
    assert_int_equal(touched, 0);
}

static void test_memory_limit(void **state)
{
    (void)state;
    size_t bytes = 1 << 27;
    assert_int_equal(qsv_sandbox_run(map_much, &bytes, NULL, 0, &limits, "f", NULL), QSV_OK);
    bytes = 1 << 29;
    assert_int_equal(qsv_sandbox_run(map_much, &bytes, NULL, 0, &limits, "f", NULL), QSV_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_what_work_gave),
        cmocka_unit_test(test_bad_ends),
        cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
