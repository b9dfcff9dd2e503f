#include "jobs/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "jobs/nearest.h"
#include "jobs/spec_keys.h"
#include "jobs/strategy.h"
#include "jobs/yaml.h"

enum { MAX_NAMES = 64 }; /* in one section, and more than there are */

/* Names that may stand in a section (NULL: outside of sections, the sections among them). */
static size_t allowed_names(const char *section, const char **names)
{
    size_t n = 0;
    for (size_t i = 0; i < qsv_n_spec_keys && n < MAX_NAMES; i++) {
        const struct qsv_spec_key *k = &qsv_spec_keys[i];
        if (section ? qsv_spec_key_is_in(k, section) : !strchr(k->name, '.'))
            names[n++] = qsv_spec_key_leaf(k);
    }
    for (size_t i = 0; !section && qsv_spec_sections[i] && n < MAX_NAMES; i++)
        names[n++] = qsv_spec_sections[i];
    return n;
}

/* A key in the wrong place, or written with its section before a dot. */
static const char *misplaced(const char *key)
{
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        if (!strcmp(qsv_spec_keys[i].name, key) ||
            !strcmp(qsv_spec_key_leaf(&qsv_spec_keys[i]), key))
            return qsv_spec_keys[i].name;
    return NULL;
}

static void suggest(struct qsv_strbuf *out, const char *section, const char *key,
                    const char *const *names, size_t n)
{
    const char *nearest = qsv_nearest(key, names, n);
    if (nearest) {
        qsv_strbuf_printf(out, "; did you mean '%s'?", nearest);
        return;
    }
    const char *elsewhere = misplaced(key);
    const char *dot = elsewhere ? strchr(elsewhere, '.') : NULL;
    if (dot)
        qsv_strbuf_printf(out, "; '%s' goes under '%.*s:'", dot + 1, (int)(dot - elsewhere),
                          elsewhere);
    else if (elsewhere && section)
        qsv_strbuf_printf(out, "; '%s' goes at the left margin", elsewhere);
}

static enum qsv_status fail_unknown(const struct qsv_spec *s, const char *section,
                                    const struct qsv_yaml_node *node, struct qsv_error *err)
{
    const char *names[MAX_NAMES] = {NULL};
    size_t n = allowed_names(section, names);
    struct qsv_strbuf rest = {0};
    for (size_t i = 0; i < n; i++)
        qsv_strbuf_printf(&rest, "%s%s", i ? ", " : "", names[i]);
    suggest(&rest, section, node->key, names, n);
    qsv_fail(err, QSV_EINPUT, "%s:%u: unknown key '%.60s'%s%s, allowed are: %s", s->path,
             node->line, node->key, section ? " in " : "", section ? section : "",
             rest.failed ? "" : rest.text);
    qsv_strbuf_fini(&rest);
    return QSV_EINPUT;
}

static enum qsv_status read_key(struct qsv_spec *s, const char *section,
                                const struct qsv_yaml_node *node, struct qsv_error *err)
{
    for (size_t i = 0; i < qsv_n_spec_keys; i++) {
        const struct qsv_spec_key *k = &qsv_spec_keys[i];
        if (section ? !qsv_spec_key_is_in(k, section) : !!strchr(k->name, '.'))
            continue;
        if (strcmp(qsv_spec_key_leaf(k), node->key))
            continue;
        s->lines[i] = node->line;
        return qsv_spec_key_set(s, k, node, err);
    }
    return fail_unknown(s, section, node, err);
}

static enum qsv_status read_section(struct qsv_spec *s, const char *section,
                                    const struct qsv_yaml_node *node, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    if (qsv_yaml_is_null(node)) /* all of it commented out */
        return QSV_OK;
    if (node->kind != QSV_YAML_MAP)
        return qsv_fail(err, QSV_EINPUT, "%s:%u: %s: found %s, expected indented keys below it",
                        s->path, node->line, section, qsv_yaml_describe(node).text);
    for (const struct qsv_yaml_node *n = node->first; n && !st; n = n->next)
        st = read_key(s, section, n, err);
    return st;
}

static enum qsv_status read_root(struct qsv_spec *s, const struct qsv_yaml_node *root,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (const struct qsv_yaml_node *n = root->first; n && !st; n = n->next) {
        size_t i = 0;
        while (qsv_spec_sections[i] && strcmp(qsv_spec_sections[i], n->key))
            i++;
        st = qsv_spec_sections[i] ? read_section(s, qsv_spec_sections[i], n, err)
                                  : read_key(s, NULL, n, err);
    }
    return st;
}

/* Defaults go the way of every other value, so they are checked like them. */
static enum qsv_status set_default(struct qsv_spec *s, const struct qsv_spec_key *k,
                                   struct qsv_error *err)
{
    struct qsv_yaml_node *root;
    struct qsv_strbuf text = {0};
    qsv_strbuf_printf(&text, "%s: %s\n", k->name, k->standard);
    if (text.failed)
        return qsv_fail_memory(err, s->path);
    enum qsv_status st = qsv_yaml_parse(&root, text.text, text.len, k->name, err);
    if (!st)
        st = qsv_spec_key_set(s, k, root->first, err);
    qsv_yaml_destroy(root);
    qsv_strbuf_fini(&text);
    return st;
}

static enum qsv_status check_budget(const struct qsv_spec *s, struct qsv_error *err)
{
    const struct qsv_strategy *strategy = qsv_strategy_find(s->search.strategy);
    if (!s->search.max_image_forwards || !strategy || strategy->keeps_budget)
        return QSV_OK;
    return qsv_spec_fail(s, "search.max_image_forwards", err,
                         "found %" PRIu64 ", expected 0: strategy '%s' keeps no budget",
                         s->search.max_image_forwards, s->search.strategy);
}

static enum qsv_status check_given(const struct qsv_spec *s, struct qsv_error *err)
{
    const bool given = !strcmp(s->search.strategy, "given");
    if (given && !s->search.setting)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: search.setting is missing, expected the path of a setting file: "
                        "strategy 'given' measures it",
                        s->path);
    if (!given && s->search.setting)
        return qsv_spec_fail(s, "search.setting", err,
                             "found '%.100s', expected none: strategy '%s' looks for one itself",
                             s->search.setting, s->search.strategy);
    return QSV_OK;
}

static enum qsv_status fill_in(struct qsv_spec *s, struct qsv_error *err)
{
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        if (s->lines[i] && qsv_spec_key_is_in(&qsv_spec_keys[i], "calibration"))
            s->has_calibration = true;
    for (size_t i = 0; i < qsv_n_spec_keys; i++) {
        const struct qsv_spec_key *k = &qsv_spec_keys[i];
        enum qsv_status st = QSV_OK;
        if (s->lines[i])
            continue;
        if (k->required && (s->has_calibration || !qsv_spec_key_is_in(k, "calibration")))
            st = qsv_fail(err, QSV_EINPUT, "%s: %s is missing, expected %s: %s", s->path, k->name,
                          qsv_spec_key_allowed(k).text, k->help);
        else if (k->standard)
            st = set_default(s, k, err);
        if (st)
            return st;
    }
    if (isnan(s->constraint.max_top1_drop) && !s->constraint.max_bytes &&
        isnan(s->constraint.target_avg_bits) && isnan(s->constraint.max_energy_pj))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: nothing is under 'constraint:', expected max_top1_drop, max_bytes, "
                        "target_avg_bits or max_energy_pj",
                        s->path);
    enum qsv_status st = check_given(s, err);
    return st ? st : check_budget(s, err);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return qsv_strdup("");
    return qsv_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static enum qsv_status begin(struct qsv_spec *s, const char *text, size_t bytes, const char *path,
                             const char *folder, struct qsv_error *err)
{
    s->path = qsv_strdup(path);
    s->folder = folder ? qsv_strdup(folder) : folder_of(path);
    s->text = qsv_alloc(bytes + 1, 1);
    s->lines = qsv_alloc(qsv_n_spec_keys, sizeof *s->lines);
    if (!s->path || !s->folder || !s->text || !s->lines)
        return qsv_fail_memory(err, path);
    memcpy(s->text, text, bytes);
    s->text_bytes = bytes;
    s->constraint.max_top1_drop = NAN;
    s->constraint.target_avg_bits = NAN;
    s->constraint.max_energy_pj = NAN;
    s->energy = qsv_energy_default;
    return QSV_OK;
}

static enum qsv_status parse(struct qsv_spec **out, const char *text, size_t bytes,
                             const char *path, const char *folder, struct qsv_error *err)
{
    struct qsv_yaml_node *root;
    *out = NULL;
    enum qsv_status st = qsv_yaml_parse(&root, text, bytes, path, err);
    if (st)
        return st;
    struct qsv_spec *s = qsv_alloc(1, sizeof *s);
    st = s ? begin(s, text, bytes, path, folder, err) : qsv_fail_memory(err, path);
    if (!st)
        st = read_root(s, root, err);
    if (!st)
        st = fill_in(s, err);
    qsv_yaml_destroy(root);
    if (st)
        qsv_spec_destroy(s);
    else
        *out = s;
    return st;
}

enum qsv_status qsv_spec_parse(struct qsv_spec **out, const char *text, size_t bytes,
                               const char *path, struct qsv_error *err)
{
    return parse(out, text, bytes, path, NULL, err);
}

enum qsv_status qsv_spec_read_from(struct qsv_spec **out, const char *path, const char *folder,
                                   struct qsv_error *err)
{
    uint8_t *text;
    size_t bytes;
    *out = NULL;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: there is no such spec; qsvit init writes one to begin with", path);
    enum qsv_status st = qsv_file_read(&text, &bytes, path, QSV_YAML_MAX_BYTES, err);
    if (st)
        return st;
    st = parse(out, (const char *)text, bytes, path, folder, err);
    free(text);
    return st;
}

enum qsv_status qsv_spec_read(struct qsv_spec **out, const char *path, struct qsv_error *err)
{
    return qsv_spec_read_from(out, path, NULL, err);
}

void qsv_spec_destroy(struct qsv_spec *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        qsv_spec_key_clear(s, &qsv_spec_keys[i]);
    free(s->lines);
    free(s->path);
    free(s->folder);
    free(s->text);
    free(s);
}

enum qsv_status qsv_spec_fail(const struct qsv_spec *s, const char *key, struct qsv_error *err,
                              const char *format, ...)
{
    char text[QSV_ERROR_TEXT], place[32] = "";
    const struct qsv_spec_key *k = qsv_spec_key_find(key);
    unsigned line = k && s->lines ? s->lines[k - qsv_spec_keys] : 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (line)
        snprintf(place, sizeof place, ":%u", line);
    return qsv_fail(err, QSV_EINPUT, "%s%s: %s: %s", s->path, place, key, text);
}

uint32_t qsv_spec_cores(const struct qsv_spec *s)
{
    uint32_t aside = s->scheduler.threads_per_rank;
    return aside > s->threads ? aside : s->threads;
}

const char *qsv_granularity_name(enum qsv_granularity g)
{
    return qsv_spec_key_find("search.granularity")->choices[g];
}
