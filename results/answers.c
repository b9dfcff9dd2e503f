#include "results/answers.h"

static unsigned bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] >> i % 8 & 1u;
}

void qsv_bits_place(uint8_t *out, uint64_t first, const uint8_t *bits, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[(first + i) / 8] |= (uint8_t)(bit(bits, i) << (first + i) % 8);
}

void qsv_bits_take(uint8_t *out, const uint8_t *bits, uint64_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i / 8] |= (uint8_t)(bit(bits, first + i) << i % 8);
}

void qsv_answers_to_rows(struct qsv_baseline_row *rows, const struct qsv_record *r)
{
    for (uint32_t i = 0; i < r->n_images; i++) {
        rows[i].measured = 1;
        rows[i].label = r->label[i];
        rows[i].answer = r->answer[i];
        rows[i].loss = r->loss[i];
    }
}

enum qsv_status qsv_answers_from_rows(struct qsv_record *r, const struct qsv_baseline_row *rows,
                                      struct qsv_error *err)
{
    for (uint32_t i = 0; i < r->n_images; i++) {
        if (!rows[i].measured || rows[i].label > UINT16_MAX || rows[i].answer > UINT16_MAX)
            return qsv_fail(err, QSV_EINPUT,
                            "table 'baseline' lacks the answer to image %u of shard %u", i,
                            r->shard);
        r->label[i] = (uint16_t)rows[i].label;
        r->answer[i] = (uint16_t)rows[i].answer;
        r->loss[i] = rows[i].loss;
    }
    return QSV_OK;
}
