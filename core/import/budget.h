/* What a checkpoint's tensors may take in memory: views may overlap and repeat elements, so a small
 * file could ask for any amount. Shared weights and f16 that becomes f32 stay within it. */
#ifndef QSV_BUDGET_H
#define QSV_BUDGET_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t qsv_budget_of_file(size_t bytes)
{
    return 4 * (uint64_t)bytes + (64u << 20);
}

#endif
