/* The text of a spec with other values under some of its keys.
 */
#ifndef QSV_SPEC_VARIANT_H
#define QSV_SPEC_VARIANT_H

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "jobs/spec.h"

struct qsv_spec_change {
    const char *section, *key; /* "search", "strategy" */
    const char *value;         /* a word that needs no quotes */
};

/* Appends a spec that says what s->text says but for the changes; comments are left out. QSV_EINPUT
 * where that text is none. */
enum qsv_status qsv_spec_vary(struct qsv_strbuf *out, const struct qsv_spec *s,
                              const struct qsv_spec_change *changes, size_t n,
                              struct qsv_error *err);

#endif
