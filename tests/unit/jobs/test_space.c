/* The search space: which layers form a group at each granularity, and what pins take out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "jobs/strategy.h"

/* Blocks 1 and 2 are interleaved: groups come in the order of their numbers, layers rising. */
static struct qsv_layer layers[] = {
    {.name = "stem", .n_weights = 10, .block = 0, .stage = 0},
    {.name = "a.q", .n_weights = 20, .block = 1, .stage = 0},
    {.name = "b.q", .n_weights = 30, .block = 2, .stage = 1},
    {.name = "a.k", .n_weights = 40, .block = 1, .stage = 0},
    {.name = "b.k", .n_weights = 50, .block = 2, .stage = 1},
    {.name = "head", .n_weights = 60, .block = 3, .stage = 1},
};
enum { N = sizeof layers / sizeof *layers };
static char *blocks[] = {"stem", "a", "b", "head"}, *stages[] = {"first", "second"};
static const struct qsv_model model = {.graph = {.layers = layers,
                                                 .n_layers = N,
                                                 .block_names = blocks,
                                                 .n_blocks = 4,
                                                 .stage_names = stages,
                                                 .n_stages = 2}};

static struct qsv_spec spec_by(enum qsv_granularity by)
{
    struct qsv_spec spec = {.path = "s.yaml"};
    spec.search.granularity = by;
    spec.search.formats[0] = QSV_INT4;
    spec.search.formats[1] = QSV_INT2;
    spec.search.n_formats = 2;
    return spec;
}

static struct qsv_space *create(const struct qsv_spec *spec)
{
    struct qsv_space *s = NULL;
    struct qsv_error err = {0};
    assert_int_equal(qsv_space_create(&s, &model, spec, &err), QSV_OK);
    assert_non_null(s);
    return s;
}

static void assert_group(const struct qsv_space *s, uint32_t g, const char *name,
                         uint64_t n_weights, uint32_t n, const uint32_t *expected)
{
    assert_true(g < s->n_groups);
    assert_string_equal(s->groups[g].name, name);
    assert_int_equal(s->groups[g].n_weights, n_weights);
    assert_int_equal(s->groups[g].n_layers, n);
    assert_memory_equal(s->groups[g].layers, expected, n * sizeof *expected);
}

static void test_granularity(void **state)
{
    (void)state;
    struct qsv_spec spec = spec_by(QSV_BY_LAYER);
    struct qsv_space *s = create(&spec);
    assert_int_equal(s->n_groups, N);
    for (uint32_t l = 0; l < N; l++)
        assert_group(s, l, layers[l].name, layers[l].n_weights, 1, &l);
    assert_int_equal(s->n_formats, 2);
    assert_int_equal(s->formats[1], QSV_INT2);
    qsv_space_destroy(s);

    spec = spec_by(QSV_BY_BLOCK);
    s = create(&spec);
    assert_int_equal(s->n_groups, 4);
    assert_group(s, 0, "stem", 10, 1, (uint32_t[]){0});
    assert_group(s, 1, "a", 60, 2, (uint32_t[]){1, 3});
    assert_group(s, 2, "b", 80, 2, (uint32_t[]){2, 4});
    assert_group(s, 3, "head", 60, 1, (uint32_t[]){5});
    qsv_space_destroy(s);

    spec = spec_by(QSV_BY_STAGE);
    s = create(&spec);
    assert_int_equal(s->n_groups, 2);
    assert_group(s, 0, "first", 70, 3, (uint32_t[]){0, 1, 3});
    assert_group(s, 1, "second", 140, 3, (uint32_t[]){2, 4, 5});
    qsv_space_destroy(s);
}

static void test_pinned_layers_are_in_no_group(void **state)
{
    (void)state;
    struct qsv_pin pins[] = {{"*.k", QSV_INT8, 3}, {"head", QSV_F32, 4}, {"b.*", QSV_BINARY, 5}};
    struct qsv_spec spec = spec_by(QSV_BY_BLOCK);
    spec.pins = pins;
    spec.n_pins = 3;
    struct qsv_space *s = create(&spec);
    assert_int_equal(s->n_groups, 2); /* b and head are pinned whole */
    assert_group(s, 0, "stem", 10, 1, (uint32_t[]){0});
    assert_group(s, 1, "a", 20, 1, (uint32_t[]){1});

    uint8_t formats[N];
    qsv_space_expand(s, (uint8_t[]){QSV_INT4, QSV_INT2}, formats);
    assert_memory_equal(
        formats, ((uint8_t[]){QSV_INT4, QSV_INT2, QSV_BINARY, QSV_INT8, QSV_BINARY, QSV_F32}), N);
    qsv_space_destroy(s);
}

static void test_all_pinned(void **state)
{
    (void)state;
    struct qsv_pin pin = {"*", QSV_INT3, 1};
    struct qsv_spec spec = spec_by(QSV_BY_STAGE);
    spec.pins = &pin;
    spec.n_pins = 1;
    struct qsv_space *s = create(&spec);
    uint8_t formats[N];
    assert_int_equal(s->n_groups, 0);
    qsv_space_expand(s, NULL, formats);
    for (int l = 0; l < N; l++)
        assert_int_equal(formats[l], QSV_INT3);
    qsv_space_destroy(s);
}

static void test_a_pin_that_matches_nothing(void **state)
{
    (void)state;
    struct qsv_pin pin = {"c.*", QSV_INT3, 7};
    struct qsv_spec spec = spec_by(QSV_BY_LAYER);
    struct qsv_space *s = NULL;
    struct qsv_error err = {0};
    spec.pins = &pin;
    spec.n_pins = 1;
    assert_int_equal(qsv_space_create(&s, &model, &spec, &err), QSV_EINPUT);
    assert_null(s);
    assert_non_null(strstr(err.text, "s.yaml"));
    assert_non_null(strstr(err.text, "c.*"));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct qsv_spec spec = spec_by(QSV_BY_BLOCK);
    enum qsv_status status = QSV_ENOMEM;
    long n = 0;
    while (status == QSV_ENOMEM) {
        struct qsv_space *s = NULL;
        qsv_alloc_fail_at(++n);
        status = qsv_space_create(&s, &model, &spec, NULL);
        qsv_alloc_fail_at(0);
        assert_true(status == QSV_OK ? s != NULL : s == NULL);
        qsv_space_destroy(s);
    }
    assert_int_equal(status, QSV_OK);
    assert_true(n > 4); /* the space and its three arrays failed before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_granularity),   cmocka_unit_test(test_pinned_layers_are_in_no_group),
        cmocka_unit_test(test_all_pinned),    cmocka_unit_test(test_a_pin_that_matches_nothing),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
