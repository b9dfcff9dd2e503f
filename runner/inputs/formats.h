/* The options --format-all and --setting: a format for every layer. */
#ifndef QSV_FORMATS_H
#define QSV_FORMATS_H

#include <stdint.h>

#include "core/graph.h"

/* At most one of the two is given (not NULL), else QSV_EUSAGE. Fills formats [n_layers]; where none
 * is given, they stay as they are. */
enum qsv_status qsv_formats_choose(uint8_t *formats, const char *format_all, const char *setting,
                                   const struct qsv_graph *graph, struct qsv_error *err);

#endif
