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

/* "trial 0123 on shards 1, 2; trial 4567 on shard 0" */
static uint64_t list_pairs(const struct qsv_salvage *s, const struct qsv_ledger *l,
                           struct qsv_strbuf *out)
{
    uint64_t last = 0, listed = 0;
    for (size_t i = 0; i < s->n && i < QSV_SALVAGE_PAIRS; i++) {
        if (l && qsv_ledger_evaluation(l, s->pairs[i].trial_id, (uint32_t)s->pairs[i].shard))
            continue;
        if (!listed || s->pairs[i].trial_id != last)
            qsv_strbuf_printf(out, "%strial %016" PRIx64 " on shard", listed ? "; " : "",
                              s->pairs[i].trial_id);
        else
            qsv_strbuf_puts(out, ",");
        qsv_strbuf_printf(out, " %" PRIu64, s->pairs[i].shard);
        last = s->pairs[i].trial_id;
        listed++;
    }
    return listed;
}

void qsv_salvage_describe(const char *path, const struct qsv_ledger *l, struct qsv_strbuf *out)
{
    struct qsv_salvage s;
    struct qsv_strbuf pairs = {0};
    if (qsv_salvage_read(&s, path, NULL)) {
        qsv_strbuf_puts(out, "  evaluated again: whatever was in it (its table of records can't be "
                             "read)\n");
        return;
    }
    uint64_t listed = list_pairs(&s, l, &pairs);
    if (listed)
        qsv_strbuf_printf(out, "  evaluated again: %s", pairs.text ? pairs.text : "");
    if (listed && s.n > QSV_SALVAGE_PAIRS)
        qsv_strbuf_printf(out, "; and what is not elsewhere of %" PRIu64 " more records",
                          s.n - QSV_SALVAGE_PAIRS);
    if (!listed)
        qsv_strbuf_printf(out, "  evaluated again: nothing; %s",
                          s.n ? "its records are elsewhere, too" : "there were no records in it");
    qsv_strbuf_puts(out, "\n");
    qsv_strbuf_fini(&pairs);
}
