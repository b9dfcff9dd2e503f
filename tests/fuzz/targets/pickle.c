/* The pickle of a PyTorch checkpoint: an input is one, put into a zip archive with two storages.
 * In a whole archive a checksum keeps nearly every change of it from being read.
 */
#include <string.h>
#include <zlib.h>

#include "core/import/torch.h"
#include "tests/fuzz/fuzz.h"

enum { N_PARTS = 3, DOS_1980 = 0x21 };

struct part {
    const char *name;
    const void *data;
    size_t bytes;
    size_t offset; /* of its header */
};

static void add_u16(struct qsv_strbuf *out, unsigned v)
{
    qsv_strbuf_add(out, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}

/* What local header and directory have in common: version, flags, method 0 (stored), time, date,
 * checksum, sizes, lengths of name and extra field. */
static void add_head(struct qsv_strbuf *out, const struct part *p)
{
    add_u16(out, 20);
    add_u16(out, 0);
    add_u16(out, 0);
    add_u16(out, 0);
    add_u16(out, DOS_1980);
    qsv_strbuf_u32(out, (uint32_t)crc32(0, p->data, (unsigned)p->bytes));
    qsv_strbuf_u32(out, (uint32_t)p->bytes);
    qsv_strbuf_u32(out, (uint32_t)p->bytes);
    add_u16(out, (unsigned)strlen(p->name));
    add_u16(out, 0);
}

static void add_file(struct qsv_strbuf *out, struct part *p)
{
    p->offset = out->len;
    qsv_strbuf_add(out, "PK\3\4", 4);
    add_head(out, p);
    qsv_strbuf_puts(out, p->name);
    qsv_strbuf_add(out, p->data, p->bytes);
}

static void add_directory(struct qsv_strbuf *out, const struct part *p)
{
    qsv_strbuf_add(out, "PK\1\2\24\0", 6);
    add_head(out, p);
    qsv_strbuf_add(out, "\0\0\0\0\0\0\0\0\0\0", 10); /* comment, disk, attributes */
    qsv_strbuf_u32(out, (uint32_t)p->offset);
    qsv_strbuf_puts(out, p->name);
}

static void make_zip(struct qsv_strbuf *out, const uint8_t *pickle, size_t bytes)
{
    static const uint8_t storage[48] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 1, 2, 3, 4, 0xff, 0x7f};
    struct part parts[N_PARTS] = {{"x/data.pkl", pickle, bytes, 0},
                                  {"x/data/0", storage, 48, 0},
                                  {"x/data/1", storage, 8, 0}};
    for (int i = 0; i < N_PARTS; i++)
        add_file(out, &parts[i]);
    const size_t directory = out->len;
    for (int i = 0; i < N_PARTS; i++)
        add_directory(out, &parts[i]);
    const size_t end = out->len;
    qsv_strbuf_add(out, "PK\5\6\0\0\0\0", 8);
    add_u16(out, N_PARTS);
    add_u16(out, N_PARTS);
    qsv_strbuf_u32(out, (uint32_t)(end - directory));
    qsv_strbuf_u32(out, (uint32_t)directory);
    add_u16(out, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_tensors t = {0};
    struct qsv_strbuf zip = {0};
    struct qsv_error err = {0};
    make_zip(&zip, data, size);
    FUZZ_NEED(!zip.failed);
    enum qsv_status st = qsv_torch_parse(&t, (const uint8_t *)zip.text, zip.len, &err);
    if (fuzz_accepted(st, &err, QSV_OK))
        for (size_t i = 0; i < t.n; i++)
            fuzz_touch(t.v[i].data, t.v[i].bytes);
    qsv_tensors_fini(&t);
    qsv_strbuf_fini(&zip);
    return 0;
}
