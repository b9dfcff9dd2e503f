#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/import/checkpoint.h"
#include "import_support.h"

static void read_good(struct qsv_tensors *t, const char *name)
{
    struct qsv_error err = {0};
    struct bytes b = read_checkpoint(name);
    if (qsv_checkpoint_parse(t, b.data, b.n, name, &err))
        fail_msg("%s", err.text);
    free(b.data);
}

static void expect_weights(const struct qsv_tensors *t)
{
    assert_int_equal(t->n, 4);
    expect_ramp(t, "conv.weight", 4, SHAPE(2, 3, 2, 2));
    expect_floats(t, "conv.bias", 1, SHAPE(2), (float[]){-1.5f, 2.25f});
    expect_floats(t, "threshold", 0, NULL, (float[]){0.5f});
    expect_defect(t, "norm.num_batches_tracked",
                  "is of type 'torch.LongStorage'; only f32, f16, bf16 and f64 are read");
}

static void test_state_dict_in_every_wrapping(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.pth", "prefix.pth", "protocol4.pth", "newer.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct qsv_tensors t;
        read_good(&t, names[i]);
        expect_weights(&t);
        qsv_tensors_fini(&t);
    }
}

/* Beside an optimizer's state, a scaler's, an argparse.Namespace and an int of 71 bits. */
static void test_published_manner(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "published.pth");
    assert_int_equal(t.n, 2);
    expect_ramp(&t, "weight", 2, SHAPE(2, 3));
    expect_floats(&t, "bias", 1, SHAPE(2), (float[]){4.0f, -0.25f});
    qsv_tensors_fini(&t);
}

static void test_types(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "types.pth");
    expect_ramp(&t, "f16", 1, SHAPE(5));
    expect_ramp(&t, "bf16", 1, SHAPE(5));
    expect_ramp(&t, "f64", 1, SHAPE(5));
    expect_defect(&t, "i8", "is of type 'torch.CharStorage'; only f32, f16, bf16 and f64 are read");
    expect_defect(&t, "flags",
                  "is of type 'torch.BoolStorage'; only f32, f16, bf16 and f64 are read");
    qsv_tensors_fini(&t);
}

/* Views of one storage, 0 to 11 in eighths as [3, 4]. */
static void test_views(void **state)
{
    (void)state;
    struct qsv_tensors t;
    float transposed[12], rows[8];
    for (int i = 0; i < 12; i++)
        transposed[i] = (float)(i % 3 * 4 + i / 3) / 8;
    for (int i = 0; i < 8; i++)
        rows[i] = (float)(4 + i) / 8;
    read_good(&t, "views.pth");
    expect_floats(&t, "transposed", 2, SHAPE(4, 3), transposed);
    expect_floats(&t, "column", 1, SHAPE(3), (float[]){0.125f, 0.625f, 1.125f});
    expect_floats(&t, "rows", 2, SHAPE(2, 4), rows);
    expect_floats(&t, "every_other", 2, SHAPE(2, 2), (float[]){0, 0.375f, 1, 1.375f});
    expect_floats(&t, "repeated", 2, SHAPE(2, 3), (float[]){1, 1, 1, 2, 2, 2});
    expect_floats(&t, "empty", 2, SHAPE(0, 4), NULL);
    qsv_tensors_fini(&t);
}

static void test_choice_of_dict(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "state_dict.pth"); /* its name goes before more tensors elsewhere */
    assert_int_equal(t.n, 1);
    expect_ramp(&t, "weight", 1, SHAPE(3));
    qsv_tensors_fini(&t);
    read_good(&t, "deep.pth"); /* of three without such a name the one with the most tensors */
    assert_int_equal(t.n, 2);
    expect_ramp(&t, "a", 1, SHAPE(2));
    expect_ramp(&t, "b", 1, SHAPE(1));
    qsv_tensors_fini(&t);
}

static void test_parameters_and_other_folder_names(void **state)
{
    (void)state;
    static const char *const names[] = {"parameters.pth", "cyrillic.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct qsv_tensors t;
        read_good(&t, names[i]);
        assert_int_equal(t.n, 1);
        expect_ramp(&t, "weight", 1, SHAPE(2));
        qsv_tensors_fini(&t);
    }
}

static void test_unknown_maker_is_a_defect(void **state)
{
    (void)state;
    struct qsv_tensors t;
    const struct qsv_tensor *x;
    struct qsv_error err = {0};
    read_good(&t, "unknown.pth");
    expect_ramp(&t, "bias", 1, SHAPE(2));
    assert_int_equal(qsv_tensors_need(&x, &t, "weight", 1, SHAPE(3), &err), QSV_EINPUT);
    assert_string_equal(err.text, "tensor 'weight' can't be read: is made by calling "
                                  "'__main__.make_coded', which is unknown and never run");
    qsv_tensors_fini(&t);
}

/* Python would run `touch executed` three times while reading it. */
static void test_nothing_is_executed(void **state)
{
    (void)state;
    struct qsv_tensors t;
    struct stat s;
    char folder[] = "/tmp/qsv_checkpoint_XXXXXX", before[4096];
    struct bytes b = read_checkpoint("hostile.pth");
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(qsv_checkpoint_parse(&t, b.data, b.n, "hostile.pth", NULL), QSV_OK);
    assert_int_equal(stat("executed", &s), -1);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(folder), 0);
    expect_ramp(&t, "weight", 1, SHAPE(2));
    expect_defect(&t, "bias", "is made by calling 'posix.system', which is unknown and never run");
    qsv_tensors_fini(&t);
    free(b.data);
}

static void test_a_dict_that_contains_itself(void **state)
{
    (void)state;
    struct qsv_tensors t;
    read_good(&t, "itself.pth");
    expect_ramp(&t, "weight", 1, SHAPE(2));
    expect_defect(&t, "again", "is a Python dict, not a tensor");
    expect_defect(&t, "loop", "is a Python list, not a tensor");
    qsv_tensors_fini(&t);
}

static void refuse(const void *data, size_t n, const char *says)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    struct bytes b = copy_bytes(data, n);
    assert_int_equal(qsv_checkpoint_parse(&t, b.data, b.n, "FILE", &err), QSV_EINPUT);
    assert_int_equal(t.n, 0);
    if (strncmp(err.text, "FILE: ", 6) || !strstr(err.text, says))
        fail_msg("'%s', expected '%s'", err.text, says);
    free(b.data);
}

static void test_refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } rows[] = {
        {"legacy.pth", "is an old PyTorch file that is no zip archive: load it with torch.load"},
        {"published.pkl", "is a bare Python pickle"},
        {"script.pth", "is a TorchScript archive"},
        {"big_endian.pth", "is not little-endian"},
        {"no_tensors.pth", "holds a Python dict with no tensors"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes b = read_checkpoint(rows[i].name);
        refuse(b.data, b.n, rows[i].says);
        free(b.data);
    }
    char tar[512] = "weights.pkl";
    memcpy(tar + 257, "ustar", 5);
    refuse(tar, sizeof tar, "is a tar archive");
    refuse("", 0, "is empty");
    refuse("\x89HDF\r\n\x1a\n....", 12, "is an HDF5 file");
    refuse("\x1f\x8b\x08", 3, "is compressed by gzip");
    refuse("sweep:\n  model: x\n", 18, "neither a zip archive (.pth) nor a safetensors header");
    refuse("PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "the zip archive can't be read");
    refuse("PK\x03\x04", 4, "the zip archive can't be read");
}

static void test_reads_files(void **state)
{
    (void)state;
    struct qsv_tensors t;
    struct qsv_error err = {0};
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "plain.pth", NULL), QSV_OK);
    expect_weights(&t);
    qsv_tensors_fini(&t);
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "absent.pth", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "absent.pth: cannot open"));
    assert_int_equal(qsv_checkpoint_read(&t, CHECKPOINTS "legacy.pth", &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "legacy.pth: is an old PyTorch file"));
}

static void test_every_prefix(void **state)
{
    (void)state;
    struct bytes good = read_checkpoint("views.pth");
    for (size_t n = 0; n < good.n; n++)
        refuse(good.data, n, "");
    free(good.data);
}

/* Where it is still accepted, what it gives is touched. */
static bool accepted(const struct bytes *b)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    enum qsv_status st = qsv_checkpoint_parse(&t, b->data, b->n, "FILE", &err);
    if (st) {
        assert_int_equal(st, QSV_EINPUT);
        return false;
    }
    assert_true(sum_of(&t) >= 0);
    qsv_tensors_fini(&t);
    return true;
}

static void test_mutated_archives(void **state)
{
    (void)state;
    struct qsv_rng rng;
    struct bytes good = read_checkpoint("views.pth");
    qsv_rng_seed(&rng, 3);
    size_t n = 0;
    for (int i = 0; i < 10000; i++) {
        struct bytes b = mutate(&good, &rng);
        n += accepted(&b);
        free(b.data);
    }
    assert_in_range(n, 100, 9900);
    free(good.data);
}

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

static bool parse_with_failure(const struct bytes *b, long n)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    qsv_alloc_fail_at(n);
    enum qsv_status st = qsv_checkpoint_parse(&t, b->data, b->n, "FILE", &err);
    qsv_alloc_fail_at(0);
    assert_int_equal(st, st ? QSV_ENOMEM : QSV_OK);
    if (st)
        assert_non_null(strstr(err.text, "FILE: out of memory"));
    else
        qsv_tensors_fini(&t);
    return st != QSV_OK;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const files[] = {"published.pth", "newer.pth", "types.safetensors"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct bytes b = read_checkpoint(files[f]);
        long n = 1;
        while (parse_with_failure(&b, n))
            n++;
        assert_in_range(n, 10, 1000);
        free(b.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_dict_in_every_wrapping),
        cmocka_unit_test(test_published_manner),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_choice_of_dict),
        cmocka_unit_test(test_parameters_and_other_folder_names),
        cmocka_unit_test(test_unknown_maker_is_a_defect),
        cmocka_unit_test(test_nothing_is_executed),
        cmocka_unit_test(test_a_dict_that_contains_itself),
        cmocka_unit_test(test_refuses_by_name),
        cmocka_unit_test(test_reads_files),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutated_archives),
        cmocka_unit_test(test_mutated_pickles),
        cmocka_unit_test(test_views_are_checked),
        cmocka_unit_test(test_makers),
        cmocka_unit_test(test_expansion_is_bounded_in_total),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_a_prefix_that_not_all_share_stays),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
