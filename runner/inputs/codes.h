/* The codes of a run whose quantizer needs statistics: computed once, kept in RUN/bank.h5, never
 * computed again, because their last bits may depend on the kind of CPU.
 *
 * They are made in parts, a task each: some layers, on statistics of the same calibration images.
 * A part is a bank file in RUN/bank/, under its final name once it is whole; the first one counts.
 * Rank 0 puts the parts together. A part collects the statistics of its own layers alone: that
 * repeats the passes over the images, and saves every rank the memory of the others' and all of
 * them the exchange.
 *
 * A part may be dealt to several makers, and a maker may be slower than all that follows. RUN/bank/
 * is therefore rank 0's alone to make and to remove, and it is removed only when RUN/bank.h5 holds
 * what its parts held: a maker who doesn't find it has come too late where RUN/bank.h5 has all that
 * its part is for, and has failed where it hasn't.
 */
#ifndef QSV_CODES_OF_RUN_H
#define QSV_CODES_OF_RUN_H

#include "core/bank.h"
#include "jobs/partition.h"
#include "jobs/spec.h"
#include "runner/inputs/images.h"
#include "runner/base/stop.h"

struct qsv_codes { /* the pointers outlive it */
    const struct qsv_spec *spec;
    const struct qsv_model *model;
    struct qsv_bank *bank;     /* entries are put in here */
    struct qsv_images *images; /* calibration: the deciding ones */
    const struct qsv_partition *partition;
    enum qsv_image_set set; /* of the images */
};

/* Of everything in the spec that decides codes: a part of the run's identity; 0: out of memory. */
uint64_t qsv_codes_hash(const struct qsv_spec *spec);

/* Does the quantizer need any of this? */
bool qsv_codes_are_recorded(const struct qsv_codes *c);
/* Are all there that the spec may ask for? */
bool qsv_codes_are_complete(const struct qsv_codes *c);

/* How many parts: of the model and the shards, whatever the ranks. */
uint32_t qsv_codes_parts(const struct qsv_codes *c);
bool qsv_codes_has_part(const struct qsv_codes *c, uint32_t part);
/* mine [n_layers]: which layers a part computes that the bank lacks codes of. */
enum qsv_status qsv_codes_part_layers(const struct qsv_codes *c, uint32_t part, bool *mine,
                                      struct qsv_error *err);

/* Makes the folder that parts come into: rank 0, before any is dealt. */
enum qsv_status qsv_codes_make_folder(const struct qsv_codes *c, struct qsv_error *err);
/* Computes a part, without those that are in the bank already, unless it is there. One that comes
 * too late is dropped: QSV_OK, what RUN/bank.h5 holds is in the bank then. QSV_ESTOPPED; QSV_EIO
 * also where the folder is missing and the part is wanted. */
enum qsv_status qsv_codes_make_part(const struct qsv_codes *c, uint32_t part,
                                    const struct qsv_stop *stop, struct qsv_error *err);

/* Puts what RUN/bank.h5 holds into the bank; nothing where there is none. QSV_EINPUT for a file
 * that is damaged or of something else. */
enum qsv_status qsv_codes_load(const struct qsv_codes *c, struct qsv_error *err);
/* Puts all parts into the bank, writes RUN/bank.h5, and removes them. */
enum qsv_status qsv_codes_gather(const struct qsv_codes *c, struct qsv_error *err);
/* Removes all parts: of a run whose RUN/bank.h5 is complete, where it was killed before gather
 * could. What can't be removed stays. */
void qsv_codes_remove_parts(const struct qsv_codes *c);

/* bank.h5 of a run, named by its folder or by the results in it; free. */
char *qsv_codes_path(const char *run);

#endif
