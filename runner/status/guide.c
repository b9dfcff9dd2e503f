#include "runner/status/guide.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/data/stream.h"
#include "jobs/spec.h"
#include "results/state.h"
#include "runner/status/submission.h"
#include "schedulers/quote.h"

static const char usual[] = "cluster.yaml";

struct guide {
    struct qsv_strbuf *out;
    const char *program; /* as it was called, so that what is said can be typed */
};

/* A command and what it is for, in two columns. */
static void add_step(const struct guide *g, const char *what_for, const char *command,
                     const char *argument, const char *more)
{
    struct qsv_strbuf line = {0};
    qsv_quote_shell(&line, g->program);
    qsv_strbuf_printf(&line, " %s%s", command, argument ? " " : "");
    if (argument)
        qsv_quote_shell(&line, argument);
    qsv_strbuf_puts(&line, more);
    qsv_strbuf_printf(g->out, "  %-44s %s\n", line.text ? line.text : "", what_for);
    g->out->failed = g->out->failed || line.failed;
    qsv_strbuf_fini(&line);
}

static bool exists_in(const char *folder, const char *name)
{
    char *path = qsv_file_join(folder, name);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    return there;
}

/* A folder that is there is as good as a file. */
static void add_missing_images(const struct guide *g, const struct qsv_spec *spec)
{
    struct qsv_error err = {0};
    size_t n;
    if (access(spec->dataset.images, R_OK) != 0 &&
        qsv_stream_peek(spec->dataset.images, &(uint8_t){0}, 1, &n, &err))
        qsv_strbuf_printf(g->out, "Its images are missing: %s.\n", err.text);
}

static void add_first_run(const struct guide *g, const struct qsv_spec *spec)
{
    qsv_strbuf_printf(g->out, "%s: nothing is recorded in %s yet.\n", spec->path, spec->run);
    add_missing_images(g, spec);
    if (access(spec->model, R_OK) != 0)
        add_step(g, "makes its model, which is not there", "import CHECKPOINT -o", spec->model, "");
    add_step(g, "looks whether it can run here", "doctor -c", spec->path, "");
    add_step(g, "checks all that it names", "run", spec->path, " --dry-run");
    add_step(g, "runs it; Ctrl-C stops it, the same goes on", "run", spec->path, "");
}

static void add_going_on(const struct guide *g, const struct qsv_spec *spec,
                         const struct qsv_state *s)
{
    qsv_strbuf_printf(g->out, "%s: its run %s goes on, by process %ld on %s.\n", spec->path,
                      spec->run, s->holder.pid, s->holder.host);
    add_step(g, "shows it while it goes on; q quits", "watch", spec->run, "");
    add_step(g, "says how far it is", "status", spec->run, "");
    add_step(g, "lists what it has measured so far", "query", spec->run, "");
}

static void add_finished(const struct guide *g, const struct qsv_spec *spec,
                         const struct qsv_state *s)
{
    const char *recorded = qsv_reader_spec(s->reader);
    const bool changed = recorded && strcmp(recorded, spec->text) != 0;
    qsv_strbuf_printf(g->out, "%s: its run %s is finished%s.\n", spec->path, spec->run,
                      changed ? ", and the spec has changed since" : "");
    if (changed)
        add_step(g, "goes on with the spec as it is now", "run", spec->path, "");
    add_step(g, "lists what accuracy costs what memory", "query", spec->run, " --pareto");
    if (s->selected)
        add_step(g, "writes the network that it selected", "export", spec->run, " -o small.h5");
}

static void add_stopped(const struct guide *g, const struct qsv_spec *spec,
                        const struct qsv_state *s)
{
    bool said = s->attempt && s->attempt->why[0];
    qsv_strbuf_printf(g->out, "%s: its run %s has stopped (%s) with %zu records.\n", spec->path,
                      spec->run, said ? s->attempt->why : "killed", s->ledger->n_evaluations);
    add_step(g, "goes on from there", "run", spec->path, "");
    add_step(g, "says how far it is", "status", spec->run, "");
}

static void add_recorded(const struct guide *g, const struct qsv_spec *spec)
{
    struct qsv_reader *r;
    struct qsv_state s;
    struct qsv_error err = {0};
    if (qsv_reader_open(&r, spec->run, false, NULL, &err)) {
        qsv_strbuf_printf(g->out, "%s: its run can't be read: %s\n", spec->path, err.text);
        add_step(g, "names what is damaged", "verify", spec->run, "");
        add_step(g, "sets that aside and keeps the rest", "repair", spec->run, "");
        return;
    }
    qsv_state_look(&s, r, spec->run);
    if (qsv_state_goes_on(&s))
        add_going_on(g, spec, &s);
    else if (s.ledger->complete)
        add_finished(g, spec, &s);
    else
        add_stopped(g, spec, &s);
    qsv_reader_close(r);
}

static void add_waiting(const struct guide *g, const struct qsv_spec *spec)
{
    qsv_strbuf_printf(g->out, "%s: its run %s was submitted, and has recorded nothing yet.\n",
                      spec->path, spec->run);
    add_step(g, "says what its job waits for", "status", spec->run, "");
    add_step(g, "shows what it prints", "logs -f", spec->run, "");
}

static void add_spec(const struct guide *g, const struct qsv_spec *spec)
{
    struct qsv_job_ids jobs;
    qsv_job_ids_read(&jobs, spec->run);
    if (exists_in(spec->run, "results.h5") || exists_in(spec->run, "segments"))
        add_recorded(g, spec);
    else if (jobs.n)
        add_waiting(g, spec);
    else
        add_first_run(g, spec);
}

static void add_file(const struct guide *g, const char *path)
{
    struct qsv_spec *spec = NULL;
    struct qsv_error err = {0};
    if (qsv_spec_read(&spec, path, &err)) {
        qsv_strbuf_printf(g->out, "%s\n", err.text);
        add_step(g, "lists the keys of a spec", "help spec", NULL, "");
        add_step(g, "when that is mended: checks the rest", "run", path, " --dry-run");
        return;
    }
    add_spec(g, spec);
    qsv_spec_destroy(spec);
}

static void add_no_spec(const struct guide *g)
{
    qsv_strbuf_puts(g->out, "There is no spec of a sweep in this folder.\n");
    add_step(g, "writes one that runs as it is", "init", NULL, "");
    add_step(g, "makes a model file of a network of yours", "import CHECKPOINT -o mine.h5", NULL,
             "");
    add_step(g, "looks whether a sweep can run here", "doctor", NULL, "");
    add_step(g, "lists all commands", "help", NULL, "");
}

static bool is_spec(const char *path)
{
    struct qsv_spec *spec = NULL;
    bool is = !qsv_spec_read(&spec, path, NULL);
    if (is)
        qsv_spec_destroy(spec);
    return is;
}

enum { MOST_SPECS = 3, MOST_FILES = 100 };

/* The first of those that are specs. */
static void add_specs(const struct guide *g, const glob_t *files)
{
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < files->gl_pathc && i < MOST_FILES; i++) {
        const char *path = files->gl_pathv[i];
        if (!is_spec(path))
            continue;
        if (shown < MOST_SPECS)
            add_file(g, path);
        else
            left++;
        shown++;
    }
    if (left)
        qsv_strbuf_printf(g->out, "%zu more spec%s here.\n", left, left == 1 ? " is" : "s are");
    if (!shown)
        add_no_spec(g);
}

void qsv_guide_spec(struct qsv_strbuf *out, const char *program, const char *path)
{
    const struct guide g = {out, program};
    add_file(&g, path);
}

void qsv_guide_folder(struct qsv_strbuf *out, const char *program)
{
    const struct guide g = {out, program};
    glob_t files = {0};
    if (access(usual, F_OK) == 0)
        add_file(&g, usual);
    else if (!glob("*.yaml", 0, NULL, &files))
        add_specs(&g, &files);
    else
        add_no_spec(&g);
    globfree(&files);
}
