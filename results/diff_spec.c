/* Comparing two specs' texts: what lies between the lines that both begin and end with. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/diff_report.h"

struct lines {
    const char **at; /* [n + 1]: the last is the text's end */
    size_t n;
};

static bool split(struct lines *out, const char *text)
{
    size_t n = 0;
    for (const char *s = text; *s; s++)
        n += *s == '\n' || !s[1];
    *out = (struct lines){qsv_alloc(n + 1, sizeof *out->at), n};
    if (!out->at)
        return false;
    for (size_t i = 0; i < n; i++) {
        out->at[i] = text;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    out->at[n] = text;
    return true;
}

static size_t length(const struct lines *l, size_t i)
{
    return (size_t)(l->at[i + 1] - l->at[i]);
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
    return length(a, i) == length(b, k) && !memcmp(a->at[i], b->at[k], length(a, i));
}

static void list(struct qsv_diff_report *d, const struct lines *l, size_t first, size_t end,
                 const char *which)
{
    for (size_t i = first; i < end; i++) {
        int shown = (int)strcspn(l->at[i], "\n");
        qsv_diff_note(d, QSV_DIFF_SPEC, "line %zu, only in %s: %.*s", i + 1, which,
                      shown < 200 ? shown : 200, l->at[i]);
    }
}

static void compare(struct qsv_diff_report *d, const struct lines *a, const struct lines *b)
{
    size_t start = 0, end = 0, least = a->n < b->n ? a->n : b->n;
    while (start < least && same(a, start, b, start))
        start++;
    while (end < least - start && same(a, a->n - 1 - end, b, b->n - 1 - end))
        end++;
    list(d, a, start, a->n - end, "the first");
    list(d, b, start, b->n - end, "the second");
}

void qsv_diff_spec(struct qsv_diff_report *d, const char *a, const char *b)
{
    struct lines x = {0}, y = {0};
    if (split(&x, a ? a : "") && split(&y, b ? b : ""))
        compare(d, &x, &y);
    else
        qsv_diff_note(d, QSV_DIFF_SPEC, "not compared: out of memory");
    free(x.at);
    free(y.at);
}
