/* The outlook of a search: what step 1 foretells of settings nobody has measured, and the moves
 * that follow from it.
 *
 * The divergence of a setting is foretold as a sum over its groups: factor[g] x the group's own
 * KL divergence at its format, alone, beyond its floor (sensitivity.c). Sizes add up likewise. Only
 * the order of moves and the distance to go follow from it; every decision follows from a
 * measurement. A factor begins at 1 and is learned from the settings measured on the way: what a
 * group costs among others.
 *
 * Settings are [n_groups] formats.
 */
#ifndef QSV_OUTLOOK_H
#define QSV_OUTLOOK_H

#include "jobs/strategies/search.h"

struct qsv_outlook {
    const struct qsv_space *space;
    uint8_t options[QSV_N_FORMATS]; /* f32 and the search's formats */
    uint32_t n_options;
    double (*kl)[QSV_N_FORMATS];     /* [n_groups] nats, alone, beyond the floor; 0 at f32 */
    double (*bytes)[QSV_N_FORMATS];  /* [n_groups] of the model, more than at f32 (below 0) */
    double (*energy)[QSV_N_FORMATS]; /* [n_groups] pJ an image, likewise */
    double *factor;                  /* [n_groups] */
    double pinned_kl;                /* of the pins alone */
    double base_bytes;               /* of a model with all groups at f32, stored as any other */
    bool by_energy;                  /* moves save and spend energy; else bytes */
    uint8_t *barred;                 /* [n_groups] groups that moves down leave alone; the caller
                                        sets them */
    uint8_t *scratch, *tried;        /* [n_groups] */
    uint8_t *layers;                 /* [n_layers] likewise */
};

/* All tables are there and empty. */
enum qsv_status qsv_outlook_init(struct qsv_outlook *o, const struct qsv_space *space,
                                 struct qsv_error *err);
void qsv_outlook_fini(struct qsv_outlook *o);

double qsv_outlook_kl(const struct qsv_outlook *o, const uint8_t *formats);
/* model_bytes of a setting that isn't f32 throughout. */
double qsv_outlook_bytes(const struct qsv_outlook *o, const uint8_t *formats);
/* By how many bytes it is above the spec's bounds on size (jobs/constraint.h). */
double qsv_outlook_bytes_over(const struct qsv_outlook *o, const struct qsv_spec *spec,
                              const uint8_t *formats);
/* pJ an image, less what a model with all groups at f32 takes. */
double qsv_outlook_energy(const struct qsv_outlook *o, const uint8_t *formats);
/* What moves save and spend: bytes, or energy. */
double qsv_outlook_cost(const struct qsv_outlook *o, const uint8_t *formats);

/* How much a move, or several, may add. */
struct qsv_room {
    double kl, bytes, energy;
};

/* Lowers groups while the foretold KL stays within `kl`: always the move that saves most for the KL
 * it adds, among those that fit. */
void qsv_outlook_lower_within(struct qsv_outlook *o, uint8_t *formats, double kl);
/* Lowers groups in that order until at least `saving` (bytes, or pJ by energy) is saved. */
void qsv_outlook_lower_by(struct qsv_outlook *o, uint8_t *formats, double saving);
/* Raises groups until the foretold KL is at most `kl`: always the move that takes most KL off for
 * what it adds. */
void qsv_outlook_raise_to(struct qsv_outlook *o, uint8_t *formats, double kl);
/* Raises groups in that order, each where it fits into the room. */
void qsv_outlook_raise_within(struct qsv_outlook *o, uint8_t *formats, struct qsv_room room);

/* Up to `most` times: raises one group and lowers others, so that the setting gets smaller while
 * its foretold KL stays within `kl`. Returns how many such exchanges were found. */
uint32_t qsv_outlook_exchange(struct qsv_outlook *o, uint8_t *formats, double kl, uint32_t most);

/* Lowers one group, by the best move whose group isn't barred. False where there is none. */
bool qsv_outlook_lower_one(struct qsv_outlook *o, uint8_t *formats, uint32_t *group);

/* Learns from two measured settings: the factors of the groups in which they differ move half-way
 * (geometrically) towards what explains the measured difference; scale is measured / foretold KL
 * near them. */
void qsv_outlook_learn(struct qsv_outlook *o, const uint8_t *from, double from_kl,
                       const uint8_t *to, double to_kl, double scale);

#endif
