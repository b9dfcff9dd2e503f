#include "schedulers/batch_script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schedulers/quote.h"

/* schedulers/job.sh, of which the build has made a string. A line "#@ NAME", behind blanks, stands
 * for what the table at the end of this file puts there.
 */
static const char template[] =
#include "schedulers/job_sh.h"
    ;

static void add_directive(struct qsv_strbuf *out, const char *name, const char *value)
{
    struct qsv_strbuf option = {0};
    qsv_strbuf_printf(&option, "%s%s%s", name, *value ? "=" : "", value);
    qsv_strbuf_puts(out, "#SBATCH ");
    qsv_quote_sbatch(out, option.failed ? "" : option.text);
    qsv_strbuf_puts(out, "\n");
    out->failed |= option.failed;
    qsv_strbuf_fini(&option);
}

static void add_given(struct qsv_strbuf *out, const char *name, const char *value)
{
    if (value)
        add_directive(out, name, value);
}

static void add_number(struct qsv_strbuf *out, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    add_directive(out, name, text);
}

static void add_time(struct qsv_strbuf *out, uint64_t seconds)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRIu64 "-%02u:%02u:%02u", seconds / 86400,
             (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
             (unsigned)(seconds % 60));
    if (seconds)
        add_directive(out, "--time", text);
}

/* By default the name of the run's folder, as far as it is plain. */
static void add_name(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    struct qsv_strbuf name = {0};
    const char *slash = strrchr(b->run, '/');
    qsv_strbuf_printf(&name, "qsvit-%s", slash ? slash + 1 : b->run);
    for (char *c = name.text; c && *c; c++)
        if (!qsv_quote_is_plain((char[]){*c, '\0'}))
            *c = '_';
    const char *given = b->spec->scheduler.job_name;
    add_given(out, "--job-name", given ? given : name.text);
    out->failed |= name.failed;
    qsv_strbuf_fini(&name);
}

static void add_names(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    struct qsv_strbuf log = {0};
    qsv_quote_pattern(&log, b->run);
    qsv_strbuf_puts(&log, "/job.log");
    add_name(out, b);
    add_directive(out, "--chdir", b->folder);
    add_given(out, "--output", log.text);
    out->failed |= log.failed;
    qsv_strbuf_fini(&log);
}

static void add_signal(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    char text[32];
    snprintf(text, sizeof text, "B:USR1@%u", b->spec->scheduler.signal_lead_s);
    add_directive(out, "--signal", text);
}

/* Ranks on the one machine of a launcher that stays there; 0: as many as it has cores. */
static uint32_t ranks_here(const struct qsv_spec *s)
{
    return s->scheduler.ranks_per_node ? s->scheduler.ranks_per_node : s->ranks;
}

static void add_places(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    const struct qsv_spec_scheduler *h = &b->spec->scheduler;
    bool stays = !b->launcher->words;
    uint64_t cores = qsv_spec_cores(b->spec) * (stays ? (uint64_t)ranks_here(b->spec) : 1);
    add_number(out, "--nodes", h->nodes);
    if (h->ranks_per_node && !stays)
        add_number(out, "--ntasks-per-node", h->ranks_per_node);
    else
        add_number(out, "--ntasks", stays ? 1 : b->spec->ranks);
    if (cores)
        add_number(out, "--cpus-per-task", cores);
    else
        add_directive(out, "--exclusive", "");
}

static void add_resources(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    const struct qsv_spec_scheduler *h = &b->spec->scheduler;
    add_places(out, b);
    add_time(out, h->time_s);
    add_given(out, "--mem", h->memory);
    add_given(out, "--partition", h->partition);
    add_given(out, "--account", h->account);
    add_given(out, "--qos", h->qos);
    add_given(out, "--constraint", h->constraint);
    add_given(out, "--mail-user", h->mail_user);
    add_given(out, "--mail-type", h->mail_user ? h->mail_type : NULL);
    for (size_t i = 0; i < h->sbatch_options.n; i++)
        add_directive(out, h->sbatch_options.v[i], "");
}

static void add_variable(struct qsv_strbuf *out, const char *name, const char *value)
{
    qsv_strbuf_printf(out, "%s=", name);
    qsv_quote_shell(out, value);
    qsv_strbuf_puts(out, "\n");
}

static void add_variables(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    add_variable(out, "qsvit", b->program);
    add_variable(out, "run", b->run);
    add_variable(out, "folder", b->folder);
    qsv_strbuf_printf(out, "max_restarts=%u\n", b->spec->scheduler.max_restarts);
}

static void add_launch(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    struct qsv_words words = {0};
    const struct qsv_launch launch = {.cores = qsv_spec_cores(b->spec), .how = &b->spec->scheduler};
    uint32_t ranks = b->launcher->words ? 0 : ranks_here(b->spec);
    if (b->launcher->words)
        b->launcher->words(&words, &launch);
    qsv_strbuf_puts(out, "launch() {\n    exec");
    for (size_t i = 0; i < words.n; i++) {
        qsv_strbuf_puts(out, " ");
        qsv_quote_shell(out, words.list[i]);
    }
    qsv_strbuf_puts(out, " \"$qsvit\" run \"$run/job.yaml\" \\\n"
                         "        --paths-from \"$folder\" --run \"$run\" "
                         "--status-file \"$noted\"");
    if (ranks)
        qsv_strbuf_printf(out, " --ranks %u", ranks);
    qsv_strbuf_puts(out, "\n}\n");
    out->failed |= words.failed;
    qsv_words_fini(&words);
}

static void add_setup(struct qsv_strbuf *out, const struct qsv_batch *b)
{
    const struct qsv_spec_texts *setup = &b->spec->scheduler.setup;
    if (setup->n)
        qsv_strbuf_puts(out, "# The spec's scheduler.setup:\n");
    for (size_t i = 0; i < setup->n; i++)
        qsv_strbuf_printf(out, "%s\n", setup->v[i]);
    if (setup->n)
        qsv_strbuf_puts(out, "\n");
}

/* Backslashes are a language of their own in sbatch's file names. */
static enum qsv_status check_path(const char *path, struct qsv_error *err)
{
    for (const unsigned char *c = (const unsigned char *)path; *c; c++)
        if (*c < ' ' || *c == 0x7f || *c == '\\')
            return qsv_fail(err, QSV_EINPUT,
                            "%s: found a control character or a backslash in this path, expected "
                            "one that a batch script can hold",
                            path);
    return QSV_OK;
}

static enum qsv_status check_places(const struct qsv_batch *b, struct qsv_error *err)
{
    const struct qsv_spec *s = b->spec;
    const struct qsv_spec_scheduler *h = &s->scheduler;
    if (!b->launcher->words && h->nodes != 1)
        return qsv_spec_fail(s, "scheduler.nodes", err,
                             "found %u, expected 1: the launcher '%s' stays on one machine",
                             h->nodes, b->launcher->name);
    if (b->launcher->words && !h->ranks_per_node && !s->ranks)
        return qsv_spec_fail(s, "scheduler.ranks_per_node", err,
                             "is missing, expected how many ranks each node runs (or `ranks`: how "
                             "many there are in all)");
    if (h->ranks_per_node && s->ranks && (uint64_t)h->nodes * h->ranks_per_node != s->ranks)
        return qsv_spec_fail(s, "ranks", err,
                             "found %u, but under scheduler %u nodes of %u ranks: leave one out",
                             s->ranks, h->nodes, h->ranks_per_node);
    return QSV_OK;
}

static enum qsv_status check_scheduler(const struct qsv_spec *s, struct qsv_error *err)
{
    const struct qsv_spec_scheduler *h = &s->scheduler;
    if (h->time_s && h->signal_lead_s >= h->time_s)
        return qsv_spec_fail(s, "scheduler.signal_lead_s", err,
                             "found %u, expected less than the time limit of %" PRIu64 " s",
                             h->signal_lead_s, h->time_s);
    for (size_t i = 0; i < h->sbatch_options.n; i++)
        if (!strncmp(h->sbatch_options.v[i], "--array", 7) ||
            !strncmp(h->sbatch_options.v[i], "-a", 2))
            return qsv_spec_fail(s, "scheduler.sbatch_options", err,
                                 "found '%s', but one job at a time runs a sweep",
                                 h->sbatch_options.v[i]);
    return QSV_OK;
}

static enum qsv_status check(const struct qsv_batch *b, struct qsv_error *err)
{
    const char *const paths[] = {b->program, b->run, b->folder};
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !st; i++)
        st = check_path(paths[i], err);
    if (!st)
        st = check_places(b, err);
    return st ? st : check_scheduler(b->spec, err);
}

static const struct place {
    const char *name;
    void (*add)(struct qsv_strbuf *out, const struct qsv_batch *b);
} places[] = {
    {"names", add_names},         {"signal", add_signal}, {"resources", add_resources},
    {"variables", add_variables}, {"launch", add_launch}, {"setup", add_setup},
};

/* Every name of the template is in the table: the tests fill them all in. */
static void fill_in(struct qsv_strbuf *out, const char *name, size_t n, const struct qsv_batch *b)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strlen(places[i].name) == n && !strncmp(places[i].name, name, n))
            places[i].add(out, b);
}

enum qsv_status qsv_batch_script(struct qsv_strbuf *out, const struct qsv_batch *b,
                                 struct qsv_error *err)
{
    enum qsv_status st = check(b, err);
    if (st)
        return st;
    for (const char *line = template, *end; *line; line = end) {
        const char *text = line + strspn(line, " ");
        end = strchr(line, '\n') + 1;
        if (!strncmp(text, "#@ ", 3))
            fill_in(out, text + 3, (size_t)(end - 1 - (text + 3)), b);
        else if (strncmp(text, "# shellcheck ", 13) != 0)
            qsv_strbuf_add(out, line, (size_t)(end - line));
    }
    return out->failed ? qsv_fail_memory(err, "the batch script") : QSV_OK;
}
