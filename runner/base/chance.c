#include "runner/base/chance.h"

#include <inttypes.h>
#include <math.h>

enum { FEWEST = 32, ERRORS = 3 };

bool qsv_chance_is_likely(uint64_t top1, uint64_t n_images, uint32_t classes)
{
    if (n_images < FEWEST || classes < 2)
        return false;
    const double n = (double)n_images, p = 1.0 / classes;
    return (double)top1 / n <= p + ERRORS * sqrt(p * (1 - p) / n);
}

void qsv_chance_describe(struct qsv_strbuf *out, uint64_t top1, uint64_t n_images, uint32_t classes)
{
    qsv_strbuf_printf(out,
                      "the network as it is answers %.2f %% of %" PRIu64
                      " images right, no better than chance (%.2f %% for %" PRIu32
                      " classes): the data set's classes are probably in another order than the "
                      "model's; look with qsvit dataset check",
                      100 * (double)top1 / (double)n_images, n_images, 100.0 / classes, classes);
}
