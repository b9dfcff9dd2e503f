#include "jobs/strategies/outlook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"

enum { EXCHANGE_TRIES = 16 };
static const double LEAST_KL = 1e-12; /* a move never counts as costing less */

struct move { /* one group to another format, and what that adds */
    uint32_t group;
    uint8_t to;
    double kl, bytes, energy;
};

enum qsv_status qsv_outlook_init(struct qsv_outlook *o, const struct qsv_space *space,
                                 struct qsv_error *err)
{
    uint32_t n = space->n_groups;
    *o = (struct qsv_outlook){.space = space};
    o->options[o->n_options++] = QSV_F32;
    for (uint32_t i = 0; i < space->n_formats; i++)
        if (space->formats[i] != QSV_F32)
            o->options[o->n_options++] = space->formats[i];
    o->kl = qsv_alloc(n, sizeof *o->kl);
    o->bytes = qsv_alloc(n, sizeof *o->bytes);
    o->energy = qsv_alloc(n, sizeof *o->energy);
    o->factor = qsv_alloc(n, sizeof *o->factor);
    o->barred = qsv_alloc(n, 1);
    o->scratch = qsv_alloc(n, 1);
    o->tried = qsv_alloc(n, 1);
    o->layers = qsv_alloc(space->n_layers, 1);
    if (!o->kl || !o->bytes || !o->energy || !o->factor || !o->barred || !o->scratch || !o->tried ||
        !o->layers)
        return qsv_fail_memory(err, "the sensitivity table");
    for (uint32_t g = 0; g < n; g++)
        o->factor[g] = 1;
    return QSV_OK;
}

void qsv_outlook_fini(struct qsv_outlook *o)
{
    free(o->kl);
    free(o->bytes);
    free(o->energy);
    free(o->factor);
    free(o->barred);
    free(o->scratch);
    free(o->tried);
    free(o->layers);
    *o = (struct qsv_outlook){0};
}

double qsv_outlook_kl(const struct qsv_outlook *o, const uint8_t *formats)
{
    double kl = o->pinned_kl;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        kl += o->factor[g] * o->kl[g][formats[g]];
    return kl;
}

double qsv_outlook_bytes(const struct qsv_outlook *o, const uint8_t *formats)
{
    double bytes = o->base_bytes;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        bytes += o->bytes[g][formats[g]];
    return bytes;
}

double qsv_outlook_bytes_over(const struct qsv_outlook *o, const struct qsv_spec *spec,
                              const uint8_t *formats)
{
    struct qsv_bytes bytes;
    qsv_space_expand(o->space, formats, o->layers);
    qsv_cost_bytes(&bytes, o->space->model, o->space->affine, o->layers);
    return qsv_constraint_bytes_over(spec, &bytes);
}

double qsv_outlook_energy(const struct qsv_outlook *o, const uint8_t *formats)
{
    double energy = 0;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        energy += o->energy[g][formats[g]];
    return energy;
}

double qsv_outlook_cost(const struct qsv_outlook *o, const uint8_t *formats)
{
    return o->by_energy ? qsv_outlook_energy(o, formats) : qsv_outlook_bytes(o, formats);
}

static struct move move_to(const struct qsv_outlook *o, const uint8_t *formats, uint32_t g,
                           uint8_t to)
{
    uint8_t from = formats[g];
    return (struct move){g, to, o->factor[g] * (o->kl[g][to] - o->kl[g][from]),
                         o->bytes[g][to] - o->bytes[g][from],
                         o->energy[g][to] - o->energy[g][from]};
}

static bool fits(const struct move *m, const struct qsv_room *room)
{
    return m->kl <= room->kl && m->bytes <= room->bytes && m->energy <= room->energy;
}

/* What a move is worth: saved for a nat down, nats for what is spent up; 0 or less: it goes the
 * other way. */
static double worth(const struct qsv_outlook *o, const struct move *m, bool up)
{
    double spent = o->by_energy ? m->energy : m->bytes;
    if (up)
        return spent > 0 ? -m->kl / spent : 0;
    return -spent / fmax(m->kl, LEAST_KL);
}

static bool best_move(const struct qsv_outlook *o, const uint8_t *formats, bool up,
                      const uint8_t *barred, const struct qsv_room *room, struct move *best)
{
    double most = 0;
    for (uint32_t g = 0; g < o->space->n_groups; g++) {
        if (barred && barred[g])
            continue;
        for (uint32_t i = 0; i < o->n_options; i++) {
            struct move m = move_to(o, formats, g, o->options[i]);
            double w = worth(o, &m, up);
            if (w <= most || !fits(&m, room))
                continue;
            most = w;
            *best = m;
        }
    }
    return most > 0;
}

static void take(struct qsv_room *room, const struct move *m)
{
    room->kl -= m->kl;
    room->bytes -= m->bytes;
    room->energy -= m->energy;
}

static const struct qsv_room anything = {INFINITY, INFINITY, INFINITY};

/* A move down that takes KL off (sensitivities are measured, so there are such) gives no room for
 * others: it may be noise. */
static void lower_while_fits(struct qsv_outlook *o, uint8_t *formats, double kl_room,
                             const uint8_t *barred)
{
    struct qsv_room room = {kl_room, INFINITY, INFINITY};
    struct move m;
    while (best_move(o, formats, false, barred, &room, &m)) {
        formats[m.group] = m.to;
        room.kl -= fmax(m.kl, 0);
    }
}

void qsv_outlook_lower_within(struct qsv_outlook *o, uint8_t *formats, double kl)
{
    lower_while_fits(o, formats, kl - qsv_outlook_kl(o, formats), o->barred);
}

void qsv_outlook_lower_by(struct qsv_outlook *o, uint8_t *formats, double saving)
{
    struct move m;
    while (saving > 0 && best_move(o, formats, false, o->barred, &anything, &m)) {
        formats[m.group] = m.to;
        saving += o->by_energy ? m.energy : m.bytes;
    }
}

static void raise_until(struct qsv_outlook *o, uint8_t *formats, double kl, const uint8_t *barred)
{
    struct move m;
    while (qsv_outlook_kl(o, formats) > kl && best_move(o, formats, true, barred, &anything, &m))
        formats[m.group] = m.to;
}

void qsv_outlook_raise_to(struct qsv_outlook *o, uint8_t *formats, double kl)
{
    raise_until(o, formats, kl, NULL);
}

void qsv_outlook_raise_within(struct qsv_outlook *o, uint8_t *formats, struct qsv_room room)
{
    struct move m;
    while (best_move(o, formats, true, NULL, &room, &m)) {
        formats[m.group] = m.to;
        take(&room, &m);
    }
}

bool qsv_outlook_lower_one(struct qsv_outlook *o, uint8_t *formats, uint32_t *group)
{
    struct move m;
    if (!best_move(o, formats, false, o->barred, &anything, &m))
        return false;
    formats[m.group] = m.to;
    *group = m.group;
    return true;
}

/* Makes the move, then raises other groups until the KL fits and lowers what fits still; true where
 * all of it saves. */
static bool exchange_by(struct qsv_outlook *o, uint8_t *formats, const struct move *m, double kl)
{
    uint32_t n = o->space->n_groups;
    uint8_t was = o->barred[m->group];
    memcpy(o->scratch, formats, n);
    o->scratch[m->group] = m->to;
    o->barred[m->group] = 1;
    raise_until(o, o->scratch, kl, o->barred);
    lower_while_fits(o, o->scratch, kl - qsv_outlook_kl(o, o->scratch), o->barred);
    o->barred[m->group] = was;
    if (qsv_outlook_kl(o, o->scratch) > kl ||
        qsv_outlook_cost(o, o->scratch) >= qsv_outlook_cost(o, formats))
        return false;
    memcpy(formats, o->scratch, n);
    return true;
}

/* By one of the best moves of that direction, a group each. */
static bool exchange_once(struct qsv_outlook *o, uint8_t *formats, double kl, bool up)
{
    struct move m;
    memcpy(o->tried, o->barred, o->space->n_groups);
    for (int i = 0; i < EXCHANGE_TRIES; i++) {
        if (!best_move(o, formats, up, o->tried, &anything, &m))
            return false;
        if (exchange_by(o, formats, &m, kl))
            return true;
        o->tried[m.group] = 1;
    }
    return false;
}

uint32_t qsv_outlook_exchange(struct qsv_outlook *o, uint8_t *formats, double kl, uint32_t most)
{
    uint32_t n = 0;
    while (n < most &&
           (exchange_once(o, formats, kl, true) || exchange_once(o, formats, kl, false)))
        n++;
    return n;
}

void qsv_outlook_learn(struct qsv_outlook *o, const uint8_t *from, double from_kl,
                       const uint8_t *to, double to_kl, double scale)
{
    double foretold = scale * (qsv_outlook_kl(o, to) - qsv_outlook_kl(o, from));
    double ratio = (to_kl - from_kl) / foretold;
    if (!(fabs(foretold) > LEAST_KL) || isnan(ratio))
        return;
    double step = sqrt(fmin(fmax(ratio, 0.5), 2));
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        if (from[g] != to[g])
            o->factor[g] = fmin(fmax(o->factor[g] * step, 0.25), 4);
}
