#include "jobs/setting.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "jobs/nearest.h"
#include "jobs/utf8.h"
#include "jobs/yaml.h"

uint64_t qsv_setting_id(const uint8_t *formats, uint32_t n_layers)
{
    /* XXH3 takes the length in, so the count needs no place of its own. */
    uint64_t id = qsv_hash_bytes(formats, n_layers);
    return id ? id : 1;
}

static enum qsv_status fail_key(const struct qsv_yaml_node *node, const char *path,
                                struct qsv_error *err)
{
    static const char *const keys[] = {"default", "layers"};
    const char *nearest = qsv_nearest(node->key, keys, 2);
    return qsv_fail(err, QSV_EINPUT,
                    "%s:%u: unknown key '%.60s', allowed are: default, layers%s%s%s", path,
                    node->line, node->key, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
}

/* Patterns go over the default wherever it stands in the file. */
static enum qsv_status read_root(const struct qsv_yaml_node *root, const char *path,
                                 const struct qsv_graph *graph, uint8_t *formats,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    enum qsv_format other = QSV_F32;
    struct qsv_pin *pins = NULL;
    size_t n_pins = 0;
    for (const struct qsv_yaml_node *n = root->first; n && !st; n = n->next) {
        if (!strcmp(n->key, "default"))
            st = qsv_format_read(&other, n, "default", path, err);
        else if (!strcmp(n->key, "layers"))
            st = qsv_pins_read(&pins, &n_pins, n, "layers", path, err);
        else
            st = fail_key(n, path, err);
    }
    if (!st) {
        memset(formats, other, graph->n_layers);
        st = qsv_pins_apply(pins, n_pins, graph, path, formats, err);
    }
    qsv_pins_destroy(pins, n_pins);
    return st;
}

enum qsv_status qsv_setting_parse(const char *text, size_t bytes, const char *path,
                                  const struct qsv_graph *graph, uint8_t *formats,
                                  struct qsv_error *err)
{
    struct qsv_yaml_node *root;
    enum qsv_status st = qsv_yaml_parse(&root, text, bytes, path, err);
    if (st)
        return st;
    st = read_root(root, path, graph, formats, err);
    qsv_yaml_destroy(root);
    return st;
}

enum qsv_status qsv_setting_read(const char *path, const struct qsv_graph *graph, uint8_t *formats,
                                 struct qsv_error *err)
{
    uint8_t *text;
    size_t bytes;
    enum qsv_status st = qsv_file_read(&text, &bytes, path, QSV_YAML_MAX_BYTES, err);
    if (st)
        return st;
    st = qsv_setting_parse((const char *)text, bytes, path, graph, formats, err);
    free(text);
    return st;
}

static void print_comment(struct qsv_strbuf *out, const char *comment)
{
    bool line_begins = true;
    for (const char *c = comment; *c; c++) {
        if (line_begins)
            qsv_strbuf_puts(out, "# ");
        bool printable = *c == '\n' || (*c >= 0x20 && *c < 0x7f);
        qsv_strbuf_add(out, printable ? c : "?", 1);
        line_begins = *c == '\n';
    }
    if (!line_begins)
        qsv_strbuf_puts(out, "\n");
}

/* Needs no quotes in YAML and no escapes in a pattern. */
static bool is_plain(const char *name)
{
    return isalnum((unsigned char)*name) &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

/* The pattern that matches just this name, in YAML's double quotes: names come from checkpoints and
 * may hold anything. */
static void print_quoted(struct qsv_strbuf *out, const char *name)
{
    size_t left = strlen(name), n;
    qsv_strbuf_puts(out, "\"");
    for (; left; name += n, left -= n) {
        uint32_t c;
        n = qsv_utf8_decode(name, left, &c);
        if (n == 0) { /* YAML can't hold it: any character */
            qsv_strbuf_puts(out, "?");
            n = 1;
        } else if (c < 0x80 && strchr("*?[]\\", (int)c))
            qsv_strbuf_printf(out, "\\\\%s%c", c == '\\' ? "\\" : "", (char)c);
        else if (c == '"')
            qsv_strbuf_puts(out, "\\\"");
        else if (c >= 0x20 && c < 0x7f)
            qsv_strbuf_printf(out, "%c", (char)c);
        else
            qsv_strbuf_printf(out, "\\U%08X", c);
    }
    qsv_strbuf_puts(out, "\"");
}

static uint8_t most_frequent(const uint8_t *formats, size_t n)
{
    size_t count[QSV_N_FORMATS] = {0};
    uint8_t best = QSV_F32;
    for (size_t i = 0; i < n; i++)
        count[formats[i]]++;
    for (uint8_t f = 0; f < QSV_N_FORMATS; f++)
        if (count[f] > count[best])
            best = f;
    return best;
}

void qsv_setting_print(struct qsv_strbuf *out, const uint8_t *formats,
                       const struct qsv_graph *graph, const char *comment)
{
    uint8_t other = most_frequent(formats, graph->n_layers);
    bool headed = false;
    if (comment)
        print_comment(out, comment);
    qsv_strbuf_printf(out, "default: %s\n", qsv_format_info(other)->name);
    for (size_t i = 0; i < graph->n_layers; i++) {
        if (formats[i] == other)
            continue;
        if (!headed)
            qsv_strbuf_puts(out, "layers:\n");
        headed = true;
        qsv_strbuf_puts(out, "  ");
        if (is_plain(graph->layers[i].name))
            qsv_strbuf_puts(out, graph->layers[i].name);
        else
            print_quoted(out, graph->layers[i].name);
        qsv_strbuf_printf(out, ": %s\n", qsv_format_info(formats[i])->name);
    }
}
