/* Command line options: a table of them a command, from which the command line is parsed and its
 * help is made.
 *
 * What is parsed goes into a struct of the command's own; a row says where by offset. A row's
 * `fallback` is parsed first, so the struct is filled also where nothing was given.
 */
#ifndef QSV_OPTIONS_H
#define QSV_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

enum qsv_option_type {                      /* and what it is in the command's struct */
                       QSV_OPTION_END = 0,  /* ends a table */
                       QSV_OPTION_FLAG,     /* bool; takes no argument */
                       QSV_OPTION_TEXT,     /* const char *, into argv; NULL where not given */
                       QSV_OPTION_COUNT,    /* uint64_t, decimal, at most `max` (0: no limit) */
                       QSV_OPTION_NUMBER,   /* double, finite */
                       QSV_OPTION_CHOICE,   /* unsigned: index into the words of `argument`:
                                               "table|csv|json" */
                       QSV_OPTION_OPERAND,  /* const char *: the next argument that is not an option
                                             */
                       QSV_OPTION_OPERANDS, /* struct qsv_operands: all such arguments from here on
                                             */
};

enum { QSV_MAX_OPERANDS = 32 };

struct qsv_operands {
    const char *v[QSV_MAX_OPERANDS];
    size_t n;
};

struct qsv_option {
    enum qsv_option_type type;
    const char *name;     /* "time-steps": --time-steps; of an operand: what it is called, "RUN" */
    char letter;          /* 'o': -o; 0: none */
    const char *argument; /* what its argument is called: "FILE"; NULL for flags and operands */
    size_t target;        /* offset in the command's struct */
    bool required;
    const char *fallback; /* text of the default, shown in the help; NULL: none (0, NULL, false) */
    unsigned long long max;
    const char *help; /* one sentence without a full stop */
};

bool qsv_option_is_operand(const struct qsv_option *o); /* no dashes before its name */

/* Fills values (zeroed by the caller) from args [n_args], those behind the command's name.
 * `command` is for messages. --help or -h anywhere before a "--" sets *help and makes everything
 * else that may be wrong unimportant. QSV_EUSAGE names the option, and the nearest where it is not
 * known. */
enum qsv_status qsv_options_parse(const struct qsv_option *table, const char *command, int n_args,
                                  char *const *args, void *values, bool *help,
                                  struct qsv_error *err);

/* The table for a terminal, two columns. */
void qsv_options_describe(const struct qsv_option *table, struct qsv_strbuf *out);
/* The table as man page source. */
void qsv_options_describe_roff(const struct qsv_option *table, struct qsv_strbuf *out);

#endif
