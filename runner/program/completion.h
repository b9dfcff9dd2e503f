/* Scripts by which a shell completes qsvit's command line: made of the command tables, so that they
 * know every command and option.
 */
#ifndef QSV_COMPLETION_H
#define QSV_COMPLETION_H

#include "core/base/strbuf.h"

void qsv_completion_bash(struct qsv_strbuf *out);
void qsv_completion_zsh(struct qsv_strbuf *out);

/* What may stand for an option's argument or an operand. */
enum qsv_completion {
    QSV_COMPLETE_NOTHING, /* a number, or a text of the user's */
    QSV_COMPLETE_FILES,
    QSV_COMPLETE_FOLDERS, /* and files, so that a results.h5 in one is found */
    QSV_COMPLETE_SPECS,   /* *.yaml, and folders */
    QSV_COMPLETE_WORD,    /* one of words */
    QSV_COMPLETE_LIST     /* some of words, with commas */
};

struct qsv_option;

/* words gets them with a blank behind each, where it is one of the last two. */
enum qsv_completion qsv_completion_of(const struct qsv_option *o, struct qsv_strbuf *words);

#endif
