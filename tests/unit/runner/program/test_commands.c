#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/program/commands.h"

static void test_find(void **state)
{
    (void)state;
    const struct qsv_command *c = NULL;
    struct qsv_error err = {0};
    assert_int_equal(qsv_command_find(&c, "imprt", &err), QSV_EUSAGE);
    assert_string_equal(err.text, "unknown command 'imprt', did you mean 'import'?");
    assert_int_equal(qsv_command_find(&c, "frobnicate", &err), QSV_EUSAGE);
    assert_string_equal(err.text, "unknown command 'frobnicate' (qsvit help lists them)");
    assert_null(c);
    for (size_t i = 0; qsv_commands[i]; i++) {
        assert_int_equal(qsv_command_find(&c, qsv_commands[i]->name, &err), QSV_OK);
        assert_ptr_equal(c, qsv_commands[i]);
    }
}

/* What help and parser take for granted of every row. */
static void test_tables_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; qsv_commands[i]; i++) {
        const struct qsv_command *c = qsv_commands[i];
        assert_non_null(c->run);
        assert_non_null(c->synopsis);
        assert_true(isupper((unsigned char)c->summary[0]));
        assert_true(c->summary[strlen(c->summary) - 1] != '.');
        size_t n = 0;
        for (const struct qsv_option *o = c->options; o && o->type; o++, n++) {
            assert_non_null(o->name);
            assert_true(o->help && *o->help && o->help[strlen(o->help) - 1] != '.');
            assert_int_equal(o->argument == NULL,
                             o->type == QSV_OPTION_FLAG || qsv_option_is_operand(o));
            assert_true(o->target < c->values_size);
            assert_false(o->letter == 'h'); /* is --help */
            for (const struct qsv_option *other = c->options; other < o; other++) {
                assert_string_not_equal(o->name, other->name);
                assert_true(!o->letter || o->letter != other->letter);
            }
        }
        assert_in_range(n, 0, 40);
    }
}

/* Lines fit a terminal of 80 columns. */
static void test_help_fits(void **state)
{
    (void)state;
    for (size_t i = 0; qsv_commands[i]; i++) {
        struct qsv_strbuf text = {0};
        qsv_command_describe(qsv_commands[i], &text);
        for (const char *line = text.text; *line;) {
            size_t n = strcspn(line, "\n");
            if (n > 80)
                fail_msg("%s: %.*s", qsv_commands[i]->name, (int)n, line);
            line += n + (line[n] == '\n');
        }
        qsv_strbuf_fini(&text);
    }
}

static int call(char **argv, char **out)
{
    size_t bytes = 0;
    int argc = 0;
    while (argv[argc])
        argc++;
    FILE *f = open_memstream(out, &bytes);
    assert_non_null(f);
    int status = qsv_commands_main(argc, argv, f);
    fclose(f);
    return status;
}

#define CALL(out, ...) call((char *[]){"qsvit", __VA_ARGS__, NULL}, out)

static void test_help_of_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; qsv_commands[i]; i++) {
        char *long_form = NULL, *short_form = NULL, *topic = NULL, name[32];
        snprintf(name, sizeof name, "%s", qsv_commands[i]->name);
        assert_int_equal(CALL(&long_form, name, "--help"), 0);
        assert_int_equal(CALL(&short_form, name, "-h"), 0);
        assert_int_equal(CALL(&topic, "help", name), 0);
        assert_memory_equal(long_form, "usage: qsvit ", 13);
        assert_string_equal(long_form, short_form);
        assert_string_equal(long_form, topic);
        free(long_form);
        free(short_form);
        free(topic);
    }
}

static void test_version(void **state)
{
    (void)state;
    char *word = NULL, *option = NULL;
    assert_int_equal(CALL(&word, "version"), 0);
    assert_int_equal(CALL(&option, "--version"), 0);
    assert_memory_equal(word, "qsvit ", 6);
    assert_string_equal(word, option);
    free(word);
    free(option);
}

/* The man page holds every command, option and key of the spec. */
static void test_manual(void **state)
{
    (void)state;
    char *page = NULL;
    assert_int_equal(CALL(&page, "man"), 0);
    assert_memory_equal(page, ".TH QSVIT 1", 11);
    for (size_t i = 0; qsv_commands[i]; i++) {
        char text[128];
        snprintf(text, sizeof text, ".SS \"qsvit %s\"\n", qsv_commands[i]->name);
        assert_non_null(strstr(page, text));
        struct qsv_strbuf options = {0};
        qsv_options_describe_roff(qsv_commands[i]->options, &options);
        assert_true(!options.text || strstr(page, options.text));
        qsv_strbuf_fini(&options);
    }
    assert_non_null(strstr(page, "constraint.max_top1_drop"));
    assert_non_null(strstr(page, "energy.dram_byte_pj"));
    free(page);
}

static void test_output_that_cannot_be_written(void **state)
{
    (void)state;
    char *argv[] = {"qsvit", "man", NULL};
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(qsv_commands_main(2, argv, full), 1);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_tables_are_sound),
        cmocka_unit_test(test_help_fits),
        cmocka_unit_test(test_help_of_every_command),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_output_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
