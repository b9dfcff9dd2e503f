/* Specs that are written anew with other values: everything else says what it said. Runs from the
 * project's top folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "jobs/spec_variant.h"
#include "jobs/yaml.h"

static struct qsv_error err;

static const struct qsv_spec_change changes[] = {{"search", "strategy", "uniform"},
                                                 {"quantizer", "method", "compensated"}};
enum { N_CHANGES = sizeof changes / sizeof *changes };

static struct qsv_spec *parse(const char *text)
{
    struct qsv_spec *s;
    if (qsv_spec_parse(&s, text, strlen(text), "d/c.yaml", &err))
        fail_msg("%s in\n%s", err.text, text);
    return s;
}

/* The caller frees. */
static char *vary(const struct qsv_spec *s)
{
    struct qsv_strbuf out = {0};
    if (qsv_spec_vary(&out, s, changes, N_CHANGES, &err))
        fail_msg("%s", err.text);
    return out.text;
}

static struct qsv_yaml_node *tree(const char *text)
{
    struct qsv_yaml_node *root;
    if (qsv_yaml_parse(&root, text, strlen(text), "t", &err))
        fail_msg("%s in\n%s", err.text, text);
    return root;
}

static bool is_changed(const char *section, const char *key)
{
    for (size_t i = 0; section && i < N_CHANGES; i++)
        if (!strcmp(changes[i].section, section) && !strcmp(changes[i].key, key))
            return true;
    return false;
}

static const struct qsv_yaml_node *counterpart(const struct qsv_yaml_node *in, const char *key,
                                               size_t at)
{
    const struct qsv_yaml_node *n = in->first;
    while (n && (key ? strcmp(n->key, key) != 0 : at-- > 0))
        n = n->next;
    return n;
}

/* Plain texts that are quoted when they are written again. */
static bool is_odd(const char *text)
{
    return strchr(text, '\n') || strchr(text, '\xe2') || *text == '\xc3' || !strcmp(text, "-") ||
           !strncmp(text, "- ", 2);
}

static void assert_same(const struct qsv_yaml_node *a, const struct qsv_yaml_node *b)
{
    size_t at = 0;
    assert_non_null(b);
    if (a->kind == QSV_YAML_SCALAR && b->kind == QSV_YAML_SCALAR) {
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->quoted || is_odd(a->text), b->quoted);
    }
    /* Nothing at all and an empty map are both no section. */
    if (a->kind != b->kind)
        assert_true(qsv_yaml_is_null(a) && b->kind == QSV_YAML_MAP);
    for (const struct qsv_yaml_node *n = a->first; n; n = n->next, at++)
        if (!n->key || !is_changed(a->key, n->key))
            assert_same(n, counterpart(b, n->key, at));
}

static void assert_varied(const char *text)
{
    struct qsv_spec *s = parse(text);
    char *varied = vary(s);
    struct qsv_spec *v = parse(varied);
    struct qsv_yaml_node *a = tree(text), *b = tree(varied);
    assert_same(a, b);
    assert_string_equal(v->search.strategy, "uniform");
    assert_string_equal(v->quantizer.name, "compensated");
    assert_string_equal(v->model, s->model);
    assert_int_equal(v->n_pins, s->n_pins);
    assert_int_equal(v->search.n_formats, s->search.n_formats);
    assert_memory_equal(&v->constraint, &s->constraint, sizeof v->constraint);
    assert_int_equal(v->shard_images, s->shard_images);
    qsv_yaml_destroy(a);
    qsv_yaml_destroy(b);
    qsv_spec_destroy(s);
    qsv_spec_destroy(v);
    free(varied);
}

static void everything_else_stays(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "model: m.h5\ndataset: {images: i}\nconstraint: {max_top1_drop: 2}\n",
        "model: m.h5\ndataset: {images: i}\nconstraint: {max_bytes: 2}\nsearch:\n",
        "model: m.h5\ndataset: {images: i}\nconstraint: {max_bytes: 2}\nsearch: {}\n",
        "search: {strategy: qsvit, seed: 7, formats: [int8, int2]}\nmodel: m.h5\n"
        "dataset: {images: i}\nconstraint: {max_top1_drop: 2}\nquantizer: {method: round}\n",
        "model: \"a\\\"b\\\\c: \\u00e9 #\\U0001f600.h5\"\ndataset: {images: 'it''s'}\n"
        "constraint: {max_top1_drop: 2.50}\npins: {'*.attn.*': int4, \"head\": f16, x - y: int8}\n",
        "model: a\xe2\x80\xa8  b\ndataset: {images: \xc3\xa9}\nconstraint: {max_bytes: 2}\n",
        "{model: -, dataset: {images: x, labels: -5}, constraint: {max_bytes: 2}}\n",
        "model: two\n  words\ndataset:\n  images: |\n    a\n    b\n"
        "constraint: {max_energy_pj: 1.5e+7}\nscheduler: {setup: ['a: b', \"c # d\", e f], "
        "sbatch_options: [], launcher_options: [--map-by node]}\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_varied(rows[i]);
}

static void the_default_spec_can_be_varied(void **state)
{
    (void)state;
    struct qsv_spec *s;
    assert_int_equal(qsv_spec_read(&s, "cluster.yaml", &err), QSV_OK);
    assert_varied(s->text);
    qsv_spec_destroy(s);
}

static void memory_that_is_out_is_told(void **state)
{
    (void)state;
    struct qsv_spec *s =
        parse("model: m.h5\ndataset: {images: i}\nconstraint: {max_top1_drop: 2}\n");
    for (long at = 1;; at++) {
        struct qsv_strbuf out = {0};
        qsv_alloc_fail_at(at);
        enum qsv_status st = qsv_spec_vary(&out, s, changes, N_CHANGES, &err);
        qsv_alloc_fail_at(0);
        qsv_strbuf_fini(&out);
        if (!st)
            break;
        assert_int_equal(st, QSV_ENOMEM);
    }
    qsv_spec_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_else_stays),
        cmocka_unit_test(the_default_spec_can_be_varied),
        cmocka_unit_test(memory_that_is_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
