/* Specs to begin with: the files of the source tree (cluster.yaml and examples/), which the build
 * makes strings of, so that there is one of each.
 */
#ifndef QSV_TEMPLATES_H
#define QSV_TEMPLATES_H

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_template {
    const char *name; /* "fmnist" */
    const char *text;
};

extern const struct qsv_template qsv_templates[]; /* ended by a NULL name */

/* The template as it is to be written to `path`. A model that comes along with the program is named
 * by where it lies, unless it is found from there as it stands; "model" is what the text names
 * then. Both are the caller's to finish. */
enum qsv_status qsv_template_fill(struct qsv_strbuf *text, struct qsv_strbuf *model,
                                  const struct qsv_template *t, const char *path,
                                  struct qsv_error *err);

#endif
