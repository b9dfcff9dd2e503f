#include "core/data/decoder.h"

#include "core/base/strbuf.h"

static const struct qsv_decoder *const decoders[] = {&qsv_jpeg_decoder, &qsv_png_decoder};

enum { SHOWN = 8 };

enum qsv_status qsv_decoder_find(const struct qsv_decoder **out, const uint8_t *data, size_t n,
                                 struct qsv_error *err)
{
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
        if (decoders[i]->recognise(data, n)) {
            *out = decoders[i];
            return QSV_OK;
        }
    struct qsv_strbuf found = {0};
    for (size_t i = 0; i < n && i < SHOWN; i++)
        qsv_strbuf_printf(&found, " %02x", data[i]);
    enum qsv_status st = qsv_fail(err, QSV_EINPUT, "is neither JPEG nor PNG: its first bytes are%s",
                                  found.text ? found.text : " missing");
    qsv_strbuf_fini(&found);
    return st;
}

enum qsv_status qsv_decoder_check_size(uint32_t width, uint32_t height, struct qsv_error *err)
{
    if (width && height && (uint64_t)width * height <= QSV_IMAGE_PIXELS)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "is %ux%u pixels large, expected 1 to %d pixels", width,
                    height, QSV_IMAGE_PIXELS);
}
