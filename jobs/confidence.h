/* Confidence sequence for a trial's top-1 drop on all images of a set, from the first of them in
 * the set's random order: an interval that holds at every look at once, however often one looks.
 *
 * With X = 1 where only the baseline is right, -1 where only the trial is, else 0, the drop is
 * 100 / N times the sum of X over the N images. They come in random order (jobs/partition.h), so
 * after t of them the next one's mean, would the whole sum be k, is (k - sum so far) / (N - t): a
 * game of bets against a claimed k is fair where the claim is true, and by Ville's inequality its
 * capital then ever reaches 1 / alpha times the stake with a probability of at most alpha. So do
 * Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86
 * (2024), arXiv 2010.09686; formulas and bets: docs/search.md, "Looking early".
 *
 * Shards come as counts. Given its counts, any order of a shard's images is equally likely, and so
 * is one drawn afresh from a seed that has nothing to do with the data: the game is played on such
 * an order, and is valid exactly as if on the true one.
 *
 * The probability is over the order, for a trial that was chosen without a look at the images. The
 * same on every machine: +, -, * and / of doubles in a fixed order.
 */
#ifndef QSV_CONFIDENCE_H
#define QSV_CONFIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/rng.h"

struct qsv_confidence {
    uint64_t n_images; /* of the set, N */
    double alpha;
    uint64_t n_seen, n_lost, n_won; /* lost: only the baseline is right; won: only the trial */
    uint8_t *draws; /* [n_seen] X + 1 of the images, in the order that is bet on; owned */
    size_t capacity;
    struct qsv_rng rng;
};

enum qsv_verdict {
    QSV_OPEN,  /* not known yet */
    QSV_BELOW, /* the drop on all images is at most the limit */
    QSV_ABOVE  /* it is above the limit */
};

/* n_images: 1 .. UINT32_MAX; alpha: above 0, below 1. Allocates nothing. */
void qsv_confidence_init(struct qsv_confidence *c, uint64_t n_images, double alpha);
void qsv_confidence_fini(struct qsv_confidence *c);

/* The next images of the order: n_lost of them right with the baseline alone, n_won with the trial
 * alone. QSV_EINPUT where counts exceed the images, or the images what is left of the set; then,
 * and out of memory, c is as it was. */
enum qsv_status qsv_confidence_add(struct qsv_confidence *c, uint64_t n_images, uint64_t n_lost,
                                   uint64_t n_won, struct qsv_error *err);

/* Percentage points of drop. The probability that at any time the drop on all images lies outside
 * is at most alpha, alpha / 2 for each end. low = high = the drop, as qsv_metrics_top1_drop has it,
 * when all images are seen. Never widens, but for one case: where the two ends contradict each
 * other, which has a probability of at most alpha too, it is empty (low > high) until the images
 * left alone bound the drop. Plays the game some 2 log2(N) times: 5 ms for 50,000 images. */
void qsv_confidence_interval(const struct qsv_confidence *c, double *low, double *high);

/* Is the drop on all images above the limit (percentage points, not NaN)? The probability that the
 * verdict is wrong at any time is at most alpha: "at most the limit" and "above it" are tested at
 * alpha each, because only one of them can be true and only a test of the true one can err. So it
 * needs fewer images than the interval to get clear of the limit. Certain, and never QSV_OPEN, when
 * the images left cannot change it; QSV_OPEN where the two tests contradict each other before.
 * Plays the game twice: half a millisecond for 50,000 images. */
enum qsv_verdict qsv_confidence_decide(const struct qsv_confidence *c, double limit);

#endif
