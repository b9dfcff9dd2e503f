/* Settings worth measuring, made from one that was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

static const double LEAST_REPAIR = 0.05; /* share of the KL that a repair takes off at least */
static const double LARGEST_STEP = 0.25; /* share of the KL below which none is proposed at once */

struct proposals { /* being made from one entry */
    struct qsv_qsvit *q;
    struct qsv_pool *pool;
    size_t from;
    size_t end;       /* of the pool, when it is full */
    uint8_t *formats; /* [n_groups] the one in the making */
    double kl, scale; /* of `from`: measured; measured / foretold */
};

static const struct qsv_pool_entry *origin(const struct proposals *p)
{
    return &p->pool->entries[p->from];
}

static enum qsv_status proposals_init(struct proposals *p, struct qsv_qsvit *q,
                                      struct qsv_pool *pool, size_t from, uint32_t n)
{
    uint32_t n_groups = q->search.space->n_groups;
    *p = (struct proposals){.q = q, .pool = pool, .from = from, .end = pool->n + n};
    p->formats = qsv_alloc(n_groups, 1);
    if (!p->formats)
        return qsv_fail_memory(q->search.err, "candidate settings");
    memcpy(p->formats, origin(p)->formats, n_groups);
    double foretold = qsv_outlook_kl(&q->outlook, p->formats);
    p->kl = qsv_metrics_kl(&origin(p)->metrics);
    p->scale = foretold > 0 && p->kl > 0 ? p->kl / foretold : 1;
    return QSV_OK;
}

static void proposals_fini(struct proposals *p)
{
    free(p->formats);
}

static bool full(const struct proposals *p)
{
    return p->pool->n >= p->end;
}

static void restart(struct proposals *p)
{
    memcpy(p->formats, origin(p)->formats, p->q->search.space->n_groups);
}

static enum qsv_status add(struct proposals *p)
{
    const uint8_t *from = origin(p)->formats;
    uint32_t raised = 0, lowered = 0;
    char what[QSV_WHAT];
    if (full(p))
        return QSV_OK;
    for (uint32_t g = 0; g < p->q->search.space->n_groups; g++) {
        const double *bytes = p->q->outlook.bytes[g];
        raised += bytes[p->formats[g]] > bytes[from[g]];
        lowered += bytes[p->formats[g]] < bytes[from[g]];
    }
    snprintf(what, sizeof what, "groups lowered: %u, raised: %u", lowered, raised);
    return qsv_pool_add(p->pool, &p->q->search, p->formats, origin(p)->metrics.trial_id, what,
                        NULL);
}

/* Raises until the foretold KL is at most `kl`, then lowers what still fits. */
static void to_level(struct qsv_outlook *o, uint8_t *formats, double kl)
{
    qsv_outlook_raise_to(o, formats, kl);
    qsv_outlook_lower_within(o, formats, kl);
}

/* What seems needed: the share of the KL above the limit, the bytes or the energy above theirs. */
static void repair(struct proposals *p, double times)
{
    const struct qsv_spec *spec = p->q->search.spec;
    const struct qsv_metrics *m = &origin(p)->metrics;
    struct qsv_outlook *o = &p->q->outlook;
    if (!qsv_constraint_drop_met(spec, m)) {
        double limit = fmax(spec->constraint.max_top1_drop, 0);
        double part = fmax(1 - limit / qsv_metrics_drop_bound(m), LEAST_REPAIR);
        to_level(o, p->formats, qsv_outlook_kl(o, p->formats) * (1 - fmin(part * times, 1)));
        return;
    }
    o->by_energy = qsv_constraint_size_met(spec, m);
    double excess = o->by_energy ? m->energy.total_pj - spec->constraint.max_energy_pj
                                 : qsv_constraint_bytes_over(spec, &m->bytes);
    qsv_outlook_lower_by(o, p->formats, excess * times);
    o->by_energy = false;
}

enum qsv_status qsv_qsvit_propose_repairs(struct qsv_qsvit *q, struct qsv_pool *pool, size_t from,
                                          uint32_t n, double low, double high)
{
    struct proposals p;
    enum qsv_status status = proposals_init(&p, q, pool, from, n);
    for (uint32_t i = 1; !status && i <= n; i++) {
        restart(&p);
        repair(&p, low + (high - low) * i / n);
        status = add(&p);
    }
    proposals_fini(&p);
    return status;
}

enum qsv_status qsv_qsvit_propose_between(struct qsv_qsvit *q, struct qsv_pool *pool, size_t from,
                                          size_t to, uint32_t n)
{
    struct proposals p;
    enum qsv_status status = proposals_init(&p, q, pool, from, n);
    double high = qsv_outlook_kl(&q->outlook, pool->entries[from].formats);
    double low = qsv_outlook_kl(&q->outlook, pool->entries[to].formats);
    for (uint32_t i = 1; !status && i <= n; i++) {
        double level = high + (low - high) * i / (n + 1);
        restart(&p);
        to_level(&q->outlook, p.formats, level);
        status = add(&p);
    }
    proposals_fini(&p);
    return status;
}

static enum qsv_status add_smaller(struct proposals *p)
{
    const struct qsv_outlook *o = &p->q->outlook;
    bool smaller = qsv_outlook_cost(o, p->formats) < qsv_outlook_cost(o, origin(p)->formats);
    return smaller ? add(p) : QSV_OK;
}

/* The divergence at which the drop should reach its limit: by the settings whose drop is near it.
 */
static double limit_kl(const struct proposals *p)
{
    double limit = p->q->search.spec->constraint.max_top1_drop, kl = 0, drop = 0;
    for (size_t i = 0; i < p->pool->n_measured; i++) {
        const struct qsv_metrics *m = &p->pool->entries[i].metrics;
        double d = qsv_metrics_drop_bound(m);
        if (d < limit / 2 || d > limit * 2)
            continue;
        kl += qsv_metrics_kl(m);
        drop += d;
    }
    return drop > 0 ? limit * kl / drop : p->kl;
}

/* Settings at n levels of divergence from just above `low` to `high`; with up to so many exchanges
 * each. */
static enum qsv_status add_levels(struct proposals *p, double low, double high, uint32_t n,
                                  uint32_t exchanges)
{
    struct qsv_outlook *o = &p->q->outlook;
    enum qsv_status status = QSV_OK;
    for (uint32_t i = 1; i <= n && !status; i++) {
        double level = (low + (high - low) * i / n) / p->scale;
        restart(p);
        to_level(o, p->formats, level);
        qsv_outlook_exchange(o, p->formats, level, exchanges);
        status = add_smaller(p);
    }
    return status;
}

/* Single moves, best first, each group once. */
static enum qsv_status add_singles(struct proposals *p)
{
    enum qsv_status status = QSV_OK;
    uint32_t group;
    while (!status && !full(p)) {
        restart(p);
        if (!qsv_outlook_lower_one(&p->q->outlook, p->formats, &group))
            break;
        p->q->outlook.barred[group] = 1;
        status = add_smaller(p);
    }
    return status;
}

/* Around the divergence at which the drop should reach its limit. Bytes are what is saved, energy
 * while there is too much of it. */
static enum qsv_status add_lower(struct proposals *p, uint32_t n)
{
    struct qsv_outlook *o = &p->q->outlook;
    uint32_t half = (n + 1) / 2;
    double limit = limit_kl(p), high = fmax(1.25 * limit, 1.1 * p->kl);
    o->by_energy = !qsv_constraint_energy_met(p->q->search.spec, &origin(p)->metrics);
    enum qsv_status status = add_levels(p, p->kl, high, half, 0);
    if (!status)
        status = add_levels(p, 0.75 * limit, high, n - half, p->q->search.space->n_groups);
    if (!status)
        status = add_singles(p);
    o->by_energy = false;
    return status;
}

/* What size and energy leave beside p->formats. */
static struct qsv_room room_left(const struct proposals *p)
{
    const struct qsv_spec *spec = p->q->search.spec;
    const struct qsv_outlook *o = &p->q->outlook;
    struct qsv_room room = {INFINITY, INFINITY, INFINITY};
    room.bytes = -qsv_outlook_bytes_over(o, spec, p->formats);
    if (qsv_constraint_bounds_energy(spec))
        room.energy =
            spec->constraint.max_energy_pj - origin(p)->metrics.energy.total_pj -
            (qsv_outlook_energy(o, p->formats) - qsv_outlook_energy(o, origin(p)->formats));
    return room;
}

/* Settings of less and less foretold divergence, exchanged until they are as small as it allows, as
 * long as they fit; what room they leave goes to groups raised. */
static enum qsv_status add_closer(struct proposals *p, uint32_t n)
{
    struct qsv_outlook *o = &p->q->outlook;
    double kl = qsv_outlook_kl(o, origin(p)->formats);
    enum qsv_status status = QSV_OK;
    o->by_energy = !qsv_constraint_bounds_size(p->q->search.spec);
    for (uint32_t i = 0; i < n && !status; i++) {
        double level = kl * (1 - LARGEST_STEP * i / n);
        restart(p);
        to_level(o, p->formats, level);
        qsv_outlook_exchange(o, p->formats, level, p->q->search.space->n_groups);
        struct qsv_room room = room_left(p);
        if (room.bytes < 0 || room.energy < 0)
            continue;
        qsv_outlook_raise_within(o, p->formats, room);
        status = add(p);
    }
    o->by_energy = false;
    return status;
}

enum qsv_status qsv_qsvit_propose_better(struct qsv_qsvit *q, size_t from, uint32_t n)
{
    struct proposals p;
    enum qsv_status status = proposals_init(&p, q, &q->decided, from, n);
    if (!status && qsv_constraint_bounds_drop(q->search.spec))
        status = add_lower(&p, n);
    else if (!status)
        status = add_closer(&p, n);
    proposals_fini(&p);
    return status;
}
