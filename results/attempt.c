#include "results/attempt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "results/layout.h"

/* "model name : ..." of the first processor; "" where there is none. */
static void find_cpu(char cpu[128])
{
    char line[256];
    cpu[0] = '\0';
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && !cpu[0] && fgets(line, sizeof line, f))
        sscanf(line, "model name : %127[^\n]", cpu);
    if (f)
        fclose(f);
}

static char *copy(const char *s)
{
    return qsv_strdup(s ? s : "");
}

static bool fill(struct qsv_attempt_row *row, const struct qsv_provenance *p)
{
    char host[65] = "", cpu[128];
    gethostname(host, sizeof host - 1);
    find_cpu(cpu);
    row->pid = (uint32_t)getpid();
    row->ranks = p->ranks;
    row->start_unix_s = qsv_clock_unix_s();
    row->end_unix_s = NAN;
    row->version = copy(p->version);
    row->commit = copy(p->commit);
    row->host = copy(host);
    row->cpu = copy(cpu);
    row->isa = copy(p->isa);
    row->libraries = copy(p->libraries);
    row->command_line = copy(p->command_line);
    row->why = copy("");
    return row->version && row->commit && row->host && row->cpu && row->isa && row->libraries &&
           row->command_line && row->why;
}

static bool set_why(struct qsv_attempt_row *row, const char *why)
{
    char *text = qsv_strdup(why);
    if (!text)
        return false;
    free(row->why);
    row->why = text;
    return true;
}

/* Counts from the records too: they may have outlived their results.h5. */
static uint32_t next_number(const struct qsv_ledger *l)
{
    uint32_t last = 0;
    for (size_t i = 0; i < l->n_attempts; i++)
        if (l->attempts[i].number > last)
            last = l->attempts[i].number;
    for (size_t i = 0; i < l->n_evaluations; i++)
        if (l->evaluations[i]->record.attempt > last)
            last = l->evaluations[i]->record.attempt;
    return last + 1;
}

enum qsv_status qsv_attempt_begin(struct qsv_ledger *l, const struct qsv_provenance *p,
                                  struct qsv_error *err)
{
    uint32_t number = next_number(l);
    for (size_t i = 0; i < l->n_attempts; i++)
        if (!l->attempts[i].why[0] && !set_why(&l->attempts[i], "killed"))
            return qsv_fail_memory(err, "attempts");
    if (!qsv_grow(&l->attempts, &l->cap_attempts, l->n_attempts + 1, sizeof *l->attempts))
        return qsv_fail_memory(err, "attempts");
    struct qsv_attempt_row *row = &l->attempts[l->n_attempts++];
    *row = (struct qsv_attempt_row){.number = number};
    return fill(row, p) ? QSV_OK : qsv_fail_memory(err, "an attempt");
}

enum qsv_status qsv_attempt_end(struct qsv_ledger *l, const char *why, struct qsv_error *err)
{
    struct qsv_attempt_row *row = &l->attempts[l->n_attempts - 1];
    row->end_unix_s = qsv_clock_unix_s();
    return set_why(row, why) ? QSV_OK : qsv_fail_memory(err, "an attempt");
}
