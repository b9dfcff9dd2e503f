#include "runner/coordinator/deal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/coordinator/stock.h"

struct pace { /* fading sums, so that the speed follows what is being done */
    double work, seconds;
};

enum state { DONE, OPEN, DEALT }; /* of a pair: also what was never missing is done */

struct qsv_deal {
    uint32_t n_workers, n_shards;
    double task_seconds;
    struct pace *paces; /* [n_workers] */
    double speeds;      /* sum of those that are known */
    uint32_t n_known;
    struct qsv_stock *stock;

    /* Of the call: */
    uint32_t n_trials, first, count;
    double *shared;    /* [n_trials] */
    uint32_t *images;  /* [count] */
    uint8_t *states;   /* [count][n_trials] */
    uint32_t *from;    /* [count] no trial before it is open */
    uint32_t *hand;    /* [n_trials] */
    uint64_t n_undone; /* pairs that are not done */
    double work_left;  /* of open pairs, as if each trial followed the one before it */
};

enum qsv_status qsv_deal_create(struct qsv_deal **out, uint32_t n_workers, uint32_t n_shards,
                                double task_seconds, struct qsv_error *err)
{
    struct qsv_deal *d = qsv_alloc(1, sizeof *d);
    enum qsv_status st = QSV_OK;
    *out = NULL;
    if (!d || !(d->paces = qsv_alloc(n_workers, sizeof *d->paces)))
        st = qsv_fail_memory(err, "dealing tasks");
    if (!st)
        st = qsv_stock_create(&d->stock, n_workers, n_shards, err);
    if (st) {
        qsv_deal_destroy(d);
        return st;
    }
    d->n_workers = n_workers;
    d->n_shards = n_shards;
    d->task_seconds = task_seconds;
    *out = d;
    return QSV_OK;
}

static void free_call(struct qsv_deal *d)
{
    free(d->shared);
    free(d->images);
    free(d->states);
    free(d->from);
    free(d->hand);
    d->shared = NULL;
    d->images = d->from = d->hand = NULL;
    d->states = NULL;
    d->n_trials = d->count = 0;
}

void qsv_deal_destroy(struct qsv_deal *d)
{
    if (!d)
        return;
    free_call(d);
    free(d->paces);
    qsv_stock_destroy(d->stock);
    free(d);
}

static uint8_t *state_of(const struct qsv_deal *d, uint32_t trial, uint32_t s)
{
    return &d->states[(size_t)s * d->n_trials + trial];
}

static double work_of(const struct qsv_deal *d, uint32_t trial, uint32_t s)
{
    return (1 - d->shared[trial]) * d->images[s];
}

/* Shard by shard, so that a task's trials lie together. */
static void open_pairs(struct qsv_deal *d, const uint8_t *missing, uint32_t *left)
{
    d->work_left = 0;
    d->n_undone = 0;
    for (uint32_t t = 0; t < d->n_trials; t++) {
        for (uint32_t s = 0; s < d->count; s++) {
            if (!missing[(size_t)t * d->count + s])
                continue;
            *state_of(d, t, s) = OPEN;
            left[s]++;
            d->n_undone++;
            d->work_left += work_of(d, t, s);
        }
    }
}

/* Sums that were added to and taken from for hours start anew with each call. */
static void add_up_speeds(struct qsv_deal *d)
{
    d->speeds = 0;
    d->n_known = 0;
    for (uint32_t w = 0; w < d->n_workers; w++) {
        d->speeds += qsv_deal_speed(d, w);
        d->n_known += d->paces[w].seconds > 0;
    }
}

static enum qsv_status begin(struct qsv_deal *d, const struct qsv_deal_call *call,
                             struct qsv_error *err)
{
    uint32_t *left = qsv_alloc(call->count + 1, sizeof *left);
    if (!left)
        return qsv_fail_memory(err, "dealing tasks");
    open_pairs(d, call->missing, left);
    enum qsv_status st =
        qsv_stock_begin(d->stock, call->first_shard, call->count, left, call->n_trials, err);
    free(left);
    return st;
}

enum qsv_status qsv_deal_begin(struct qsv_deal *d, const struct qsv_deal_call *call,
                               struct qsv_error *err)
{
    uint32_t n = call->n_trials, count = call->count;
    assert(call->first_shard <= d->n_shards && count <= d->n_shards - call->first_shard);
    free_call(d);
    size_t pairs;
    bool ok = qsv_mul_size(n, count, &pairs);
    if (ok) {
        d->shared = qsv_alloc(n + 1, sizeof *d->shared);
        d->hand = qsv_alloc(n + 1, sizeof *d->hand);
        d->images = qsv_alloc(count + 1, sizeof *d->images);
        d->from = qsv_alloc(count + 1, sizeof *d->from);
        d->states = qsv_alloc(pairs + 1, 1);
        ok = d->shared && d->hand && d->images && d->from && d->states;
    }
    if (!ok) {
        free_call(d);
        return qsv_fail_memory(err, "dealing tasks");
    }
    d->n_trials = n;
    d->first = call->first_shard;
    d->count = count;
    memcpy(d->shared, call->shared, n * sizeof *d->shared);
    memcpy(d->images, call->shard_images, count * sizeof *d->images);
    add_up_speeds(d);
    return begin(d, call, err);
}

void qsv_deal_follow(struct qsv_deal *d, const struct qsv_deal *other)
{
    qsv_stock_follow(d->stock, other->stock);
}

double qsv_deal_speed(const struct qsv_deal *d, uint32_t worker)
{
    assert(worker < d->n_workers);
    const struct pace *p = &d->paces[worker];
    return p->seconds > 0 ? p->work / p->seconds : 0;
}

double qsv_deal_likely_speed(const struct qsv_deal *d, uint32_t worker)
{
    double speed = qsv_deal_speed(d, worker);
    return speed > 0 || d->n_known == 0 ? speed : d->speeds / d->n_known;
}

/* The part of the work left that falls to a worker, by its speed; whoever's is not known is as fast
 * as it. */
static double share(const struct qsv_deal *d, double speed)
{
    double all = d->speeds + (d->n_workers - d->n_known) * speed;
    return d->work_left * speed / all;
}

/* How much the next task of a worker may take; 0: as little as possible. Never more than half of
 * its share of what is left, so that all workers end together. */
static double aim(const struct qsv_deal *d, uint32_t worker)
{
    double speed = qsv_deal_speed(d, worker);
    if (speed == 0)
        return 0;
    double whole = speed * d->task_seconds, half = share(d, speed) / 2;
    return whole < half ? whole : half;
}

bool qsv_deal_plenty(const struct qsv_deal *d, uint32_t worker)
{
    double speed = qsv_deal_speed(d, worker);
    return speed > 0 && share(d, speed) >= 2 * speed * d->task_seconds;
}

static bool is_open(const struct qsv_deal *d, uint32_t t, uint32_t s)
{
    return *state_of(d, t, s) == OPEN;
}

/* Fills the hand with shard s's open trials, in order, as long as they fit: their cost an image. */
static double take_trials(struct qsv_deal *d, uint32_t s, double fit, uint32_t *n_hand)
{
    double cost = 0, shared = 0;
    uint32_t n = 0;
    while (d->from[s] < d->n_trials && !is_open(d, d->from[s], s))
        d->from[s]++;
    for (uint32_t t = d->from[s]; t < d->n_trials; t++) {
        /* With the last one taken it shares the least of what neighbours between them share. */
        if (n == 0)
            shared = 0;
        else if (d->shared[t] < shared)
            shared = d->shared[t];
        if (!is_open(d, t, s))
            continue;
        double more = 1 - shared;
        if (n && cost + more > fit)
            break;
        d->hand[n++] = t;
        cost += more;
        shared = 1;
    }
    *n_hand = n;
    return cost;
}

static uint32_t left_of(const struct qsv_deal *d, uint32_t s)
{
    return qsv_stock_left(d->stock, d->first + s);
}

static bool misses_same(const struct qsv_deal *d, uint32_t s, uint32_t n_hand)
{
    if (left_of(d, s) != n_hand)
        return false;
    for (uint32_t i = 0; i < n_hand; i++)
        if (!is_open(d, d->hand[i], s))
            return false;
    return true;
}

static void mark_dealt(struct qsv_deal *d, uint32_t worker, uint32_t s, uint32_t n_hand)
{
    for (uint32_t i = 0; i < n_hand; i++) {
        *state_of(d, d->hand[i], s) = DEALT;
        d->work_left -= work_of(d, d->hand[i], s);
    }
    qsv_stock_take(d->stock, worker, d->first + s, n_hand);
}

bool qsv_deal_next(struct qsv_deal *d, uint32_t worker, struct qsv_hand *out)
{
    assert(worker < d->n_workers);
    int64_t chosen = qsv_stock_choose(d->stock, worker);
    if (chosen == QSV_NO_SHARD)
        return false;
    uint32_t s = (uint32_t)chosen - d->first, n_hand;
    double fit = aim(d, worker);
    enum qsv_standing standing = qsv_stock_standing(d->stock, worker, d->first + s);
    /* A shard that the worker has not had costs it the baseline. */
    double extra = standing == QSV_STANDING_OWN ? 0 : 1;
    double cost = extra + take_trials(d, s, fit / d->images[s] - extra, &n_hand);
    bool all = n_hand == left_of(d, s);
    *out = (struct qsv_hand){d->first + s, 0, n_hand, d->hand, 0};
    do {
        out->work += cost * d->images[s];
        out->n_shards++;
        mark_dealt(d, worker, s, n_hand);
        s++;
    } while (all && s < d->count && misses_same(d, s, n_hand) &&
             qsv_stock_standing(d->stock, worker, d->first + s) == standing &&
             out->work + cost * d->images[s] <= fit);
    return true;
}

void qsv_deal_done(struct qsv_deal *d, uint32_t worker, double work, double seconds)
{
    assert(worker < d->n_workers);
    struct pace *p = &d->paces[worker];
    d->speeds -= qsv_deal_speed(d, worker);
    d->n_known += !(p->seconds > 0);
    p->work = p->work / 2 + work;
    p->seconds = p->seconds / 2 + (seconds > 1e-6 ? seconds : 1e-6);
    d->speeds += qsv_deal_speed(d, worker);
}

bool qsv_deal_is_empty(const struct qsv_deal *d)
{
    return qsv_stock_is_empty(d->stock);
}

uint64_t qsv_deal_undone(const struct qsv_deal *d)
{
    return d->n_undone;
}

bool qsv_deal_reserve(struct qsv_deal *d, uint32_t trial, uint32_t shard)
{
    assert(trial < d->n_trials && shard - d->first < d->count);
    uint8_t *state = state_of(d, trial, shard - d->first);
    if (*state != OPEN)
        return false;
    *state = DEALT;
    d->work_left -= work_of(d, trial, shard - d->first);
    qsv_stock_change(d->stock, shard, -1);
    return true;
}

bool qsv_deal_taken(struct qsv_deal *d, uint32_t trial, uint32_t shard)
{
    assert(trial < d->n_trials && shard - d->first < d->count);
    uint32_t s = shard - d->first;
    uint8_t *state = state_of(d, trial, s), before = *state;
    *state = DONE;
    if (before == OPEN) {
        d->work_left -= work_of(d, trial, s);
        qsv_stock_change(d->stock, shard, -1);
    }
    d->n_undone -= before != DONE;
    return before != DONE;
}

uint32_t qsv_deal_again(struct qsv_deal *d, const uint32_t *trials, uint32_t n_trials,
                        uint32_t first_shard, uint32_t n_shards)
{
    uint32_t n = 0;
    for (uint32_t s = first_shard - d->first; s < first_shard - d->first + n_shards; s++) {
        for (uint32_t i = 0; i < n_trials; i++) {
            uint8_t *state = state_of(d, trials[i], s);
            if (*state != DEALT)
                continue;
            *state = OPEN;
            n++;
            d->work_left += work_of(d, trials[i], s);
            if (trials[i] < d->from[s])
                d->from[s] = trials[i];
            qsv_stock_change(d->stock, d->first + s, 1);
        }
    }
    return n;
}
