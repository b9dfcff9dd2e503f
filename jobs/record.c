#include "jobs/record.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* Array bytes of a record, in memory and in a message alike. */
static uint64_t array_bytes(const struct qsv_record_shape *shape, uint32_t n_images,
                            int with_answers)
{
    uint64_t bytes = 8 * (2 * (uint64_t)shape->n_lifs + shape->n_sites);
    bytes += ((uint64_t)n_images + 7) / 8;
    if (with_answers)
        bytes += (uint64_t)n_images * (sizeof(double) + 2 * sizeof(uint16_t));
    return bytes;
}

enum qsv_status qsv_record_init(struct qsv_record *r, const struct qsv_record_shape *shape,
                                uint32_t n_images, int with_answers, struct qsv_error *err)
{
    *r = (struct qsv_record){.n_images = n_images};
    uint64_t bytes = array_bytes(shape, n_images, with_answers);
    uint64_t *words = bytes > SIZE_MAX ? NULL : qsv_alloc((size_t)bytes, 1);
    if (!words)
        return qsv_fail_memory(err, "a record");

    /* Widest elements first, so that every array is aligned. */
    r->lif_spikes = words;
    r->lif_drift = r->lif_spikes + shape->n_lifs;
    r->site_ac = r->lif_drift + shape->n_lifs;
    words = r->site_ac + shape->n_sites;
    if (with_answers) {
        r->loss = (double *)words;
        r->label = (uint16_t *)(r->loss + n_images);
        r->answer = r->label + n_images;
        r->correct = (uint8_t *)(r->answer + n_images);
    } else {
        r->correct = (uint8_t *)words;
    }
    return QSV_OK;
}

void qsv_record_fini(struct qsv_record *r)
{
    free(r->lif_spikes); /* begins the one allocation */
    *r = (struct qsv_record){0};
}

static void pack_u16s(struct qsv_strbuf *out, const uint16_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        qsv_strbuf_add(out, (uint8_t[]){(uint8_t)v[i], (uint8_t)(v[i] >> 8)}, 2);
}

static void pack_scalars(const struct qsv_record *r, struct qsv_strbuf *out)
{
    qsv_strbuf_u64(out, r->trial_id);
    qsv_strbuf_u32(out, r->shard);
    qsv_strbuf_u32(out, r->n_top1);
    qsv_strbuf_u32(out, r->n_top5);
    qsv_strbuf_u32(out, r->n_only_trial);
    qsv_strbuf_u32(out, r->n_only_baseline);
    qsv_strbuf_f64(out, r->loss_sum);
    qsv_strbuf_f64(out, r->loss_diff_sum);
    qsv_strbuf_f64(out, r->loss_diff_square_sum);
    qsv_strbuf_f64(out, r->kl_sum);
    qsv_strbuf_f64(out, r->kl_square_sum);
    qsv_strbuf_u64(out, r->ac_ops);
    qsv_strbuf_u64(out, r->mac_ops);
    qsv_strbuf_f64(out, r->drift);
    qsv_strbuf_u32(out, r->attempt);
    qsv_strbuf_u32(out, r->rank);
    qsv_strbuf_u64(out, r->peak_mem_bytes);
    qsv_strbuf_f64(out, r->wall_s);
    qsv_strbuf_f64(out, r->t_end_unix_s);
}

void qsv_record_pack(const struct qsv_record *r, const struct qsv_record_shape *shape,
                     struct qsv_strbuf *out)
{
    qsv_strbuf_u32(out, shape->n_layers);
    qsv_strbuf_u32(out, shape->n_lifs);
    qsv_strbuf_u32(out, shape->n_sites);
    qsv_strbuf_u32(out, r->n_images);
    qsv_strbuf_u32(out, r->loss != NULL);
    pack_scalars(r, out);
    qsv_strbuf_u64s(out, r->lif_spikes, shape->n_lifs);
    qsv_strbuf_u64s(out, r->lif_drift, shape->n_lifs);
    qsv_strbuf_u64s(out, r->site_ac, shape->n_sites);
    qsv_strbuf_add(out, r->correct, ((size_t)r->n_images + 7) / 8);
    if (!r->loss)
        return;
    pack_u16s(out, r->label, r->n_images);
    pack_u16s(out, r->answer, r->n_images);
    for (uint32_t i = 0; i < r->n_images; i++)
        qsv_strbuf_f64(out, r->loss[i]);
}

static void unpack_scalars(struct qsv_record *r, struct qsv_cursor *in)
{
    r->trial_id = qsv_cursor_u64(in);
    r->shard = qsv_cursor_u32(in);
    r->n_top1 = qsv_cursor_u32(in);
    r->n_top5 = qsv_cursor_u32(in);
    r->n_only_trial = qsv_cursor_u32(in);
    r->n_only_baseline = qsv_cursor_u32(in);
    r->loss_sum = qsv_cursor_f64(in);
    r->loss_diff_sum = qsv_cursor_f64(in);
    r->loss_diff_square_sum = qsv_cursor_f64(in);
    r->kl_sum = qsv_cursor_f64(in);
    r->kl_square_sum = qsv_cursor_f64(in);
    r->ac_ops = qsv_cursor_u64(in);
    r->mac_ops = qsv_cursor_u64(in);
    r->drift = qsv_cursor_f64(in);
    r->attempt = qsv_cursor_u32(in);
    r->rank = qsv_cursor_u32(in);
    r->peak_mem_bytes = qsv_cursor_u64(in);
    r->wall_s = qsv_cursor_f64(in);
    r->t_end_unix_s = qsv_cursor_f64(in);
}

static void unpack_arrays(struct qsv_record *r, const struct qsv_record_shape *shape,
                          struct qsv_cursor *in)
{
    qsv_cursor_u64s(in, r->lif_spikes, shape->n_lifs);
    qsv_cursor_u64s(in, r->lif_drift, shape->n_lifs);
    qsv_cursor_u64s(in, r->site_ac, shape->n_sites);
    qsv_cursor_copy(in, r->correct, ((size_t)r->n_images + 7) / 8);
    if (!r->loss)
        return;
    for (uint32_t i = 0; i < r->n_images; i++)
        r->label[i] = qsv_cursor_u16(in);
    for (uint32_t i = 0; i < r->n_images; i++)
        r->answer[i] = qsv_cursor_u16(in);
    for (uint32_t i = 0; i < r->n_images; i++)
        r->loss[i] = qsv_cursor_f64(in);
}

/* Bytes of what pack_scalars writes. */
enum { SCALAR_BYTES = 7 * 4 + 12 * 8 };

static enum qsv_status check_head(const struct qsv_record_shape *shape,
                                  const struct qsv_record_shape *found, uint32_t n_images,
                                  uint32_t with_answers, const struct qsv_cursor *in,
                                  struct qsv_error *err)
{
    if (in->failed)
        return qsv_fail(err, QSV_EINPUT, "record: ends within its first %zu bytes", in->bytes);
    if (found->n_layers != shape->n_layers || found->n_lifs != shape->n_lifs ||
        found->n_sites != shape->n_sites)
        return qsv_fail(err, QSV_EINPUT,
                        "record: is of a model of %u layers, %u LIFs, %u sites, expected %u, %u, "
                        "%u",
                        found->n_layers, found->n_lifs, found->n_sites, shape->n_layers,
                        shape->n_lifs, shape->n_sites);
    if (with_answers > 1)
        return qsv_fail(err, QSV_EINPUT, "record: answers flag is %u, expected 0 or 1",
                        with_answers);
    /* Before anything is allocated: a wrong length must not ask for gigabytes. */
    uint64_t need = SCALAR_BYTES + array_bytes(shape, n_images, (int)with_answers);
    if (need > qsv_cursor_left(in))
        return qsv_fail(err, QSV_EINPUT,
                        "record: of %u images takes %llu more bytes, %zu are there", n_images,
                        (unsigned long long)need, qsv_cursor_left(in));
    return QSV_OK;
}

enum qsv_status qsv_record_unpack(struct qsv_record *r, const struct qsv_record_shape *shape,
                                  struct qsv_cursor *in, struct qsv_error *err)
{
    *r = (struct qsv_record){0};
    struct qsv_record_shape found;
    found.n_layers = qsv_cursor_u32(in);
    found.n_lifs = qsv_cursor_u32(in);
    found.n_sites = qsv_cursor_u32(in);
    uint32_t n_images = qsv_cursor_u32(in), with_answers = qsv_cursor_u32(in);
    enum qsv_status st = check_head(shape, &found, n_images, with_answers, in, err);
    if (!st)
        st = qsv_record_init(r, shape, n_images, (int)with_answers, err);
    if (st)
        return st;
    unpack_scalars(r, in);
    unpack_arrays(r, shape, in);
    return QSV_OK;
}
