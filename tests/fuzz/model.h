/* The small model of tests/data, and files of a temporary folder that is removed at once. */
#ifndef QSV_FUZZ_MODEL_H
#define QSV_FUZZ_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h5.h"

static inline struct qsv_model *load_tiny(void)
{
    struct qsv_model *m;
    struct qsv_error err = {0};
    if (qsv_model_load(&m, "tests/data/tiny.h5", &err))
        fuzz_fail("%s", err.text);
    return m;
}

/* What `save` writes under the path that it is given. */
static inline struct fuzz_h5 *load_saved(enum qsv_status (*save)(const char *path,
                                                                 struct qsv_error *err))
{
    char path[256];
    const char *tmp = getenv("TMPDIR");
    struct qsv_error err = {0};
    snprintf(path, sizeof path, "%s/qsv-fuzz-%ld.h5", tmp ? tmp : "/tmp", (long)getpid());
    if (save(path, &err))
        fuzz_fail("%s", err.text);
    struct fuzz_h5 *h5 = fuzz_h5_load(path);
    unlink(path);
    return h5;
}

#endif
