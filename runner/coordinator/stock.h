/* The shards of a call that still have pairs to deal: who has which, and which has most. Every
 * function takes a time that depends on neither workers nor shards, but for begin.
 */
#ifndef QSV_STOCK_H
#define QSV_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_stock;

enum { QSV_NO_SHARD = -1 };

enum qsv_standing {                     /* of a worker towards a shard */
                    QSV_STANDING_OWN,   /* it has had it: the baseline's answers are there */
                    QSV_STANDING_FREE,  /* nobody has */
                    QSV_STANDING_OTHERS /* somebody else has */
};

enum qsv_status qsv_stock_create(struct qsv_stock **out, uint32_t n_workers, uint32_t n_shards,
                                 struct qsv_error *err);
void qsv_stock_destroy(struct qsv_stock *s);

/* Starts a call over shards first .. first + count - 1, left [count] pairs each, at most `most`.
 * Who has which shard stays. */
enum qsv_status qsv_stock_begin(struct qsv_stock *s, uint32_t first, uint32_t count,
                                const uint32_t *left, uint32_t most, struct qsv_error *err);

/* Before a call: who has what is as in another stock, of as many workers and shards. */
void qsv_stock_follow(struct qsv_stock *s, const struct qsv_stock *other);

/* The shard that a worker should go on with: one of its own, the one it was given last, one that
 * nobody has, of others' the one with most left. QSV_NO_SHARD: none has any left. */
int64_t qsv_stock_choose(const struct qsv_stock *s, uint32_t worker);
enum qsv_standing qsv_stock_standing(const struct qsv_stock *s, uint32_t worker, uint32_t shard);
bool qsv_stock_is_empty(const struct qsv_stock *s);
uint32_t qsv_stock_left(const struct qsv_stock *s, uint32_t shard);

/* The worker is given n of a shard's pairs. The shard becomes its own where nobody has it, or where
 * its owner has not touched it in this call and gets none of it. */
void qsv_stock_take(struct qsv_stock *s, uint32_t worker, uint32_t shard, uint32_t n);
/* A pair is there again, or (n -1) no longer. */
void qsv_stock_change(struct qsv_stock *s, uint32_t shard, int n);

#endif
