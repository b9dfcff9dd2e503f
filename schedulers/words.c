#include "schedulers/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"

void qsv_words_add(struct qsv_words *w, const char *word)
{
    char *copy = qsv_strdup(word);
    if (!copy || !qsv_grow(&w->list, &w->capacity, w->n + 2, sizeof *w->list)) {
        free(copy);
        w->failed = true;
        return;
    }
    w->list[w->n++] = copy;
}

void qsv_words_addf(struct qsv_words *w, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        w->failed = true;
    else
        qsv_words_add(w, text);
}

void qsv_words_add_list(struct qsv_words *w, const char *const *words)
{
    for (; *words; words++)
        qsv_words_add(w, *words);
}

void qsv_words_fini(struct qsv_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->list[i]);
    free(w->list);
    *w = (struct qsv_words){0};
}
