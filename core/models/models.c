#include "core/models/models.h"

const struct qsv_architecture *const qsv_architectures[] = {&qsv_sdtv2, NULL};

const struct qsv_architecture *qsv_architecture_recognise(const struct qsv_tensors *tensors)
{
    for (size_t i = 0; qsv_architectures[i]; i++)
        if (qsv_architectures[i]->recognise(tensors))
            return qsv_architectures[i];
    return NULL;
}
