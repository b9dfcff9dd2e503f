/* The YAML reader: what it refuses, with the line; what tree it gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "jobs/yaml.h"

static enum qsv_status parse(struct qsv_yaml_node **out, const char *text, struct qsv_error *err)
{
    return qsv_yaml_parse(out, text, strlen(text), "x.yaml", err);
}

static void assert_refused(const char *text, size_t bytes, const char *says)
{
    struct qsv_yaml_node *root;
    struct qsv_error err;
    assert_int_equal(qsv_yaml_parse(&root, text, bytes, "x.yaml", &err), QSV_EINPUT);
    assert_null(root);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "x.yaml: is empty, expected lines of 'key: value'"},
        {"# only a comment\n", "x.yaml: is empty"},
        {"---\n...\n", "x.yaml:2: found a single value, expected a map"},
        {"hello\n", "x.yaml:1: found a single value, expected a map"},
        {"\n- a\n- b\n", "x.yaml:2: found a list, expected a map"},
        {"a: 1\nb: 2\na: 3\n", "x.yaml:3: key 'a' is given twice, first in line 1"},
        {"m:\n  a: 1\n  'a': 2\n", "x.yaml:3: key 'a' is given twice, first in line 2"},
        {"a: &x 1\n", "x.yaml:1: anchors (&name) are not supported"},
        {"a: 1\nb: &x {c: 1}\n", "x.yaml:2: anchors"},
        {"a: 1\nb: &x [1]\n", "x.yaml:2: anchors"},
        {"&x a: 1\n", "x.yaml:1: anchors"},
        {"a: 1\nb: *x\n",
         "x.yaml:2: aliases (*name) are not supported; put text that begins with * in quotes"},
        {"layers:\n  *attn: int4\n", "x.yaml:2: aliases"},
        {"layers:\n  *.attn: int4\n",
         "while scanning an alias; put text that begins with * in quotes"},
        {"a: !!int 1\n", "x.yaml:1: tags (!name) are not supported"},
        {"a: !!python/object:os.system [x]\n", "x.yaml:1: tags"},
        {"a: 1\n---\nb: 2\n", "x.yaml:2: a second document begins"},
        {"a: 1\n? [1, 2]\n: 3\n", "x.yaml:2: found a list as a key, expected text"},
        {"a: 1\n? {b: c}\n: 3\n", "x.yaml:2: found a map as a key, expected text"},
        {"a: 1\nb: \"no end\n", "x.yaml:3: not valid YAML: found unexpected end of stream"},
        {"a: 1\n\tb: 2\n", "x.yaml:2: not valid YAML: found a tab character"},
        {"a: 1\nb\nc: 2\n", "x.yaml:3: not valid YAML: could not find expected ':'"},
        {"a: [1, 2\n", "x.yaml:2: not valid YAML: did not find expected ',' or ']'"},
        {"a: 1\n  b: 2\n", "x.yaml:2: not valid YAML: mapping values are not allowed"},
        {"%YAML 3.0\n---\na: 1\n", "x.yaml:1: not valid YAML: found incompatible YAML document"},
        {"a: 1\nb: \xff\n", "x.yaml:2: byte 0xff is not valid UTF-8"},
        {"a: 1\n\nb: \xc3", "x.yaml:3: byte 0xc3 is not valid UTF-8"},
        {"a: \xc0\xaf\n", "x.yaml:1: byte 0xc0 is not valid UTF-8"},     /* overlong */
        {"a: \xed\xa0\x80\n", "x.yaml:1: byte 0xed is not valid UTF-8"}, /* surrogate */
        {"a: \xf4\x90\x80\x80\n", "x.yaml:1: byte 0xf4 is not valid UTF-8"},
        {"\xff\xfe"
         "a",
         "x.yaml:1: byte 0xff is not valid UTF-8"}, /* UTF-16 */
        {"a: 1\nb: \x01\n", "x.yaml:2: character U+0001 is not allowed"},
        {"a: \xef\xbb\xbf\n", "x.yaml:1: character U+FEFF is not allowed"},
        {"a: 1\nb: \"x\\0y\"\n", "x.yaml:2: text with a NUL character"},
        {"a: 1\n\"x\\0y\": b\n", "x.yaml:2: text with a NUL character"},
        {"{{{{{{{{{{{{{{{{{", "x.yaml:1: found a map as a key"},
        {"a: [[[[[[[[[[[[[[[[[[", "x.yaml:1: nested deeper than 16 levels"},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1",
         "x.yaml:1: nested deeper than 16 levels"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].text, strlen(rows[i].text), rows[i].says);
    assert_refused("a: 1\nb: \0\n", 10, "x.yaml:2: character U+0000 is not allowed");
}

static void repeat(struct qsv_strbuf *b, const char *text, size_t bytes)
{
    while (b->len < bytes)
        qsv_strbuf_puts(b, text);
}

static void test_large_files(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    repeat(&b, "#\n", QSV_YAML_MAX_BYTES + 1);
    assert_refused(b.text, b.len, "x.yaml: has 1048578 bytes, at most 1048576 are allowed");
    qsv_strbuf_fini(&b);

    qsv_strbuf_puts(&b, "a: [");
    repeat(&b, "1,", 4 + 2 * QSV_YAML_MAX_NODES);
    assert_refused(b.text, b.len, "x.yaml:1: too many values, at most 10000 are allowed");
    qsv_strbuf_fini(&b);

    for (int i = 0; i < QSV_YAML_MAX_NODES; i++)
        qsv_strbuf_printf(&b, "k%d: 1\n", i);
    assert_refused(b.text, b.len, "x.yaml:10000: too many values");
    qsv_strbuf_fini(&b);
}

/* A file at the limits must not take long: what a scanner does badly with is given a mebibyte. */
static void test_hostile_repeats_end(void **state)
{
    (void)state;
    static const char *const repeats[][2] = {
        {"", "["},      {"", "{"},      {"", "- "},     {"", "? "},     {"a: ", "- "},
        {"", ": "},     {"a: ", "[a:"}, {"", "a: {"},   {"", "\""},     {"a: \"", "\\n"},
        {"a: ", "'"},   {"", "!"},      {"", "&a "},    {"a: ", "|\n"}, {"a: |\n", " "},
        {"a: ", " \n"}, {"", "a\n"},    {"a: ", "x "},  {"", "%a\n"},   {"", "---\n"},
        {"", "#"},      {"a: ", "\n#"}, {"a: [", "a,"}, {"a: [", "a"},
    };
    for (size_t i = 0; i < sizeof repeats / sizeof *repeats; i++) {
        struct qsv_strbuf b = {0};
        struct qsv_yaml_node *root;
        struct qsv_error err;
        qsv_strbuf_puts(&b, repeats[i][0]);
        repeat(&b, repeats[i][1], QSV_YAML_MAX_BYTES - 8);
        enum qsv_status st = qsv_yaml_parse(&root, b.text, b.len, "x.yaml", &err);
        assert_true(st == QSV_OK || st == QSV_EINPUT);
        qsv_yaml_destroy(root);
        qsv_strbuf_fini(&b);
    }
}

static const char good[] = "\xef\xbb\xbf# a comment\n"
                           "model: models/a b.h5 # another\n"
                           "search:\n"
                           "  formats: [int4,\n"
                           "            int3]\n"
                           "  seed: '12'\n"
                           "empty:\n"
                           "tilde: ~\n"
                           "block: |\n"
                           "  two\n"
                           "  lines\n"
                           "\"*.q\": \"\\u00e9\"\n";

/* Every node as "[key]line:text", maps and lists in brackets. */
static void print_tree(struct qsv_strbuf *b, const struct qsv_yaml_node *n)
{
    for (; n; n = n->next) {
        qsv_strbuf_printf(b, " [%s]%u:", n->key ? n->key : "", n->line);
        if (n->kind == QSV_YAML_SCALAR) {
            qsv_strbuf_printf(b, "%s%s", n->quoted ? "\"" : "", n->text);
            continue;
        }
        qsv_strbuf_puts(b, n->kind == QSV_YAML_MAP ? "{" : "(");
        print_tree(b, n->first);
        qsv_strbuf_puts(b, n->kind == QSV_YAML_MAP ? "}" : ")");
    }
}

static void test_tree(void **state)
{
    (void)state;
    struct qsv_yaml_node *root;
    struct qsv_error err;
    struct qsv_strbuf b = {0};
    assert_int_equal(parse(&root, good, &err), QSV_OK);
    print_tree(&b, root);
    assert_string_equal(b.text, " []2:{ [model]2:models/a b.h5 [search]3:{ [formats]4:("
                                " []4:int4 []5:int3) [seed]6:\"12} [empty]7: [tilde]8:~"
                                " [block]9:\"two\nlines\n [*.q]12:\"\xc3\xa9}");
    qsv_strbuf_fini(&b);
    qsv_yaml_destroy(root);
}

static void test_null_and_descriptions(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool null;
        const char *found;
    } rows[] = {
        {"", true, "nothing"},
        {"~", true, "nothing"},
        {"null", true, "nothing"},
        {"''", false, "the text ''"},
        {"'~'", false, "the text '~'"},
        {"{}", false, "a map"},
        {"[~]", false, "a list"},
        {"int7", false, "'int7'"},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff", false,
         "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff'"},
        {"'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff\xc3\xa9\xc3\xa9'", false,
         "the text 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff\xc3\xa9'..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_yaml_node *root;
        struct qsv_error err;
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "a: %s\n", rows[i].value);
        assert_int_equal(parse(&root, b.text, &err), QSV_OK);
        assert_int_equal(qsv_yaml_is_null(root->first), rows[i].null);
        assert_string_equal(qsv_yaml_describe(root->first).text, rows[i].found);
        qsv_yaml_destroy(root);
        qsv_strbuf_fini(&b);
    }
}

static void assert_no_harm(const char *text, size_t bytes)
{
    char *exact = malloc(bytes ? bytes : 1);
    memcpy(exact, text, bytes);
    struct qsv_yaml_node *root;
    struct qsv_error err = {0};
    enum qsv_status st = qsv_yaml_parse(&root, exact, bytes, "x.yaml", &err);
    assert_true(st == QSV_OK || st == QSV_EINPUT);
    assert_true(st == QSV_OK || !strncmp(err.text, "x.yaml:", 7));
    qsv_yaml_destroy(root);
    free(exact);
}

static void test_prefixes_and_mutations(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof good; n++)
        assert_no_harm(good, n);
    static const char marks[] = "\n\t :-?[]{},&*!|>'\"%@`#~\\\0\xff\xc3";
    char text[sizeof good];
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        memcpy(text, good, sizeof good);
        for (uint64_t k = qsv_rng_below(&rng, 4) + 1; k; k--) {
            size_t at = qsv_rng_below(&rng, sizeof good - 1);
            text[at] = qsv_rng_below(&rng, 2) ? marks[qsv_rng_below(&rng, sizeof marks)]
                                              : (char)qsv_rng_next(&rng);
        }
        assert_no_harm(text, sizeof good - 1);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    struct qsv_yaml_node *root;
    struct qsv_error err;
    enum qsv_status st = QSV_ENOMEM;
    for (long n = 1; st == QSV_ENOMEM; n++) {
        assert_in_range(n, 1, 100);
        qsv_alloc_fail_at(n);
        st = parse(&root, good, &err);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_ENOMEM ? !root : !!root);
    }
    assert_int_equal(st, QSV_OK);
    qsv_yaml_destroy(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_hostile_repeats_end),
        cmocka_unit_test(test_prefixes_and_mutations),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_null_and_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
