/* The whole curve of drop against bytes, from what a `frontier` search has measured.
 *
 * The search knows of every setting on its frontier the foretold divergence and the exact size, and
 * of a few the drop: the line through these (line.h) says what drop goes with every other. It is
 * played again against an evaluator that knows what was recorded; where that fails with
 * QSV_ESTOPPED, because the search was interrupted there, what it has measured until then counts.
 *
 * A predicted drop is what all judging images are expected to show: that of the images that decided
 * by 1 / (1 - reserve), where those are others (constraint.reserve). The interval is for a
 * measurement on all judging images, whose standard error is taken from the measured setting with
 * the next foretold divergence.
 */
#ifndef QSV_CURVE_H
#define QSV_CURVE_H

#include "jobs/strategy.h"

struct qsv_curve_point {
    uint8_t *formats; /* [n_layers], owned */
    double kl;        /* foretold, nats */
    struct qsv_bytes bytes;
    double drop, low, high; /* points; the ends of the 95 % interval NaN where it is not known */
    uint64_t n_images;      /* 0: predicted; else drop and interval are measured, on so many images
                               of those that decided */
};
void qsv_curve_point_fini(struct qsv_curve_point *p);

struct qsv_curve {
    struct qsv_curve_point *points; /* [n] by rising model_bytes, all of them predicted */
    size_t n;
    uint32_t n_measured; /* settings that the line goes through */
};
void qsv_curve_fini(struct qsv_curve *c);

/* At most `most` (2 or more) points of the frontier, evenly along the curve, its ends among them:
 * the setting with least quantized, and the smallest or, where the drop is bounded, the smallest
 * whose predicted drop is at most five times the bound, beyond which nothing was measured for the
 * line. QSV_EINPUT where too little was measured, or drops do not rise with foretold divergences;
 * *out is empty then. */
enum qsv_status qsv_curve_trace(struct qsv_curve *out, const struct qsv_space *space,
                                const struct qsv_spec *spec, struct qsv_evaluator *recorded,
                                uint32_t most, struct qsv_error *err);

/* The smallest setting whose drop keeps `bound`, with the spec's margin and reserve: predicted, and
 * short of what was measured to fail; or a smaller one that was measured to hold. QSV_EINPUT as
 * above, and where no setting is predicted to. */
enum qsv_status qsv_curve_at(struct qsv_curve_point *out, const struct qsv_space *space,
                             const struct qsv_spec *spec, struct qsv_evaluator *recorded,
                             double bound, struct qsv_error *err);

#endif
