#include "runner/inputs/image_options.h"

#include <inttypes.h>

#define READER(name) #name ", "
const char qsv_image_kind_help[] = "kind of data set: "
#include "core/data/readers.inc"
                                   "or recognised where none is given";
#undef READER

enum { SHOWN_SKIPPED = 10 };

enum qsv_status qsv_image_options_apply(const struct qsv_image_options *o,
                                        struct qsv_dataset_source *source, struct qsv_error *err)
{
    source->format = o->kind;
    source->on_error = (enum qsv_on_error)o->on_error;
    source->transform = (struct qsv_transform){(uint32_t)o->resize, (uint32_t)o->crop,
                                               (enum qsv_interpolation)o->interpolation};
    return qsv_transform_check(&source->transform, err) ? QSV_EUSAGE : QSV_OK;
}

void qsv_image_options_print_skipped(const struct qsv_dataset *d, struct qsv_strbuf *out)
{
    const uint64_t n = qsv_dataset_skipped(d);
    for (uint64_t k = 0; k < n && k < SHOWN_SKIPPED; k++)
        qsv_strbuf_printf(out, "skipped %s\n", qsv_dataset_skipped_name(d, k));
    if (n > SHOWN_SKIPPED)
        qsv_strbuf_printf(out, "skipped %" PRIu64 " more\n", n - SHOWN_SKIPPED);
}
