/* Who does what next: deals the pairs (trial, shard) of a call to workers, in tasks. Pure
 * arithmetic: no transport, no clock.
 *
 * - A task is as long as asked for, by the speed measured of its worker; a worker's first is one
 *   pair. Near the end of a call tasks become smaller, so that all workers end together.
 * - A worker is given shards that it had before, then shards that nobody had, then those of others:
 *   nobody is left without a task while there is one.
 * - Nothing here takes longer with more workers, trials or shards, but for the beginning of a call.
 * - What a trial costs is the part of the network that it does not share with the trial before it.
 */
#ifndef QSV_DEAL_H
#define QSV_DEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_deal;

/* n_shards: of the partition. Workers are numbered from 0. */
enum qsv_status qsv_deal_create(struct qsv_deal **out, uint32_t n_workers, uint32_t n_shards,
                                double task_seconds, struct qsv_error *err);
void qsv_deal_destroy(struct qsv_deal *d);

struct qsv_deal_call {
    uint32_t n_trials;            /* in an order in which neighbours share much */
    uint32_t first_shard, count;  /* shards first_shard .. first_shard + count - 1 */
    const double *shared;         /* [n_trials] part of its work that a trial shares with the one
                                     before it: 0 for the first, below 1 */
    const uint32_t *shard_images; /* [count] */
    const uint8_t *missing;       /* [n_trials][count] 1: to be done */
};

/* Starts a call; what the one before left undealt is forgotten, who had which shard and how fast
 * workers are is not. */
enum qsv_status qsv_deal_begin(struct qsv_deal *d, const struct qsv_deal_call *call,
                               struct qsv_error *err);

/* Before a call: workers have had the shards that they have had of another deal. */
void qsv_deal_follow(struct qsv_deal *d, const struct qsv_deal *other);

struct qsv_hand { /* what a worker is dealt */
    uint32_t first_shard, n_shards;
    uint32_t n_trials;
    const uint32_t *trials; /* [n_trials] rising; the deal's own, until the next deal */
    double work;            /* images of a whole network */
};

/* False where nothing is left to deal. */
bool qsv_deal_next(struct qsv_deal *d, uint32_t worker, struct qsv_hand *out);
/* The worker took so long for that much. */
void qsv_deal_done(struct qsv_deal *d, uint32_t worker, double work, double seconds);

/* So much is left that a worker can be given a second task ahead of time, and still all end
 * together. False before its speed is known. */
bool qsv_deal_plenty(const struct qsv_deal *d, uint32_t worker);

/* Nothing is open: qsv_deal_next would give nothing to anybody. */
bool qsv_deal_is_empty(const struct qsv_deal *d);

/* A pair is under way already: it is not dealt unless again. False where it is not open. */
bool qsv_deal_reserve(struct qsv_deal *d, uint32_t trial, uint32_t shard);

/* A pair of the call came. False: it has come before. */
bool qsv_deal_taken(struct qsv_deal *d, uint32_t trial, uint32_t shard);
/* Pairs of the call that have not come yet. */
uint64_t qsv_deal_undone(const struct qsv_deal *d);
/* Those of a task's pairs that have not come may be dealt once more, to others too: what comes
 * first counts. How many they are. */
uint32_t qsv_deal_again(struct qsv_deal *d, const uint32_t *trials, uint32_t n_trials,
                        uint32_t first_shard, uint32_t n_shards);

/* Images of a whole network that a worker does a second; 0: not known yet. */
double qsv_deal_speed(const struct qsv_deal *d, uint32_t worker);
/* The mean of the others' where its own is not known yet. */
double qsv_deal_likely_speed(const struct qsv_deal *d, uint32_t worker);

#endif
