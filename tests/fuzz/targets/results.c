/* results.h5: values of one that is good are changed (h5.h), and what can still be read is asked
 * for figures, compared and listed. The first byte says which of these.
 */
#include <string.h>

#include "results/diff.h"
#include "results/query.h"
#include "results/reader.h"
#include "results/status.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h5.h"
#include "tests/fuzz/recorded.h"

static const struct qsv_query queries[] = {
    {.where = "top1_drop < 50 or step == 'baseline'", .columns = "all", .sort = "-kl,top1"},
    {.columns = "all", .format = QSV_QUERY_JSON},
    {.pareto = true, .format = QSV_QUERY_CSV},
    {.sensitivity = true},
    {.setting = "best"}};

enum {
    N_QUERIES = sizeof queries / sizeof *queries,
    STATUS = N_QUERIES,
    STATUS_JSON,
    DIFF,
    N_ANSWERS
};

static struct fuzz_h5 *good;

static void make_good(void)
{
    struct fixture f;
    run_make(&f);
    good = fuzz_h5_load(path_in(&f, "results.h5"));
    fixture_fini(&f);
}

static enum qsv_status answer(unsigned which, const char *path, struct qsv_strbuf *out,
                              struct qsv_error *err)
{
    struct qsv_diff diff;
    struct qsv_query q = queries[which % N_QUERIES];
    q.path = path;
    if (which == STATUS || which == STATUS_JSON)
        return qsv_status_report(path, which == STATUS_JSON, out, NULL, err);
    if (which == DIFF)
        return qsv_diff_run(&diff, path, fuzz_h5_change(good, 1, NULL, 0), out, NULL, err);
    return qsv_query_run(&q, out, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_cursor in = qsv_cursor_over(data, size);
    struct qsv_strbuf out = {0};
    struct qsv_error err = {0};
    const unsigned which = qsv_cursor_u8(&in) % N_ANSWERS;
    if (!good)
        make_good();
    const char *path = fuzz_h5_change(good, 0, data + in.at, qsv_cursor_left(&in));
    if (fuzz_accepted(answer(which, path, &out, &err), &err, QSV_EIDENTITY))
        fuzz_touch(out.text, out.len);
    else
        FUZZ_NEED(size > 1);
    qsv_strbuf_fini(&out);
    return 0;
}
