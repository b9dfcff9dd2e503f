/* How fast a core of this machine runs a sweep's network, from a short measurement on its own
 * images: what a plan is made with. It is processor time of one thread, so that other programs on
 * the machine matter little.
 */
#ifndef QSV_SPEED_H
#define QSV_SPEED_H

#include "runner/inputs/inputs.h"

struct qsv_speed {
    uint32_t images; /* it was measured with */
    const char *isa;
    double real_s;          /* an image takes a core: all layers f32 */
    double integer_s;       /* all layers at `format`; where the search has none, as real_s */
    enum qsv_format format; /* the narrowest integer format of the search; QSV_F32: none */
    bool makes_codes;       /* the run has codes to choose by statistics, */
    double statistics_s;    /* which takes so much more an image, for all layers */
};

/* Seconds for a small network, half a minute for the largest published one. */
enum qsv_status qsv_speed_measure(struct qsv_speed *out, struct qsv_inputs *in,
                                  struct qsv_error *err);

#endif
