#include "jobs/confidence.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum {
    N_BETS = 8,  /* games played at once, each with a share of the stake */
    STRETCH = 16 /* images between two looks at the capital and the bets */
};
static const double SMALLEST_EXCESS = 0.001; /* share of the set that the first game expects */
static const double MOST_AT_STAKE = 0.5;     /* share of a game's capital that an image can cost */
static const uint64_t SEED = 0x7c159e3779b97f4a; /* not a seed that somebody gives a set's order */

void qsv_confidence_init(struct qsv_confidence *c, uint64_t n_images, double alpha)
{
    assert(n_images > 0 && n_images <= UINT32_MAX && alpha > 0 && alpha < 1);
    *c = (struct qsv_confidence){.n_images = n_images, .alpha = alpha};
    qsv_rng_seed(&c->rng, SEED);
}

void qsv_confidence_fini(struct qsv_confidence *c)
{
    free(c->draws);
    *c = (struct qsv_confidence){0};
}

static enum qsv_status check(const struct qsv_confidence *c, uint64_t n_images, uint64_t n_lost,
                             uint64_t n_won, struct qsv_error *err)
{
    if (n_lost > n_images || n_won > n_images - n_lost)
        return qsv_fail(err, QSV_EINPUT,
                        "%" PRIu64 " images, of them %" PRIu64 " right with the baseline alone and "
                        "%" PRIu64 " with the trial alone, expected no more than there are",
                        n_images, n_lost, n_won);
    if (n_images > c->n_images - c->n_seen)
        return qsv_fail(err, QSV_EINPUT,
                        "%" PRIu64 " images after %" PRIu64 ", expected no more than the set's "
                        "%" PRIu64,
                        n_images, c->n_seen, c->n_images);
    return QSV_OK;
}

/* A random order of a shard's images, each drawn from those that are left. */
static void draw(struct qsv_rng *rng, uint8_t *draws, uint64_t n, uint64_t n_lost, uint64_t n_won)
{
    for (; n > 0; n--) {
        uint64_t i = qsv_rng_below(rng, n);
        bool lost = i < n_lost, won = !lost && i < n_lost + n_won;
        *draws++ = (uint8_t)(1 + lost - won);
        n_lost -= lost;
        n_won -= won;
    }
}

enum qsv_status qsv_confidence_add(struct qsv_confidence *c, uint64_t n_images, uint64_t n_lost,
                                   uint64_t n_won, struct qsv_error *err)
{
    enum qsv_status st = check(c, n_images, n_lost, n_won, err);
    if (st)
        return st;
    if (!qsv_grow(&c->draws, &c->capacity, (size_t)(c->n_seen + n_images), 1))
        return qsv_fail_memory(err, "a confidence sequence");
    draw(&c->rng, c->draws + c->n_seen, n_images, n_lost, n_won);
    c->n_seen += n_images;
    c->n_lost += n_lost;
    c->n_won += n_won;
    return QSV_OK;
}

/* What a claim about the set leaves to be had: `left` images worth `worth` together, where an image
 * is worth y = X + 1, 0 to 2; and what was seen before. */
struct claimed {
    double left, worth;
    double seen, flips;
};

/* Bets for the next stretch. Game j expects the images left to be worth SMALLEST_EXCESS * 2^j of
 * the set more than claimed, and bets what makes its capital grow fastest if so (Kelly), up to
 * terms of third order: the excess of the mean over the mean square about the claim. */
static void set_bets(double *bet, const struct claimed *c)
{
    double square = (0.25 + c->flips) / (1 + c->seen);
    double excess = SMALLEST_EXCESS * (c->seen + c->left) / c->left;
    for (int j = 0; j < N_BETS; j++, excess *= 2) {
        bet[j] = excess / (square + excess * excess) / c->left;
        if (bet[j] * c->worth > MOST_AT_STAKE)
            bet[j] = MOST_AT_STAKE / c->worth;
    }
}

/* One image. What it wins, left * (y - worth / left), is an integer, 0 in the mean if the claim is
 * true, and at worst -worth, which only falls on the way through a stretch. */
static void play(double *capital, const double *bet, struct claimed *c, double y)
{
    double win = c->left * y - c->worth;
    for (int j = 0; j < N_BETS; j++)
        capital[j] *= 1 + bet[j] * win;
    c->left--;
    c->worth -= y;
    c->seen++;
    c->flips += y != 1;
}

static bool is_rich(double *capital, double alpha)
{
    double sum = 0;
    for (int j = 0; j < N_BETS; j++) {
        sum += capital[j];
        if (capital[j] < 1e-200) /* lost for good; numbers below the normal ones are slow */
            capital[j] = 0;
    }
    return sum * alpha >= N_BETS;
}

/* Have bets refuted, at level alpha, that the sum of sign * X over the set is at most `sum`? Which
 * must be possible after what was seen. Capital falls as the sum rises, so that what refutes one
 * sum refutes all below it. */
static bool is_refuted(const struct qsv_confidence *c, int sign, int64_t sum, double alpha)
{
    struct claimed claimed = {.left = (double)c->n_images,
                              .worth = (double)sum + (double)c->n_images};
    double bet[N_BETS], capital[N_BETS];
    for (int j = 0; j < N_BETS; j++)
        capital[j] = 1;

    const uint8_t *d = c->draws;
    for (uint64_t n = c->n_seen / STRETCH; n > 0; n--) {
        set_bets(bet, &claimed);
        for (int i = 0; i < STRETCH; i++, d++)
            play(capital, bet, &claimed, sign > 0 ? *d : 2 - *d);
        if (is_rich(capital, alpha))
            return true;
    }
    return false;
}

/* The least sum of sign * X that bets at level alpha and the images left allow. */
static int64_t least_sum(const struct qsv_confidence *c, int sign, double alpha)
{
    int64_t sum = sign * ((int64_t)c->n_lost - (int64_t)c->n_won);
    int64_t left = (int64_t)(c->n_images - c->n_seen);
    int64_t low = sum - left, high = sum + left;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (is_refuted(c, sign, middle, alpha))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double drop_of(int64_t sum, uint64_t n_images)
{
    return 100.0 * (double)sum / (double)n_images;
}

void qsv_confidence_interval(const struct qsv_confidence *c, double *low, double *high)
{
    *low = drop_of(least_sum(c, 1, c->alpha / 2), c->n_images);
    *high = drop_of(-least_sum(c, -1, c->alpha / 2), c->n_images);
}

/* The largest sum of X whose drop is within the limit, by the comparison that the constraint makes.
 */
static int64_t largest_within(uint64_t n_images, double limit)
{
    int64_t n = (int64_t)n_images;
    if (limit >= 100)
        return n;
    if (limit < -100)
        return -n - 1;
    int64_t sum = (int64_t)floor(limit / 100 * (double)n);
    while (drop_of(sum + 1, n_images) <= limit)
        sum++;
    while (drop_of(sum, n_images) > limit)
        sum--;
    return sum;
}

enum qsv_verdict qsv_confidence_decide(const struct qsv_confidence *c, double limit)
{
    assert(!isnan(limit));
    int64_t within = largest_within(c->n_images, limit);
    int64_t sum = (int64_t)c->n_lost - (int64_t)c->n_won;
    int64_t left = (int64_t)(c->n_images - c->n_seen);
    if (sum + left <= within)
        return QSV_BELOW;
    if (sum - left > within)
        return QSV_ABOVE;
    bool above = is_refuted(c, 1, within, c->alpha);
    bool below = is_refuted(c, -1, -(within + 1), c->alpha);
    return above == below ? QSV_OPEN : above ? QSV_ABOVE : QSV_BELOW;
}
