/* Specs. What one that is accepted says, with another strategy, must be accepted too. */
#include <stdlib.h>

#include "jobs/spec.h"
#include "jobs/spec_variant.h"
#include "tests/fuzz/fuzz.h"

static void vary(const struct qsv_spec *s)
{
    static const struct qsv_spec_change change = {"search", "seed", "11"};
    struct qsv_strbuf text = {0};
    struct qsv_spec *other = NULL;
    struct qsv_error err = {0};
    if (qsv_spec_vary(&text, s, &change, 1, &err))
        fuzz_fail("%s", err.text);
    FUZZ_NEED(!text.failed);
    if (qsv_spec_parse(&other, text.text, text.len, "VARIANT.yaml", &err))
        fuzz_fail("%s\n%s", err.text, text.text);
    FUZZ_NEED(other->search.seed == 11);
    FUZZ_NEED(other->n_pins == s->n_pins && other->shard_images == s->shard_images);
    qsv_spec_destroy(other);
    qsv_strbuf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_spec *s = NULL;
    struct qsv_error err = {0};
    char *text = fuzz_text(data, size);
    if (fuzz_accepted(qsv_spec_parse(&s, text, size, "SPEC.yaml", &err), &err, QSV_OK))
        vary(s);
    qsv_spec_destroy(s);
    free(text);
    return 0;
}
