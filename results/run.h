/* What describes a run: written into every segment and results.h5, and compared when a run is
 * resumed. */
#ifndef QSV_RUN_H
#define QSV_RUN_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/model.h"
#include "jobs/partition.h"
#include "jobs/record.h"
#include "jobs/spec.h"

enum { QSV_SCHEMA_VERSION = 1 };

/* The parts of a run's identity. Records of another identity are never mixed in. */
struct qsv_identity {
    uint64_t model;       /* hash of the model */
    uint64_t dataset;     /* fingerprint of the judging images */
    uint64_t calibration; /* of the deciding ones; 0: none */
    uint64_t order;       /* hash of the image order (seed, counts) */
    uint32_t shard_images;
    uint64_t quantizer; /* hash of the quantizer's settings */
    uint32_t engine;    /* QSV_ENGINE_NUMERICS */
};

/* One hash over all parts. */
uint64_t qsv_identity_hash(const struct qsv_identity *id);
/* QSV_EIDENTITY naming each field that differs, with both values; QSV_OK where all are the same.
 * path (may be NULL) begins the message. */
enum qsv_status qsv_identity_compare(const struct qsv_identity *run, const struct qsv_identity *now,
                                     const char *path, struct qsv_error *err);

/* Where an attempt ran and with what, for /attempts; any string may be NULL. The store adds host,
 * process, CPU and times itself. */
struct qsv_provenance {
    const char *version, *commit;
    const char *libraries;    /* "Open MPI 4.1.4, HDF5 1.10.8, ..." */
    const char *command_line; /* as it was typed */
    const char *isa;          /* qsv_engine_isa */
    uint32_t ranks;
};

/* Everything the store needs to know of what is being recorded. The pointers are the caller's and
 * outlive the store. */
struct qsv_run {
    struct qsv_identity identity;
    const struct qsv_model *model;
    const struct qsv_partition *partition;
    uint64_t skipped[2]; /* [qsv_image_set]: images that were left out because they are damaged */
    struct qsv_record_shape shape;
    struct qsv_energy_constants energy;
    enum qsv_format affine; /* the quantizer's: it decides what settings take */
    double created_unix_s;
    struct qsv_provenance provenance;
};

#endif
