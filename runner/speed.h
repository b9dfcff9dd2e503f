/* How fast this machine runs a sweep's network, from a short measurement on its own images: what a
 * plan is made with.
 */
#ifndef QSV_SPEED_H
#define QSV_SPEED_H

#include "runner/inputs.h"

struct qsv_speed {
    uint32_t images, threads; /* it was measured with */
    const char *isa;
    double real_s;          /* an image of a rank: all layers f32 */
    double integer_s;       /* all layers at `format`; where the search has none, as real_s */
    enum qsv_format format; /* the narrowest integer format of the search; QSV_F32: none */
    double statistics_s;    /* collecting what the layers read, an image, all layers; 0: none is */
};

/* Seconds for a small network, half a minute for the largest published one. */
enum qsv_status qsv_speed_measure(struct qsv_speed *out, struct qsv_inputs *in,
                                  struct qsv_error *err);

#endif
