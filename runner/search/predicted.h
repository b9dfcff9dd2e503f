/* What a run says of settings that it has not measured (jobs/strategies/curve.h), for `qsvit
 * query`.
 */
#ifndef QSV_PREDICTED_H
#define QSV_PREDICTED_H

#include "results/query.h"

struct qsv_predicted_query {
    const char *run, *model; /* as qsv_replay_init */
    enum qsv_query_format format;
    enum qsv_query_images images; /* of the measured points */
    uint32_t points;              /* of the curve, at most; 2 or more; 0: none is predicted */
    double bound;                 /* percentage points */
    const char *output;           /* of a setting file; NULL: it is the answer */
    struct qsv_strbuf *warnings;  /* what could not be read, or predicted */
};

/* Appends to *out the measured points of --pareto and the predicted curve as one table by rising
 * model_bytes; where nothing can be predicted, the measured ones and a line in the warnings. */
enum qsv_status qsv_predicted_curve(const struct qsv_predicted_query *q, struct qsv_strbuf *out,
                                    struct qsv_error *err);

/* The same of a run that is open already. */
enum qsv_status qsv_predicted_curve_read(const struct qsv_predicted_query *q,
                                         const struct qsv_reader *reader, struct qsv_strbuf *out,
                                         struct qsv_error *err);

/* The smallest setting that keeps the bound: its setting file, or with an output file its figures.
 * QSV_EINPUT where nothing can be predicted. */
enum qsv_status qsv_predicted_setting(const struct qsv_predicted_query *q, struct qsv_strbuf *out,
                                      struct qsv_error *err);

#endif
