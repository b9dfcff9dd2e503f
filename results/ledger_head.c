/* The attributes of a results file's root group. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "results/ledger_file.h"

/* A whole number of the head, of either width. */
struct number {
    const char *name;
    void *at;
    size_t size; /* 4 or 8 */
};

enum { N_NUMBERS = 19, N_CONSTANTS = 7 };

static void list_numbers(struct qsv_ledger *l, struct number numbers[N_NUMBERS])
{
#define NUMBER(name, field)                                                                        \
    {                                                                                              \
        name, &l->field, sizeof l->field                                                           \
    }
    const struct number all[N_NUMBERS] = {
        NUMBER("run_id", run_id),
        NUMBER("identity_model", identity.model),
        NUMBER("identity_dataset", identity.dataset),
        NUMBER("identity_calibration", identity.calibration),
        NUMBER("identity_order", identity.order),
        NUMBER("identity_shard_images", identity.shard_images),
        NUMBER("identity_quantizer", identity.quantizer),
        NUMBER("identity_engine", identity.engine),
        NUMBER("n_layers", shape.n_layers),
        NUMBER("n_lifs", shape.n_lifs),
        NUMBER("n_sites", shape.n_sites),
        NUMBER("n_judge_images", partition.n_judge),
        NUMBER("n_decide_images", partition.n_decide),
        NUMBER("time_steps", time_steps),
        NUMBER("classes", classes),
        NUMBER("baseline_trial_id", baseline),
        NUMBER("f32_weights_bytes", f32.weights_bytes),
        NUMBER("f32_model_bytes", f32.model_bytes),
        NUMBER("current_search", current_search),
    };
#undef NUMBER
    memcpy(numbers, all, sizeof all);
}

static enum qsv_status write_numbers(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    struct qsv_ledger copy = *l;
    struct number numbers[N_NUMBERS];
    enum qsv_status st = QSV_OK;
    list_numbers(&copy, numbers);
    for (int i = 0; i < N_NUMBERS && !st; i++) {
        uint64_t value =
            numbers[i].size == 8 ? *(uint64_t *)numbers[i].at : *(uint32_t *)numbers[i].at;
        st = qsv_h5_set_u64(file, numbers[i].name, value, err);
    }
    return st;
}

static enum qsv_status read_numbers(hid_t file, struct qsv_ledger *l, struct qsv_error *err)
{
    struct number numbers[N_NUMBERS];
    enum qsv_status st = QSV_OK;
    list_numbers(l, numbers);
    for (int i = 0; i < N_NUMBERS && !st; i++) {
        uint64_t value;
        st = qsv_h5_get_u64(file, numbers[i].name, &value, err);
        if (!st && numbers[i].size == 4 && value > UINT32_MAX)
            st = qsv_fail(err, QSV_EINPUT, "attribute '%s' is %" PRIu64 ", expected at most %u",
                          numbers[i].name, value, UINT32_MAX);
        if (st)
            break;
        if (numbers[i].size == 8)
            *(uint64_t *)numbers[i].at = value;
        else
            *(uint32_t *)numbers[i].at = (uint32_t)value;
    }
    return st;
}

static const char *const skipped_names[2] = {
    [QSV_JUDGE] = "n_judge_skipped", [QSV_DECIDE] = "n_decide_skipped"};

static enum qsv_status write_skipped(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    enum qsv_status st = qsv_h5_set_u64(file, skipped_names[0], l->skipped[0], err);
    return st ? st : qsv_h5_set_u64(file, skipped_names[1], l->skipped[1], err);
}

/* Files that do not say left out nothing. */
static void read_skipped(hid_t file, struct qsv_ledger *l)
{
    for (int set = 0; set < 2; set++)
        if (qsv_h5_get_u64(file, skipped_names[set], &l->skipped[set], NULL))
            l->skipped[set] = 0;
}

static enum qsv_status write_texts(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    char identity[17], created[24];
    snprintf(identity, sizeof identity, "%016" PRIx64, qsv_identity_hash(&l->identity));
    qsv_clock_utc(l->created_unix_s, created);
    enum qsv_status st = qsv_h5_set_string(file, "identity", identity, err);
    if (!st)
        st = qsv_h5_set_string(file, "created_utc", created, err);
    if (!st)
        st = qsv_h5_set_string(file, "model", l->model_path, err);
    if (!st)
        st = qsv_h5_set_string(file, "architecture", l->architecture, err);
    return st;
}

static void constants_to_array(const struct qsv_energy_constants *c, double v[N_CONSTANTS])
{
    const double all[N_CONSTANTS] = {c->f32_multiply, c->f32_add,   c->f16_multiply, c->f16_add,
                                     c->int8_add,     c->sram_byte, c->dram_byte};
    memcpy(v, all, sizeof all);
}

static enum qsv_status read_constants(hid_t file, struct qsv_energy_constants *c,
                                      struct qsv_error *err)
{
    double v[N_CONSTANTS];
    enum qsv_status st = qsv_h5_get_f64s(file, "energy_constants_pj", v, N_CONSTANTS, err);
    if (!st)
        *c = (struct qsv_energy_constants){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
    return st;
}

enum qsv_status qsv_head_write(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    double constants[N_CONSTANTS];
    constants_to_array(&l->constants, constants);
    enum qsv_status st = qsv_h5_set_u64(file, "schema_version", QSV_SCHEMA_VERSION, err);
    if (!st)
        st = qsv_h5_set_u64(file, "complete", l->complete, err);
    if (!st)
        st = write_numbers(file, l, err);
    if (!st)
        st = write_skipped(file, l, err);
    if (!st)
        st = write_texts(file, l, err);
    if (!st)
        st = qsv_h5_set_f64(file, "created_unix_s", l->created_unix_s, err);
    if (!st)
        st = qsv_h5_set_f64(file, "f32_avg_bits", l->f32.avg_bits, err);
    if (!st)
        st = qsv_h5_set_f64s(file, "energy_constants_pj", constants, N_CONSTANTS, err);
    if (!st)
        st = qsv_h5_set_string(file, "energy_constants",
                               "f32_multiply, f32_add, f16_multiply, f16_add, int8_add, sram_byte, "
                               "dram_byte",
                               err);
    return st;
}

static enum qsv_status check_version(hid_t file, struct qsv_error *err)
{
    uint64_t version;
    enum qsv_status st = qsv_h5_get_u64(file, "schema_version", &version, err);
    if (!st && version != QSV_SCHEMA_VERSION)
        st = qsv_fail(err, QSV_EIDENTITY,
                      "is of schema version %" PRIu64 ", written by %s qsvit; this one reads "
                      "version %d",
                      version, version > QSV_SCHEMA_VERSION ? "a newer" : "an older",
                      QSV_SCHEMA_VERSION);
    return st;
}

/* Fills what a partition is made of from the two counts and the shard size. */
static enum qsv_status derive_partition(struct qsv_ledger *l, struct qsv_error *err)
{
    struct qsv_partition *p = &l->partition;
    uint64_t size = l->identity.shard_images;
    bool ok = size && p->n_judge && p->n_judge <= UINT32_MAX && p->n_decide <= UINT32_MAX;
    uint64_t judge = ok ? (p->n_judge + size - 1) / size : 0;
    uint64_t decide = ok ? (p->n_decide + size - 1) / size : 0;
    if (!ok || judge + decide > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT,
                        "says it has %" PRIu64 " judging and %" PRIu64
                        " deciding images in shards of %" PRIu64,
                        p->n_judge, p->n_decide, size);
    p->shard_images = (uint32_t)size;
    p->n_judge_shards = (uint32_t)judge;
    p->n_shards = (uint32_t)(judge + decide);
    return QSV_OK;
}

enum qsv_status qsv_head_read(hid_t file, struct qsv_ledger *l, struct qsv_error *err)
{
    uint64_t complete = 0;
    enum qsv_status st = check_version(file, err);
    if (!st)
        st = read_numbers(file, l, err);
    if (!st)
        st = derive_partition(l, err);
    if (!st)
        st = qsv_h5_get_u64(file, "complete", &complete, err);
    if (!st)
        st = qsv_h5_get_string(file, "model", &l->model_path, err);
    if (!st)
        st = qsv_h5_get_string(file, "architecture", &l->architecture, err);
    if (!st)
        st = qsv_h5_get_f64(file, "created_unix_s", &l->created_unix_s, err);
    if (!st)
        st = qsv_h5_get_f64(file, "f32_avg_bits", &l->f32.avg_bits, err);
    if (!st)
        st = read_constants(file, &l->constants, err);
    read_skipped(file, l);
    l->complete = complete != 0;
    return st;
}

enum qsv_status qsv_head_compare(const struct qsv_ledger *mine, const struct qsv_ledger *file,
                                 struct qsv_error *err)
{
    enum qsv_status st = qsv_identity_compare(&file->identity, &mine->identity, NULL, err);
    if (st)
        return st;
    const struct qsv_record_shape *a = &mine->shape, *b = &file->shape;
    if (a->n_layers != b->n_layers || a->n_lifs != b->n_lifs || a->n_sites != b->n_sites ||
        mine->partition.n_judge != file->partition.n_judge ||
        mine->partition.n_decide != file->partition.n_decide || mine->baseline != file->baseline)
        return qsv_fail(
            err, QSV_EINPUT,
            "says it is of a model of %u layers, %u LIFs and %u sites and of "
            "%" PRIu64 " + %" PRIu64 " images, expected %u, %u, %u and %" PRIu64 " + %" PRIu64,
            b->n_layers, b->n_lifs, b->n_sites, file->partition.n_judge, file->partition.n_decide,
            a->n_layers, a->n_lifs, a->n_sites, mine->partition.n_judge, mine->partition.n_decide);
    return QSV_OK;
}
