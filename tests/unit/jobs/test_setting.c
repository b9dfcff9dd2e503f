/* Setting files and pins: what is refused and how it is said, which pattern wins, and that what is
 * printed reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "jobs/setting.h"
#include "jobs/yaml.h"

static struct qsv_layer layers[] = {
    {.name = "stem.conv"},       {.name = "block3.0.attn.q"},  {.name = "block3.0.attn.k"},
    {.name = "block3.1.attn.q"}, {.name = "block3.1.mlp.fc1"}, {.name = "head"},
};
enum { N = sizeof layers / sizeof *layers };
static const struct qsv_graph graph = {.layers = layers, .n_layers = N};

static enum qsv_status parse(const char *text, uint8_t *formats, struct qsv_error *err)
{
    return qsv_setting_parse(text, strlen(text), "s.yaml", &graph, formats, err);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "s.yaml: is empty"},
        {"int4\n", "s.yaml:1: found a single value, expected a map"},
        {"default: int7\n", "s.yaml:1: default: found 'int7', expected a format: f32, f16, int8, "
                            "int6, int5, int4, int3, int2, ternary, binary, none"},
        {"default:\n", "s.yaml:1: default: found nothing, expected a format: f32"},
        {"default: 4\n", "s.yaml:1: default: found '4', expected a format"},
        {"\ndefault: [int4]\n", "s.yaml:2: default: found a list, expected a format"},
        {"default: {a: int4}\n", "s.yaml:1: default: found a map, expected a format"},
        {"default: INT4\n", "s.yaml:1: default: found 'INT4', expected a format"},
        {"defualt: int4\n",
         "s.yaml:1: unknown key 'defualt', allowed are: default, layers; did you mean 'default'?"},
        {"default: int4\npins: {}\n", "s.yaml:2: unknown key 'pins', allowed are: default, layers"},
        {"default: int4\nlayers: int8\n",
         "s.yaml:2: layers: found 'int8', expected a map of layer name patterns to formats"},
        {"layers: [head]\n", "s.yaml:1: layers: found a list, expected a map"},
        {"layers:\n  head: int4\n  block3.*: int1\n",
         "s.yaml:3: block3.*: found 'int1', expected a format"},
        {"layers:\n  head: int4\n  block9.*: int4\n",
         "s.yaml:3: 'block9.*' matches no layer, expected a pattern of one of 6 layers"},
        {"layers:\n  block3.0.atn.q: int4\n", "s.yaml:2: 'block3.0.atn.q' matches no layer, "
                                              "expected a pattern of one of 6 layers; did you "
                                              "mean 'block3.0.attn.q'?"},
        {"layers:\n  Head: int4\n", "did you mean 'head'?"},
        {"layers:\n  '': int4\n", "s.yaml:2: '' matches no layer"},
        {"layers:\n  head: int4\n  head: int8\n", "s.yaml:3: key 'head' is given twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t formats[N];
        struct qsv_error err;
        assert_int_equal(parse(rows[i].text, formats, &err), QSV_EINPUT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
    }
}

static void test_good_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t formats[N];
    } rows[] = {
        {"default: int4\n", {5, 5, 5, 5, 5, 5}},
        {"layers:\n", {0, 0, 0, 0, 0, 0}},
        {"layers: {}\n", {0, 0, 0, 0, 0, 0}},
        {"layers:\n  head: binary\n", {0, 0, 0, 0, 0, 9}},
        /* * goes over dots; the default is below the patterns wherever it stands */
        {"layers:\n  block3.*: int3\ndefault: ternary\n", {8, 6, 6, 6, 6, 8}},
        {"layers:\n  \"*.q\": int2\n", {0, 7, 0, 7, 0, 0}},
        {"layers:\n  \"*\": f16\n  block3.?.attn.*: int8\n  block3.[!0].*: int6\n",
         {1, 2, 2, 3, 3, 1}},
        /* the last match wins */
        {"layers:\n  block3.0.attn.q: int2\n  block3.*.attn.*: int5\n", {0, 4, 4, 4, 0, 0}},
        {"layers:\n  block3.*.attn.*: int5\n  block3.0.attn.q: int2\n", {0, 7, 4, 4, 0, 0}},
        {"default: int4\r\nlayers:\r\n  head: int8\r\n", {5, 5, 5, 5, 5, 2}},
        {"# JSON is YAML\n{\"default\": \"int4\", \"layers\": {\"head\": \"int8\"}}\n",
         {5, 5, 5, 5, 5, 2}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t formats[N];
        struct qsv_error err;
        memset(formats, 77, sizeof formats);
        if (parse(rows[i].text, formats, &err))
            fail_msg("%s", err.text);
        assert_memory_equal(formats, rows[i].formats, N);
    }
}

static void test_pins_over_formats(void **state)
{
    (void)state;
    const struct qsv_pin pins[] = {{"block3.*", QSV_INT8, 4}, {"*.fc1", QSV_F16, 5}};
    const struct qsv_pin bad[] = {{"block3.*", QSV_INT8, 4}, {"*.fc2", QSV_F16, 5}};
    const struct qsv_pin no_line[] = {{"*.fc2", QSV_F16, 0}};
    uint8_t formats[N] = {5, 5, 5, 5, 5, 5};
    struct qsv_error err;
    assert_int_equal(qsv_pins_apply(pins, 2, &graph, "c.yaml", formats, &err), QSV_OK);
    assert_memory_equal(formats, ((uint8_t[]){5, 2, 2, 2, 1, 5}), N);
    assert_int_equal(qsv_pins_apply(NULL, 0, &graph, "c.yaml", formats, &err), QSV_OK);

    assert_int_equal(qsv_pins_apply(bad, 2, &graph, "c.yaml", formats, &err), QSV_EINPUT);
    assert_string_equal(err.text,
                        "c.yaml:5: '*.fc2' matches no layer, expected a pattern of one of "
                        "6 layers");
    assert_int_equal(qsv_pins_apply(no_line, 1, &graph, "c.yaml", formats, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "c.yaml: '*.fc2' matches no layer"));
}

static void test_print(void **state)
{
    (void)state;
    const uint8_t formats[N] = {2, 5, 6, 5, 5, 2}, all[N] = {0};
    struct qsv_strbuf out = {0};
    qsv_setting_print(&out, formats, &graph, "trial 1f\nof runs/\xffx\ty");
    assert_string_equal(out.text, "# trial 1f\n# of runs/?x?y\n"
                                  "default: int4\nlayers:\n  stem.conv: int8\n"
                                  "  block3.0.attn.k: int3\n  head: int8\n");
    qsv_strbuf_fini(&out);
    qsv_setting_print(&out, all, &graph, NULL);
    assert_string_equal(out.text, "default: f32\n");
    qsv_strbuf_fini(&out);
}

/* Names are a checkpoint's: whatever they hold must read back to this layer alone. */
static void test_strange_names_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {"a*",        "a?",
                                        "a[b]",      "ab",
                                        "a\\",       "a\\\\",
                                        "- x",       "a: b",
                                        "a #b",      "\"q\"",
                                        "'q'",       "a\tb",
                                        "\n",        "\x7f",
                                        "",          " a ",
                                        "&a",        "*a",
                                        "!a",        "\xc3\xa9",
                                        "null",      "~",
                                        "a",         "?",
                                        "a\xc2\x80", "\xf0\x9f\x98\x80"};
    enum { M = sizeof names / sizeof *names };
    struct qsv_layer strange[M] = {{0}};
    const struct qsv_graph g = {.layers = strange, .n_layers = M};
    uint8_t formats[M], back[M];
    struct qsv_strbuf out = {0};
    struct qsv_error err;
    for (size_t i = 0; i < M; i++) {
        strange[i].name = (char *)names[i];
        formats[i] = (uint8_t)(i % QSV_N_FORMATS);
    }
    qsv_setting_print(&out, formats, &g, NULL);
    if (qsv_setting_parse(out.text, out.len, "s.yaml", &g, back, &err))
        fail_msg("%s\n%s", err.text, out.text);
    assert_memory_equal(back, formats, M);
    qsv_strbuf_fini(&out);

    /* YAML can't hold what is not UTF-8; the pattern still finds the layer. */
    strange[0].name = (char *)"x\xffy";
    qsv_setting_print(&out, (const uint8_t[]){1, 0, 0},
                      &(struct qsv_graph){.layers = strange, .n_layers = 3}, NULL);
    assert_string_equal(out.text, "default: f32\nlayers:\n  \"x?y\": f16\n");
    qsv_strbuf_fini(&out);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/qsv-test-XXXXXX", path[64];
    uint8_t formats[N];
    struct qsv_error err;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(qsv_setting_read(folder, &graph, formats, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "not a regular file"));
    snprintf(path, sizeof path, "%s/s.yaml", folder);
    assert_int_equal(qsv_setting_read(path, &graph, formats, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "s.yaml: cannot open"));
    assert_int_equal(qsv_file_write(path, "default: int3\n", 14, &err), QSV_OK);
    assert_int_equal(qsv_setting_read(path, &graph, formats, &err), QSV_OK);
    assert_int_equal(formats[N - 1], QSV_INT3);
    assert_int_equal(truncate(path, QSV_YAML_MAX_BYTES + 1), 0);
    assert_int_equal(qsv_setting_read(path, &graph, formats, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "at most 1048576"));
    unlink(path);
    rmdir(folder);
}

static const char good[] = "# a setting\ndefault: int4\nlayers:\n  block3.*.attn.*: int3\n"
                           "  'stem.*': int8\n  \"*.fc[12]\": ternary\n  head: f16\n";

static void assert_no_harm(const char *text, size_t bytes)
{
    char *exact = malloc(bytes ? bytes : 1);
    uint8_t formats[N];
    struct qsv_error err;
    memcpy(exact, text, bytes);
    enum qsv_status st = qsv_setting_parse(exact, bytes, "s.yaml", &graph, formats, &err);
    if (st == QSV_OK)
        for (size_t i = 0; i < N; i++)
            assert_in_range(formats[i], 0, QSV_N_FORMATS - 1);
    else {
        assert_int_equal(st, QSV_EINPUT);
        assert_memory_equal(err.text, "s.yaml:", 7);
    }
    free(exact);
}

static void test_prefixes_and_mutations(void **state)
{
    (void)state;
    static const char marks[] = "\n :-?[]{}*\\!\"'";
    char text[sizeof good];
    struct qsv_rng rng;
    for (size_t n = 0; n < sizeof good; n++)
        assert_no_harm(good, n);
    qsv_rng_seed(&rng, 2);
    for (int i = 0; i < 12000; i++) {
        memcpy(text, good, sizeof good);
        for (uint64_t k = qsv_rng_below(&rng, 4) + 1; k; k--) {
            size_t at = qsv_rng_below(&rng, sizeof good - 1);
            text[at] = qsv_rng_below(&rng, 2) ? marks[qsv_rng_below(&rng, sizeof marks - 1)]
                                              : (char)qsv_rng_next(&rng);
        }
        assert_no_harm(text, sizeof good - 1);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    uint8_t formats[N];
    struct qsv_error err;
    enum qsv_status st = QSV_ENOMEM;
    for (long n = 1; st == QSV_ENOMEM; n++) {
        assert_in_range(n, 1, 100);
        qsv_alloc_fail_at(n);
        st = parse(good, formats, &err);
        qsv_alloc_fail_at(0);
    }
    assert_int_equal(st, QSV_OK);
}

static void test_setting_id(void **state)
{
    (void)state;
    /* XXH3's own sanity vectors: of no byte, and of one byte 0. */
    assert_true(qsv_setting_id((const uint8_t[]){0}, 0) == 0x2d06800538d394c2u);
    assert_true(qsv_setting_id((const uint8_t[]){QSV_F32}, 1) == 0xc44bdff4074eecdbu);
    uint8_t formats[138] = {0};
    uint64_t all_f32 = qsv_setting_id(formats, 138);
    assert_true(all_f32 != qsv_setting_id(formats, 137));
    formats[100] = QSV_INT4;
    uint64_t one = qsv_setting_id(formats, 138);
    assert_true(one != all_f32);
    formats[100] = QSV_F32;
    formats[101] = QSV_INT4;
    assert_true(qsv_setting_id(formats, 138) != one);
    formats[101] = QSV_F32;
    assert_true(qsv_setting_id(formats, 138) == all_f32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_settings),    cmocka_unit_test(test_prefixes_and_mutations),
        cmocka_unit_test(test_memory_runs_out), cmocka_unit_test(test_files),
        cmocka_unit_test(test_good_settings),   cmocka_unit_test(test_pins_over_formats),
        cmocka_unit_test(test_print),           cmocka_unit_test(test_strange_names_read_back),
        cmocka_unit_test(test_setting_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
