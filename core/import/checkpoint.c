#include "core/import/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/import/safetensors.h"
#include "core/import/torch.h"

static const size_t MAX_FILE = (size_t)8 << 30;

#define SAVE_AGAIN                                                                                 \
    "load it with torch.load and write it with torch.save(..., PATH) of PyTorch 1.6 or later"

/* What else a file may be, by the bytes at its beginning or at `offset`. */
static const struct {
    size_t offset, bytes;
    const char *magic, *says;
} others[] = {
    {0, 14, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
     "an old PyTorch file that is no zip archive: " SAVE_AGAIN},
    {257, 5, "ustar", "a tar archive, perhaps a PyTorch file of before 2017: " SAVE_AGAIN},
    {0, 2, "\x80\x02", "a bare Python pickle: " SAVE_AGAIN},
    {0, 2, "\x80\x03", "a bare Python pickle: " SAVE_AGAIN},
    {0, 2, "\x80\x04", "a bare Python pickle: " SAVE_AGAIN},
    {0, 2, "\x80\x05", "a bare Python pickle: " SAVE_AGAIN},
    {0, 8, "\x89HDF\r\n\x1a\n", "an HDF5 file: a model file needs no import"},
    {0, 2, "\x1f\x8b", "compressed by gzip: unpack it first"},
    {0, 6,
     "\xfd"
     "7zXZ",
     "compressed by xz: unpack it first"},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"},
    {0, 4, "GGUF", "a GGUF file: export the network to .pth or .safetensors"},
    {0, 6, "\x93NUMPY", "a NumPy array, not a checkpoint"},
};

static bool starts_with(const uint8_t *data, size_t bytes, size_t offset, const char *magic,
                        size_t n)
{
    return bytes >= offset && bytes - offset >= n && !memcmp(data + offset, magic, n);
}

static enum qsv_status refuse(const uint8_t *data, size_t bytes, struct qsv_error *err)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts_with(data, bytes, others[i].offset, others[i].magic, others[i].bytes))
            return qsv_fail(err, QSV_EINPUT, "is %s", others[i].says);
    if (!bytes)
        return qsv_fail(err, QSV_EINPUT, "is empty");
    return qsv_fail(err, QSV_EINPUT,
                    "begins with neither a zip archive (.pth) nor a safetensors header");
}

static enum qsv_status parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                             struct qsv_error *err)
{
    if (starts_with(data, bytes, 0, "PK\x03\x04", 4) ||
        starts_with(data, bytes, 0, "PK\x05\x06", 4))
        return qsv_torch_parse(out, data, bytes, err);
    if (starts_with(data, bytes, 8, "{", 1))
        return qsv_safetensors_parse(out, data, bytes, err);
    return refuse(data, bytes, err);
}

/* DataParallel puts the network into a module of that name. */
static void strip_prefix(struct qsv_tensors *t)
{
    static const char prefix[] = "module.";
    size_t n = sizeof prefix - 1;
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->v[i].name, prefix, n))
            return;
    for (size_t i = 0; i < t->n; i++)
        memmove(t->v[i].name, t->v[i].name + n, strlen(t->v[i].name) - n + 1);
}

enum qsv_status qsv_checkpoint_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                     const char *name, struct qsv_error *err)
{
    *out = (struct qsv_tensors){0};
    enum qsv_status st = parse(out, data, bytes, err);
    if (st) {
        qsv_tensors_fini(out);
        return qsv_fail_in(err, st, "%s", name);
    }
    strip_prefix(out);
    return QSV_OK;
}

enum qsv_status qsv_checkpoint_read(struct qsv_tensors *out, const char *path,
                                    struct qsv_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    *out = (struct qsv_tensors){0};
    enum qsv_status st = qsv_file_read(&data, &bytes, path, MAX_FILE, err);
    if (!st)
        st = qsv_checkpoint_parse(out, data, bytes, path, err);
    free(data);
    return st;
}
