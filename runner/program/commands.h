/* The commands of qsvit, one row of a table each. A new command is a file runner/commands/<name>.c
 * that defines its row, its declaration here, and a line in commands.c.
 */
#ifndef QSV_COMMANDS_H
#define QSV_COMMANDS_H

#include <stdio.h>

#include "core/base/error.h"
#include "runner/base/options.h"

/* How a command was called. */
struct qsv_invocation {
    const void *values; /* the command's options struct, filled from its table */
    FILE *out;          /* results go here, messages to stderr; whether all was written is checked
                           after the command has run */
    int argc;           /* as main() got them: argv[1] is the command's name */
    char **argv;
};

struct qsv_command {
    const char *name, *summary; /* a line without a full stop */
    const char *synopsis;       /* what follows "qsvit <name> "; several forms: a line each */
    const char *details;        /* paragraphs for help and man page, lines broken at 79; or NULL */
    const struct qsv_option *options; /* ended by QSV_OPTION_END; NULL: none */
    size_t values_size;               /* of the struct that the options fill */
    /* An error with an empty text is not printed: somebody else (another rank) has said it. */
    enum qsv_status (*run)(const struct qsv_invocation *in, struct qsv_error *err);
};

extern const struct qsv_command qsv_cmd_run, qsv_cmd_import, qsv_cmd_inspect, qsv_cmd_quantize,
    qsv_cmd_eval, qsv_cmd_export, qsv_cmd_query, qsv_cmd_diff, qsv_cmd_status, qsv_cmd_verify,
    qsv_cmd_repair, qsv_cmd_help, qsv_cmd_man, qsv_cmd_doctor, qsv_cmd_version, qsv_cmd_bench,
    qsv_cmd_simulate, qsv_cmd_submit, qsv_cmd_cancel, qsv_cmd_logs, qsv_cmd_headway, qsv_cmd_synth,
    qsv_cmd_calibrate, qsv_cmd_compare, qsv_cmd_dataset, qsv_cmd_pack, qsv_cmd_init, qsv_cmd_watch,
    qsv_cmd_completion, qsv_cmd_report;

/* NULL-terminated, in the order of the help. */
extern const struct qsv_command *const qsv_commands[];
/* QSV_EUSAGE where there is none of that name, with the nearest. */
enum qsv_status qsv_command_find(const struct qsv_command **out, const char *name,
                                 struct qsv_error *err);

/* What `qsvit COMMAND --help` says, and `qsvit help`. */
void qsv_command_describe(const struct qsv_command *c, struct qsv_strbuf *out);
void qsv_commands_describe(struct qsv_strbuf *out);

/* Prints text that was put together, and finishes it. */
enum qsv_status qsv_print(FILE *out, struct qsv_strbuf *text, struct qsv_error *err);

/* Lines that are no result, to stderr, and finishes them. */
void qsv_print_warnings(struct qsv_strbuf *lines);

/* The whole program but for main(): finds the command, parses its options, runs it, checks that
 * `out` took everything, prints an error to stderr. Gives the exit status. */
int qsv_commands_main(int argc, char **argv, FILE *out);

#endif
