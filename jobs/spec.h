/* The sweep's spec: what cluster.yaml says, checked and with defaults filled in.
 *
 * Keys are one table (jobs/spec_keys.c): name, type, range, default, a line of help; the reader,
 * `--help`, the man page and docs/spec.md are made from it. An unknown key, wrong type or value out
 * of range is QSV_EINPUT with file, line, what was found and what is allowed, and the nearest key
 * where one is close. Relative paths are taken from the spec file's folder.
 */
#ifndef QSV_SPEC_H
#define QSV_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "core/cost.h"
#include "core/data/damage.h"
#include "core/data/transform.h"
#include "core/format.h"
#include "core/quantizer.h"
#include "jobs/metrics.h"
#include "jobs/setting.h"

enum qsv_granularity { QSV_BY_LAYER, QSV_BY_BLOCK, QSV_BY_STAGE };

struct qsv_spec_images { /* dataset:, calibration: */
    const char *format;  /* NULL: recognised */
    char *images, *labels;
    uint64_t first, count; /* count 0: to the end */
    struct qsv_transform transform;
    enum qsv_on_error on_error;
};

struct qsv_spec_texts { /* a list of texts */
    char **v;
    size_t n;
};

struct qsv_spec_scheduler {                 /* scheduler: */
    char *launcher;                         /* a name in the launcher table */
    char *mpi;                              /* srun --mpi= */
    struct qsv_spec_texts launcher_options; /* of srun or mpirun; each begins with '-' */
    /* What sbatch is asked for; NULL and 0: not given. No text here holds blanks or quotes. */
    char *job_name, *partition, *account, *qos, *constraint;
    uint32_t nodes, ranks_per_node, threads_per_rank;
    char *memory;    /* of a node: digits, and K, M, G or T */
    uint64_t time_s; /* limit */
    char *mail_user, *mail_type;
    struct qsv_spec_texts sbatch_options; /* each begins with '-' */
    struct qsv_spec_texts setup;          /* shell lines to run first */
    uint32_t signal_lead_s;               /* from the request to stop to the time limit */
    uint32_t max_restarts;
};

struct qsv_spec {
    char *path;   /* the spec file */
    char *folder; /* relative paths are taken from here; "": the process's own */
    char *model;  /* model .h5 */
    struct qsv_spec_images dataset;
    bool has_calibration;
    struct qsv_spec_images calibration;

    struct {            /* search: */
        char *strategy; /* a name in the strategy table */
        enum qsv_granularity granularity;
        uint8_t formats[QSV_N_FORMATS]; /* the search's, by falling bits, without repeats */
        uint32_t n_formats;
        uint64_t sensitivity_images; /* of step 1; 0: all that decide */
        uint64_t decision_images;    /* that decide in steps 2 and 3; 0: all there are */
        uint64_t selection_images;   /* that decide what is selected; 0: all there are */
        uint32_t candidates;         /* evaluated at once in steps 2 and 3 */
        uint32_t max_rounds;         /* of step 3 */
        uint32_t beam_width;         /* settings that `beam` keeps */
        uint64_t drift_images;       /* that drift is measured on, by greedy and beam; 0: all that
                                       decide */
        double max_drift;            /* most drift of their candidates, as a multiple of that of the
                                         widest uniform setting that fails */
        uint64_t max_evaluations;    /* trials of the random strategy; 0: as many as qsvit spent in
                                        this run */
        uint64_t max_image_forwards; /* images x settings that may be asked for; 0: no limit */
        uint64_t seed;
        char *setting; /* file that `given` certifies; NULL with any other strategy */
    } search;

    struct qsv_quantizer quantizer;
    uint64_t calibration_images; /* whose statistics a quantizer may need; 0: all that decide */

    struct {                        /* constraint: at least one is given */
        double max_top1_drop;       /* percentage points; NaN: not given */
        uint64_t max_bytes;         /* of model_bytes; 0: not given */
        double target_avg_bits;     /* most bits a weight; NaN or 0: not given */
        double max_energy_pj;       /* an image; NaN: not given */
        struct qsv_caution caution; /* where other images than the judging ones decide */
    } constraint;

    struct qsv_pin *pins; /* in file order */
    size_t n_pins;

    struct qsv_energy_constants energy;

    uint32_t shard_images;
    uint32_t ranks;          /* 0: as many as have cores, and one more for the coordinator */
    uint32_t threads;        /* of a rank */
    double task_seconds;     /* aimed-at length of a task */
    double worker_timeout_s; /* after which a rank that isn't heard from is given up */
    double flush_interval_s; /* how long results may wait to be recorded together */
    struct qsv_spec_scheduler scheduler;
    char *run;  /* the run's folder */
    char *text; /* the file as it was, for the frozen copy */
    size_t text_bytes;
    unsigned *lines; /* a key each, in the table's order: where it was given; 0: not given */
};

enum qsv_status qsv_spec_read(struct qsv_spec **out, const char *path, struct qsv_error *err);
/* The same, relative paths being taken from `folder` (NULL: from the spec file's own). */
enum qsv_status qsv_spec_read_from(struct qsv_spec **out, const char *path, const char *folder,
                                   struct qsv_error *err);
/* The same over text in memory; path is for messages and relative paths. */
enum qsv_status qsv_spec_parse(struct qsv_spec **out, const char *text, size_t bytes,
                               const char *path, struct qsv_error *err);
void qsv_spec_destroy(struct qsv_spec *s);

/* QSV_EINPUT for a value that only later turns out to be wrong: "FILE:LINE: KEY: ...", key being a
 * dotted name as in "scheduler.launcher". */
enum qsv_status qsv_spec_fail(const struct qsv_spec *s, const char *key, struct qsv_error *err,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Every key with type, range, default and help: as plain text, and as man page source (roff) or
 * Markdown. */
enum qsv_key_style { QSV_KEYS_TEXT, QSV_KEYS_ROFF, QSV_KEYS_MARKDOWN };
void qsv_spec_describe_keys(struct qsv_strbuf *out, enum qsv_key_style style);

/* Cores that a rank needs: as many as it has threads, or more where the spec sets more aside. */
uint32_t qsv_spec_cores(const struct qsv_spec *s);

const char *qsv_granularity_name(enum qsv_granularity g);

#endif
