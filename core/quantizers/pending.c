#include "core/quantizers/pending.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { COLUMNS = 256 }; /* of the matrix at once, with all that wait: 256 KiB */

enum qsv_status qsv_pending_init(struct qsv_pending *p, const struct qsv_moments *kernels,
                                 size_t rows, struct qsv_error *err)
{
    *p = (struct qsv_pending){
        .kernels = kernels,
        .rows = rows,
        .index = qsv_alloc(rows, QSV_PENDING * sizeof *p->index),
        .factor = qsv_alloc(rows, QSV_PENDING * sizeof *p->factor),
        .count = qsv_alloc(rows, sizeof *p->count),
    };
    return p->index && p->factor && p->count ? QSV_OK : qsv_fail_memory(err, "a layer's codes");
}

void qsv_pending_fini(struct qsv_pending *p)
{
    free(p->index);
    free(p->factor);
    free(p->count);
    *p = (struct qsv_pending){0};
}

void qsv_pending_apply(const struct qsv_pending *p, double *out, const double *matrix, size_t k,
                       size_t first, size_t end)
{
    for (size_t j = first; j < end; j += COLUMNS) {
        const size_t n = end - j < COLUMNS ? end - j : COLUMNS;
        for (size_t r = 0; r < p->rows; r++)
            if (p->count[r])
                p->kernels->add_rows(out + r * k + j, n, matrix + j, k, p->index + r * QSV_PENDING,
                                     p->factor + r * QSV_PENDING, p->count[r]);
    }
}

void qsv_pending_clear(struct qsv_pending *p)
{
    memset(p->count, 0, p->rows * sizeof *p->count);
}
