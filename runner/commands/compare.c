#include <inttypes.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "runner/program/commands.h"
#include "runner/search/compare.h"
#include "runner/base/stop.h"
#include "schedulers/launcher.h"
#include "schedulers/program.h"
#include "schedulers/relay.h"
#include "schedulers/words.h"

struct values {
    const char *spec, *strategies, *quantizers;
    uint64_t ranks;
    unsigned format;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "SPEC", 0, NULL, offsetof(struct values, spec), false, "cluster.yaml", 0,
     "the sweeps' spec (qsvit help spec); its strategy and quantizer.method are replaced"},
    {QSV_OPTION_TEXT, "strategies", 0, "NAME,...", offsetof(struct values, strategies), false, NULL,
     0, "strategies to compare; all of them where it is not given"},
    {QSV_OPTION_TEXT, "quantizers", 0, "NAME,...", offsetof(struct values, quantizers), false,
     "searched,compensated,round", 0, "methods of choosing codes, each with every strategy"},
    {QSV_OPTION_COUNT, "ranks", 0, "N", offsetof(struct values, ranks), false, NULL, 65536,
     "MPI ranks of each sweep, in place of the spec's"},
    {QSV_OPTION_CHOICE, "format", 0, "table|csv|json", offsetof(struct values, format), false,
     "table", 0, "how to print it"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status make_words(struct qsv_words *argv, const struct qsv_compared *s,
                                  const char *program, uint64_t ranks, struct qsv_error *err)
{
    const char *folder = *s->spec->folder ? s->spec->folder : ".";
    qsv_words_add_list(argv, (const char *const[]){program, "run", s->path, "--paths-from", folder,
                                                   "--run", s->spec->run, NULL});
    if (ranks)
        qsv_words_addf(argv, "--ranks=%" PRIu64, ranks);
    return argv->failed ? qsv_fail_memory(err, "a command line") : QSV_OK;
}

/* What went wrong in the sweep it has said itself. */
static enum qsv_status conclude(const struct qsv_compared *s, const struct qsv_relay_end *end,
                                struct qsv_error *err)
{
    if (end->status == 0 || end->status == qsv_status_exit(QSV_EUNMET))
        return QSV_OK;
    if (end->status == qsv_status_exit(QSV_ESTOPPED) || end->asked_to_stop)
        return qsv_fail(err, QSV_ESTOPPED,
                        "stopped at %s with %s codes; what is recorded stays, the same command "
                        "goes on",
                        s->strategy, s->quantizer);
    return qsv_fail(err, end->status == qsv_status_exit(QSV_EINPUT) ? QSV_EINPUT : QSV_EFAILED,
                    "%s with %s codes: the sweep ended with status %d; it says above why",
                    s->strategy, s->quantizer, end->status);
}

static enum qsv_status start_sweep(struct qsv_compared *s, uint64_t ranks, struct qsv_error *err)
{
    struct qsv_relay_end end;
    struct qsv_words argv = {0};
    char *program;
    enum qsv_status st = qsv_program_path(&program, err);
    if (!st)
        st = qsv_compared_prepare(s, err);
    if (!st)
        st = make_words(&argv, s, program, ranks, err);
    if (!st)
        st = qsv_relay_run(&end, argv.list, err);
    if (!st)
        st = conclude(s, &end, err);
    qsv_words_fini(&argv);
    free(program);
    return st;
}

static enum qsv_status run_sweep(struct qsv_comparison *c, size_t i, uint64_t ranks,
                                 struct qsv_error *err)
{
    struct qsv_compared *s = &c->sweeps[i];
    const bool new_folder = i == 0 || s->quantizer != s[-1].quantizer;
    enum qsv_status st = qsv_compared_look(s, new_folder, err);
    if (st || s->done)
        return st;
    fprintf(stderr, "compare: %zu of %zu: %s with %s codes, in %s\n", i + 1, c->n, s->strategy,
            s->quantizer, s->spec->run);
    st = start_sweep(s, ranks, err);
    if (!st)
        st = qsv_compared_look(s, false, err);
    if (!st && !s->done)
        st = qsv_fail(err, QSV_EFAILED, "%s: the search by %s has left no result", s->spec->run,
                      s->strategy);
    return st;
}

static enum qsv_status compare(struct qsv_comparison *c, const struct values *v, FILE *out,
                               struct qsv_error *err)
{
    static const enum qsv_query_format formats[] = {QSV_QUERY_TABLE, QSV_QUERY_CSV, QSV_QUERY_JSON};
    const volatile sig_atomic_t *stop = qsv_stop_on_signals();
    struct qsv_strbuf text = {0};
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < c->n && !st; i++)
        st = *stop ? qsv_fail(err, QSV_ESTOPPED, "stopped; the same command goes on")
                   : run_sweep(c, i, v->ranks, err);
    if (!st)
        st = qsv_comparison_print(&text, c, formats[v->format], err);
    if (!st)
        return qsv_print(out, &text, err);
    qsv_strbuf_fini(&text);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_comparison c;
    if (qsv_rank_info_read().launched)
        return qsv_fail(err, QSV_EUSAGE,
                        "compare starts the ranks of its sweeps itself: call it without mpirun or "
                        "srun");
    enum qsv_status st = qsv_comparison_init(&c, v->spec, v->strategies, v->quantizers, err);
    if (!st)
        st = compare(&c, v, in->out, err);
    qsv_comparison_fini(&c);
    return st;
}

const struct qsv_command qsv_cmd_compare = {
    .name = "compare",
    .summary = "Runs a spec by several strategies and quantizers, as one table",
    .synopsis = "[SPEC] [--strategies NAME,...] [--quantizers NAME,...]\n    [--ranks N] "
                "[--format table|csv|json]",
    .details = "Each combination is a sweep of its own; all of a quantizer share the folder\n"
               "RUN-compare/QUANTIZER and its records. What is finished is not run again:\n"
               "after an interruption (status 75) the same command goes on.\n"
               "\n"
               "image_forwards counts images x networks that the search asked for, recorded\n"
               "already or not; trie_forwards the same with what the trials of one question\n"
               "share counted once; worker_s the recorded seconds of computing of all ranks\n"
               "for what it asked, without making codes and the check of what is exported.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
