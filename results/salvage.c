#include "results/salvage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/sandbox.h"
#include "results/ledger_file.h"

_Static_assert(sizeof(struct qsv_salvage) <= QSV_SANDBOX_RESULT, "it must fit a sandbox's result");

static enum qsv_status read_table(void *path, void *result, struct qsv_error *err)
{
    struct qsv_salvage *out = result;
    struct qsv_evaluation *rows = NULL;
    size_t n = 0;
    hid_t file;
    enum qsv_status st = qsv_h5_open(&file, path, err);
    if (st)
        return st;
    st = qsv_table_read(file, &qsv_evaluation_table, qsv_file_max_bytes(file), &rows, &n, err);
    out->n = n;
    for (size_t i = 0; i < n && i < QSV_SALVAGE_PAIRS; i++) {
        out->pairs[i].trial_id = rows[i].record.trial_id;
        out->pairs[i].shard = rows[i].record.shard;
    }
    free(rows);
    H5Fclose(file);
    return st;
}

enum qsv_status qsv_salvage_read(struct qsv_salvage *out, const char *path, struct qsv_error *err)
{
    static const struct qsv_sandbox_limits limits = {(size_t)1 << 30, 20};
    return qsv_sandbox_run(read_table, (void *)path, out, sizeof *out, &limits, path, err);
}

/* How many of the pairs from `i` on are one trial's on shards in a row. */
static size_t run_length(const struct qsv_salvage *s, size_t i)
{
    size_t n = 1;
    while (i + n < s->n && i + n < QSV_SALVAGE_PAIRS &&
           s->pairs[i + n].trial_id == s->pairs[i].trial_id &&
           s->pairs[i + n].shard == s->pairs[i].shard + n)
        n++;
    return n;
}

static void drop_known(struct qsv_salvage *s, const struct qsv_ledger *l)
{
    size_t listed = s->n < QSV_SALVAGE_PAIRS ? (size_t)s->n : QSV_SALVAGE_PAIRS, kept = 0;
    for (size_t i = 0; i < listed; i++)
        if (!l || !qsv_ledger_evaluation(l, s->pairs[i].trial_id, (uint32_t)s->pairs[i].shard))
            s->pairs[kept++] = s->pairs[i];
    s->n -= listed - kept;
}

/* "trial 0123 on shards 1-3; trial 4567 on shard 0" */
static void list_pairs(const struct qsv_salvage *s, struct qsv_strbuf *out)
{
    for (size_t i = 0, n; i < s->n && i < QSV_SALVAGE_PAIRS; i += n) {
        n = run_length(s, i);
        qsv_strbuf_printf(out, "%strial %016" PRIx64 " on shard%s %" PRIu64, i ? "; " : "",
                          s->pairs[i].trial_id, n > 1 ? "s" : "", s->pairs[i].shard);
        if (n > 1)
            qsv_strbuf_printf(out, "-%" PRIu64, s->pairs[i].shard + n - 1);
    }
}

void qsv_salvage_describe(const char *path, const struct qsv_ledger *l, struct qsv_strbuf *out)
{
    struct qsv_salvage s;
    qsv_strbuf_puts(out, "  evaluated again: ");
    if (qsv_salvage_read(&s, path, NULL)) {
        qsv_strbuf_puts(out, "whatever was in it (its table of records can't be read)\n");
        return;
    }
    uint64_t held = s.n;
    bool more = s.n > QSV_SALVAGE_PAIRS;
    drop_known(&s, l);
    if (!s.n)
        qsv_strbuf_puts(out, held ? "nothing, its records are elsewhere, too"
                                  : "nothing, it had "
                                    "no records");
    list_pairs(&s, out);
    if (more)
        qsv_strbuf_printf(out, "; and what is not elsewhere of %" PRIu64 " more records",
                          held - QSV_SALVAGE_PAIRS);
    qsv_strbuf_puts(out, "\n");
}
