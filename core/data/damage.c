#include "core/data/damage.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/data/reader.h"

void qsv_damage_fini(struct qsv_damage *d)
{
    free(d->numbers);
    *d = (struct qsv_damage){0};
}

enum qsv_status qsv_damage_add(struct qsv_damage *d, uint64_t number, struct qsv_error *err)
{
    if (!qsv_grow(&d->numbers, &d->capacity, d->n + 1, sizeof *d->numbers))
        return qsv_fail_memory(err, "damaged images");
    d->numbers[d->n++] = number;
    return QSV_OK;
}

enum qsv_status qsv_damage_find(struct qsv_damage *d, const struct qsv_data_reader *reader,
                                void *state, uint64_t first, uint64_t count, size_t image_bytes,
                                struct qsv_error *err)
{
    uint8_t *pixels = qsv_alloc(image_bytes, 1);
    enum qsv_status st = pixels ? QSV_OK : qsv_fail_memory(err, "an image");
    for (uint64_t i = 0; !st && i < count; i++) {
        st = reader->read_pixels(state, first + i, 1, pixels, err);
        if (st == QSV_EINPUT)
            st = qsv_damage_add(d, i, err);
    }
    free(pixels);
    return st;
}

uint64_t qsv_damage_number(const struct qsv_damage *d, uint64_t i)
{
    /* numbers[k] - k images are there before the k-th that is left out. */
    size_t low = 0, high = d->n;
    while (low < high) {
        const size_t k = low + (high - low) / 2;
        if (d->numbers[k] - k <= i)
            low = k + 1;
        else
            high = k;
    }
    return i + low;
}

enum qsv_status qsv_damage_fingerprint(uint64_t *fingerprint, const struct qsv_damage *d,
                                       struct qsv_error *err)
{
    if (!d->n)
        return QSV_OK;
    struct qsv_hash *h = qsv_hash_begin();
    if (!h)
        return qsv_fail_memory(err, "damaged images");
    qsv_hash_add_string(h, "left out");
    qsv_hash_add_u64(h, *fingerprint);
    for (size_t k = 0; k < d->n; k++)
        qsv_hash_add_u64(h, d->numbers[k]);
    *fingerprint = qsv_hash_end(h);
    return QSV_OK;
}
