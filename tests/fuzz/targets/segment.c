/* Segments: values of one that is good are changed (h5.h), and it is added to the ledger of its
 * run, which must hold the same afterwards where it is refused.
 */
#include <string.h>

#include "results/ledger_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h5.h"
#include "tests/fuzz/recorded.h"

static struct fixture run;
static struct fuzz_h5 *good;

static void make_good(void)
{
    run_make(&run);
    good = fuzz_h5_load(path_in(&run, "segments/2-1-1.h5"));
    remove_tree(run.folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_ledger l = {0};
    struct qsv_error err = {0};
    if (!good)
        make_good();
    FUZZ_NEED(!qsv_ledger_describe(&l, &run.run, &err));
    l.with_arrays = true;
    const char *path = fuzz_h5_change(good, 0, data, size);
    if (!fuzz_accepted(qsv_ledger_read_segment(&l, path, &err), &err, QSV_EIDENTITY))
        FUZZ_NEED(size && !l.n_evaluations);
    for (size_t i = 0; i < l.n_evaluations; i++) {
        const struct qsv_record *r = &l.evaluations[i]->record;
        fuzz_touch(r->correct, (r->n_images + 7) / 8);
        fuzz_touch(r->site_ac, l.shape.n_sites * sizeof *r->site_ac);
    }
    qsv_ledger_fini(&l);
    return 0;
}
