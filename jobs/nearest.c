#include "jobs/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LETTERS = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment distance, by rows; three rows are enough to see swaps. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][MAX_LETTERS + 1] = {{0}};
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min3(now[j], before[j - 2] + 1, now[j]);
        }
    }
    return row[n % 3][m];
}

const char *qsv_nearest(const char *word, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t letters = strnlen(word, MAX_LETTERS + 1), best = letters / 3 + 1;
    if (letters == 0 || letters > MAX_LETTERS)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strnlen(words[i], MAX_LETTERS + 1);
        if (m > MAX_LETTERS)
            continue;
        size_t d = edit_distance(word, letters, words[i], m);
        if (d < best) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}

enum { MOST_WORDS = 64 };

struct qsv_suggestion qsv_suggest(const char *word, const char *list)
{
    static const char between[] = ",| ";
    char copies[MOST_WORDS][MAX_LETTERS + 1];
    const char *words[MOST_WORDS];
    struct qsv_suggestion out = {""};
    size_t n = 0;
    for (list += strspn(list, between); *list && n < MOST_WORDS; list += strspn(list, between)) {
        size_t length = strcspn(list, between);
        if (length <= MAX_LETTERS) {
            snprintf(copies[n], sizeof copies[n], "%.*s", (int)length, list);
            words[n] = copies[n];
            n++;
        }
        list += length;
    }
    const char *nearest = qsv_nearest(word, words, n);
    if (nearest)
        snprintf(out.text, sizeof out.text, ", did you mean '%s'?", nearest);
    return out;
}
