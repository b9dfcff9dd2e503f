#include <inttypes.h>
#include <stdio.h>

#include "runner/bench.h"
#include "runner/commands.h"
#include "runner/transport_mpi.h"
#include "schedulers/launcher.h"

enum style { STYLE_TABLE, STYLE_JSON };

struct values {
    uint64_t tasks, workers, ranks;
    unsigned style;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_COUNT,
     .name = "tasks",
     .argument = "N",
     .target = offsetof(struct values, tasks),
     .fallback = "200000",
     .max = 100000000,
     .help = "how many tasks to hand out"},
    {.type = QSV_OPTION_COUNT,
     .name = "workers",
     .argument = "N",
     .target = offsetof(struct values, workers),
     .fallback = "64",
     .max = 65536,
     .help = "workers within this process"},
    {.type = QSV_OPTION_COUNT,
     .name = "ranks",
     .argument = "N",
     .target = offsetof(struct values, ranks),
     .max = 65536,
     .help = "MPI ranks to start instead, one of which coordinates; more than cores are fine"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|json",
     .target = offsetof(struct values, style),
     .fallback = "table",
     .help = "how to print it"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status print(const struct qsv_invocation *in, const char *transport,
                             const struct qsv_bench *b, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf out = {0};
    double rate = b->seconds > 0 ? (double)b->n_tasks / b->seconds : 0;
    if (v->style == STYLE_JSON)
        qsv_strbuf_printf(&out,
                          "{\"transport\": \"%s\", \"ranks\": %d, \"tasks\": %" PRIu64
                          ", \"seconds\": %.6f, \"tasks_per_s\": %.0f, \"grown_bytes\": %" PRIu64
                          "}\n",
                          transport, b->ranks, b->n_tasks, b->seconds, rate, b->grown_bytes);
    else
        qsv_strbuf_printf(&out,
                          "%s, %d ranks: %" PRIu64 " tasks in %.2f s, %.0f a second; memory "
                          "grew by %" PRIu64 " KiB over the second half\n",
                          transport, b->ranks, b->n_tasks, b->seconds, rate, b->grown_bytes / 1024);
    return qsv_print(in->out, &out, err);
}

static enum qsv_status take_part(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_transport *mpi;
    struct qsv_bench b;
    enum qsv_status st = qsv_mpi_begin(&mpi, err);
    if (st)
        return st;
    if (mpi->size < 2)
        st = qsv_fail(err, QSV_EUSAGE, "one rank has nobody to hand out tasks to");
    else if (!(st = qsv_bench_rank(&b, mpi, v->tasks, err)) && mpi->rank == 0)
        st = print(in, "MPI", &b, err);
    if (!qsv_mpi_end(mpi, &qsv_clock_system, 60))
        qsv_mpi_abort(qsv_status_exit(QSV_EFAILED));
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_bench b;
    if (qsv_rank_info_read().launched)
        return take_part(in, err);
    if (v->ranks) {
        struct qsv_launch launch = {.ranks = (uint32_t)v->ranks, .argv = in->argv};
        return qsv_launcher_find("local")->run(&launch, err);
    }
    if (v->workers == 0)
        return qsv_fail(err, QSV_EUSAGE, "--workers 0: expected 1 or more");
    enum qsv_status st = qsv_bench_loop(&b, (uint32_t)v->workers, v->tasks, err);
    return st ? st : print(in, "loop-back", &b, err);
}

const struct qsv_command qsv_cmd_bench = {
    .name = "bench",
    .summary = "Measures how many tasks a second the coordinator hands out",
    .synopsis = "[--tasks N] [--workers N | --ranks N] [--format table|json]",
    .details = "Workers do nothing but answer, with records as large as those of the largest\n"
               "published network. --ranks measures over MPI; ranks may be more than cores.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
