#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "import_support.h"

/* An archive of one pickle and storages '0' to '3' of 48 bytes: the floats 0, 1/8 ... */
static struct bytes archive_of(const void *pickle, size_t n)
{
    float ramp[12];
    for (int i = 0; i < 12; i++)
        ramp[i] = (float)i / 8;
    const struct zip_part parts[] = {
        {"x/data.pkl", pickle, n},       {"x/data/0", ramp, sizeof ramp},
        {"x/data/1", ramp, sizeof ramp}, {"x/data/2", ramp, sizeof ramp},
        {"x/data/3", ramp, sizeof ramp},
    };
    return make_zip(parts, sizeof parts / sizeof *parts, "store");
}

/* The archive's sums would stop most mutations, so the pickle is changed before it is packed. */
static void test_mutated_pickles(void **state)
{
    (void)state;
    static const char *const files[] = {"published.pkl", "protocol4.pkl"};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 4);
    size_t n = 0;
    for (int i = 0; i < 10000; i++) {
        struct bytes good = read_checkpoint(files[i % 2]);
        struct bytes pickle = mutate(&good, &rng), b = archive_of(pickle.data, pickle.n);
        n += accepted(&b);
        free(b.data);
        free(pickle.data);
        free(good.data);
    }
    assert_in_range(n, 1000, 9500);
}

/* -- tensors described by hand ---------------------------------------------------------------- */

static void put_int(struct qsv_strbuf *b, int64_t v)
{
    qsv_strbuf_add(b, "\x8a\x08", 2);
    qsv_strbuf_u64(b, (uint64_t)v);
}

static void put_text(struct qsv_strbuf *b, const char *s)
{
    qsv_strbuf_puts(b, "X");
    qsv_strbuf_u32(b, (uint32_t)strlen(s));
    qsv_strbuf_puts(b, s);
}

static void put_ints(struct qsv_strbuf *b, size_t n, const int64_t *v)
{
    qsv_strbuf_puts(b, "(");
    for (size_t i = 0; i < n; i++)
        put_int(b, v[i]);
    qsv_strbuf_puts(b, "t");
}

struct view {
    const char *storage, *key; /* "torch\nFloatStorage\n" */
    int64_t offset;
    size_t rank;
    int64_t size[6], stride[6];
};

static void put_view_arguments(struct qsv_strbuf *b, const struct view *v)
{
    qsv_strbuf_puts(b, "((");
    put_text(b, "storage");
    qsv_strbuf_printf(b, "c%s", v->storage);
    put_text(b, v->key);
    put_text(b, "cpu");
    put_int(b, 12);
    qsv_strbuf_puts(b, "tQ");
    put_int(b, v->offset);
    put_ints(b, v->rank, v->size);
    put_ints(b, v->rank, v->stride);
    qsv_strbuf_puts(b, "\x89}");
}

/* {'x': function(storage, offset, size, stride, False, {} + more) + after} */
static struct bytes archive_of_view(const char *function, const struct view *v, const char *more,
                                    const char *after)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_add(&b, "\x80\x02}", 3);
    put_text(&b, "x");
    qsv_strbuf_printf(&b, "ctorch._utils\n%s\n", function);
    put_view_arguments(&b, v);
    qsv_strbuf_printf(&b, "%stR%ss.", more, after);
    assert_false(b.failed);
    struct bytes archive = archive_of(b.text, b.len);
    qsv_strbuf_fini(&b);
    return archive;
}

static void read_view(struct qsv_tensors *t, const char *function, const struct view *v,
                      const char *more, const char *after)
{
    struct qsv_error err = {0};
    struct bytes b = archive_of_view(function, v, more, after);
    if (qsv_checkpoint_parse(t, b.data, b.n, "x.pth", &err))
        fail_msg("%s", err.text);
    free(b.data);
    assert_int_equal(t->n, 1);
}

#define FLOATS "torch\nFloatStorage\n"
#define V2     "_rebuild_tensor_v2"

static void test_views_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct view v;
        const char *says; /* NULL where it is good */
    } rows[] = {
        {{FLOATS, "0", 0, 2, {3, 4}, {4, 1}}, NULL},
        {{FLOATS, "0", 11, 0, {0}, {0}}, NULL},
        {{FLOATS, "0", 12, 0, {0}, {0}}, "reach beyond its storage of 12 elements"},
        {{FLOATS, "0", 1, 2, {3, 4}, {4, 1}}, "reach beyond its storage of 12 elements"},
        {{FLOATS, "0", 0, 2, {3, 4}, {4, 2}}, "reach beyond"},
        {{FLOATS, "0", 99, 1, {0}, {1}}, NULL},
        {{FLOATS, "0", 0, 1, {1}, {INT64_MAX}}, NULL},
        {{FLOATS, "0", 0, 2, {2, 2}, {INT64_MAX, INT64_MAX}}, "reach beyond"},
        {{FLOATS, "0", INT64_MAX, 2, {2, 3}, {INT64_MAX, 1}}, "reach beyond"},
        {{FLOATS, "0", 0, 3, {UINT32_MAX, UINT32_MAX, UINT32_MAX}, {0, 0, 0}}, "reach beyond"},
        {{FLOATS, "0", 0, 2, {1 << 20, 1 << 10}, {0, 0}},
         "has 1073741824 elements, more than a file of this size may expand to"},
        {{FLOATS, "0", 0, 1, {-1}, {1}}, "has a size of -1, expected 0 to 4294967295"},
        {{FLOATS, "0", 0, 1, {1ll << 32}, {1}}, "has a size of 4294967296"},
        {{FLOATS, "0", 0, 1, {2}, {-1}}, "has a stride of -1"},
        {{FLOATS, "0", -1, 1, {2}, {1}}, "has a storage offset of -1"},
        {{FLOATS, "0", 0, 6, {1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}}, "has 6 sizes"},
        {{FLOATS, "9", 0, 1, {1}, {1}}, "lies in storage '9', which the file does not hold"},
        {{FLOATS, "", 0, 1, {1}, {1}}, "lies in storage ''"},
        {{"torch\nDoubleStorage\n", "0", 0, 1, {7}, {1}}, "storage of 6 elements"},
        {{"torch\nQInt8Storage\n", "0", 0, 1, {1}, {1}}, "is of type 'torch.QInt8Storage'"},
        {{"evil\nFloatStorage\n", "0", 0, 1, {1}, {1}}, "is of type 'evil.FloatStorage'"},
        {{"torch.cuda\nFloatStorage\n", "0", 0, 1, {1}, {1}}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_tensors t;
        read_view(&t, V2, &rows[i].v, "", "");
        const char *defect = t.v[0].defect;
        if (rows[i].says ? !defect || !strstr(defect, rows[i].says) : defect != NULL)
            fail_msg("row %zu: '%s', expected '%s'", i, defect, rows[i].says);
        qsv_tensors_fini(&t);
    }
}

static void test_makers(void **state)
{
    (void)state;
    static const struct view ramp = {FLOATS, "1", 0, 2, {3, 4}, {4, 1}};
    static const struct view untyped = {
        "torch.storage\nUntypedStorage\n", "1", 0, 2, {3, 4}, {4, 1}};
    static const struct {
        const char *function;
        const struct view *v;
        const char *more, *after, *says;
    } rows[] = {
        {V2, &ramp, "", "", NULL},
        {V2, &ramp, "}", "", NULL},
        {V2, &ramp, "}NNs", "", "is a negated or conjugated view"},
        {V2, &ramp, "", "Nb", "is given a state that only Python could apply"},
        {"_rebuild_tensor_v3", &untyped, "ctorch\nfloat32\n", "", NULL},
        {"_rebuild_tensor_v3", &untyped, "ctorch\nfloat32\n}NNs", "", "is a negated"},
        {"_rebuild_tensor_v3", &untyped, "ctorch\nuint16\n", "", "is of type 'torch.uint16'"},
        {"_rebuild_tensor_v3", &untyped, "N", "", "is of type something without a name"},
        {"_rebuild_tensor_v3", &untyped, "", "", "'_rebuild_tensor_v3' of only 6 arguments"},
        {"_rebuild_parameter", &ramp, "", "", "is a Python persistent object, not a tensor"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_tensors t;
        read_view(&t, rows[i].function, rows[i].v, rows[i].more, rows[i].after);
        const char *defect = t.v[0].defect;
        if (rows[i].says ? !defect || !strstr(defect, rows[i].says) : defect != NULL)
            fail_msg("row %zu: '%s', expected '%s'", i, defect, rows[i].says);
        if (!defect)
            expect_ramp(&t, "x", 2, SHAPE(3, 4));
        qsv_tensors_fini(&t);
    }
}

/* Each view alone is within what the file may expand to, all together are not. */
static void test_expansion_is_bounded_in_total(void **state)
{
    (void)state;
    static const struct view v = {FLOATS, "0", 0, 1, {1 << 22}, {0}};
    struct qsv_strbuf b = {0};
    struct qsv_tensors t;
    qsv_strbuf_add(&b, "\x80\x02}(", 4);
    for (int i = 0; i < 20; i++) {
        put_text(&b, (char[]){(char)('a' + i), '\0'});
        qsv_strbuf_puts(&b, "ctorch._utils\n" V2 "\n");
        put_view_arguments(&b, &v);
        qsv_strbuf_puts(&b, "tR");
    }
    qsv_strbuf_puts(&b, "u.");
    struct bytes archive = archive_of(b.text, b.len);
    assert_int_equal(qsv_checkpoint_parse(&t, archive.data, archive.n, "x.pth", NULL), QSV_OK);
    for (size_t i = 0; i < t.n; i++)
        assert_int_equal(t.v[i].defect == NULL, i < 4); /* 4 of 16 MiB in 64 MiB */
    qsv_tensors_fini(&t);
    free(archive.data);
    qsv_strbuf_fini(&b);
}

static void refuse_pickle(const char *pickle, size_t n, const char *says)
{
    struct bytes b = archive_of(pickle, n);
    refuse(b.data, b.n, says);
    free(b.data);
}

static void parse_pickle(struct qsv_tensors *t, const char *pickle, size_t n)
{
    struct bytes b = archive_of(pickle, n);
    assert_int_equal(qsv_checkpoint_parse(t, b.data, b.n, "x.pth", NULL), QSV_OK);
    free(b.data);
}

#define TEXT(s)     s, sizeof(s) - 1
#define SOME_TENSOR "ctorch._utils\n" V2 "\n)R"

static void test_names_are_checked(void **state)
{
    (void)state;
    struct qsv_tensors t;
    struct qsv_strbuf b = {0};
    refuse_pickle(TEXT("\x80\x02}U\x03"
                       "a\nb" SOME_TENSOR "s."),
                  "the name 'a?b' holds a control character");
    refuse_pickle(TEXT("\x80\x02}U\x03"
                       "a\0b" SOME_TENSOR "s."),
                  "holds a control character");
    refuse_pickle(TEXT("\x80\x02}(U\x01"
                       "a" SOME_TENSOR "U\x01"
                       "a" SOME_TENSOR "u."),
                  "tensor 'a': the name is there twice");
    qsv_strbuf_add(&b, "\x80\x02}T\x01\x02\0\0", 8);
    for (int i = 0; i < 0x201; i++)
        qsv_strbuf_puts(&b, "n");
    qsv_strbuf_puts(&b, SOME_TENSOR "s.");
    refuse_pickle(b.text, b.len, "is longer than 512 bytes");
    qsv_strbuf_fini(&b);

    parse_pickle(&t, TEXT("\x80\x02}(K\x01" SOME_TENSOR "U\x01"
                          "a" SOME_TENSOR "u."));
    assert_int_equal(t.n, 1); /* a number is no name */
    expect_defect(&t, "a", "is made by '_rebuild_tensor_v2' of only 0 arguments");
    qsv_tensors_fini(&t);
}

/* With no tensor in the file, what stands in their place is named. */
static void test_only_unknown_makers(void **state)
{
    (void)state;
    struct qsv_tensors t;
    parse_pickle(&t, TEXT("\x80\x02}(U\x05modelcargs\nSpace\n)RU\x03net}(U\x01"
                          "acx\ny\n)RU\x01"
                          "bcx\nz\n)Ruu."));
    assert_int_equal(t.n, 2);
    expect_defect(&t, "a", "is made by calling 'x.y', which is unknown and never run");
    expect_defect(&t, "b", "is made by calling 'x.z', which is unknown and never run");
    qsv_tensors_fini(&t);
}

static void test_a_prefix_that_not_all_share_stays(void **state)
{
    (void)state;
    struct qsv_tensors t;
    parse_pickle(&t, TEXT("\x80\x02}(U\x08module.a" SOME_TENSOR "U\x01"
                          "b" SOME_TENSOR "u."));
    assert_non_null(qsv_tensors_find(&t, "module.a"));
    assert_non_null(qsv_tensors_find(&t, "b"));
    qsv_tensors_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutated_pickles),
        cmocka_unit_test(test_views_are_checked),
        cmocka_unit_test(test_makers),
        cmocka_unit_test(test_expansion_is_bounded_in_total),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_only_unknown_makers),
        cmocka_unit_test(test_a_prefix_that_not_all_share_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
