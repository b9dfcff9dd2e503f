#include "core/data/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"

/* ".0003-of-0008" */
enum { DIGITS = 4, MARK_BYTES = 13, OF_AT = 5, N_AT = 9 };

/* Where the name's suffix begins: its last dot, unless it begins with that; else its end. */
static size_t suffix_at(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - path) : strlen(path);
}

char *qsv_shard_path(const char *path, uint32_t k, uint32_t n)
{
    if (n == 1)
        return qsv_strdup(path);
    struct qsv_strbuf b = {0};
    const size_t at = suffix_at(path);
    qsv_strbuf_printf(&b, "%.*s.%04u-of-%04u%s", (int)at, path, k, n, path + at);
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}

static bool parse_number(const char *text, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (uint32_t)(text[i] - '0');
    }
    return true;
}

/* The mark's place; NULL: there is none. */
static const char *find_mark(const char *path)
{
    uint32_t ignored;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *found = NULL;
    for (const char *p = name; strlen(p) >= MARK_BYTES; p++)
        if (*p == '.' && parse_number(p + 1, &ignored) && !memcmp(p + OF_AT, "-of-", 4) &&
            parse_number(p + N_AT, &ignored) && (!p[MARK_BYTES] || p[MARK_BYTES] == '.'))
            found = p;
    return found;
}

bool qsv_shard_parse(const char *path, uint32_t *k, uint32_t *n)
{
    const char *mark = find_mark(path);
    return mark && parse_number(mark + 1, k) && parse_number(mark + N_AT, n) && *k < *n &&
           *n <= QSV_MAX_SHARDS;
}

char *qsv_shard_sibling(const char *path, uint32_t k)
{
    const char *mark = find_mark(path);
    struct qsv_strbuf b = {0};
    if (!mark)
        return qsv_strdup(path);
    qsv_strbuf_printf(&b, "%.*s.%04u%s", (int)(mark - path), path, k, mark + OF_AT);
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}
