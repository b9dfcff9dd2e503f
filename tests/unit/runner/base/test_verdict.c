/* What a run leaves for the script that has started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "runner/base/verdict.h"

static void expect_text(const char *path, const char *expected)
{
    uint8_t *text;
    size_t bytes;
    assert_int_equal(qsv_file_read(&text, &bytes, path, 64, NULL), QSV_OK);
    assert_string_equal((char *)text, expected);
    free(text);
}

static void the_first_status_stays(void **state)
{
    (void)state;
    char folder[] = "/tmp/qsvit-verdict.XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = qsv_file_join(folder, "job.status");
    qsv_verdict_begin(path);
    expect_text(path, "begun\n");
    qsv_verdict_note(path, 75);
    expect_text(path, "75\n");
    qsv_verdict_note(path, 1);
    expect_text(path, "75\n");
    qsv_verdict_begin(path); /* a new start */
    qsv_verdict_note(path, 0);
    expect_text(path, "0\n");
    unlink(path);
    qsv_verdict_note(path, 2); /* before it has begun */
    expect_text(path, "2\n");
    unlink(path);
    free(path);
    rmdir(folder);
}

static void nobody_need_ask_for_it(void **state)
{
    (void)state;
    qsv_verdict_begin(NULL);
    qsv_verdict_note(NULL, 1);
    qsv_verdict_note("/nowhere/job.status", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_status_stays),
        cmocka_unit_test(nobody_need_ask_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
