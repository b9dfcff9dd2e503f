#include <stdlib.h>

#include "core/base/file.h"
#include "runner/program/commands.h"
#include "runner/program/manual.h"

struct values {
    const char *command, *write;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "COMMAND",
     .target = offsetof(struct values, command),
     .help = "the page of a command alone"},
    {.type = QSV_OPTION_TEXT,
     .name = "write",
     .argument = "FOLDER",
     .target = offsetof(struct values, write),
     .help = "write qsvit.1 and a qsvit-COMMAND.1 of each command there instead"},
    {.type = QSV_OPTION_END},
};

/* c NULL: the page of all. */
static enum qsv_status write_page(const char *folder, const struct qsv_command *c,
                                  struct qsv_error *err)
{
    struct qsv_strbuf text = {0}, path = {0};
    qsv_strbuf_printf(&path, "%s/qsvit%s%s.1", folder, c ? "-" : "", c ? c->name : "");
    if (c)
        qsv_manual_print_command(&text, c);
    else
        qsv_manual_print(&text);
    enum qsv_status st = text.failed || path.failed
                             ? qsv_fail_memory(err, "a man page")
                             : qsv_file_write(path.text, text.text, text.len, err);
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&path);
    return st;
}

static enum qsv_status write_pages(const char *folder, struct qsv_error *err)
{
    enum qsv_status st = qsv_file_make_folder(folder, err);
    if (!st)
        st = write_page(folder, NULL, err);
    for (size_t i = 0; !st && qsv_commands[i]; i++)
        st = write_page(folder, qsv_commands[i], err);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    const struct qsv_command *c = NULL;
    struct qsv_strbuf text = {0};
    enum qsv_status st = v->command ? qsv_command_find(&c, v->command, err) : QSV_OK;
    if (!st && v->write && c)
        st = qsv_fail(err, QSV_EUSAGE, "--write writes all pages: leave out '%s'", v->command);
    if (st)
        return st;
    if (v->write)
        return write_pages(v->write, err);
    if (c)
        qsv_manual_print_command(&text, c);
    else
        qsv_manual_print(&text);
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_man = {
    .name = "man",
    .summary = "Prints the man page, made of the same tables as the help",
    .synopsis = "[COMMAND]\n--write FOLDER",
    .details = "The pages are qsvit(1) and qsvit-COMMAND(1) in man page source:\n"
               "qsvit man run | man -l -",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
