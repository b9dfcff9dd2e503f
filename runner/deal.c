#include "runner/deal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static const uint32_t nobody = UINT32_MAX;

struct pace { /* fading sums, so that the speed follows what is being done */
    double work, seconds;
};

struct qsv_deal {
    uint32_t n_workers, n_shards;
    double task_seconds;
    struct pace *paces; /* [n_workers] */
    uint32_t *owners;   /* [n_shards] who had it last */

    /* Of the call: */
    uint32_t n_trials, first, count;
    double *shared;      /* [n_trials] */
    uint32_t *images;    /* [count] */
    uint8_t *missing;    /* [n_trials][count] */
    uint32_t *left;      /* [count] trials not dealt yet */
    uint32_t *hand;      /* [n_trials] */
    double work_left;    /* as if each trial followed the one before it */
    uint32_t first_open; /* shards before it have nothing left */
};

enum qsv_status qsv_deal_create(struct qsv_deal **out, uint32_t n_workers, uint32_t n_shards,
                                double task_seconds, struct qsv_error *err)
{
    struct qsv_deal *d = qsv_alloc(1, sizeof *d);
    *out = d;
    if (d) {
        d->paces = qsv_alloc(n_workers, sizeof *d->paces);
        d->owners = qsv_alloc(n_shards ? n_shards : 1, sizeof *d->owners);
    }
    if (!d || !d->paces || !d->owners) {
        qsv_deal_destroy(d);
        *out = NULL;
        return qsv_fail_memory(err, "dealing tasks");
    }
    d->n_workers = n_workers;
    d->n_shards = n_shards;
    d->task_seconds = task_seconds;
    for (uint32_t s = 0; s < n_shards; s++)
        d->owners[s] = nobody;
    return QSV_OK;
}

static void free_call(struct qsv_deal *d)
{
    free(d->shared);
    free(d->images);
    free(d->missing);
    free(d->left);
    free(d->hand);
    d->shared = NULL;
    d->images = d->left = d->hand = NULL;
    d->missing = NULL;
    d->n_trials = d->count = 0;
}

void qsv_deal_destroy(struct qsv_deal *d)
{
    if (!d)
        return;
    free_call(d);
    free(d->paces);
    free(d->owners);
    free(d);
}

static void count_left(struct qsv_deal *d)
{
    d->work_left = 0;
    d->first_open = 0;
    for (uint32_t t = 0; t < d->n_trials; t++) {
        for (uint32_t s = 0; s < d->count; s++) {
            if (!d->missing[(size_t)t * d->count + s])
                continue;
            d->left[s]++;
            d->work_left += (1 - d->shared[t]) * d->images[s];
        }
    }
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
        d->left = qsv_alloc(count + 1, sizeof *d->left);
        d->missing = qsv_alloc(pairs + 1, 1);
        ok = d->shared && d->hand && d->images && d->left && d->missing;
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
    memcpy(d->missing, call->missing, pairs);
    count_left(d);
    return QSV_OK;
}

double qsv_deal_speed(const struct qsv_deal *d, uint32_t worker)
{
    assert(worker < d->n_workers);
    const struct pace *p = &d->paces[worker];
    return p->seconds > 0 ? p->work / p->seconds : 0;
}

/* How much the next task of a worker may take; 0: as little as possible. Never more than half of
 * its share of what is left, so that all workers end together. */
static double aim(const struct qsv_deal *d, uint32_t worker)
{
    double speed = qsv_deal_speed(d, worker), all = 0;
    if (speed == 0)
        return 0;
    for (uint32_t w = 0; w < d->n_workers; w++)
        all += d->paces[w].seconds > 0 ? qsv_deal_speed(d, w) : speed;
    double whole = speed * d->task_seconds, share = d->work_left * speed / all / 2;
    return whole < share ? whole : share;
}

enum rank { OWN, FREE, OTHERS, NOTHING };

static enum rank rank_of(const struct qsv_deal *d, uint32_t worker, uint32_t s)
{
    if (d->left[s] == 0)
        return NOTHING;
    uint32_t owner = d->owners[d->first + s];
    return owner == worker ? OWN : owner == nobody ? FREE : OTHERS;
}

/* Of others' shards the one with most left, whose owner would be the last to get there. */
static uint32_t choose_shard(struct qsv_deal *d, uint32_t worker)
{
    uint32_t best = d->count;
    enum rank best_rank = NOTHING;
    while (d->first_open < d->count && d->left[d->first_open] == 0)
        d->first_open++;
    for (uint32_t s = d->first_open; s < d->count; s++) {
        enum rank r = rank_of(d, worker, s);
        if (r < best_rank || (r == OTHERS && best_rank == OTHERS && d->left[s] >= d->left[best])) {
            best = s;
            best_rank = r;
        }
    }
    return best;
}

static bool is_missing(const struct qsv_deal *d, uint32_t t, uint32_t s)
{
    return d->missing[(size_t)t * d->count + s];
}

/* Fills the hand with shard s's missing trials, in order, as long as they fit: their cost an image.
 */
static double take_trials(struct qsv_deal *d, uint32_t s, double fit, uint32_t *n_hand)
{
    double cost = 0, shared = 0;
    uint32_t n = 0;
    for (uint32_t t = 0; t < d->n_trials; t++) {
        /* With the last one taken it shares the least of what neighbours between them share. */
        if (n == 0)
            shared = 0;
        else if (d->shared[t] < shared)
            shared = d->shared[t];
        if (!is_missing(d, t, s))
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

static bool misses_same(const struct qsv_deal *d, uint32_t s, uint32_t n_hand)
{
    if (d->left[s] != n_hand)
        return false;
    for (uint32_t i = 0; i < n_hand; i++)
        if (!is_missing(d, d->hand[i], s))
            return false;
    return true;
}

static void mark_dealt(struct qsv_deal *d, uint32_t worker, uint32_t s, uint32_t n_hand)
{
    for (uint32_t i = 0; i < n_hand; i++) {
        d->missing[(size_t)d->hand[i] * d->count + s] = 0;
        d->work_left -= (1 - d->shared[d->hand[i]]) * d->images[s];
    }
    d->left[s] -= n_hand;
    d->owners[d->first + s] = worker;
}

bool qsv_deal_next(struct qsv_deal *d, uint32_t worker, struct qsv_hand *out)
{
    assert(worker < d->n_workers);
    uint32_t s = choose_shard(d, worker), n_hand;
    if (s >= d->count)
        return false;
    double fit = aim(d, worker);
    enum rank rank = rank_of(d, worker, s);
    /* A shard that the worker has not had costs it the baseline. */
    double extra = rank == OWN ? 0 : 1;
    double cost = extra + take_trials(d, s, fit / d->images[s] - extra, &n_hand);
    bool all = n_hand == d->left[s];
    *out = (struct qsv_hand){d->first + s, 0, n_hand, d->hand, 0};
    do {
        out->work += cost * d->images[s];
        out->n_shards++;
        mark_dealt(d, worker, s, n_hand);
        s++;
    } while (all && s < d->count && rank_of(d, worker, s) == rank && misses_same(d, s, n_hand) &&
             out->work + cost * d->images[s] <= fit);
    return true;
}

void qsv_deal_return(struct qsv_deal *d, uint32_t trial, uint32_t shard)
{
    assert(trial < d->n_trials && shard >= d->first && shard - d->first < d->count);
    uint32_t s = shard - d->first;
    if (is_missing(d, trial, s))
        return;
    d->missing[(size_t)trial * d->count + s] = 1;
    d->work_left += (1 - d->shared[trial]) * d->images[s];
    d->left[s]++;
    d->owners[shard] = nobody;
    if (s < d->first_open)
        d->first_open = s;
}

void qsv_deal_drop(struct qsv_deal *d, uint32_t trial, uint32_t shard)
{
    assert(trial < d->n_trials && shard >= d->first && shard - d->first < d->count);
    uint32_t s = shard - d->first;
    if (!is_missing(d, trial, s))
        return;
    d->missing[(size_t)trial * d->count + s] = 0;
    d->work_left -= (1 - d->shared[trial]) * d->images[s];
    d->left[s]--;
}

void qsv_deal_done(struct qsv_deal *d, uint32_t worker, double work, double seconds)
{
    assert(worker < d->n_workers);
    struct pace *p = &d->paces[worker];
    p->work = p->work / 2 + work;
    p->seconds = p->seconds / 2 + (seconds > 1e-6 ? seconds : 1e-6);
}
