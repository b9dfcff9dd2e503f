/* Who makes which part of a data set that is being packed (core/pack.h): rank 0 deals parts and
 * files out one at a time and sleeps, the others make them; one rank alone does it all. In rising
 * order, and all that were dealt are waited for when one fails, so that of several damaged images
 * the first is named whatever the number of ranks.
 */
#ifndef QSV_PACKER_H
#define QSV_PACKER_H

#include "core/pack.h"
#include "runner/status/progress.h"
#include "runner/base/stop.h"
#include "runner/transport/transport.h"

struct qsv_packer {
    struct qsv_pack *pack; /* initialised; of rank 0 begun */
    const struct qsv_clock *clock;
    const struct qsv_stop *stop;
    struct qsv_progress *progress; /* rank 0's, or NULL */
    /* Called now and then by rank 0, to keep its lock; may fail. */
    enum qsv_status (*tick)(void *context, struct qsv_error *err);
    void *context;
};

/* All of it. QSV_ESTOPPED where it was asked to stop. */
enum qsv_status qsv_packer_alone(const struct qsv_packer *p, struct qsv_error *err);
/* Rank 0 of several. */
enum qsv_status qsv_packer_deal(const struct qsv_packer *p, struct qsv_transport *t,
                                struct qsv_error *err);

/* Any other rank: waits for rank 0, which says what data set it has; opens its own then. */
struct qsv_packer_worker {
    /* Fills an initialised pack of this fingerprint, whose source is the worker's. */
    enum qsv_status (*open)(void *context, struct qsv_pack **out, uint64_t fingerprint,
                            struct qsv_error *err);
    void *context;
    struct qsv_pack *pack; /* NULL: not open yet */
    bool over;             /* rank 0 has said so */
};
/* Does what rank 0 asks for, if it does, and reports; a failure that is reported is none here. */
enum qsv_status qsv_packer_step(struct qsv_packer_worker *w, struct qsv_transport *t,
                                struct qsv_error *err);
/* The same until it is over. */
enum qsv_status qsv_packer_work(struct qsv_packer_worker *w, struct qsv_transport *t,
                                const struct qsv_clock *clock, struct qsv_error *err);
/* Rank 0 can't begin: the others may go. */
void qsv_packer_dismiss(struct qsv_transport *t);

#endif
