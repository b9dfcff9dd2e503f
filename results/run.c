#include "results/run.h"

#include "core/base/hash.h"
#include "core/base/strbuf.h"

/* The identity's parts by name, as hexadecimal where they are hashes. */
struct part {
    const char *name, *meaning;
    uint64_t run, now;
    int is_hash;
};

enum { N_PARTS = 7 };

static void list_parts(struct part parts[N_PARTS], const struct qsv_identity *run,
                       const struct qsv_identity *now)
{
    const struct part all[N_PARTS] = {
        {"model", "the model", run->model, now->model, 1},
        {"dataset", "the judging images", run->dataset, now->dataset, 1},
        {"calibration", "the deciding images", run->calibration, now->calibration, 1},
        {"order", "the images' order", run->order, now->order, 1},
        {"shard_images", "images a shard", run->shard_images, now->shard_images, 0},
        {"quantizer", "the quantizer's settings", run->quantizer, now->quantizer, 1},
        {"engine", "the engine's numerics version", run->engine, now->engine, 0},
    };
    for (int i = 0; i < N_PARTS; i++)
        parts[i] = all[i];
}

uint64_t qsv_identity_hash(const struct qsv_identity *id)
{
    struct part parts[N_PARTS];
    unsigned char bytes[8 * N_PARTS];
    list_parts(parts, id, id);
    for (int i = 0; i < N_PARTS; i++)
        for (int b = 0; b < 8; b++)
            bytes[8 * i + b] = (unsigned char)(parts[i].run >> 8 * b);
    return qsv_hash_bytes(bytes, sizeof bytes);
}

static void name_difference(struct qsv_strbuf *out, const struct part *p)
{
    qsv_strbuf_printf(out,
                      p->is_hash ? "%s%s (%s): %016llx there, %016llx now"
                                 : "%s%s (%s): %llu there, %llu now",
                      out->len ? "; " : "", p->name, p->meaning, (unsigned long long)p->run,
                      (unsigned long long)p->now);
}

enum qsv_status qsv_identity_compare(const struct qsv_identity *run, const struct qsv_identity *now,
                                     const char *path, struct qsv_error *err)
{
    struct part parts[N_PARTS];
    struct qsv_strbuf differences = {0};
    list_parts(parts, run, now);
    for (int i = 0; i < N_PARTS; i++)
        if (parts[i].run != parts[i].now)
            name_difference(&differences, &parts[i]);
    enum qsv_status st = QSV_OK;
    if (differences.failed)
        st = qsv_fail_memory(err, "the comparison of identities");
    else if (differences.len)
        st = qsv_fail(err, QSV_EIDENTITY, "%s%sholds records of another identity: %s",
                      path ? path : "", path ? ": " : "", differences.text);
    qsv_strbuf_fini(&differences);
    return st;
}
