#include "jobs/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/base/alloc.h"
#include "jobs/utf8.h"

struct builder {
    yaml_parser_t parser;
    const char *path;
    struct qsv_error *err;
    struct qsv_yaml_node *root, *open[QSV_YAML_MAX_DEPTH];
    size_t depth, n_nodes;
    char *key; /* read, its value is still to come */
    unsigned key_line;
    bool ended;
};

/* What YAML 1.1 calls printable, but for the byte order mark that a file may only begin with. */
static bool is_allowed(uint32_t c)
{
    if (c < 0xa0)
        return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0x7f) || c == 0x85;
    return c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* libyaml gives no line for these. */
static enum qsv_status check_characters(const char *text, size_t bytes, const char *path,
                                        struct qsv_error *err)
{
    unsigned line = 1;
    for (size_t at = 0; at < bytes;) {
        uint32_t c;
        size_t n = qsv_utf8_decode(text + at, bytes - at, &c);
        if (n == 0)
            return qsv_fail(err, QSV_EINPUT, "%s:%u: byte 0x%02x is not valid UTF-8, expected text",
                            path, line, (unsigned char)text[at]);
        if (!is_allowed(c))
            return qsv_fail(err, QSV_EINPUT,
                            "%s:%u: character U+%04X is not allowed, expected printable text", path,
                            line, c);
        line += c == '\n';
        at += n;
    }
    return QSV_OK;
}

static unsigned line_of(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

static enum qsv_status fail_parser(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return qsv_fail_memory(b->err, b->path);
    const char *context = p->context ? p->context : "";
    /* Patterns like *.attn are what people mean. */
    const char *hint = strstr(context, "alias") ? "; put text that begins with * in quotes" : "";
    return qsv_fail(b->err, QSV_EINPUT, "%s:%u: not valid YAML: %s%s%s%s", b->path,
                    line_of(p->problem_mark), p->problem ? p->problem : "unknown problem",
                    *context ? " " : "", context, hint);
}

static struct qsv_yaml_node *top(const struct builder *b)
{
    return b->depth ? b->open[b->depth - 1] : NULL;
}

static void append(struct qsv_yaml_node *parent, struct qsv_yaml_node *node)
{
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
}

/* Makes the node and hangs it where it belongs, under the key that was read. */
static enum qsv_status add_node(struct builder *b, enum qsv_yaml_kind kind, unsigned line,
                                struct qsv_yaml_node **out)
{
    if (++b->n_nodes > QSV_YAML_MAX_NODES)
        return qsv_fail(b->err, QSV_EINPUT, "%s:%u: too many values, at most %d are allowed",
                        b->path, line, QSV_YAML_MAX_NODES);
    if (!b->depth && kind != QSV_YAML_MAP)
        return qsv_fail(b->err, QSV_EINPUT,
                        "%s:%u: found %s, expected a map (lines of 'key: value')", b->path, line,
                        kind == QSV_YAML_LIST ? "a list" : "a single value");
    struct qsv_yaml_node *node = qsv_alloc(1, sizeof *node);
    if (!node)
        return qsv_fail_memory(b->err, b->path);
    node->kind = kind;
    node->line = b->key ? b->key_line : line;
    node->key = b->key;
    b->key = NULL;
    if (b->depth)
        append(top(b), node);
    else
        b->root = node;
    *out = node;
    return QSV_OK;
}

static enum qsv_status copy_scalar(struct builder *b, const yaml_event_t *e, char **out)
{
    const char *value = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (memchr(value, 0, n))
        return qsv_fail(b->err, QSV_EINPUT, "%s:%u: text with a NUL character, expected text",
                        b->path, line_of(e->start_mark));
    *out = qsv_strndup(value, n);
    return *out ? QSV_OK : qsv_fail_memory(b->err, b->path);
}

static bool wants_key(const struct builder *b)
{
    return b->depth && top(b)->kind == QSV_YAML_MAP && !b->key;
}

static enum qsv_status take_key(struct builder *b, const yaml_event_t *e)
{
    enum qsv_status st = copy_scalar(b, e, &b->key);
    if (st)
        return st;
    b->key_line = line_of(e->start_mark);
    for (const struct qsv_yaml_node *n = top(b)->first; n; n = n->next)
        if (!strcmp(n->key, b->key))
            return qsv_fail(b->err, QSV_EINPUT,
                            "%s:%u: key '%.60s' is given twice, first in line %u", b->path,
                            b->key_line, b->key, n->line);
    return QSV_OK;
}

static enum qsv_status on_scalar(struct builder *b, const yaml_event_t *e)
{
    if (wants_key(b))
        return take_key(b, e);
    struct qsv_yaml_node *node;
    enum qsv_status st = add_node(b, QSV_YAML_SCALAR, line_of(e->start_mark), &node);
    if (st)
        return st;
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return copy_scalar(b, e, &node->text);
}

static enum qsv_status on_start(struct builder *b, const yaml_event_t *e, enum qsv_yaml_kind kind)
{
    unsigned line = line_of(e->start_mark);
    if (wants_key(b))
        return qsv_fail(b->err, QSV_EINPUT, "%s:%u: found a %s as a key, expected text", b->path,
                        line, kind == QSV_YAML_MAP ? "map" : "list");
    if (b->depth == QSV_YAML_MAX_DEPTH)
        return qsv_fail(b->err, QSV_EINPUT, "%s:%u: nested deeper than %d levels", b->path, line,
                        QSV_YAML_MAX_DEPTH);
    struct qsv_yaml_node *node;
    enum qsv_status st = add_node(b, kind, line, &node);
    if (!st)
        b->open[b->depth++] = node;
    return st;
}

static enum qsv_status refuse(struct builder *b, const yaml_event_t *e, const char *what)
{
    return qsv_fail(b->err, QSV_EINPUT, "%s:%u: %s, expected plain keys and values", b->path,
                    line_of(e->start_mark), what);
}

/* Anchors and tags, wherever they stand. */
static enum qsv_status check_properties(struct builder *b, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor)
        return refuse(b, e, "anchors (&name) are not supported");
    return tag ? refuse(b, e, "tags (!name) are not supported") : QSV_OK;
}

static enum qsv_status on_event(struct builder *b, const yaml_event_t *e)
{
    enum qsv_status st = check_properties(b, e);
    if (st)
        return st;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->root ? refuse(b, e, "a second document begins") : QSV_OK;
    case YAML_ALIAS_EVENT:
        return refuse(b, e,
                      "aliases (*name) are not supported; put text that begins with * in quotes");
    case YAML_SCALAR_EVENT:
        return on_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(b, e, QSV_YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_start(b, e, QSV_YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return QSV_OK;
    case YAML_STREAM_END_EVENT:
        b->ended = true;
        return QSV_OK;
    default:
        return QSV_OK;
    }
}

static enum qsv_status build(struct builder *b)
{
    while (!b->ended) {
        yaml_event_t e;
        if (!yaml_parser_parse(&b->parser, &e))
            return fail_parser(b);
        enum qsv_status st = on_event(b, &e);
        yaml_event_delete(&e);
        if (st)
            return st;
    }
    if (!b->root)
        return qsv_fail(b->err, QSV_EINPUT, "%s: is empty, expected lines of 'key: value'",
                        b->path);
    return QSV_OK;
}

enum qsv_status qsv_yaml_parse(struct qsv_yaml_node **out, const char *text, size_t bytes,
                               const char *path, struct qsv_error *err)
{
    *out = NULL;
    if (bytes > QSV_YAML_MAX_BYTES)
        return qsv_fail(err, QSV_EINPUT, "%s: has %zu bytes, at most %d are allowed", path, bytes,
                        QSV_YAML_MAX_BYTES);
    if (bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* byte order mark */
        text += 3;
        bytes -= 3;
    }
    enum qsv_status st = check_characters(text, bytes, path, err);
    if (st)
        return st;
    struct builder b = {.path = path, .err = err};
    if (!yaml_parser_initialize(&b.parser))
        return qsv_fail_memory(err, path);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const yaml_char_t *)text, bytes);
    st = build(&b);
    yaml_parser_delete(&b.parser);
    free(b.key);
    if (st)
        qsv_yaml_destroy(b.root);
    else
        *out = b.root;
    return st;
}

void qsv_yaml_destroy(struct qsv_yaml_node *root)
{
    while (root) {
        struct qsv_yaml_node *next = root->next;
        qsv_yaml_destroy(root->first); /* at most QSV_YAML_MAX_DEPTH deep */
        free(root->key);
        free(root->text);
        free(root);
        root = next;
    }
}

bool qsv_yaml_is_null(const struct qsv_yaml_node *node)
{
    return node->kind == QSV_YAML_SCALAR && !node->quoted &&
           (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

struct qsv_yaml_found qsv_yaml_describe(const struct qsv_yaml_node *node)
{
    struct qsv_yaml_found f = {"nothing"};
    if (node->kind != QSV_YAML_SCALAR)
        snprintf(f.text, sizeof f.text, "%s", node->kind == QSV_YAML_MAP ? "a map" : "a list");
    else if (!qsv_yaml_is_null(node)) {
        size_t shown = 0, all = strlen(node->text), n;
        uint32_t c;
        while (shown < 60 && (n = qsv_utf8_decode(node->text + shown, all - shown, &c)))
            shown += n;
        snprintf(f.text, sizeof f.text, "%s'%.*s'%s", node->quoted ? "the text " : "", (int)shown,
                 node->text, shown < all ? "..." : "");
    }
    return f;
}
