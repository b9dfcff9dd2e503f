#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "core/base/alloc.h"
#include "core/import/pickle.h"
#include "core/import/rebuild.h"
#include "core/import/state_dict.h"
#include "import_support.h"

#define TEXT(s) (const uint8_t *)(s), sizeof(s) - 1
#define P2      "\x80\x02"
#define P4      "\x80\x04"

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *data;
        size_t n;
        const char *says;
    } rows[] = {
        {TEXT(""), "before byte 0: does not begin as one of protocol 2 to 5"},
        {TEXT("\x80"), "does not begin as one of"},
        {TEXT("\x80\x01N."), "does not begin as one of"},
        {TEXT("\x80\x06N."), "does not begin as one of"},
        {TEXT("cos\nsystem\n."), "does not begin as one of"},
        {TEXT(P2), "before byte 2: ends too early"},
        {TEXT(P2 "N"), "before byte 3: ends too early"},
        {TEXT(P2 "."), "takes a value from an empty stack"},
        {TEXT(P2 "N(."), "takes a value from an empty stack"},
        {TEXT(P2 "\x80\x06N."), "has a protocol above 5"},
        {TEXT(P2 "\xff."), "byte 2: unknown opcode 0xff"},
        {TEXT(P2 "I1\n."), "byte 2: opcode INT, which PyTorch does not write"},
        {TEXT(P2 "ios\nsystem\n."), "opcode INST, which PyTorch does not write"},
        {TEXT(P2 "J\x01\x02\x03"), "ends too early"},
        {TEXT(P2 "G\x01\x02\x03."), "ends too early"},
        {TEXT(P2 "X\x05\x00\x00\x00"
                 "abc."),
         "ends too early"},
        {TEXT(P2 "X\xff\xff\xff\xff."), "ends too early"},
        {TEXT(P4 "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "ends too early"},
        {TEXT(P2 "\x8b\xff\xff\xff\xff."), "ends too early"},
        {TEXT(P2 "cos\nsystem"), "ends too early"},
        {TEXT(P2 "cos"), "ends too early"},
        {TEXT(P4 "KA\x8c\x01x\x93."), "names a class by something that is no text"},
        {TEXT(P4 "\x8c\x01x\x93."), "takes a value from an empty stack"},
        {TEXT(P2 "t."), "takes a mark where there is none"},
        {TEXT(P2 "1."), "takes a mark where there is none"},
        {TEXT(P2 "0."), "takes a value from an empty stack"},
        {TEXT(P2 "2."), "uses a value of an empty stack"},
        {TEXT(P2 "N(2."), "uses a value of an empty stack"},
        {TEXT(P2 "N\x86."), "takes a value from an empty stack"},
        {TEXT(P2 "N(N\x86."), "takes a value from an empty stack"},
        {TEXT(P2 "Na."), "adds items to nothing"},
        {TEXT(P2 "NNa."), "adds items to what is no container"},
        {TEXT(P2 ")Na."), "adds items to what is no container"},
        {TEXT(P2 "](a."), "takes a value from an empty stack"},
        {TEXT(P2 "(e."), "adds items to nothing"},
        {TEXT(P2 "]((e."), "adds items to nothing"},
        {TEXT(P2 "}(Nu."), "adds a key without a value"},
        {TEXT(P2 "]NNs."), "adds items to what is no container"},
        {TEXT(P2 "cos\nsystem\nNR."), "calls with arguments that are no tuple"},
        {TEXT(P2 ")R."), "takes a value from an empty stack"},
        {TEXT(P2 "h\x00."), "gets a memo index that was never put"},
        {TEXT(P2 "Nq\x02h\x01."), "gets a memo index that was never put"},
        {TEXT(P2 "q\x00."), "uses a value of an empty stack"},
        {TEXT(P2 "Nr\xff\xff\xff\xff."), "puts a value at a memo index of 4194304 or more"},
        {TEXT(P2 "Nb."), "uses a value of an empty stack"},
        {TEXT(P2 "Q."), "takes a value from an empty stack"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_pickle p;
        struct qsv_error err = {0};
        struct bytes b = copy_bytes(rows[i].data, rows[i].n);
        enum qsv_status st = qsv_pickle_parse(&p, b.data, b.n, &err);
        if (st != QSV_EINPUT || !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %d '%s', expected '%s'", i, st, err.text, rows[i].says);
        qsv_pickle_fini(&p);
        free(b.data);
    }
}

static void parse(struct qsv_pickle *p, const uint8_t *data, size_t n)
{
    struct qsv_error err = {0};
    if (qsv_pickle_parse(p, data, n, &err))
        fail_msg("%s", err.text);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *data;
        size_t n;
        int64_t value;
    } rows[] = {
        {TEXT(P2 "K\xff."), 255},
        {TEXT(P2 "M\x01\x02."), 0x201},
        {TEXT(P2 "J\xff\xff\xff\xff."), -1},
        {TEXT(P2 "J\x00\x00\x00\x80."), INT32_MIN},
        {TEXT(P2 "\x8a\x00."), 0},
        {TEXT(P2 "\x8a\x01\xff."), -1},
        {TEXT(P2 "\x8a\x02\xff\x00."), 255},
        {TEXT(P2 "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."), INT64_MAX},
        {TEXT(P2 "\x8b\x03\x00\x00\x00\x00\x00\x80."), -8388608},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_pickle p;
        parse(&p, rows[i].data, rows[i].n);
        assert_int_equal(p.nodes[p.root].kind, QSV_PICKLE_INT);
        assert_true(p.nodes[p.root].integer == rows[i].value);
        qsv_pickle_fini(&p);
    }
}

static enum qsv_pickle_kind kind_of(const uint8_t *data, size_t n, struct qsv_pickle_node *root)
{
    struct qsv_pickle p;
    parse(&p, data, n);
    *root = p.nodes[p.root];
    qsv_pickle_fini(&p);
    return root->kind;
}

static void test_other_constants(void **state)
{
    (void)state;
    struct qsv_pickle_node n;
    assert_int_equal(kind_of(TEXT(P2 "N."), &n), QSV_PICKLE_NONE);
    assert_int_equal(kind_of(TEXT(P2 "\x88."), &n), QSV_PICKLE_BOOL);
    assert_int_equal(n.integer, 1);
    assert_int_equal(kind_of(TEXT(P2 "\x89."), &n), QSV_PICKLE_BOOL);
    assert_int_equal(n.integer, 0);
    assert_int_equal(kind_of(TEXT(P2 "G\x3f\xf8\x00\x00\x00\x00\x00\x00."), &n), QSV_PICKLE_FLOAT);
    assert_true(n.real == 1.5);
    assert_int_equal(kind_of(TEXT(P2 "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."), &n),
                     QSV_PICKLE_OPAQUE);
    assert_int_equal(kind_of(TEXT(P2 "\x82\x01."), &n), QSV_PICKLE_OPAQUE);
    assert_int_equal(kind_of(TEXT(P4 "C\x02hi."), &n), QSV_PICKLE_BYTES);
    assert_int_equal(n.text.bytes, 2);
    assert_int_equal(kind_of(TEXT(P4 "\x8f(K\x01K\x02\x90."), &n), QSV_PICKLE_SET);
    assert_int_equal(n.items.count, 2);
    assert_int_equal(kind_of(TEXT(P4 "(K\x01\x91."), &n), QSV_PICKLE_SET);
    assert_int_equal(kind_of(TEXT(P2 "NN0."), &n), QSV_PICKLE_NONE);
    assert_int_equal(kind_of(TEXT(P2 "K\x01(NN1."), &n), QSV_PICKLE_INT);
    assert_int_equal(kind_of(TEXT(P2 "K\x01(0."), &n), QSV_PICKLE_INT);
}

/* [1, (2, 'x'), 1], the list filled in three steps. */
static void test_containers_and_memo(void **state)
{
    (void)state;
    struct qsv_pickle p;
    uint32_t item[4], inner[2];
    parse(&p, TEXT(P2 "]q\x00K\x01q\x01"
                      "a(K\x02X\x01\x00\x00\x00xta(h\x01"
                      "e."));
    assert_int_equal(p.nodes[p.root].kind, QSV_PICKLE_LIST);
    assert_int_equal(qsv_pickle_items(&p, p.root, item, 4), 3);
    assert_int_equal(p.nodes[item[0]].integer, 1);
    assert_int_equal(item[2], item[0]);
    assert_int_equal(qsv_pickle_items(&p, item[1], inner, 2), 2);
    assert_int_equal(p.nodes[item[1]].kind, QSV_PICKLE_TUPLE);
    assert_true(qsv_pickle_is_text(&p, inner[1], "x"));
    assert_false(qsv_pickle_is_text(&p, inner[1], "xy"));
    assert_int_equal(qsv_pickle_items(&p, item[0], inner, 2), 0);
    assert_int_equal(qsv_pickle_items(&p, p.root, item, 1), 3);
    qsv_pickle_fini(&p);
}

static void test_dicts(void **state)
{
    (void)state;
    struct qsv_pickle p;
    uint32_t key, value;
    parse(&p, TEXT(P2 "}(U\x01"
                      "aK\x01U\x01"
                      "bK\x02uU\x01"
                      "cK\x03s."));
    struct qsv_pickle_walk w = qsv_pickle_walk_dict(&p, p.root);
    for (int i = 0; i < 3; i++) {
        assert_true(qsv_pickle_next(&w, &key, &value));
        assert_true(qsv_pickle_is_text(&p, key, (const char *[]){"a", "b", "c"}[i]));
        assert_int_equal(p.nodes[value].integer, i + 1);
    }
    assert_false(qsv_pickle_next(&w, &key, &value));
    qsv_pickle_fini(&p);
}

/* A call is drawn, not made: the function and its arguments. */
static void test_calls_stay_inert(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *data;
        size_t n;
    } rows[] = {
        {TEXT(P2 "cos\nsystem\nU\x05touch\x85R.")},
        {TEXT(P4 "\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x05touch\x85R.")},
        {TEXT(P2 "cos\nsystem\nU\x05touch\x85\x81.")},
        {TEXT(P4 "\x8c\x02os\x8c\x06system\x93\x8c\x05touch\x85}\x92.")},
        {TEXT(P2 "cos\nsystem\nU\x05touch\x85R}b.")},
        {TEXT(P2 "cos\nsystem\nU\x05touch\x85R(NNu.")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_pickle p;
        uint32_t arg;
        parse(&p, rows[i].data, rows[i].n);
        const struct qsv_pickle_node *root = &p.nodes[p.root];
        assert_int_equal(root->kind, QSV_PICKLE_CALL);
        assert_true(qsv_pickle_is_global(&p, root->call.callee, "os", "system"));
        assert_false(qsv_pickle_is_global(&p, root->call.callee, "os", "syste"));
        assert_int_equal(qsv_pickle_items(&p, root->call.args, &arg, 1), 1);
        assert_true(qsv_pickle_is_text(&p, arg, "touch"));
        assert_int_equal(root->call.changed, i >= 4);
        qsv_pickle_fini(&p);
    }
}

static void test_ordered_dict_is_a_dict(void **state)
{
    (void)state;
    struct qsv_pickle_node n;
    assert_int_equal(kind_of(TEXT(P2 "ccollections\nOrderedDict\n)RU\x01"
                                     "aNs}b."),
                             &n),
                     QSV_PICKLE_DICT);
    assert_int_equal(n.items.count, 2);
}

static void repeat(struct qsv_strbuf *b, const char *s, size_t n)
{
    while (n-- > 0)
        qsv_strbuf_puts(b, s);
}

static enum qsv_status parse_buffer(struct qsv_strbuf *b, struct qsv_pickle *p,
                                    struct qsv_error *err)
{
    assert_false(b->failed);
    return qsv_pickle_parse(p, (const uint8_t *)b->text, b->len, err);
}

static void test_depth_and_size_are_bounded(void **state)
{
    (void)state;
    static const char *const repeated[] = {"N", "2", "(", "]", "\x85", "cc\n\n"};
    struct qsv_pickle p;
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        struct qsv_strbuf b = {0};
        struct qsv_error err = {0};
        qsv_strbuf_puts(&b, P2 "N");
        repeat(&b, repeated[i], (4 << 20) + 1);
        assert_int_equal(parse_buffer(&b, &p, &err), QSV_EINPUT);
        assert_non_null(strstr(err.text, "holds more than 4194304 values"));
        qsv_pickle_fini(&p);
        qsv_strbuf_fini(&b);
    }
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, P2 ")");
    repeat(&b, "\x85", 1 << 20); /* a tuple in a tuple, a million times */
    qsv_strbuf_puts(&b, ".");
    assert_int_equal(parse_buffer(&b, &p, NULL), QSV_OK);
    qsv_pickle_fini(&p);
    qsv_strbuf_fini(&b);
}

/* Looks at everything as an import would. */
static void explore(const struct qsv_pickle *p)
{
    uint32_t dict, key, value;
    size_t n = 0;
    struct qsv_rebuilt t;
    if (!qsv_state_dict_find(&dict, p, NULL)) {
        struct qsv_pickle_walk w = qsv_pickle_walk_dict(p, dict);
        while (qsv_pickle_next(&w, &key, &value))
            n++;
        assert_true(n > 0);
    }
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct qsv_error err = {0};
        if (!qsv_rebuild_tensor(&t, p, i, &err))
            assert_non_null(t.view.element);
        else
            assert_true(err.text[0]);
    }
}

/* Dicts of a thousand keys that all lead to the same next dict: a billion paths. */
static void test_shared_dicts_are_visited_once(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    struct qsv_pickle p;
    uint32_t dict;
    qsv_strbuf_puts(&b, P2);
    for (int level = 4; level-- > 0;) {
        qsv_strbuf_add(&b, (char[]){'}', 'q', (char)level, '('}, 4);
        for (int i = 0; i < 1000; i++) {
            qsv_strbuf_add(&b, (char[]){'M', (char)i, (char)(i >> 8)}, 3);
            qsv_strbuf_add(&b, level == 3 ? "N" : (char[]){'h', (char)(level + 1)},
                           level == 3 ? 1 : 2);
        }
        qsv_strbuf_puts(&b, "u");
    }
    qsv_strbuf_puts(&b, ".");
    assert_int_equal(parse_buffer(&b, &p, NULL), QSV_OK);
    struct qsv_error err = {0};
    assert_int_equal(qsv_state_dict_find(&dict, &p, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "holds a Python dict with no tensors"));
    qsv_pickle_fini(&p);
    qsv_strbuf_fini(&b);
}

/* A list and a dict that contain themselves. */
static void test_cycles(void **state)
{
    (void)state;
    struct qsv_pickle p;
    uint32_t item;
    parse(&p, TEXT(P2 "]q\x00h\x00"
                      "a."));
    assert_int_equal(qsv_pickle_items(&p, p.root, &item, 1), 1);
    assert_int_equal(item, p.root);
    explore(&p);
    qsv_pickle_fini(&p);
    parse(&p, TEXT(P2 "}q\x00(U\x01"
                      "ah\x00U\x01"
                      "bh\x00u."));
    explore(&p);
    qsv_pickle_fini(&p);
}

static const char *const files[] = {"published.pkl", "protocol4.pkl"};

static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct bytes good = read_checkpoint(files[f]);
        for (size_t n = 0; n <= good.n; n++) {
            struct qsv_pickle p;
            struct bytes b = copy_bytes(good.data, n);
            assert_int_equal(qsv_pickle_parse(&p, b.data, n, NULL),
                             n < good.n ? QSV_EINPUT : QSV_OK);
            qsv_pickle_fini(&p);
            free(b.data);
        }
        free(good.data);
    }
}

static void test_mutations(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 2);
    size_t parsed = 0;
    for (size_t f = 0; f < 2; f++) {
        struct bytes good = read_checkpoint(files[f]);
        for (int i = 0; i < 10000; i++) {
            struct qsv_pickle p;
            struct bytes b = mutate(&good, &rng);
            if (!qsv_pickle_parse(&p, b.data, b.n, NULL)) {
                parsed++;
                explore(&p);
            }
            qsv_pickle_fini(&p);
            free(b.data);
        }
        free(good.data);
    }
    assert_in_range(parsed, 1000, 19000); /* both outcomes are exercised */
}

static bool parse_with_failure(const struct bytes *b, long n)
{
    struct qsv_pickle p;
    uint32_t dict = 0;
    qsv_alloc_fail_at(n);
    enum qsv_status st = qsv_pickle_parse(&p, b->data, b->n, NULL);
    if (!st)
        st = qsv_state_dict_find(&dict, &p, NULL);
    qsv_alloc_fail_at(0);
    assert_int_equal(st, st ? QSV_ENOMEM : QSV_OK);
    qsv_pickle_fini(&p);
    return st != QSV_OK;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    struct bytes b = read_checkpoint("published.pkl");
    long n = 1;
    while (parse_with_failure(&b, n))
        n++;
    assert_in_range(n, 10, 1000);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_other_constants),
        cmocka_unit_test(test_containers_and_memo),
        cmocka_unit_test(test_dicts),
        cmocka_unit_test(test_calls_stay_inert),
        cmocka_unit_test(test_ordered_dict_is_a_dict),
        cmocka_unit_test(test_depth_and_size_are_bounded),
        cmocka_unit_test(test_shared_dicts_are_visited_once),
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
