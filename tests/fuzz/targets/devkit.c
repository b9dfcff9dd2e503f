/* ImageNet's development kit: an input is the tar archive, compressed here. meta.mat in it is read
 * by matio in a child, as always; that library's own crashes there are not looked for.
 */
#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "core/data/labels.h"
#include "tests/fuzz/fuzz.h"

/* gzip around stored blocks: the fastest there is. */
static void compress_gzip(struct qsv_strbuf *out, const uint8_t *data, size_t size)
{
    enum { MOST = 65535 };
    qsv_strbuf_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    for (size_t at = 0; at <= size; at += MOST) {
        const size_t n = size - at < MOST ? size - at : MOST;
        const bool last = at + MOST > size;
        const uint8_t head[] = {last, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                                (uint8_t)(~n >> 8)};
        qsv_strbuf_add(out, head, sizeof head);
        qsv_strbuf_add(out, data + at, n);
    }
    qsv_strbuf_u32(out, (uint32_t)crc32(0, data, (unsigned)size));
    qsv_strbuf_u32(out, (uint32_t)size);
}

/* Of the sanitizers: what libFuzzer writes a crash's input by, and that a report in the child is
 * nobody's to read. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "symbolize=0";
}

static void on_fork(void)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(NULL);
}

static void look_up(const struct qsv_labels *l)
{
    static const char *const images[] = {"ILSVRC2012_val_00000001.JPEG",
                                         "val/ILSVRC2012_val_00000003.JPEG",
                                         "ILSVRC2012_val_99999999.JPEG", "a.JPEG"};
    size_t n;
    char *const *classes = qsv_labels_classes(l, &n);
    FUZZ_NEED(n);
    for (size_t i = 0; i < n; i++)
        fuzz_touch(classes[i], strlen(classes[i]));
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        uint16_t label = 0;
        struct qsv_error err = {0};
        if (fuzz_accepted(qsv_labels_find(l, images[i], &label, &err), &err, QSV_OK))
            FUZZ_NEED(label < n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct qsv_labels *l = NULL;
    struct qsv_strbuf file = {0};
    struct qsv_error err = {0};
    if (!begun)
        begun = !pthread_atfork(NULL, NULL, on_fork);
    compress_gzip(&file, data, size);
    FUZZ_NEED(!file.failed);
    const char *path = fuzz_file(0, file.text, file.len);
    if (fuzz_accepted(qsv_labels_read(&l, path, &err), &err, QSV_OK))
        look_up(l);
    qsv_labels_destroy(l);
    qsv_strbuf_fini(&file);
    return 0;
}
