#include "runner/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/nearest.h"

enum { MAX_OPTIONS = 64 };

bool qsv_option_is_operand(const struct qsv_option *o)
{
    return o->type == QSV_OPTION_OPERAND || o->type == QSV_OPTION_OPERANDS;
}

/* "-o, --output", "--heads", or an operand's name: how messages call it. */
static void name_option(const struct qsv_option *o, char *text, size_t bytes)
{
    if (qsv_option_is_operand(o))
        snprintf(text, bytes, "%s", o->name);
    else if (o->letter)
        snprintf(text, bytes, "-%c, --%s", o->letter, o->name);
    else
        snprintf(text, bytes, "--%s", o->name);
}

static enum qsv_status set_count(const struct qsv_option *o, const char *text, void *target,
                                 struct qsv_error *err)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    unsigned long long most = o->max ? o->max : UINT64_MAX;
    if (!isdigit((unsigned char)*text) || *end)
        return qsv_fail(err, QSV_EUSAGE, "option --%s: '%s' is not a whole number", o->name, text);
    if (errno || v > most)
        return qsv_fail(err, QSV_EUSAGE, "option --%s: %s is too large, at most %llu is allowed",
                        o->name, text, most);
    *(uint64_t *)target = v;
    return QSV_OK;
}

static enum qsv_status set_number(const struct qsv_option *o, const char *text, void *target,
                                  struct qsv_error *err)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v))
        return qsv_fail(err, QSV_EUSAGE, "option --%s: '%s' is not a number", o->name, text);
    *(double *)target = v;
    return QSV_OK;
}

static enum qsv_status set_choice(const struct qsv_option *o, const char *text, void *target,
                                  struct qsv_error *err)
{
    size_t n = strlen(text);
    unsigned index = 0;
    for (const char *word = o->argument;; index++) {
        size_t length = strcspn(word, "|");
        if (length == n && !strncmp(word, text, n)) {
            *(unsigned *)target = index;
            return QSV_OK;
        }
        if (!word[length])
            break;
        word += length + 1;
    }
    return qsv_fail(err, QSV_EUSAGE, "option --%s: '%s' is none of %s%s", o->name, text,
                    o->argument, qsv_suggest(text, o->argument).text);
}

static enum qsv_status add_operand(const struct qsv_option *o, const char *text,
                                   struct qsv_operands *target, struct qsv_error *err)
{
    if (target->n == QSV_MAX_OPERANDS)
        return qsv_fail(err, QSV_EUSAGE, "more than %d arguments of the kind %s", QSV_MAX_OPERANDS,
                        o->name);
    target->v[target->n++] = text;
    return QSV_OK;
}

static enum qsv_status set_value(const struct qsv_option *o, const char *text, void *values,
                                 struct qsv_error *err)
{
    void *target = (char *)values + o->target;
    switch (o->type) {
    case QSV_OPTION_FLAG:
        *(bool *)target = true;
        return QSV_OK;
    case QSV_OPTION_TEXT:
    case QSV_OPTION_OPERAND:
        *(const char **)target = text;
        return QSV_OK;
    case QSV_OPTION_OPERANDS:
        return add_operand(o, text, target, err);
    case QSV_OPTION_COUNT:
        return set_count(o, text, target, err);
    case QSV_OPTION_NUMBER:
        return set_number(o, text, target, err);
    case QSV_OPTION_CHOICE:
        return set_choice(o, text, target, err);
    case QSV_OPTION_END:
        break;
    }
    return qsv_fail(err, QSV_EFAILED, "option --%s has no type", o->name);
}

/* Where a command line is being read. */
struct parse {
    const struct qsv_option *table;
    const char *command;
    int n_args, at;
    char *const *args;
    void *values;
    bool given[MAX_OPTIONS]; /* by row */
    struct qsv_error *err;
};

static enum qsv_status fail_unknown(const struct parse *p, const char *name, size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), name);
    const char *names[MAX_OPTIONS + 1] = {"help"};
    size_t n = 1;
    for (const struct qsv_option *o = p->table; o->type; o++)
        if (!qsv_option_is_operand(o))
            names[n++] = o->name;
    const char *nearest = qsv_nearest(word, names, n);
    if (nearest)
        return qsv_fail(p->err, QSV_EUSAGE, "unknown option '--%s', did you mean '--%s'?", word,
                        nearest);
    return qsv_fail(p->err, QSV_EUSAGE, "unknown option '--%s' (qsvit %s --help lists them)", word,
                    p->command);
}

/* The option's argument: behind '=' or in the same word, or the next word. */
static enum qsv_status take_value(struct parse *p, const struct qsv_option *o, const char *joined)
{
    char name[64];
    name_option(o, name, sizeof name);
    p->given[o - p->table] = true;
    if (o->type == QSV_OPTION_FLAG && joined)
        return qsv_fail(p->err, QSV_EUSAGE, "option %s takes no argument, found '%s'", name,
                        joined);
    if (o->type == QSV_OPTION_FLAG || joined)
        return set_value(o, joined, p->values, p->err);
    if (p->at == p->n_args)
        return qsv_fail(p->err, QSV_EUSAGE, "option %s needs an argument: %s", name, o->argument);
    return set_value(o, p->args[p->at++], p->values, p->err);
}

static enum qsv_status take_long(struct parse *p, const char *word)
{
    size_t length = strcspn(word, "=");
    for (const struct qsv_option *o = p->table; o->type; o++)
        if (!qsv_option_is_operand(o) && strlen(o->name) == length &&
            !strncmp(o->name, word, length))
            return take_value(p, o, word[length] ? word + length + 1 : NULL);
    return fail_unknown(p, word, length);
}

/* "-o FILE", "-oFILE", and flags in a row: "-xyz". */
static enum qsv_status take_short(struct parse *p, const char *letters)
{
    for (; *letters; letters++) {
        const struct qsv_option *o = p->table;
        while (o->type && o->letter != *letters)
            o++;
        if (!o->type)
            return qsv_fail(p->err, QSV_EUSAGE, "unknown option '-%c' (qsvit %s --help lists them)",
                            *letters, p->command);
        if (o->type != QSV_OPTION_FLAG)
            return take_value(p, o, letters[1] ? letters + 1 : NULL);
        enum qsv_status st = take_value(p, o, NULL);
        if (st)
            return st;
    }
    return QSV_OK;
}

static enum qsv_status take_operand(struct parse *p, const char *word)
{
    for (const struct qsv_option *o = p->table; o->type; o++) {
        if (!qsv_option_is_operand(o) || (o->type == QSV_OPTION_OPERAND && p->given[o - p->table]))
            continue;
        p->given[o - p->table] = true;
        return set_value(o, word, p->values, p->err);
    }
    return qsv_fail(p->err, QSV_EUSAGE, "unexpected argument '%s' (see qsvit %s --help)", word,
                    p->command);
}

static enum qsv_status take_all(struct parse *p)
{
    enum qsv_status st = QSV_OK;
    bool options = true;
    while (!st && p->at < p->n_args) {
        const char *word = p->args[p->at++];
        if (options && !strcmp(word, "--"))
            options = false;
        else if (options && !strncmp(word, "--", 2))
            st = take_long(p, word + 2);
        else if (options && word[0] == '-' && word[1])
            st = take_short(p, word + 1);
        else
            st = take_operand(p, word);
    }
    return st;
}

static enum qsv_status check_required(const struct parse *p)
{
    for (const struct qsv_option *o = p->table; o->type; o++) {
        char name[64];
        if (!o->required || p->given[o - p->table])
            continue;
        name_option(o, name, sizeof name);
        return qsv_fail(p->err, QSV_EUSAGE, "%s%s%s is missing: %s (see qsvit %s --help)", name,
                        o->argument ? " " : "", o->argument ? o->argument : "", o->help,
                        p->command);
    }
    return QSV_OK;
}

static bool asks_for_help(int n_args, char *const *args)
{
    for (int i = 0; i < n_args && strcmp(args[i], "--"); i++)
        if (!strcmp(args[i], "--help") || !strcmp(args[i], "-h"))
            return true;
    return false;
}

enum qsv_status qsv_options_parse(const struct qsv_option *table, const char *command, int n_args,
                                  char *const *args, void *values, bool *help,
                                  struct qsv_error *err)
{
    static const struct qsv_option none[] = {{.type = QSV_OPTION_END}};
    struct parse p = {.table = table ? table : none,
                      .command = command,
                      .n_args = n_args,
                      .args = args,
                      .values = values,
                      .err = err};
    *help = asks_for_help(n_args, args);
    if (*help)
        return QSV_OK;
    enum qsv_status st = QSV_OK;
    for (const struct qsv_option *o = p.table; !st && o->type; o++)
        if (o->fallback)
            st = set_value(o, o->fallback, values, err);
    if (!st)
        st = take_all(&p);
    return st ? st : check_required(&p);
}
