#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "tests/unit/runner/tiny.h"

#include "runner/base/shared_file.h"

static void beside_the_program_or_where_it_was_installed(void **state)
{
    (void)state;
    char *path;
    unsetenv("QSV_DATADIR");
    /* The one file that surely lies beside this program: itself. */
    assert_int_equal(qsv_shared_file_find(&path, "test_shared_file", "", &err), QSV_OK);
    assert_int_equal(access(path, X_OK), 0);
    assert_non_null(strstr(path, "/runner/base/test_shared_file"));
    free(path);
    assert_int_equal(qsv_shared_file_find(&path, "none.js", "get it", &err), QSV_EFAILED);
    assert_null(path);
    assert_non_null(strstr(err.text, "none.js is missing"));
    assert_non_null(strstr(err.text, "/runner/base/none.js, "));
    assert_non_null(strstr(err.text, "/runner/base/../share/qsvit/none.js): get it"));
}

static void a_folder_that_is_named_is_the_only_one(void **state)
{
    (void)state;
    struct folder folder;
    char file[96], *path;
    make_folder(&folder);
    snprintf(file, sizeof file, "%s/some.js", folder.path);
    assert_int_equal(qsv_file_write(file, "x", 1, &err), QSV_OK);
    setenv("QSV_DATADIR", folder.path, 1);
    assert_int_equal(qsv_shared_file_find(&path, "some.js", "", &err), QSV_OK);
    assert_string_equal(path, file);
    free(path);
    assert_int_equal(qsv_shared_file_find(&path, "test_shared_file", "", &err), QSV_EFAILED);
    setenv("QSV_DATADIR", "", 1); /* as if it were not set */
    assert_int_equal(qsv_shared_file_find(&path, "test_shared_file", "", &err), QSV_OK);
    free(path);
    unsetenv("QSV_DATADIR");
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_program_or_where_it_was_installed),
        cmocka_unit_test(a_folder_that_is_named_is_the_only_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
