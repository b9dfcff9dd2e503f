#include <string.h>

#include "core/format.h"
#include "core/quantizer.h"
#include "jobs/strategy.h"
#include "runner/program/commands.h"
#include "runner/program/completion.h"
#include "schedulers/launcher.h"

/* "a, b" and "a|b" as "a b ". */
static void add_words(struct qsv_strbuf *words, const char *text)
{
    for (text += strspn(text, ",| "); *text; text += strspn(text, ",| ")) {
        size_t n = strcspn(text, ",| ");
        qsv_strbuf_add(words, text, n);
        qsv_strbuf_puts(words, " ");
        text += n;
    }
}

/* Options whose words are the rows of a table. */
static const struct {
    const char *option;
    const char *(*names)(void);
    enum qsv_completion kind;
} tables[] = {
    {"format-all", qsv_format_names, QSV_COMPLETE_WORD},
    {"formats", qsv_format_names, QSV_COMPLETE_LIST},
    {"strategies", qsv_strategy_names, QSV_COMPLETE_LIST},
    {"quantizer", qsv_quantizer_names, QSV_COMPLETE_WORD},
    {"quantizers", qsv_quantizer_names, QSV_COMPLETE_LIST},
    {"launcher", qsv_launcher_names, QSV_COMPLETE_WORD},
};

/* By what arguments and operands are called: the first that the name holds. */
static const struct {
    const char *name;
    enum qsv_completion kind;
} names[] = {
    {"SPEC", QSV_COMPLETE_SPECS},     {"yaml", QSV_COMPLETE_SPECS},
    {"RUN", QSV_COMPLETE_FOLDERS},    {"OTHER", QSV_COMPLETE_FOLDERS},
    {"FOLDER", QSV_COMPLETE_FOLDERS}, {"FILE", QSV_COMPLETE_FILES},
    {"MODEL", QSV_COMPLETE_FILES},    {"OUT", QSV_COMPLETE_FILES},
    {".h5", QSV_COMPLETE_FILES},      {"CKPT", QSV_COMPLETE_FILES},
    {"IMAGES", QSV_COMPLETE_FILES},
};

static enum qsv_completion find_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(name, names[i].name))
            return names[i].kind;
    return QSV_COMPLETE_NOTHING;
}

static enum qsv_completion complete_operand(const struct qsv_option *o, struct qsv_strbuf *words)
{
    if (!strcmp(o->name, "TOPIC") || !strcmp(o->name, "COMMAND")) {
        for (size_t i = 0; qsv_commands[i]; i++)
            add_words(words, qsv_commands[i]->name);
        if (!strcmp(o->name, "TOPIC"))
            add_words(words, "spec");
        return QSV_COMPLETE_WORD;
    }
    if (o->name[0] >= 'a') { /* "bash|zsh" stands for itself */
        add_words(words, o->name);
        return QSV_COMPLETE_WORD;
    }
    return find_by_name(o->name);
}

enum qsv_completion qsv_completion_of(const struct qsv_option *o, struct qsv_strbuf *words)
{
    if (qsv_option_is_operand(o))
        return complete_operand(o, words);
    if (o->type == QSV_OPTION_CHOICE) {
        add_words(words, o->argument);
        return QSV_COMPLETE_WORD;
    }
    if (o->type != QSV_OPTION_TEXT)
        return QSV_COMPLETE_NOTHING;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!strcmp(o->name, tables[i].option)) {
            add_words(words, tables[i].names());
            return tables[i].kind;
        }
    return find_by_name(o->argument);
}
