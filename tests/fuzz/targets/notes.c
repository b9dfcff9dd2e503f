/* The small texts of a run's folder: lock, live, job.id, job.end, selected.verified; a batch script
 * and its log; what Slurm's commands print. The first byte says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/holder.h"
#include "results/lock.h"
#include "results/verify.h"
#include "runner/status/live.h"
#include "runner/status/submission.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"lock", "live", "job.id", "job.end", "selected.verified"};
enum { N_NAMES = sizeof names / sizeof *names, N_KINDS = N_NAMES + 2 };

static char folder[200];

static void make_path(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static void remove_folder(void)
{
    char path[256];
    for (int i = 0; i < N_NAMES; i++) {
        make_path(path, names[i]);
        unlink(path);
    }
    make_path(path, "selected.h5");
    unlink(path);
    rmdir(folder);
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[256];
    make_path(path, name);
    FILE *f = fopen(path, "wb");
    FUZZ_NEED(f && fwrite(data, 1, size, f) == size && !fclose(f));
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.180s/qsv-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    FUZZ_NEED(mkdtemp(folder));
    atexit(remove_folder);
    write_file("selected.h5", "no model", 8);
}

static void read_lock(void)
{
    struct qsv_lock_holder holder;
    qsv_lock_look(folder, &holder);
    fuzz_touch(holder.host, strlen(holder.host) + 1);
    FUZZ_NEED(strlen(holder.host) < sizeof holder.host && strlen(holder.job) < sizeof holder.job);
}

static void read_live(void)
{
    struct qsv_live live;
    struct qsv_strbuf text = {0};
    if (qsv_live_read(&live, folder)) {
        qsv_live_rate(&live);
        qsv_live_format(&text, &live);
    }
    qsv_strbuf_fini(&text);
}

static void read_jobs(void)
{
    struct qsv_job_ids ids;
    struct qsv_job_end end;
    qsv_job_ids_read(&ids, folder);
    FUZZ_NEED(ids.n <= QSV_MOST_JOBS);
    for (size_t i = 0; i < ids.n; i++)
        FUZZ_NEED(qsv_slurm_is_id(ids.v[i]));
    qsv_job_end_read(&end, folder);
    FUZZ_NEED(strlen(end.id) < sizeof end.id);
}

static void read_verified(void)
{
    bool there;
    struct qsv_error why = {0};
    fuzz_accepted(qsv_verify_selected(folder, NULL, &there, &why), &why, QSV_OK);
}

static void read_script(const uint8_t *data, size_t size)
{
    struct qsv_strbuf script = {0};
    char *text = fuzz_text(data, size);
    qsv_script_is_sealed(text);
    qsv_strbuf_puts(&script, text);
    qsv_script_seal(&script);
    FUZZ_NEED(!script.failed);
    qsv_strbuf_fini(&script);
    free(text);
}

static void read_slurm(const uint8_t *data, size_t size)
{
    char id[QSV_JOB_ID];
    struct qsv_slurm_job job;
    struct qsv_error err = {0};
    struct qsv_strbuf last = {0};
    char *text = fuzz_text(data, size);
    if (!qsv_slurm_parse_job(&job, text, &err))
        FUZZ_NEED(strlen(job.id) < sizeof job.id && strlen(job.command) < sizeof job.command);
    if (!qsv_slurm_parse_id(id, text, &err))
        FUZZ_NEED(qsv_slurm_is_id(id));
    qsv_slurm_lists_mpi(text, "pmix");
    qsv_log_error(&last, text, size);
    FUZZ_NEED(!last.failed);
    qsv_strbuf_fini(&last);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_cursor in = qsv_cursor_over(data, size);
    const unsigned kind = qsv_cursor_u8(&in) % N_KINDS;
    if (!folder[0])
        make_folder();
    if (kind < N_NAMES)
        write_file(names[kind], data + in.at, qsv_cursor_left(&in));
    if (kind == 0)
        read_lock();
    else if (kind == 1)
        read_live();
    else if (kind == 2 || kind == 3)
        read_jobs();
    else if (kind == 4)
        read_verified();
    else if (kind == 5)
        read_slurm(data + in.at, qsv_cursor_left(&in));
    else
        read_script(data + in.at, qsv_cursor_left(&in));
    return 0;
}
