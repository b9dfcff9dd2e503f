/* Answers to single images: bits of right top-1 answers, and the baseline's label, answer and loss.
 */
#ifndef QSV_ANSWERS_H
#define QSV_ANSWERS_H

#include "results/layout.h"

/* bits [n] -> bits first .. first+n-1 of out, which are 0. Lowest bit of a byte first. */
void qsv_bits_place(uint8_t *out, uint64_t first, const uint8_t *bits, uint32_t n);
/* The reverse; out [(n + 7) / 8] is 0. */
void qsv_bits_take(uint8_t *out, const uint8_t *bits, uint64_t first, uint32_t n);

/* A record of the baseline -> the rows of its images, and the reverse. QSV_EINPUT where a row is
 * not measured, or its label or answer is no class. */
void qsv_answers_to_rows(struct qsv_baseline_row *rows, const struct qsv_record *r);
enum qsv_status qsv_answers_from_rows(struct qsv_record *r, const struct qsv_baseline_row *rows,
                                      struct qsv_error *err);

#endif
