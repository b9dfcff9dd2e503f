/* A command line, word by word. As elsewhere adding never fails at once: whoever is done looks at
 * `failed`.
 */
#ifndef QSV_WORDS_H
#define QSV_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct qsv_words {
    char **list; /* [n], and NULL behind the last, once there is one */
    size_t n, capacity;
    bool failed; /* memory was out */
};

void qsv_words_add(struct qsv_words *w, const char *word);
void qsv_words_addf(struct qsv_words *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* NULL-terminated. */
void qsv_words_add_list(struct qsv_words *w, const char *const *words);
void qsv_words_fini(struct qsv_words *w);

#endif
