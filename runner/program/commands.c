#include "runner/program/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/io.h"
#include "jobs/nearest.h"
#include "runner/status/guide.h"

const struct qsv_command *const qsv_commands[] = {
    &qsv_cmd_init,
    &qsv_cmd_run,
    &qsv_cmd_compare,
    &qsv_cmd_submit,
    &qsv_cmd_import,
    &qsv_cmd_inspect,
    &qsv_cmd_dataset,
    &qsv_cmd_pack,
    &qsv_cmd_calibrate,
    &qsv_cmd_quantize,
    &qsv_cmd_eval,
    &qsv_cmd_export,
    &qsv_cmd_query,
    &qsv_cmd_report,
    &qsv_cmd_status,
    &qsv_cmd_watch,
    &qsv_cmd_logs,
    &qsv_cmd_cancel,
    &qsv_cmd_diff,
    &qsv_cmd_verify,
    &qsv_cmd_repair,
    &qsv_cmd_headway,
    &qsv_cmd_bench,
    &qsv_cmd_synth,
    &qsv_cmd_simulate,
    &qsv_cmd_doctor,
    &qsv_cmd_help,
    &qsv_cmd_man,
    &qsv_cmd_completion,
    &qsv_cmd_version,
    NULL,
};

enum { N_COMMANDS = sizeof qsv_commands / sizeof *qsv_commands - 1 };

enum qsv_status qsv_command_find(const struct qsv_command **out, const char *name,
                                 struct qsv_error *err)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++) {
        names[i] = qsv_commands[i]->name;
        if (!strcmp(name, names[i])) {
            *out = qsv_commands[i];
            return QSV_OK;
        }
    }
    const char *nearest = qsv_nearest(name, names, N_COMMANDS);
    if (nearest)
        return qsv_fail(err, QSV_EUSAGE, "unknown command '%s', did you mean '%s'?", name, nearest);
    return qsv_fail(err, QSV_EUSAGE, "unknown command '%s' (qsvit help lists them)", name);
}

/* "usage: qsvit NAME FORM", a line for each form of the synopsis. A line that begins with a space
 * goes on with the form above it. */
static void add_usage(const struct qsv_command *c, struct qsv_strbuf *out)
{
    const char *lead = "usage: ";
    for (const char *line = c->synopsis;;) {
        size_t n = strcspn(line, "\n");
        size_t blanks = strspn(line, " ");
        if (blanks)
            qsv_strbuf_printf(out, "%*s%.*s\n", 11, "", (int)(n - blanks), line + blanks);
        else
            qsv_strbuf_printf(out, "%sqsvit %s%s%.*s\n", lead, c->name, n ? " " : "", (int)n, line);
        if (!line[n])
            break;
        line += n + 1;
        lead = "       ";
    }
}

void qsv_command_describe(const struct qsv_command *c, struct qsv_strbuf *out)
{
    add_usage(c, out);
    qsv_strbuf_printf(out, "\n%s.\n", c->summary);
    if (c->details)
        qsv_strbuf_printf(out, "\n%s\n", c->details);
    if (!c->options || !c->options->type)
        return;
    qsv_strbuf_puts(out, "\nArguments and options:\n");
    qsv_options_describe(c->options, out);
}

void qsv_commands_describe(struct qsv_strbuf *out)
{
    qsv_strbuf_puts(out,
                    "usage: qsvit COMMAND [ARGUMENT...]\n\n"
                    "Finds the cheapest weight precision for every layer of a spiking vision\n"
                    "transformer that keeps its accuracy, and writes the quantized network.\n\n"
                    "Commands:\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        qsv_strbuf_printf(out, "  %-10s %s\n", qsv_commands[i]->name, qsv_commands[i]->summary);
    qsv_strbuf_puts(out,
                    "\nqsvit COMMAND --help tells what a command takes; qsvit help spec, what\n"
                    "a sweep's spec (cluster.yaml) may say; qsvit man | man -l - shows all.\n");
}

enum qsv_status qsv_print(FILE *out, struct qsv_strbuf *text, struct qsv_error *err)
{
    enum qsv_status st = text->failed ? qsv_fail_memory(err, "the output") : QSV_OK;
    if (!st && fwrite(text->text ? text->text : "", 1, text->len, out) != text->len)
        st = qsv_fail(err, QSV_EIO, "standard output: cannot write: %s", strerror(errno));
    qsv_strbuf_fini(text);
    return st;
}

void qsv_print_warnings(struct qsv_strbuf *lines)
{
    for (const char *line = lines->text; line && *line;) {
        size_t n = strcspn(line, "\n");
        fprintf(stderr, "qsvit: warning: %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    qsv_strbuf_fini(lines);
}

static enum qsv_status run_command(const struct qsv_command *c, int argc, char **argv, FILE *out,
                                   struct qsv_error *err)
{
    bool help = false;
    void *values = qsv_alloc(1, c->values_size ? c->values_size : 1);
    if (!values)
        return qsv_fail_memory(err, "options");
    enum qsv_status st =
        qsv_options_parse(c->options, c->name, argc - 2, argv + 2, values, &help, err);
    if (st) {
        qsv_fail_in(err, st, "%s", c->name);
    } else if (help) {
        struct qsv_strbuf text = {0};
        qsv_command_describe(c, &text);
        st = qsv_print(out, &text, err);
    } else {
        struct qsv_invocation in = {.values = values, .out = out, .argc = argc, .argv = argv};
        st = c->run(&in, err);
    }
    free(values);
    return st;
}

/* -h, --help, -V and --version are commands, too. */
static const char *command_name(const char *word)
{
    if (!strcmp(word, "-h") || !strcmp(word, "--help"))
        return "help";
    if (!strcmp(word, "-V") || !strcmp(word, "--version"))
        return "version";
    return word;
}

/* For a person who tries what the name alone does. */
static enum qsv_status fail_without_command(const char *program, struct qsv_error *err)
{
    struct qsv_strbuf guide = {0};
    qsv_guide_folder(&guide, program);
    if (!guide.failed)
        fputs(guide.text, stderr);
    qsv_strbuf_fini(&guide);
    return qsv_fail(err, QSV_EUSAGE, "no command given (qsvit help lists them)");
}

static enum qsv_status dispatch(int argc, char **argv, FILE *out, struct qsv_error *err)
{
    const struct qsv_command *c = NULL;
    enum qsv_status st = qsv_io_set_fault(getenv("QSV_FAULT"), err);
    if (st)
        return qsv_fail_in(err, st, "environment variable QSV_FAULT");
    if (argc < 2)
        return fail_without_command(argc ? argv[0] : "qsvit", err);
    st = qsv_command_find(&c, command_name(argv[1]), err);
    return st ? st : run_command(c, argc, argv, out, err);
}

int qsv_commands_main(int argc, char **argv, FILE *out)
{
    struct qsv_error err = {0};
    enum qsv_status st = dispatch(argc, argv, out, &err);
    errno = 0;
    if ((fflush(out) || ferror(out)) && !st)
        st = qsv_fail(&err, QSV_EIO, "standard output: cannot write: %s",
                      errno ? strerror(errno) : "an earlier write failed");
    /* On a terminal a progress line may stand there still. */
    if (st && *err.text)
        fprintf(stderr, "%sqsvit: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", err.text);
    return qsv_status_exit(st);
}
