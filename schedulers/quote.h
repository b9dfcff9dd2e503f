/* Text in places where it must mean nothing but itself: a word of a shell, an option that sbatch
 * reads from a script, a file name in which sbatch looks for patterns.
 */
#ifndef QSV_QUOTE_H
#define QSV_QUOTE_H

#include <stdbool.h>

#include "core/base/strbuf.h"

/* Letters, digits and _./,:=@%+- only: needs no quotes anywhere. */
bool qsv_quote_is_plain(const char *text);

/* Appends text as one word of a shell. */
void qsv_quote_shell(struct qsv_strbuf *out, const char *text);

/* Appends text as one option in a line that begins with #SBATCH. Text without line breaks. */
void qsv_quote_sbatch(struct qsv_strbuf *out, const char *text);

/* Appends path with every % doubled, which begins a pattern in sbatch's file names. */
void qsv_quote_pattern(struct qsv_strbuf *out, const char *path);

#endif
