#include "runner/image_options.h"

#define READER(name) #name ", "
const char qsv_image_kind_help[] = "kind of data set: "
#include "core/data/readers.inc"
                                   "or recognised where none is given";
#undef READER

enum qsv_status qsv_image_options_apply(const struct qsv_image_options *o,
                                        struct qsv_dataset_source *source, struct qsv_error *err)
{
    source->format = o->kind;
    source->transform = (struct qsv_transform){(uint32_t)o->resize, (uint32_t)o->crop,
                                               (enum qsv_interpolation)o->interpolation};
    return qsv_transform_check(&source->transform, err) ? QSV_EUSAGE : QSV_OK;
}
