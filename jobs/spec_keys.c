#include "jobs/spec_keys.h"

#include <stdio.h>
#include <string.h>

#include "core/dataset.h"
#include "jobs/strategy.h"

#define FIELD(f)              offsetof(struct qsv_spec, f)
#define PATH(f)               .type = QSV_KEY_PATH, .offset = FIELD(f)
#define TEXT(f)               .type = QSV_KEY_TEXT, .offset = FIELD(f)
#define WORD(f)               .type = QSV_KEY_WORD, .offset = FIELD(f)
#define OPTIONS(f)            .type = QSV_KEY_OPTIONS, .offset = FIELD(f)
#define COUNT(f, low, high)   .type = QSV_KEY_COUNT, .offset = FIELD(f), .min = low, .max = high
#define COUNT32(f, low, high) .type = QSV_KEY_COUNT32, .offset = FIELD(f), .min = low, .max = high
#define REAL(f, low, high)    .type = QSV_KEY_REAL, .offset = FIELD(f), .min = low, .max = high

#define MAX_U32   4294967295.0
#define MAX_EXACT 9007199254740992.0 /* 2^53: the table keeps bounds as doubles */

static const char *const granularities[] = {
    [QSV_BY_LAYER] = "layer", [QSV_BY_BLOCK] = "block", [QSV_BY_STAGE] = "stage", NULL};
static const char *const scale_rules[] = {[QSV_SCALE_MAX] = "max", [QSV_SCALE_MSE] = "mse", NULL};
static const char *const affines[] = {
    [QSV_F32] = "f32", [QSV_F16] = "f16", [QSV_INT8] = "int8", NULL};
static const char *const interpolations[] = {
    [QSV_BICUBIC] = "bicubic", [QSV_BILINEAR] = "bilinear", NULL};
static const char *const on_errors[] = {
    [QSV_ON_ERROR_FAIL] = "fail", [QSV_ON_ERROR_SKIP] = "skip", NULL};

const char *const qsv_spec_sections[] = {"dataset",    "calibration", "search",    "quantizer",
                                         "constraint", "energy",      "scheduler", NULL};

const struct qsv_spec_key qsv_spec_keys[] = {
    {"model", PATH(model), .required = true,
     .help = "the network: a model file that `qsvit import` wrote"},

    {"dataset.format", .type = QSV_KEY_NAME, .offset = FIELD(dataset.format),
     .choices = qsv_dataset_formats, .absent = "recognised", .help = "kind of data set"},
    {"dataset.images", PATH(dataset.images), .required = true,
     .help = "the images that judge: what is selected is measured on all of them"},
    {"dataset.labels", PATH(dataset.labels), .absent = "none",
     .help = "their classes, where the images' file does not hold them"},
    {"dataset.first", COUNT(dataset.first, 0, MAX_U32), .unit = "images", .standard = "0",
     .help = "number of the first image to take"},
    {"dataset.count", COUNT(dataset.count, 0, MAX_U32), .unit = "images", .standard = "0",
     .help = "how many to take; 0: to the end"},
    {"dataset.resize", COUNT32(dataset.transform.resize, 1, QSV_MAX_RESIZE), .unit = "pixels",
     .standard = "256", .help = "of JPEG and PNG images: what the short side is resized to"},
    {"dataset.crop", COUNT32(dataset.transform.crop, 1, QSV_MAX_RESIZE), .unit = "pixels",
     .standard = "224", .help = "then a square of this side is cut out of the middle"},
    {"dataset.interpolation", .type = QSV_KEY_CHOICE,
     .offset = FIELD(dataset.transform.interpolation), .choices = interpolations,
     .standard = "bicubic",
     .help = "what the resized image is computed by, antialiased as Pillow does it"},
    {"dataset.on_error", .type = QSV_KEY_CHOICE, .offset = FIELD(dataset.on_error),
     .choices = on_errors, .standard = "fail",
     .help =
         "JPEG and PNG images that can't be decoded; skip: all are tried first, those left out"},

    {"calibration.format", .type = QSV_KEY_NAME, .offset = FIELD(calibration.format),
     .choices = qsv_dataset_formats, .absent = "recognised", .help = "kind of data set"},
    {"calibration.images", PATH(calibration.images), .required = true,
     .help =
         "the images that the search decides by; without calibration: it uses the judging ones"},
    {"calibration.labels", PATH(calibration.labels), .absent = "none",
     .help = "their classes, where the images' file does not hold them"},
    {"calibration.first", COUNT(calibration.first, 0, MAX_U32), .unit = "images", .standard = "0",
     .help = "number of the first image to take"},
    {"calibration.count", COUNT(calibration.count, 0, MAX_U32), .unit = "images", .standard = "0",
     .help = "how many to take; 0: to the end"},
    {"calibration.resize", COUNT32(calibration.transform.resize, 1, QSV_MAX_RESIZE),
     .unit = "pixels", .standard = "256",
     .help = "of JPEG and PNG images: what the short side is resized to"},
    {"calibration.crop", COUNT32(calibration.transform.crop, 1, QSV_MAX_RESIZE), .unit = "pixels",
     .standard = "224", .help = "then a square of this side is cut out of the middle"},
    {"calibration.interpolation", .type = QSV_KEY_CHOICE,
     .offset = FIELD(calibration.transform.interpolation), .choices = interpolations,
     .standard = "bicubic",
     .help = "what the resized image is computed by, antialiased as Pillow does it"},
    {"calibration.on_error", .type = QSV_KEY_CHOICE, .offset = FIELD(calibration.on_error),
     .choices = on_errors, .standard = "fail",
     .help =
         "JPEG and PNG images that can't be decoded; skip: all are tried first, those left out"},

    {"search.strategy", .type = QSV_KEY_STRATEGY, .offset = FIELD(search.strategy),
     .standard = "frontier", .help = "how settings are searched"},
    {"search.granularity", .type = QSV_KEY_CHOICE, .offset = FIELD(search.granularity),
     .choices = granularities, .standard = "layer", .help = "what gets one format together"},
    {"search.formats", .type = QSV_KEY_FORMATS, .offset = FIELD(search.formats),
     .standard = "[int4, int3, int2, ternary, binary]",
     .help = "the formats to choose from, in any order"},
    {"search.sensitivity_images", COUNT(search.sensitivity_images, 0, MAX_U32), .unit = "images",
     .standard = "384",
     .help = "images that each format is tried on in each layer, in step 1; 0: all that decide"},
    {"search.decision_images", COUNT(search.decision_images, 0, MAX_U32), .unit = "images",
     .standard = "0", .help = "images that decide in steps 2 and 3; 0: all there are"},
    {"search.selection_images", COUNT(search.selection_images, 0, MAX_U32), .unit = "images",
     .standard = "0", .help = "images that decide what is selected, in step 4; 0: all there are"},
    {"search.candidates", COUNT32(search.candidates, 1, 1024), .unit = "settings", .standard = "4",
     .help = "settings evaluated at once in steps 2 and 3"},
    {"search.max_rounds", COUNT32(search.max_rounds, 0, 1000000), .unit = "rounds",
     .standard = "200", .help = "most rounds of step 3; 0: keep the base settings"},
    {"search.beam_width", COUNT32(search.beam_width, 1, 64), .unit = "settings", .standard = "4",
     .help = "settings that the beam strategy keeps side by side"},
    {"search.drift_images", COUNT(search.drift_images, 0, MAX_U32), .unit = "images",
     .standard = "128",
     .help = "images on which greedy and beam measure drift before accuracy; 0: all that decide"},
    {"search.max_drift", REAL(search.max_drift, 0, 1e6), .standard = "1",
     .help = "most drift in greedy and beam, as a multiple of that of the widest uniform setting "
             "that fails"},
    {"search.max_evaluations", COUNT(search.max_evaluations, 0, 1000000), .unit = "settings",
     .standard = "0",
     .help = "settings that the random strategy tries; 0: as many as qsvit spent in this run"},
    {"search.max_image_forwards", COUNT(search.max_image_forwards, 0, MAX_EXACT),
     .unit = "images x settings", .standard = "0",
     .help = "most that frontier, qsvit and random ask for, certification apart; 0: no limit"},
    {"search.seed", COUNT(search.seed, 0, MAX_U32), .standard = "1",
     .help = "of everything random: the order of images, the random strategy"},
    {"search.setting", PATH(search.setting), .absent = "none",
     .help = "the setting file that the strategy given measures on all judging images"},

    {"quantizer.method", .type = QSV_KEY_NAME, .offset = FIELD(quantizer.name),
     .choices = qsv_quantizers, .standard = "searched", .help = "how weights become codes"},
    {"quantizer.scale", .type = QSV_KEY_CHOICE, .offset = FIELD(quantizer.scale),
     .choices = scale_rules, .standard = "mse",
     .help = "a channel's scale: by its largest weight, or by least squared error"},
    {"quantizer.affine", .type = QSV_KEY_CHOICE, .offset = FIELD(quantizer.affine),
     .choices = affines, .standard = "int8",
     .help = "what multipliers and shifts are stored as; int8: in layers of at most two bits"},
    {"quantizer.images", COUNT(calibration_images, 0, MAX_U32), .unit = "images",
     .standard = "1024",
     .help = "images whose statistics gptq, compensated and searched choose codes by; 0: all that "
             "decide"},

    {"constraint.max_top1_drop", REAL(constraint.max_top1_drop, 0, 100),
     .unit = "percentage points", .absent = "no bound",
     .help = "most that top-1 accuracy may fall below the f32 network's"},
    {"constraint.max_bytes", COUNT(constraint.max_bytes, 1, MAX_EXACT), .unit = "bytes",
     .absent = "no bound", .help = "most that the quantized model may store"},
    {"constraint.target_avg_bits", REAL(constraint.target_avg_bits, 0.1, 32),
     .unit = "bits a weight", .absent = "no bound",
     .help = "most bits that a weight may take on average"},
    {"constraint.max_energy_pj", REAL(constraint.max_energy_pj, 1, 1e18), .unit = "pJ an image",
     .absent = "no bound", .help = "most modelled energy of one image"},
    {"constraint.margin", REAL(constraint.caution.margin, 0, 10), .unit = "standard errors",
     .standard = "2",
     .help = "by so many less than its bound the drop on calibration images must be, for chance"},
    {"constraint.reserve", REAL(constraint.caution.reserve, 0, 0.9), .unit = "of the bound",
     .standard = "0.2",
     .help = "and by so much, for what a network loses less on images that it has learned from"},

    {"pins", .type = QSV_KEY_PINS, .offset = FIELD(pins), .absent = "none",
     .help = "formats of layers that the search leaves alone; the last match wins"},

    {"energy.f32_multiply_pj", REAL(energy.f32_multiply, 0, 1e6), .unit = "pJ",
     .help = "one f32 multiplication"},
    {"energy.f32_add_pj", REAL(energy.f32_add, 0, 1e6), .unit = "pJ", .help = "one f32 addition"},
    {"energy.f16_multiply_pj", REAL(energy.f16_multiply, 0, 1e6), .unit = "pJ",
     .help = "one f16 multiplication"},
    {"energy.f16_add_pj", REAL(energy.f16_add, 0, 1e6), .unit = "pJ", .help = "one f16 addition"},
    {"energy.int8_add_pj", REAL(energy.int8_add, 0, 1e6), .unit = "pJ",
     .help = "one int8 addition; other integers in proportion to their bits"},
    {"energy.sram_byte_pj", REAL(energy.sram_byte, 0, 1e6), .unit = "pJ a byte",
     .help = "reading a weight from on-chip memory"},
    {"energy.dram_byte_pj", REAL(energy.dram_byte, 0, 1e6), .unit = "pJ a byte",
     .help = "reading the model from DRAM, once an image"},

    {"shard_images", COUNT32(shard_images, 1, 1000000), .unit = "images", .standard = "128",
     .help = "images of a shard, the unit of work that is recorded; part of a run's identity"},
    {"ranks", COUNT32(ranks, 0, 1000000), .unit = "processes", .standard = "0",
     .help = "MPI ranks; 0: as many as have cores, and one more that coordinates"},
    {"threads", COUNT32(threads, 1, 1024), .unit = "threads", .standard = "1",
     .help = "threads of a rank, a core each; they share prepared weights, which ranks do not"},
    {"task_seconds", REAL(task_seconds, 0.01, 86400), .unit = "seconds", .standard = "2",
     .help = "how long a task should take: what is lost at most when a rank is killed"},
    {"worker_timeout_s", REAL(worker_timeout_s, 1, 86400), .unit = "seconds", .standard = "300",
     .help = "a rank that computes and is not heard from for so long is given up"},
    {"flush_interval_s", REAL(flush_interval_s, 0, 86400), .unit = "seconds", .standard = "0",
     .help = "how long results may wait to be recorded together, in fewer files; 0: not at all"},
    {"scheduler.launcher", WORD(scheduler.launcher), .standard = "local",
     .help = "what starts the ranks: local (mpirun on one machine), srun or mpirun (in a job)"},
    {"scheduler.mpi", WORD(scheduler.mpi), .standard = "pmix",
     .help = "how srun and the ranks find each other (srun --mpi)"},
    {"scheduler.launcher_options", OPTIONS(scheduler.launcher_options), .absent = "none",
     .help = "more options for srun or mpirun; what belongs to one behind a blank: --map-by node"},
    {"scheduler.job_name", WORD(scheduler.job_name), .absent = "qsvit- and the run folder's name",
     .help = "the job's name in the queue"},
    {"scheduler.partition", WORD(scheduler.partition), .absent = "Slurm's",
     .help = "partition to run in"},
    {"scheduler.account", WORD(scheduler.account), .absent = "Slurm's",
     .help = "account to charge"},
    {"scheduler.qos", WORD(scheduler.qos), .absent = "Slurm's", .help = "quality of service"},
    {"scheduler.nodes", COUNT32(scheduler.nodes, 1, 65535), .unit = "nodes", .standard = "1",
     .help = "nodes to run on"},
    {"scheduler.ranks_per_node", COUNT32(scheduler.ranks_per_node, 0, 65535), .unit = "processes",
     .standard = "0",
     .help = "MPI ranks on each node; 0: `ranks` in all, or with local all cores of a whole node"},
    {"scheduler.threads_per_rank", COUNT32(scheduler.threads_per_rank, 1, 1024), .unit = "cores",
     .standard = "1", .help = "cores set aside for each rank, where that is more than `threads`"},
    {"scheduler.memory", .type = QSV_KEY_SIZE, .offset = FIELD(scheduler.memory),
     .absent = "Slurm's", .help = "memory of each node; 0: all of it"},
    {"scheduler.time", .type = QSV_KEY_TIME, .offset = FIELD(scheduler.time_s), .absent = "Slurm's",
     .help = "limit of each start of the job, not of the sweep"},
    {"scheduler.constraint", WORD(scheduler.constraint), .absent = "none",
     .help = "features that nodes must have"},
    {"scheduler.setup", .type = QSV_KEY_LINES, .offset = FIELD(scheduler.setup), .absent = "none",
     .help = "shell lines to run first: module load, export"},
    {"scheduler.mail_user", WORD(scheduler.mail_user), .absent = "no mail",
     .help = "whom Slurm writes to"},
    {"scheduler.mail_type", WORD(scheduler.mail_type), .standard = "END,FAIL",
     .help = "when it writes, if mail_user is given"},
    {"scheduler.sbatch_options", OPTIONS(scheduler.sbatch_options), .absent = "none",
     .help = "more options for sbatch"},
    {"scheduler.signal_lead_s", COUNT32(scheduler.signal_lead_s, 1, 65535), .unit = "seconds",
     .standard = "120", .help = "how long before the time limit the ranks are asked to stop"},
    {"scheduler.max_restarts", COUNT32(scheduler.max_restarts, 0, 100000), .unit = "restarts",
     .standard = "100", .help = "how often the job goes back into the queue by itself"},
    {"run", PATH(run), .standard = "runs/sweep",
     .help = "the run's folder, for records and results; the same folder again resumes"},
};
const size_t qsv_n_spec_keys = sizeof qsv_spec_keys / sizeof *qsv_spec_keys;

const struct qsv_spec_key *qsv_spec_key_find(const char *name)
{
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        if (!strcmp(qsv_spec_keys[i].name, name))
            return &qsv_spec_keys[i];
    return NULL;
}

const char *qsv_spec_key_leaf(const struct qsv_spec_key *k)
{
    const char *dot = strchr(k->name, '.');
    return dot ? dot + 1 : k->name;
}

bool qsv_spec_key_is_in(const struct qsv_spec_key *k, const char *section)
{
    size_t n = strlen(section);
    return !strncmp(k->name, section, n) && k->name[n] == '.';
}

static void join(struct qsv_spec_words *out, const char *const *words)
{
    for (size_t used = strlen(out->text); *words && used < sizeof out->text; words++)
        used += (size_t)snprintf(out->text + used, sizeof out->text - used, "%s%s", *words,
                                 words[1] ? ", " : "");
}

struct qsv_spec_words qsv_spec_key_allowed(const struct qsv_spec_key *k)
{
    struct qsv_spec_words out = {""};
    switch (k->type) {
    case QSV_KEY_TEXT:
        return (struct qsv_spec_words){"text"};
    case QSV_KEY_PATH:
        return (struct qsv_spec_words){"a path"};
    case QSV_KEY_STRATEGY:
        snprintf(out.text, sizeof out.text, "one of: %s", qsv_strategy_names());
        break;
    case QSV_KEY_NAME:
    case QSV_KEY_CHOICE:
        snprintf(out.text, sizeof out.text, "one of: ");
        join(&out, k->choices);
        break;
    case QSV_KEY_COUNT32:
    case QSV_KEY_COUNT:
        snprintf(out.text, sizeof out.text, "an integer from %.0f to %.0f", k->min, k->max);
        break;
    case QSV_KEY_REAL:
        snprintf(out.text, sizeof out.text, "a number from %.15g to %.15g", k->min, k->max);
        break;
    case QSV_KEY_FORMATS:
        snprintf(out.text, sizeof out.text, "a list of: %s", qsv_format_names());
        break;
    case QSV_KEY_PINS:
        return (struct qsv_spec_words){"a map of layer name patterns to formats"};
    case QSV_KEY_WORD:
        return (struct qsv_spec_words){"a word without blanks, quotes, backslashes or #"};
    case QSV_KEY_SIZE:
        return (struct qsv_spec_words){
            "a size as in 64G or 500M (K, M, G, T; M where there is none)"};
    case QSV_KEY_TIME:
        return (struct qsv_spec_words){
            "a time as in 90 (minutes), 4:00:00 or 1-12 (days-hours), up to 3650 days"};
    case QSV_KEY_OPTIONS:
        return (struct qsv_spec_words){"a list of options, each one line that begins with -"};
    case QSV_KEY_LINES:
        return (struct qsv_spec_words){"a list of shell lines"};
    }
    return out;
}

struct qsv_spec_words qsv_spec_key_default(const struct qsv_spec_key *k)
{
    struct qsv_spec_words out = {""};
    const char *words = k->standard ? k->standard : k->absent;
    if (k->required)
        words = qsv_spec_key_is_in(k, "calibration") ? "required in calibration" : "required";
    if (words) {
        snprintf(out.text, sizeof out.text, "%s", words);
        return out;
    }
    /* Energy constants have their defaults in core/cost.c, in the same fields. */
    double v;
    memcpy(&v, (const char *)&qsv_energy_default + (k->offset - FIELD(energy)), sizeof v);
    snprintf(out.text, sizeof out.text, "%.15g", v);
    return out;
}
