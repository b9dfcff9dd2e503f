/* Values of a spec: from a YAML node into the field that the key's row names. */
#include "jobs/spec_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "jobs/nearest.h"
#include "jobs/strategy.h"
#include "jobs/yaml.h"

enum qsv_status qsv_spec_key_fail(const struct qsv_spec *s, const struct qsv_spec_key *k,
                                  const struct qsv_yaml_node *node, struct qsv_error *err)
{
    const bool words =
        k->type == QSV_KEY_STRATEGY || k->type == QSV_KEY_NAME || k->type == QSV_KEY_CHOICE;
    const struct qsv_spec_words allowed = qsv_spec_key_allowed(k);
    struct qsv_suggestion near = {""};
    if (words && node->kind == QSV_YAML_SCALAR)
        near = qsv_suggest(node->text, allowed.text);
    return qsv_fail(err, QSV_EINPUT, "%s:%u: %s: found %s, expected %s%s", s->path, node->line,
                    k->name, qsv_yaml_describe(node).text, allowed.text, near.text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Plain decimal digits: YAML's octal, hexadecimal and 1_000 look like something else to people. */
static bool parse_count(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text || (*text == '0' && text[1]))
        return false;
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, *text - '0', &v))
            return false;
    *out = v;
    return !*text;
}

static const char *skip_digits(const char *c, bool *some)
{
    for (; is_digit(*c); c++)
        *some = true;
    return c;
}

/* strtod takes hexadecimal, infinities and NaN too. */
static bool parse_real(const char *text, double *out)
{
    bool mantissa = false, exponent = false;
    const char *c = skip_digits(*text == '-' ? text + 1 : text, &mantissa);
    if (*c == '.')
        c = skip_digits(c + 1, &mantissa);
    if (*c == 'e' || *c == 'E') {
        c++;
        c = skip_digits(*c == '-' || *c == '+' ? c + 1 : c, &exponent);
        if (!exponent)
            return false;
    }
    if (!mantissa || *c)
        return false;
    *out = strtod(text, NULL);
    return isfinite(*out);
}

static bool is_number(const struct qsv_yaml_node *node)
{
    return node->kind == QSV_YAML_SCALAR && !node->quoted;
}

static enum qsv_status set_count(struct qsv_spec *s, const struct qsv_spec_key *k,
                                 const struct qsv_yaml_node *node, struct qsv_error *err)
{
    uint64_t v;
    if (!is_number(node) || !parse_count(node->text, &v) || (double)v < k->min ||
        (double)v > k->max)
        return qsv_spec_key_fail(s, k, node, err);
    void *field = (char *)s + k->offset;
    if (k->type == QSV_KEY_COUNT)
        *(uint64_t *)field = v;
    else
        *(uint32_t *)field = (uint32_t)v;
    return QSV_OK;
}

static enum qsv_status set_real(struct qsv_spec *s, const struct qsv_spec_key *k,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    double v;
    if (!is_number(node) || !parse_real(node->text, &v) || v < k->min || v > k->max)
        return qsv_spec_key_fail(s, k, node, err);
    *(double *)((char *)s + k->offset) = v;
    return QSV_OK;
}

static enum qsv_status set_text(struct qsv_spec *s, const struct qsv_spec_key *k,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    if (node->kind != QSV_YAML_SCALAR || !*node->text || qsv_yaml_is_null(node))
        return qsv_spec_key_fail(s, k, node, err);
    if (k->type == QSV_KEY_STRATEGY && !qsv_strategy_find(node->text))
        return qsv_spec_key_fail(s, k, node, err);
    char *text =
        k->type == QSV_KEY_PATH ? qsv_file_join(s->folder, node->text) : qsv_strdup(node->text);
    if (!text)
        return qsv_fail_memory(err, s->path);
    *(char **)((char *)s + k->offset) = text;
    return QSV_OK;
}

static enum qsv_status set_choice(struct qsv_spec *s, const struct qsv_spec_key *k,
                                  const struct qsv_yaml_node *node, struct qsv_error *err)
{
    _Static_assert(sizeof(enum qsv_granularity) == sizeof(unsigned) &&
                       sizeof(enum qsv_scale_rule) == sizeof(unsigned) &&
                       sizeof(enum qsv_format) == sizeof(unsigned) &&
                       sizeof(enum qsv_interpolation) == sizeof(unsigned) &&
                       sizeof(enum qsv_on_error) == sizeof(unsigned),
                   "enums are stored as unsigned");
    void *field = (char *)s + k->offset;
    for (unsigned i = 0; node->kind == QSV_YAML_SCALAR && k->choices[i]; i++) {
        if (strcmp(node->text, k->choices[i]))
            continue;
        if (k->type == QSV_KEY_NAME)
            *(const char **)field = k->choices[i];
        else
            *(unsigned *)field = i;
        return QSV_OK;
    }
    return qsv_spec_key_fail(s, k, node, err);
}

/* Keeps formats by falling bits. */
static enum qsv_status add_format(struct qsv_spec *s, enum qsv_format f,
                                  const struct qsv_yaml_node *node, struct qsv_error *err)
{
    uint8_t *list = s->search.formats;
    if (memchr(list, f, s->search.n_formats))
        return qsv_fail(err, QSV_EINPUT,
                        "%s:%u: search.formats: found '%s' a second time, "
                        "expected each format once",
                        s->path, node->line, qsv_format_info(f)->name);
    uint32_t i = s->search.n_formats++;
    for (; i > 0 && qsv_format_info(list[i - 1])->bits < qsv_format_info(f)->bits; i--)
        list[i] = list[i - 1];
    list[i] = (uint8_t)f;
    return QSV_OK;
}

static enum qsv_status set_formats(struct qsv_spec *s, const struct qsv_spec_key *k,
                                   const struct qsv_yaml_node *node, struct qsv_error *err)
{
    if (node->kind != QSV_YAML_LIST)
        return qsv_spec_key_fail(s, k, node, err);
    if (!node->first)
        return qsv_fail(err, QSV_EINPUT, "%s:%u: %s: found an empty list, expected %s", s->path,
                        node->line, k->name, qsv_spec_key_allowed(k).text);
    for (const struct qsv_yaml_node *n = node->first; n; n = n->next) {
        enum qsv_format f;
        enum qsv_status st = qsv_format_read(&f, n, k->name, s->path, err);
        if (!st)
            st = add_format(s, f, n, err);
        if (st)
            return st;
    }
    return QSV_OK;
}

enum qsv_status qsv_spec_key_set(struct qsv_spec *s, const struct qsv_spec_key *k,
                                 const struct qsv_yaml_node *node, struct qsv_error *err)
{
    switch (k->type) {
    case QSV_KEY_TEXT:
    case QSV_KEY_PATH:
    case QSV_KEY_STRATEGY:
        return set_text(s, k, node, err);
    case QSV_KEY_NAME:
    case QSV_KEY_CHOICE:
        return set_choice(s, k, node, err);
    case QSV_KEY_COUNT32:
    case QSV_KEY_COUNT:
        return set_count(s, k, node, err);
    case QSV_KEY_REAL:
        return set_real(s, k, node, err);
    case QSV_KEY_FORMATS:
        return set_formats(s, k, node, err);
    case QSV_KEY_PINS:
        return qsv_pins_read(&s->pins, &s->n_pins, node, k->name, s->path, err);
    case QSV_KEY_WORD:
    case QSV_KEY_SIZE:
    case QSV_KEY_TIME:
    case QSV_KEY_OPTIONS:
    case QSV_KEY_LINES:
        return qsv_spec_scheduler_set(s, k, node, err);
    }
    return QSV_OK;
}

void qsv_spec_key_clear(struct qsv_spec *s, const struct qsv_spec_key *k)
{
    void *field = (char *)s + k->offset;
    switch (k->type) {
    case QSV_KEY_TEXT:
    case QSV_KEY_PATH:
    case QSV_KEY_STRATEGY:
    case QSV_KEY_WORD:
    case QSV_KEY_SIZE:
        free(*(char **)field);
        break;
    case QSV_KEY_OPTIONS:
    case QSV_KEY_LINES:
        for (size_t i = 0; i < ((struct qsv_spec_texts *)field)->n; i++)
            free(((struct qsv_spec_texts *)field)->v[i]);
        free(((struct qsv_spec_texts *)field)->v);
        break;
    case QSV_KEY_PINS:
        qsv_pins_destroy(s->pins, s->n_pins);
        break;
    default:
        break;
    }
}
