#include "jobs/pins.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/nearest.h"
#include "jobs/yaml.h"

static enum qsv_status fail_unmatched(const struct qsv_pin *pin, const struct qsv_graph *graph,
                                      const char *path, struct qsv_error *err)
{
    const char *nearest = NULL, **names = qsv_alloc(graph->n_layers, sizeof *names);
    for (size_t i = 0; names && i < graph->n_layers; i++)
        names[i] = graph->layers[i].name;
    if (names)
        nearest = qsv_nearest(pin->pattern, names, graph->n_layers);
    free(names);
    qsv_fail(err, QSV_EINPUT,
             "'%.200s' matches no layer, expected a pattern of one of %zu layers%s%s%s",
             pin->pattern, graph->n_layers, nearest ? "; did you mean '" : "",
             nearest ? nearest : "", nearest ? "'?" : "");
    return pin->line ? qsv_fail_in(err, QSV_EINPUT, "%s:%u", path, pin->line)
                     : qsv_fail_in(err, QSV_EINPUT, "%s", path);
}

enum qsv_status qsv_pins_apply(const struct qsv_pin *pins, size_t n_pins,
                               const struct qsv_graph *graph, const char *path, uint8_t *formats,
                               struct qsv_error *err)
{
    for (size_t p = 0; p < n_pins; p++) {
        bool matched = false;
        for (size_t i = 0; i < graph->n_layers; i++) {
            if (fnmatch(pins[p].pattern, graph->layers[i].name, 0))
                continue;
            formats[i] = (uint8_t)pins[p].format;
            matched = true;
        }
        if (!matched)
            return fail_unmatched(&pins[p], graph, path, err);
    }
    return QSV_OK;
}

enum qsv_status qsv_format_read(enum qsv_format *out, const struct qsv_yaml_node *node,
                                const char *name, const char *path, struct qsv_error *err)
{
    if (node->kind == QSV_YAML_SCALAR && qsv_format_find(out, node->text))
        return QSV_OK;
    struct qsv_suggestion near = {""};
    if (node->kind == QSV_YAML_SCALAR)
        near = qsv_suggest(node->text, qsv_format_names());
    return qsv_fail(err, QSV_EINPUT, "%s:%u: %.200s: found %s, expected a format: %s%s", path,
                    node->line, name, qsv_yaml_describe(node).text, qsv_format_names(), near.text);
}

enum qsv_status qsv_pins_read(struct qsv_pin **pins, size_t *n_pins,
                              const struct qsv_yaml_node *node, const char *name, const char *path,
                              struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    size_t n = 0, capacity = 0;
    struct qsv_pin *list = NULL;
    *pins = NULL;
    *n_pins = 0;
    if (qsv_yaml_is_null(node))
        return QSV_OK;
    if (node->kind != QSV_YAML_MAP)
        return qsv_fail(err, QSV_EINPUT,
                        "%s:%u: %s: found %s, expected a map of layer name patterns to formats",
                        path, node->line, name, qsv_yaml_describe(node).text);
    for (const struct qsv_yaml_node *c = node->first; c && !st; c = c->next) {
        if (!qsv_grow(&list, &capacity, n + 1, sizeof *list) ||
            !(list[n].pattern = qsv_strdup(c->key))) {
            st = qsv_fail_memory(err, path);
            break;
        }
        list[n].line = c->line;
        st = qsv_format_read(&list[n].format, c, c->key, path, err);
        n++;
    }
    if (st) {
        qsv_pins_destroy(list, n);
        return st;
    }
    *pins = list;
    *n_pins = n;
    return QSV_OK;
}

void qsv_pins_destroy(struct qsv_pin *pins, size_t n_pins)
{
    for (size_t i = 0; i < n_pins; i++)
        free(pins[i].pattern);
    free(pins);
}
