/* A comparison: strategies x quantizers on one spec, each a sweep of its own. All strategies of a
 * quantizer share a run folder, RUN-compare/QUANTIZER, and so their records; what a sweep's row
 * says it cost does not depend on what was recorded before it.
 */
#ifndef QSV_COMPARE_H
#define QSV_COMPARE_H

#include <stdbool.h>

#include "core/base/strbuf.h"
#include "jobs/spec.h"
#include "results/ledger.h"
#include "results/query.h"

/* One sweep. */
struct qsv_compared {
    const char *strategy, *quantizer;
    struct qsv_spec *spec; /* with both; its run folder is the quantizer's */
    char *path;            /* where the text of that spec is to be written */
    bool done;             /* the search has come to its end; the rest is filled then */
    bool meets;            /* the constraint */
    double avg_bits, model_bytes, model_saved; /* of what was selected; per cent below f32 */
    double top1_drop, drop_low, drop_high;     /* points, on all judging images */
    struct qsv_search_cost cost;
};

struct qsv_comparison {
    struct qsv_spec *spec; /* as given */
    struct qsv_compared
        *sweeps; /* [n] quantizer by quantizer, in the order in which they are run */
    size_t n;
};

/* Reads the spec. strategies, quantizers: names with commas; NULL: all. `random` comes
 * last, because it may spend what `qsvit` did. QSV_EUSAGE for a name that is not known, or is there
 * twice. Finish in any case. */
enum qsv_status qsv_comparison_init(struct qsv_comparison *c, const char *spec,
                                    const char *strategies, const char *quantizers,
                                    struct qsv_error *err);
void qsv_comparison_fini(struct qsv_comparison *c);

/* Whether a sweep is done, and what came of it. check: its folder's records have to be of the same
 * model, images and quantizer as the spec now names (QSV_EIDENTITY), which loads these. */
enum qsv_status qsv_compared_look(struct qsv_compared *s, bool check, struct qsv_error *err);

/* Creates the folder and writes the spec's text. */
enum qsv_status qsv_compared_prepare(const struct qsv_compared *s, struct qsv_error *err);

/* A row each, once all are done. */
enum qsv_status qsv_comparison_print(struct qsv_strbuf *out, const struct qsv_comparison *c,
                                     enum qsv_query_format format, struct qsv_error *err);

#endif
