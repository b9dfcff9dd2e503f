#include "jobs/spec_variant.h"

#include <string.h>

#include "jobs/utf8.h"
#include "jobs/yaml.h"

static void print_quoted(struct qsv_strbuf *out, const char *text)
{
    size_t left = strlen(text), n;
    uint32_t c;
    qsv_strbuf_puts(out, "\"");
    for (; left && (n = qsv_utf8_decode(text, left, &c)) > 0; text += n, left -= n) {
        if (c == '"' || c == '\\')
            qsv_strbuf_printf(out, "\\%c", (int)c);
        else if (c >= 0x20 && c < 0x7f)
            qsv_strbuf_printf(out, "%c", (int)c);
        else
            qsv_strbuf_printf(out, "\\U%08x", (unsigned)c);
    }
    qsv_strbuf_puts(out, "\"");
}

/* Whether a text that was plain would be read as another where it is printed plain: one over
 * several lines (Unicode's breaks count), or one that could only stand between brackets. */
static bool needs_quotes(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c == '\n' || *c & 0x80)
            return true;
    return *text && strchr("-?:", *text) && (!text[1] || text[1] == ' ' || text[1] == '\t');
}

static void print_scalar(struct qsv_strbuf *out, const struct qsv_yaml_node *node)
{
    if (node->quoted || needs_quotes(node->text))
        print_quoted(out, node->text);
    else
        qsv_strbuf_puts(out, node->text);
}

static void print_children(struct qsv_strbuf *out, const struct qsv_yaml_node *node, int depth);

/* What stands behind "key:" or "-", and the end of the line. */
static void print_value(struct qsv_strbuf *out, const struct qsv_yaml_node *node, int depth)
{
    if (node->kind == QSV_YAML_SCALAR) {
        qsv_strbuf_puts(out, " ");
        print_scalar(out, node);
        qsv_strbuf_puts(out, "\n");
    } else if (!node->first) {
        qsv_strbuf_puts(out, node->kind == QSV_YAML_MAP ? " {}\n" : " []\n");
    } else {
        qsv_strbuf_puts(out, "\n");
        print_children(out, node, depth + 1);
    }
}

static void print_key(struct qsv_strbuf *out, const char *key)
{
    const char word[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    if (*key && !key[strspn(key, word)])
        qsv_strbuf_puts(out, key);
    else
        print_quoted(out, key);
}

static void print_node(struct qsv_strbuf *out, const struct qsv_yaml_node *node, int depth)
{
    qsv_strbuf_printf(out, "%*s", 2 * depth, "");
    if (node->key)
        print_key(out, node->key);
    qsv_strbuf_puts(out, node->key ? ":" : "-");
    print_value(out, node, depth);
}

static void print_children(struct qsv_strbuf *out, const struct qsv_yaml_node *node, int depth)
{
    for (const struct qsv_yaml_node *n = node->first; n; n = n->next)
        print_node(out, n, depth);
}

static bool is_changed(const struct qsv_spec_change *changes, size_t n, const char *section,
                       const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(changes[i].section, section) && (!key || !strcmp(changes[i].key, key)))
            return true;
    return false;
}

static void print_section(struct qsv_strbuf *out, const struct qsv_yaml_node *section,
                          const char *name, const struct qsv_spec_change *changes, size_t n)
{
    qsv_strbuf_printf(out, "%s:\n", name);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(changes[i].section, name))
            qsv_strbuf_printf(out, "  %s: %s\n", changes[i].key, changes[i].value);
    for (const struct qsv_yaml_node *k = section ? section->first : NULL; k; k = k->next)
        if (!is_changed(changes, n, name, k->key))
            print_node(out, k, 1);
}

static const struct qsv_yaml_node *find(const struct qsv_yaml_node *map, const char *key)
{
    const struct qsv_yaml_node *n = map->first;
    while (n && strcmp(n->key, key) != 0)
        n = n->next;
    return n;
}

/* Sections that the spec does not have follow at the end, once each. */
static void print_spec(struct qsv_strbuf *out, const struct qsv_yaml_node *root,
                       const struct qsv_spec_change *changes, size_t n)
{
    for (const struct qsv_yaml_node *k = root->first; k; k = k->next)
        if (is_changed(changes, n, k->key, NULL))
            print_section(out, k, k->key, changes, n);
        else
            print_node(out, k, 0);
    for (size_t i = 0; i < n; i++)
        if (!find(root, changes[i].section) && !is_changed(changes, i, changes[i].section, NULL))
            print_section(out, NULL, changes[i].section, changes, n);
}

enum qsv_status qsv_spec_vary(struct qsv_strbuf *out, const struct qsv_spec *s,
                              const struct qsv_spec_change *changes, size_t n,
                              struct qsv_error *err)
{
    struct qsv_yaml_node *root;
    enum qsv_status st = qsv_yaml_parse(&root, s->text, s->text_bytes, s->path, err);
    if (st)
        return st;
    print_spec(out, root, changes, n);
    qsv_yaml_destroy(root);
    return out->failed ? qsv_fail_memory(err, s->path) : QSV_OK;
}
