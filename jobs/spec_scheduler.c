/* Values of the scheduler's keys. They end in a batch script, so that what could mean anything
 * there but itself is refused here, with its line.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/spec_keys.h"
#include "jobs/yaml.h"

static bool is_word(const char *text)
{
    const char *c = text;
    while (*c > ' ' && *c < 0x7f && !strchr("\"'\\#", *c))
        c++;
    return *text && !*c;
}

static bool is_size(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;
    return digits > 0 && digits < 16 && (!*unit || (strchr("KMGT", *unit) && !unit[1]));
}

static enum qsv_status set_word(struct qsv_spec *s, const struct qsv_spec_key *k,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    bool (*holds)(const char *) = k->type == QSV_KEY_SIZE ? is_size : is_word;
    if (node->kind != QSV_YAML_SCALAR || qsv_yaml_is_null(node) || !holds(node->text))
        return qsv_spec_key_fail(s, k, node, err);
    char *text = qsv_strdup(node->text);
    if (!text)
        return qsv_fail_memory(err, s->path);
    *(char **)((char *)s + k->offset) = text;
    return QSV_OK;
}

/* Slurm's forms: M, M:S, H:M:S, D-H, D-H:M and D-H:M:S. */
static bool parse_time(const char *text, uint64_t *seconds)
{
    static const uint64_t unit_s[2][3] = {{3600, 60, 1}, {60, 1, 0}}, day_s = 86400;
    uint64_t parts[3], sum_s = 0;
    size_t n = 0;
    char *end;
    bool days = strchr(text, '-') != NULL;
    for (bool first = days;; first = false, text = end + 1) {
        uint64_t v = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || end - text > 9)
            return false;
        if (first && *end == '-')
            sum_s = v * day_s;
        else if (n < 3)
            parts[n++] = v;
        if (!*end)
            break;
        if (*end != (first ? '-' : ':') || n == 3)
            return false;
    }
    const uint64_t *units = unit_s[!days && n < 3];
    for (size_t i = 0; i < n; i++)
        sum_s += parts[i] * units[i];
    *seconds = sum_s;
    return n > 0 && sum_s > 0 && sum_s <= 3650 * day_s;
}

static enum qsv_status set_time(struct qsv_spec *s, const struct qsv_spec_key *k,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    uint64_t seconds;
    if (node->kind != QSV_YAML_SCALAR || !parse_time(node->text, &seconds))
        return qsv_spec_key_fail(s, k, node, err);
    *(uint64_t *)((char *)s + k->offset) = seconds;
    return QSV_OK;
}

static bool is_option(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c >= ' ' && *c != 0x7f)
        c++;
    return *text == '-' && !*c;
}

static enum qsv_status add_text(struct qsv_spec *s, const struct qsv_spec_key *k,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    struct qsv_spec_texts *list = (struct qsv_spec_texts *)((char *)s + k->offset);
    bool ok = node->kind == QSV_YAML_SCALAR && !qsv_yaml_is_null(node);
    if (!ok || (k->type == QSV_KEY_OPTIONS && !is_option(node->text)))
        return qsv_spec_key_fail(s, k, node, err);
    list->v[list->n] = qsv_strdup(node->text);
    if (!list->v[list->n])
        return qsv_fail_memory(err, s->path);
    list->n++;
    return QSV_OK;
}

/* An empty list is a list, too: it is what stands for none. */
static enum qsv_status set_texts(struct qsv_spec *s, const struct qsv_spec_key *k,
                                 const struct qsv_yaml_node *node, struct qsv_error *err)
{
    struct qsv_spec_texts *list = (struct qsv_spec_texts *)((char *)s + k->offset);
    enum qsv_status st = QSV_OK;
    size_t n = 0;
    if (node->kind != QSV_YAML_LIST)
        return qsv_spec_key_fail(s, k, node, err);
    for (const struct qsv_yaml_node *c = node->first; c; c = c->next)
        n++;
    list->v = qsv_alloc(n + 1, sizeof *list->v);
    if (!list->v)
        return qsv_fail_memory(err, s->path);
    for (const struct qsv_yaml_node *c = node->first; c && !st; c = c->next)
        st = add_text(s, k, c, err);
    return st;
}

enum qsv_status qsv_spec_scheduler_set(struct qsv_spec *s, const struct qsv_spec_key *k,
                                       const struct qsv_yaml_node *node, struct qsv_error *err)
{
    switch (k->type) {
    case QSV_KEY_WORD:
    case QSV_KEY_SIZE:
        return set_word(s, k, node, err);
    case QSV_KEY_TIME:
        return set_time(s, k, node, err);
    default:
        return set_texts(s, k, node, err);
    }
}
