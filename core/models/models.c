#include "core/models/models.h"

#define ARCHITECTURE(name) &qsv_##name,
const struct qsv_architecture *const qsv_architectures[] = {
#include "core/models/models.inc"
    NULL,
};
#undef ARCHITECTURE

#define ARCHITECTURE(name) ", " #name
static const char names[] =
#include "core/models/models.inc"
    ;
#undef ARCHITECTURE

const char *qsv_architecture_names(void)
{
    return names + 2;
}

const struct qsv_architecture *qsv_architecture_recognise(const struct qsv_tensors *tensors)
{
    for (size_t i = 0; qsv_architectures[i]; i++)
        if (qsv_architectures[i]->recognise(tensors))
            return qsv_architectures[i];
    return NULL;
}
