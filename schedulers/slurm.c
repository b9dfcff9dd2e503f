#include "schedulers/slurm.h"

#include <stdio.h>
#include <string.h>

#include "schedulers/program.h"

/* Slurm's commands try for a while themselves where the controller does not answer. */
static const double limit_s = 120, list_limit_s = 20;

bool qsv_slurm_is_id(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && !text[n] && n < QSV_JOB_ID;
}

/* The next field, ended by a separator or the line's end; false where it is the last or is missing.
 */
static bool next_field(const char **at, char *out, size_t room)
{
    size_t n = strcspn(*at, "\x1f\n");
    snprintf(out, room, "%.*s", (int)n, *at);
    *at += n;
    if (**at != '\x1f')
        return false;
    (*at)++;
    return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words))
        words++;
    return *words != NULL;
}

static void judge_state(struct qsv_slurm_job *job)
{
    static const char *const over[] = {"COMPLETED",     "CANCELLED", "FAILED",    "TIMEOUT",
                                       "NODE_FAIL",     "PREEMPTED", "BOOT_FAIL", "DEADLINE",
                                       "OUT_OF_MEMORY", "REVOKED",   NULL};
    static const char *const waiting[] = {"PENDING",      "REQUEUED",     "REQUEUE_FED",
                                          "REQUEUE_HOLD", "SPECIAL_EXIT", NULL};
    job->known = true;
    job->over = is_one_of(job->state, over);
    job->running = !job->over && !is_one_of(job->state, waiting);
}

enum qsv_status qsv_slurm_parse_job(struct qsv_slurm_job *out, const char *line,
                                    struct qsv_error *err)
{
    const char *at = line;
    *out = (struct qsv_slurm_job){0};
    bool ok = next_field(&at, out->id, sizeof out->id) &&
              next_field(&at, out->state, sizeof out->state) &&
              next_field(&at, out->nodes, sizeof out->nodes) &&
              next_field(&at, out->used, sizeof out->used) &&
              next_field(&at, out->left, sizeof out->left) &&
              next_field(&at, out->start, sizeof out->start) &&
              next_field(&at, out->node_list, sizeof out->node_list) &&
              next_field(&at, out->reason, sizeof out->reason);
    size_t length = strcspn(at, "\n");
    if (!ok || !qsv_slurm_is_id(out->id) || !*out->state)
        return qsv_fail(err, QSV_EFAILED,
                        "squeue: found '%.80s', expected the nine fields that it was asked for",
                        line);
    if (length < sizeof out->command)
        snprintf(out->command, sizeof out->command, "%.*s", (int)length, at);
    judge_state(out);
    return QSV_OK;
}

/* Fails with what the program has said, where it has failed. */
static enum qsv_status check(const struct qsv_output *o, enum qsv_status code, const char *name,
                             struct qsv_error *err)
{
    struct qsv_strbuf words = {0};
    if (o->status == 0)
        return QSV_OK;
    qsv_output_words(o, &words);
    enum qsv_status st = words.failed ? qsv_fail_memory(err, name)
                         : words.len
                             ? qsv_fail(err, code, "%s", words.text)
                             : qsv_fail(err, code, "%s: ended with status %d", name, o->status);
    qsv_strbuf_fini(&words);
    return st;
}

static const char *text_of(const struct qsv_strbuf *b)
{
    return b->len ? b->text : "";
}

enum qsv_status qsv_slurm_look(struct qsv_slurm_job *out, const char *id, struct qsv_error *err)
{
    char jobs[QSV_JOB_ID + 8];
    struct qsv_output o;
    *out = (struct qsv_slurm_job){0};
    snprintf(jobs, sizeof jobs, "--jobs=%s", id);
    char *argv[] = {"squeue", "--noheader", "--states=all", jobs, "--format=" QSV_SQUEUE_FORMAT,
                    NULL};
    enum qsv_status st = qsv_program_run(&o, argv, limit_s, err);
    if (!st && !strstr(text_of(&o.err), "Invalid job id")) {
        st = check(&o, QSV_EFAILED, "squeue", err);
        if (!st && o.out.len)
            st = qsv_slurm_parse_job(out, o.out.text, err);
    }
    qsv_output_fini(&o);
    return st;
}

enum qsv_status qsv_slurm_parse_id(char id[QSV_JOB_ID], const char *text, struct qsv_error *err)
{
    snprintf(id, QSV_JOB_ID, "%.*s", (int)strcspn(text, ";\n"), text);
    return qsv_slurm_is_id(id) ? QSV_OK
                               : qsv_fail(err, QSV_EFAILED,
                                          "sbatch: found '%.80s', expected the job's number", text);
}

enum qsv_status qsv_slurm_submit(char id[QSV_JOB_ID], const char *script, struct qsv_error *err)
{
    struct qsv_output o;
    char *argv[] = {"sbatch", "--parsable", (char *)script, NULL};
    enum qsv_status st = qsv_program_run(&o, argv, limit_s, err);
    if (!st)
        st = check(&o, QSV_EINPUT, "sbatch", err);
    if (!st)
        st = qsv_slurm_parse_id(id, text_of(&o.out), err);
    qsv_output_fini(&o);
    return st;
}

enum qsv_status qsv_slurm_try(const char *script, struct qsv_strbuf *words, struct qsv_error *err)
{
    struct qsv_output o;
    char *argv[] = {"sbatch", "--test-only", (char *)script, NULL};
    enum qsv_status st = qsv_program_run(&o, argv, limit_s, err);
    if (!st)
        st = check(&o, QSV_EINPUT, "sbatch", err);
    if (!st)
        qsv_output_words(&o, words);
    qsv_output_fini(&o);
    return st;
}

enum qsv_status qsv_slurm_cancel(const char *id, struct qsv_error *err)
{
    struct qsv_output o;
    char *argv[] = {"scancel", (char *)id, NULL};
    enum qsv_status st = qsv_program_run(&o, argv, limit_s, err);
    if (!st)
        st = check(&o, QSV_EFAILED, "scancel", err);
    qsv_output_fini(&o);
    return st;
}

bool qsv_slurm_lists_mpi(const char *text, const char *name)
{
    size_t n = strlen(name);
    while (*text) {
        text += strspn(text, " \t\r\n,:");
        size_t length = strcspn(text, " \t\r\n,:");
        if (length == n && !strncmp(text, name, n))
            return true;
        text += length;
    }
    return false;
}

/* Open MPI without a component for PMI can't be started through it, and ends in MPI_Init. */
static enum qsv_status check_pmi(const char *mpi, struct qsv_error *err)
{
    struct qsv_output o;
    struct qsv_error ignored;
    char *argv[] = {"ompi_info", "--parsable", NULL};
    enum qsv_status st = QSV_OK;
    if (!qsv_program_run(&o, argv, list_limit_s, &ignored) && o.status == 0 &&
        strstr(text_of(&o.out), "mca:pmix:") && !strstr(text_of(&o.out), "mca:pmix:s1:") &&
        !strstr(text_of(&o.out), "mca:pmix:s2:"))
        st = qsv_fail(err, QSV_EINPUT,
                      "found '%s', but this Open MPI has no support for it, "
                      "expected pmix, or the launcher mpirun",
                      mpi);
    qsv_output_fini(&o);
    return st;
}

enum qsv_status qsv_slurm_check_mpi(const char *mpi, struct qsv_error *err)
{
    struct qsv_output o;
    struct qsv_error ignored;
    struct qsv_strbuf list = {0};
    char *argv[] = {"srun", "--mpi=list", NULL};
    enum qsv_status st = QSV_OK;
    if (!qsv_program_run(&o, argv, list_limit_s, &ignored) && o.status == 0) {
        /* Slurm prints it on either. */
        qsv_strbuf_printf(&list, "%s\n%s", text_of(&o.out), text_of(&o.err));
        if (!list.failed && list.len > 1 && !qsv_slurm_lists_mpi(list.text, mpi)) {
            struct qsv_strbuf line = {0};
            qsv_output_words(&o, &line);
            st = qsv_fail(err, QSV_EINPUT, "found '%s', this Slurm has (srun --mpi=list): %s", mpi,
                          text_of(&line));
            qsv_strbuf_fini(&line);
        }
    }
    qsv_strbuf_fini(&list);
    qsv_output_fini(&o);
    if (!st && !strcmp(mpi, "none"))
        st = qsv_fail(err, QSV_EINPUT,
                      "found '%s', by which every rank would be alone, expected pmix", mpi);
    return !st && !strncmp(mpi, "pmi2", 4) ? check_pmi(mpi, err) : st;
}
