#include "runner/base/duration.h"

#include <inttypes.h>

void qsv_duration_print(struct qsv_strbuf *out, double seconds)
{
    uint64_t s = seconds > 0 ? (uint64_t)(seconds + 0.5) : 0;
    if (s >= 3600)
        qsv_strbuf_printf(out, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60),
                          (unsigned)(s % 60));
    else
        qsv_strbuf_printf(out, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}
