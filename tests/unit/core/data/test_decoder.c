#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include "core/base/rng.h"
#include "core/data/decoder.h"
#include "core/data/transform.h"
#include "tests/unit/core/image_files.h"

static const struct qsv_transform tiny = {8, 8, QSV_BICUBIC};
static uint8_t pixels[8 * 8 * 3];

static void expect_refused(const uint8_t *data, size_t n, const char *text)
{
    struct qsv_error err = {0};
    assert_int_equal(qsv_transform_image(&tiny, data, n, pixels, &err), QSV_EINPUT);
    assert_string_equal(err.text, text);
}

/* Where a marker's segment begins, behind the marker. */
static size_t find_marker(const uint8_t *data, size_t n, uint8_t marker)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (data[i] == 0xff && data[i + 1] == marker)
            return i + 2;
    fail_msg("no marker %02x", marker);
    return 0;
}

static void test_what_is_no_image(void **state)
{
    (void)state;
    expect_refused((const uint8_t *)"GIF89a", 6,
                   "is neither JPEG nor PNG: its first bytes are 47 49 46 38 39 61");
    expect_refused((const uint8_t *)"a longer text", 13,
                   "is neither JPEG nor PNG: its first bytes are 61 20 6c 6f 6e 67 65 72");
    expect_refused((const uint8_t *)"", 0, "is neither JPEG nor PNG: its first bytes are missing");
    expect_refused((const uint8_t *)"\xff\xd8", 2,
                   "is neither JPEG nor PNG: its first bytes are ff d8");
    expect_refused((const uint8_t *)"\xff\xd8\xff", 3, "is a JPEG file that ends too early");
    expect_refused((const uint8_t *)"\x89PNG\r\n\x1a\n", 8, "is a PNG file that ends too early");
}

static void test_jpeg_of_12_bits(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_image_file("n01440764/odd.JPEG", &n);
    data[find_marker(data, n, 0xc0) + 2] = 12;
    expect_refused(data, n, "is no JPEG file that can be read: Unsupported JPEG data precision 12");
    free(data);
}

static void test_jpeg_of_two_channels(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xff, 0xd8, 0xff, 0xc0, 0,    14, 8,  0, 8, 0, 8, 2, 1, 0x11, 0,
                                   2,    0x11, 0,    0xff, 0xda, 0,  10, 2, 1, 0, 2, 0, 0, 63,   0};
    expect_refused(data, sizeof data, "is a JPEG file of 2 channels, expected 1, 3 or 4");
}

static void test_images_too_large(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_image_file("n01440764/progressive.JPEG", &n);
    memcpy(data + find_marker(data, n, 0xc2) + 3, (uint8_t[]){0x20, 0, 0x20, 1}, 4);
    expect_refused(data, n, "is 8193x8192 pixels large, expected 1 to 67108864 pixels");
    free(data);

    data = read_image_file("n03445777/grey.png", &n);
    memcpy(data + 16, (uint8_t[]){0, 0, 0x20, 0, 0, 0, 0x20, 1}, 8);
    uint32_t crc = (uint32_t)crc32(0, data + 12, 17);
    memcpy(data + 29, (uint8_t[]){crc >> 24, crc >> 16 & 255, crc >> 8 & 255, crc & 255}, 4);
    expect_refused(data, n, "is 8192x8193 pixels large, expected 1 to 67108864 pixels");
    free(data);
}

static void test_png_of_16_bits(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_image_file("n03445777/grey.png", &n);
    data[24] = 16;
    uint32_t crc = (uint32_t)crc32(0, data + 12, 17);
    memcpy(data + 29, (uint8_t[]){crc >> 24, crc >> 16 & 255, crc >> 8 & 255, crc & 255}, 4);
    expect_refused(data, n, "is a PNG file of 16 bits a channel, expected at most 8");
    free(data);
}

static void test_png_with_a_wrong_checksum(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_image_file("n03445777/grey.png", &n);
    data[29] ^= 1;
    expect_refused(data, n, "is no PNG file that can be read: IHDR: CRC error");
    free(data);
}

static size_t put_chunk(uint8_t *out, const char *type, const uint8_t *data, size_t n)
{
    const uint8_t length[] = {n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255};
    memcpy(out, length, 4);
    memcpy(out + 4, type, 4);
    memcpy(out + 8, data, n);
    const uint32_t crc = (uint32_t)crc32(0, out + 4, (unsigned)n + 4);
    const uint8_t check[] = {crc >> 24, crc >> 16 & 255, crc >> 8 & 255, crc & 255};
    memcpy(out + 8 + n, check, 4);
    return n + 12;
}

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* A hundred texts of 8 KB, which libpng would make 8 MB each of, and keep. */
static void test_png_with_compressed_texts(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 8000000, N_TEXTS = 100, IHDR_END = 33 };
    struct qsv_error err = {0};
    size_t n, at = IHDR_END;
    uint8_t *data = read_image_file("n03445777/grey.png", &n), *text = malloc(TEXT_BYTES);
    uLongf packed = compressBound(TEXT_BYTES);
    uint8_t *chunk = calloc(1, packed + 3); /* a keyword, its end, method 0 */
    chunk[0] = 'k';
    memset(text, 'a', TEXT_BYTES);
    assert_int_equal(compress2(chunk + 3, &packed, text, TEXT_BYTES, 9), Z_OK);
    uint8_t *file = malloc(n + N_TEXTS * (packed + 15));
    memcpy(file, data, IHDR_END);
    for (int i = 0; i < N_TEXTS; i++)
        at += put_chunk(file + at, "zTXt", chunk, packed + 3);
    memcpy(file + at, data + IHDR_END, n - IHDR_END);
    free(text);
    free(chunk);
    const long before_kb = peak_kb();
    assert_int_equal(qsv_transform_image(&tiny, file, at + n - IHDR_END, pixels, &err), QSV_OK);
    assert_in_range(peak_kb() - before_kb, 0, 50000);
    free(file);
    free(data);
}

/* A progressive file that has its first scan `times` times more, and that many pixels a side (0: as
 * many as it has). */
static uint8_t *repeat_scan(size_t *bytes, int times, uint16_t side)
{
    size_t n, out;
    uint8_t *data = read_image_file("n01440764/progressive.JPEG", &n);
    size_t scan = find_marker(data, n, 0xda) - 2, end = scan + 2;
    while (!(data[end] == 0xff && data[end + 1] && data[end + 1] != 0xff))
        end++;
    if (side)
        memcpy(data + find_marker(data, n, 0xc2) + 3,
               (uint8_t[]){side >> 8, side & 255, side >> 8, side & 255}, 4);
    uint8_t *more = malloc(n + (size_t)times * (end - scan));
    memcpy(more, data, out = end);
    for (int i = 0; i < times; i++, out += end - scan)
        memcpy(more + out, data + scan, end - scan);
    memcpy(more + out, data + end, n - end);
    free(data);
    *bytes = out + n - end;
    return more;
}

static void test_more_scans_than_anybody_writes(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = repeat_scan(&n, 120, 0);
    expect_refused(data, n, "is a JPEG file of more than 100 scans");
    free(data);

    /* Each says next to nothing and costs as much as the image is large. */
    data = repeat_scan(&n, 20, 8192);
    expect_refused(data, n, "is a JPEG file of more than 16 scans");
    free(data);
}

/* Every kind, cut off anywhere, is refused and names that; not even a last byte may be missing. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_IMAGE_FILES; i++) {
        size_t n;
        uint8_t *data = read_image_file(image_files[i], &n);
        const char *kind = data[0] == 0x89 ? "PNG" : "JPEG";
        char text[100];
        snprintf(text, sizeof text, "is a %s file that ends too early", kind);
        for (size_t cut = 8; cut < n; cut += cut < n - 20 ? 1 + cut / 40 : 1) {
            uint8_t *part = malloc(cut); /* exactly, for AddressSanitizer */
            memcpy(part, data, cut);
            expect_refused(part, cut, text);
            free(part);
        }
        free(data);
    }
}

/* Changed bytes give other pixels or are refused as the file's fault. */
static void test_mutations(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 7);
    for (size_t i = 0; i < N_IMAGE_FILES; i++) {
        size_t n;
        uint8_t *data = read_image_file(image_files[i], &n), *broken = malloc(n);
        for (int k = 0; k < 600; k++) {
            memcpy(broken, data, n);
            for (uint64_t m = 1 + qsv_rng_below(&rng, 4); m > 0; m--) {
                /* half of them in headers */
                const size_t at = qsv_rng_below(&rng, k % 2 ? n : n < 700 ? n : 700);
                broken[at] = (uint8_t)qsv_rng_next(&rng);
            }
            struct qsv_error err = {0};
            enum qsv_status st = qsv_transform_image(&tiny, broken, n, pixels, &err);
            if (st != QSV_OK && st != QSV_EINPUT)
                fail_msg("%s: status %d: %s", image_files[i], st, err.text);
        }
        free(broken);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_image),
        cmocka_unit_test(test_jpeg_of_12_bits),
        cmocka_unit_test(test_jpeg_of_two_channels),
        cmocka_unit_test(test_images_too_large),
        cmocka_unit_test(test_png_of_16_bits),
        cmocka_unit_test(test_png_with_a_wrong_checksum),
        cmocka_unit_test(test_png_with_compressed_texts),
        cmocka_unit_test(test_more_scans_than_anybody_writes),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
