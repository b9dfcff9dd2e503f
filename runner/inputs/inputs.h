/* What every rank of a run needs: spec, model, images, how they are dealt into shards, and the
 * run's identity.
 */
#ifndef QSV_INPUTS_H
#define QSV_INPUTS_H

#include "jobs/spec.h"
#include "results/run.h"
#include "runner/inputs/codes.h"
#include "runner/inputs/images.h"
#include "runner/transport/message.h"

struct qsv_inputs {
    const struct qsv_spec *spec; /* the caller's */
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_images images[2]; /* [qsv_image_set]; [QSV_DECIDE] empty where there is none */
    struct qsv_partition partition;
    struct qsv_codes codes;
    struct qsv_run run;
    struct qsv_hello hello;
};

/* Loads and checks everything that the spec names. On failure nothing is left to finish. */
enum qsv_status qsv_inputs_load(struct qsv_inputs *in, const struct qsv_spec *spec,
                                struct qsv_error *err);
/* The same for one of several ranks: the model's tensors, and images that are kept in memory, lie
 * in memory that the ranks of a machine share; where that cannot be, in->hello says why. One rank
 * alone (all) reads all images for their fingerprint, the others a few for a sketch; they learn the
 * fingerprint from it (qsv_inputs_learn). */
enum qsv_status qsv_inputs_load_shared(struct qsv_inputs *in, const struct qsv_spec *spec, bool all,
                                       struct qsv_error *err);
/* identity: of the rank that has read all. */
void qsv_inputs_learn(struct qsv_inputs *in, const struct qsv_identity *identity);
/* What a run would work with, for people. */
void qsv_inputs_describe(const struct qsv_inputs *in, struct qsv_strbuf *out);

void qsv_inputs_fini(struct qsv_inputs *in);

#endif
