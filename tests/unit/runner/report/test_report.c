#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/base/file.h"
#include "tests/unit/runner/tiny.h"

#include "runner/report/report.h"

static struct folder folder;

static char *in_folder(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    return path;
}

static int begin(void **state)
{
    (void)state;
    make_folder(&folder);
    setenv("QSV_DATADIR", folder.path, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unsetenv("QSV_DATADIR");
    remove_folder(&folder);
    return 0;
}

static void put_vega(const char *text)
{
    assert_int_equal(qsv_file_make_folder(in_folder("report"), &err), QSV_OK);
    assert_int_equal(qsv_file_write(in_folder("report/vega.js"), text, strlen(text), &err), QSV_OK);
}

static const struct qsv_strbuf data = {.text = "{\"{{style}}\":1}", .len = 15};

static enum qsv_status write_page(bool live)
{
    const struct qsv_report_query q = {.live = live};
    return qsv_report_write(in_folder("page.html"), &q, &data, &err);
}

static char *read_page(void)
{
    uint8_t *text;
    size_t bytes;
    assert_int_equal(qsv_file_read(&text, &bytes, in_folder("page.html"), 1 << 20, &err), QSV_OK);
    return (char *)text;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

static void without_vega_it_says_what_to_install(void **state)
{
    (void)state;
    assert_int_equal(write_page(false), QSV_EFAILED);
    assert_non_null(strstr(err.text, "report/vega.js is missing"));
    assert_non_null(strstr(err.text, folder.path));
    assert_non_null(strstr(err.text, "libjs-vega"));
    assert_int_equal(qsv_report_draw(in_folder("figures"), &data, &err), QSV_EFAILED);
    assert_int_not_equal(access(in_folder("figures"), F_OK), 0);
}

static void all_parts_are_in_place(void **state)
{
    (void)state;
    put_vega("const vega = {};");
    assert_int_equal(write_page(false), QSV_OK);
    char *page = read_page();
    assert_int_equal(strncmp(page, "<!DOCTYPE html>", 15), 0);
    /* Parts are put in as they are: what looks like a place in the data is none. */
    assert_int_equal(count(page, "{{"), 1);
    assert_non_null(strstr(page, "id=\"qsvit-data\">{\"{{style}}\":1}</script>"));
    assert_int_equal(count(page, "const vega = {};"), 1);
    assert_int_equal(count(page, "</script"), 3);
    assert_int_equal(count(page, "http-equiv=\"refresh\""), 0);
    assert_int_equal(count(page, "src="), 0); /* nothing is loaded */
    free(page);
    assert_int_equal(write_page(true), QSV_OK);
    page = read_page();
    assert_int_equal(count(page, "http-equiv=\"refresh\""), 1);
    free(page);
}

static void vega_that_would_break_out_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x = '</script>'", "x = '</SCRIPT >'", "<!-- x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_vega(bad[i]);
        assert_int_equal(write_page(false), QSV_EFAILED);
        assert_non_null(strstr(err.text, "report/vega.js"));
    }
}

static void what_node_says_is_told(void **state)
{
    (void)state;
    put_vega("console.error('no such luck'); process.exit(3);");
    assert_int_equal(qsv_report_draw(in_folder("figures"), &data, &err), QSV_EFAILED);
    /* Where node is installed and where it is not. */
    assert_true(strstr(err.text, "no such luck") || strstr(err.text, "nodejs"));
    assert_int_not_equal(rmdir(in_folder("figures")), -1); /* no script is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_vega_it_says_what_to_install),
        cmocka_unit_test(all_parts_are_in_place),
        cmocka_unit_test(vega_that_would_break_out_is_refused),
        cmocka_unit_test(what_node_says_is_told),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
