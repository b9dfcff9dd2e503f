#include "runner/search/earlier.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "results/ledger.h"
#include "results/reader.h"

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A trial that was asked for in two steps counts once. */
static enum qsv_status count_distinct(uint64_t *out, const struct qsv_recorded_search *s,
                                      struct qsv_error *err)
{
    uint64_t *ids = qsv_alloc(s->n_asked + 1, sizeof *ids);
    if (!ids)
        return qsv_fail_memory(err, "an earlier search");
    for (size_t i = 0; i < s->n_asked; i++)
        ids[i] = s->asked[i].trial_id;
    qsort(ids, s->n_asked, sizeof *ids, by_value);
    *out = 0;
    for (size_t i = 0; i < s->n_asked; i++)
        *out += i == 0 || ids[i] != ids[i - 1];
    free(ids);
    return QSV_OK;
}

static enum qsv_status count(uint64_t *out, const char *run_folder, const char *strategy,
                             struct qsv_error *err)
{
    struct qsv_reader *r;
    enum qsv_status st = qsv_reader_open(&r, run_folder, false, NULL, err);
    if (st)
        return st;
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_recorded_search *last = NULL;
    for (size_t i = 0; i < l->n_searches; i++)
        if (!strcmp(l->searches[i].row.strategy, strategy))
            last = &l->searches[i];
    if (last)
        st = count_distinct(out, last, err);
    qsv_reader_close(r);
    return st;
}

enum qsv_status qsv_earlier_evaluations(uint64_t *out, const char *run_folder, const char *strategy,
                                        struct qsv_error *err)
{
    *out = 0;
    char *results = qsv_file_join(run_folder, "results.h5");
    if (!results)
        return qsv_fail_memory(err, run_folder);
    bool exists = access(results, F_OK) == 0;
    free(results);
    return exists ? count(out, run_folder, strategy, err) : QSV_OK;
}
