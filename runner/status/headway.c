#include "runner/status/headway.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "results/ledger.h"
#include "results/reader.h"

struct note {
    uint64_t records; /* at the start that wrote it */
    uint32_t idle;    /* starts in a row, up to then, that had added none */
};

/* None where nothing can be read: what is wrong with the run is the store's to say. */
static uint64_t count_records(const char *run_folder)
{
    struct qsv_reader *r;
    struct qsv_strbuf warnings = {0};
    uint64_t n = 0;
    if (!qsv_reader_open(&r, run_folder, false, &warnings, NULL)) {
        n = qsv_reader_ledger(r)->n_evaluations;
        qsv_reader_close(r);
    }
    qsv_strbuf_fini(&warnings);
    return n;
}

/* A start that left no note, or one that can't be read, counts as one that got ahead. */
static struct note read_note(const char *path)
{
    struct note n = {UINT64_MAX, 0};
    uint8_t *text;
    size_t bytes;
    if (qsv_file_read(&text, &bytes, path, 256, NULL))
        return n;
    if (sscanf((char *)text, "records %" SCNu64 " idle %" SCNu32, &n.records, &n.idle) != 2)
        n = (struct note){UINT64_MAX, 0};
    free(text);
    return n;
}

static enum qsv_status write_note(const char *path, struct note n, struct qsv_error *err)
{
    char text[64];
    snprintf(text, sizeof text, "records %" PRIu64 " idle %" PRIu32 "\n", n.records, n.idle);
    return qsv_file_write(path, text, strlen(text), err);
}

enum qsv_status qsv_headway_check(const char *run_folder, uint32_t restarts, struct qsv_error *err)
{
    char *path = qsv_file_join(run_folder, "headway");
    if (!path)
        return qsv_fail_memory(err, run_folder);
    struct note before = read_note(path), now = {count_records(run_folder), 0};
    if (restarts > 0 && now.records == before.records)
        now.idle = before.idle + 1;
    enum qsv_status st = qsv_file_make_folder(run_folder, err);
    if (!st)
        st = write_note(path, now, err);
    if (!st && now.idle >= QSV_HEADWAY_IDLE)
        st = qsv_fail(err, QSV_ESTUCK,
                      "%s: the last %u starts of this job have recorded nothing; give each more "
                      "time (scheduler.time), or work in smaller steps (task_seconds, "
                      "shard_images)",
                      run_folder, now.idle);
    free(path);
    return st;
}
