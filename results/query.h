/* What `qsvit query` answers. A library: the command line only fills the struct and prints `out`.
 * docs/query.md describes columns and expressions.
 */
#ifndef QSV_QUERY_H
#define QSV_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

enum qsv_query_format { QSV_QUERY_TABLE, QSV_QUERY_CSV, QSV_QUERY_JSON };

/* Which images' figures: each trial's own choice (qsv_reader_trial.shown), or of one set only,
 * leaving out trials that were not measured on it. */
enum qsv_query_images { QSV_QUERY_ANY, QSV_QUERY_JUDGE, QSV_QUERY_DECIDE };

struct qsv_reader;

struct qsv_query {
    const char *path;    /* run folder or results.h5 */
    const char *where;   /* expression; NULL: all trials */
    const char *sort;    /* column, "-column" for falling; several with commas; NULL: number */
    const char *columns; /* names with commas, "all", "help"; NULL: the usual ones */
    uint64_t limit;      /* rows; 0: no limit */
    bool
        pareto; /* only trials that no other of those that match beats in model_bytes and top1_drop,
                   measured on every image of the set (judging, unless images says deciding) */
    enum qsv_query_format format;
    enum qsv_query_images images;
    bool sensitivity;            /* step 1 as layer group x format instead: mean KL divergence */
    const char *setting;         /* the setting file of a trial instead: a key of qsv_reader_find */
    struct qsv_strbuf *warnings; /* may be NULL: lines on what could not be read */
};

/* Appends the answer to *out. QSV_EUSAGE for options that contradict, QSV_EINPUT for a wrong
 * expression, column, trial or run. */
enum qsv_status qsv_query_run(const struct qsv_query *q, struct qsv_strbuf *out,
                              struct qsv_error *err);

/* The same of a run that is open already; path and warnings mean nothing then. */
enum qsv_status qsv_query_read(const struct qsv_query *q, const struct qsv_reader *r,
                               struct qsv_strbuf *out, struct qsv_error *err);

/* For the command line's options; false where there is none of that name. */
bool qsv_query_format_find(enum qsv_query_format *out, const char *name);
bool qsv_query_images_find(enum qsv_query_images *out, const char *name);

#endif
