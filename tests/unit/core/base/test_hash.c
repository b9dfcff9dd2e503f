#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/hash.h"

/* Vectors of the xxHash project, seed 0. */
static const struct {
    const char *text;
    uint64_t hash;
} vectors[] = {
    {"", 0x2d06800538d394c2},
    {"a", 0xe6c632b61e964e1f},
    {"abc", 0x78af5f94892f3950},
    {"hello world", 0xd447b1ea40e6988b},
};

static void test_known_vectors(void **state)
{
    (void)state;
    static const uint8_t counting[] = {0, 1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(qsv_hash_bytes(vectors[i].text, strlen(vectors[i].text)), vectors[i].hash);
    assert_int_equal(qsv_hash_bytes(counting, sizeof counting), 0x0cd2084a62406b69);
}

static void test_streamed_is_the_same(void **state)
{
    (void)state;
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct qsv_hash *h = qsv_hash_begin();
        for (const char *p = vectors[i].text; *p; p++)
            qsv_hash_add(h, p, 1);
        assert_int_equal(qsv_hash_end(h), vectors[i].hash);
    }
    for (size_t piece = 1; piece < sizeof bytes; piece = piece * 3 + 1) {
        struct qsv_hash *h = qsv_hash_begin();
        for (size_t at = 0; at < sizeof bytes; at += piece)
            qsv_hash_add(h, bytes + at, at + piece < sizeof bytes ? piece : sizeof bytes - at);
        assert_int_equal(qsv_hash_end(h), qsv_hash_bytes(bytes, sizeof bytes));
    }
}

static void test_numbers_are_little_endian(void **state)
{
    (void)state;
    struct qsv_hash *h = qsv_hash_begin();
    qsv_hash_add_u64(h, 0x0807060504030201);
    assert_int_equal(qsv_hash_end(h), qsv_hash_bytes("\1\2\3\4\5\6\7\10", 8));
}

static uint64_t hash_two(const char *a, const char *b)
{
    struct qsv_hash *h = qsv_hash_begin();
    qsv_hash_add_string(h, a);
    qsv_hash_add_string(h, b);
    return qsv_hash_end(h);
}

static void test_strings_know_their_length(void **state)
{
    (void)state;
    assert_int_not_equal(hash_two("ab", "c"), hash_two("a", "bc"));
    assert_int_not_equal(hash_two("", "abc"), hash_two("abc", ""));
    assert_int_equal(hash_two("a", ""), qsv_hash_bytes("\1\0\0\0\0\0\0\0a\0\0\0\0\0\0\0\0", 17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_streamed_is_the_same),
        cmocka_unit_test(test_numbers_are_little_endian),
        cmocka_unit_test(test_strings_know_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
