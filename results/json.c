#include "results/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

json_t *qsv_json_string(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    char *copy = string ? NULL : qsv_strdup(text);
    for (char *p = copy; p && *p; p++)
        if (*p & 0x80)
            *p = '?';
    if (copy)
        string = json_string(copy);
    free(copy);
    return string;
}

json_t *qsv_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *qsv_json_id(uint64_t id)
{
    return id ? json_sprintf("%016" PRIx64, id) : json_null();
}

enum qsv_status qsv_json_parse(json_t **out, const struct qsv_strbuf *text, struct qsv_error *err)
{
    json_error_t why;
    *out = text->failed ? NULL : json_loadb(text->text, text->len, 0, &why);
    if (*out)
        return QSV_OK;
    if (text->failed || json_error_code(&why) == json_error_out_of_memory)
        return qsv_fail_memory(err, "an answer as JSON");
    return qsv_fail(err, QSV_EFAILED, "an answer is no JSON: line %d: %s", why.line, why.text);
}

static int add_escaped(const char *text, size_t bytes, void *context)
{
    struct qsv_strbuf *out = context;
    for (const char *end = text + bytes; text < end;) {
        const char *sign = memchr(text, '<', (size_t)(end - text));
        qsv_strbuf_add(out, text, (size_t)((sign ? sign : end) - text));
        if (sign)
            qsv_strbuf_puts(out, "\\u003c");
        text = sign ? sign + 1 : end;
    }
    return out->failed ? -1 : 0;
}

enum qsv_status qsv_json_print(struct qsv_strbuf *out, const json_t *value, struct qsv_error *err)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    if (json_dump_callback(value, add_escaped, out, flags) || out->failed)
        return qsv_fail_memory(err, "data as JSON");
    return QSV_OK;
}
