/* The tiny network and its images (tests/reference/make_tiny.py), ready for use. */
#ifndef QSV_TEST_TINY_H
#define QSV_TEST_TINY_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/strbuf.h"
#include "runner/inputs/inputs.h"

static struct qsv_error err;

struct folder {
    char path[64];
};

static inline void make_folder(struct folder *f)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/qsvit-test.XXXXXX",
             tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->path));
}

static inline void remove_folder(const struct folder *f)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
}

/* 96 judging and 64 deciding images in shards of 16; `more` is YAML at the top level. Where they
 * name no other, the strategy is qsvit and codes are rounded, which takes no images. */
static inline struct qsv_spec *tiny_spec(const struct folder *f, const char *search,
                                         const char *more)
{
    struct qsv_strbuf text = {0};
    struct qsv_spec *spec;
    char *here = getcwd(NULL, 0);
    assert_non_null(here);
    const char *strategy = strstr(search, "strategy:") ? "" : "  strategy: qsvit\n";
    const char *codes =
        strstr(more, "quantizer:") ? "" : "quantizer:\n  method: round\n  affine: f32\n";
    qsv_strbuf_printf(&text,
                      "model: %s/tests/data/tiny.h5\n"
                      "dataset:\n  images: %s/tests/data/tiny_images.h5\n  count: 96\n"
                      "calibration:\n  images: %s/tests/data/tiny_images.h5\n  first: 96\n"
                      "search:\n  granularity: block\n  sensitivity_images: 32\n%s%s"
                      "shard_images: 16\nrun: %s/run\n%s%s",
                      here, here, here, strategy, search, f->path, codes, more);
    assert_false(text.failed);
    if (qsv_spec_parse(&spec, text.text, text.len, "spec.yaml", &err))
        fail_msg("%s", err.text);
    qsv_strbuf_fini(&text);
    free(here);
    return spec;
}

static inline void load_inputs(struct qsv_inputs *in, const struct qsv_spec *spec)
{
    if (qsv_inputs_load(in, spec, &err))
        fail_msg("%s", err.text);
}

#endif
