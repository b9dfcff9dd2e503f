#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/reader.h"
#include "runner/inputs/blueprint.h"
#include "runner/program/commands.h"
#include "runner/inputs/inputs.h"
#include "runner/search/recorded.h"
#include "runner/forecast/simulate.h"

enum style { STYLE_TABLE, STYLE_JSON };

struct values {
    const char *spec, *run, *widths;
    uint64_t ranks, shard_images, attempt, seed;
    double speed, rank_spread, task_spread, failures, restart, record, task_seconds;
    unsigned style;
    bool blind;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "SPEC", 0, NULL, offsetof(struct values, spec), false, "cluster.yaml", 0,
     "the sweep's spec"},
    {QSV_OPTION_COUNT, "ranks", 0, "N", offsetof(struct values, ranks), true, NULL, 1000000,
     "MPI ranks, one of which coordinates"},
    {QSV_OPTION_TEXT, "run", 0, "RUN", offsetof(struct values, run), false, NULL, 0,
     "a run of this spec: its tasks' times are drawn from, and its answers taken where it has "
     "them"},
    {QSV_OPTION_COUNT, "attempt", 0, "N", offsetof(struct values, attempt), false, NULL, UINT32_MAX,
     "times of this attempt of the run only"},
    {QSV_OPTION_TEXT, "widths", 0, "W,W,W,W", offsetof(struct values, widths), false, NULL, 0,
     "an SDTv2 of these widths in place of the spec's model; data set sizes are the spec's counts"},
    {QSV_OPTION_NUMBER, "speed", 0, "N", offsetof(struct values, speed), false, "2", 0,
     "images a second of a rank, without --run"},
    {QSV_OPTION_NUMBER, "rank-spread", 0, "S", offsetof(struct values, rank_spread), false, "0.03",
     0, "how ranks differ in speed: standard deviation of its logarithm"},
    {QSV_OPTION_NUMBER, "task-spread", 0, "S", offsetof(struct values, task_spread), false, "0.02",
     0, "likewise the tasks of a rank"},
    {QSV_OPTION_NUMBER, "failures", 0, "N", offsetof(struct values, failures), false, "0", 0,
     "failures a rank has in an hour: what it has in hand is begun anew"},
    {QSV_OPTION_NUMBER, "restart", 0, "SECONDS", offsetof(struct values, restart), false, "60", 0,
     "how long that takes"},
    {QSV_OPTION_NUMBER, "record", 0, "SECONDS", offsetof(struct values, record), false, "0.01", 0,
     "to write what a task gave, without --run"},
    {QSV_OPTION_COUNT, "shard-images", 0, "N", offsetof(struct values, shard_images), false, NULL,
     UINT32_MAX, "in place of the spec's"},
    {QSV_OPTION_NUMBER, "task-seconds", 0, "SECONDS", offsetof(struct values, task_seconds), false,
     "0", 0, "in place of the spec's; 0: the spec's"},
    {QSV_OPTION_COUNT, "seed", 0, "N", offsetof(struct values, seed), false, "1", 0,
     "of all that is drawn at random"},
    {QSV_OPTION_FLAG, "no-look-ahead", 0, NULL, offsetof(struct values, blind), false, NULL, 0,
     "idle ranks stay idle, in place of beginning with what may be asked next"},
    {QSV_OPTION_CHOICE, "format", 0, "table|json", offsetof(struct values, style), false, "table",
     0, "how to print it"},
    {.type = QSV_OPTION_END},
};

/* What a simulation is about, however it came together. */
struct subject {
    struct qsv_spec *spec;
    bool loaded; /* in is filled, model is its */
    struct qsv_inputs in;
    struct qsv_model *model;
    uint64_t n_judge, n_decide;
    struct qsv_reader *reader;
    struct qsv_bank *bank; /* the run's; NULL: it has none */
    struct qsv_recorded_times times;
};

static enum qsv_status outline(struct subject *s, const char *widths, struct qsv_error *err)
{
    uint32_t w[QSV_N_WIDTHS];
    enum qsv_status st = qsv_widths_parse(w, widths, err);
    if (!st)
        st = qsv_blueprint_create(&s->model, w, err);
    if (st)
        return st;
    s->n_judge = s->spec->dataset.count;
    s->n_decide = s->spec->has_calibration ? s->spec->calibration.count : 0;
    if (!s->n_judge || (s->spec->has_calibration && !s->n_decide))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: with --widths the spec says how many images there are: "
                        "dataset.count, calibration.count",
                        s->spec->path);
    return QSV_OK;
}

static enum qsv_status load(struct subject *s, struct qsv_error *err)
{
    enum qsv_status st = qsv_inputs_load(&s->in, s->spec, err);
    if (st)
        return st;
    s->loaded = true;
    s->model = s->in.model;
    s->n_judge = s->in.partition.n_judge;
    s->n_decide = s->in.partition.n_decide;
    return QSV_OK;
}

/* Losses of codes steer the search. A network in outline has no weights that they could be of. */
static enum qsv_status read_bank(struct subject *s, const char *run, struct qsv_error *err)
{
    char *path = qsv_codes_path(run);
    enum qsv_status st = path ? QSV_OK : qsv_fail_memory(err, "the bank");
    if (!st && s->loaded && qsv_codes_are_recorded(&s->in.codes) && !access(path, F_OK))
        st = qsv_bank_load(&s->bank, s->model, path, err);
    free(path);
    return st;
}

static enum qsv_status read_run(struct subject *s, const struct values *v, struct qsv_error *err)
{
    struct qsv_strbuf warnings = {0};
    enum qsv_status st = qsv_reader_open(&s->reader, v->run, true, &warnings, err);
    qsv_print_warnings(&warnings);
    if (st)
        return st;
    st = qsv_recorded_times_init(&s->times, qsv_reader_ledger(s->reader), s->model,
                                 (uint32_t)v->attempt, err);
    return st ? qsv_fail_in(err, st, "%s", v->run) : read_bank(s, v->run, err);
}

static enum qsv_status prepare(struct subject *s, const struct values *v, struct qsv_error *err)
{
    enum qsv_status st = qsv_spec_read(&s->spec, v->spec, err);
    if (st)
        return st;
    if (v->shard_images)
        s->spec->shard_images = (uint32_t)v->shard_images;
    if (v->task_seconds > 0)
        s->spec->task_seconds = v->task_seconds;
    st = v->widths ? outline(s, v->widths, err) : load(s, err);
    return !st && v->run ? read_run(s, v, err) : st;
}

static void finish(struct subject *s)
{
    qsv_bank_destroy(s->bank);
    if (s->loaded)
        qsv_inputs_fini(&s->in);
    else
        qsv_model_destroy(s->model);
    if (s->reader)
        qsv_reader_close(s->reader);
    if (s->spec)
        qsv_spec_destroy(s->spec);
    qsv_recorded_times_fini(&s->times);
}

static void print_table(const struct qsv_forecast *f, struct qsv_strbuf *out)
{
    qsv_strbuf_printf(out, "%-12s %6s %7s %12s %10s\n", "step", "calls", "trials", "seconds",
                      "efficiency");
    for (size_t i = 0; i < f->n_steps; i++) {
        const struct qsv_forecast_step *s = &f->steps[i];
        qsv_strbuf_printf(out, "%-12s %6u %7u %12.1f %9.1f%%\n", s->name, s->n_calls, s->n_trials,
                          s->seconds,
                          s->seconds > 0 ? 100 * s->asked_s / (f->ranks * s->seconds) : 0);
    }
    qsv_strbuf_printf(out, "%-12s %6s %7s %12.1f %9.1f%%\n\n", "sweep", "", "", f->makespan_s,
                      100 * f->efficiency);
    qsv_strbuf_printf(
        out,
        "%u ranks, %" PRIu64 " tasks, %" PRIu64 " records, %" PRIu64 " of them done twice, %" PRIu64
        " of %" PRIu64 " evaluated ahead; %" PRIu64 " failures\n"
        "a rank asks every %.1f s; the coordinator works %.2f%% of the time "
        "(%.1f s of processor time)\n",
        f->ranks, f->troop.n_tasks, f->n_records, f->n_twice, f->n_foreseen, f->n_ahead,
        f->troop.n_failures, f->troop.n_tasks ? f->troop.worked_s / (double)f->troop.n_tasks : 0,
        f->makespan_s > 0 ? 100 * f->coordinator_cpu_s / f->makespan_s : 0, f->coordinator_cpu_s);
}

/* What a run's records can be compared with: verifying leaves none. */
static double recorded_part_s(const struct qsv_forecast *f)
{
    double seconds = f->makespan_s;
    for (size_t i = 0; i < f->n_steps; i++)
        if (!strcmp(f->steps[i].name, "verify"))
            seconds -= f->steps[i].seconds;
    return seconds;
}

static void compare(const struct qsv_forecast *f, const struct qsv_recorded_times *times,
                    struct qsv_strbuf *out)
{
    double forecast_s = recorded_part_s(f);
    if (times->tasks.n && times->ranks == f->ranks)
        qsv_strbuf_printf(out,
                          "the run itself took %.2f s from its first record to its last; the "
                          "forecast for that is %.2f s, %+.1f%%\n",
                          times->span_s, forecast_s, 100 * (forecast_s / times->span_s - 1));
}

static json_t *json_of(const struct qsv_forecast *f, const struct qsv_recorded_times *times)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < f->n_steps; i++) {
        const struct qsv_forecast_step *s = &f->steps[i];
        json_array_append_new(steps, json_pack("{s:s, s:i, s:i, s:f, s:f}", "step", s->name,
                                               "calls", (int)s->n_calls, "trials", (int)s->n_trials,
                                               "seconds", s->seconds, "asked_s", s->asked_s));
    }
    return json_pack(
        "{s:i, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "ranks",
        (int)f->ranks, "makespan_s", f->makespan_s, "efficiency", f->efficiency, "asked_s",
        f->asked_s, "coordinator_cpu_s", f->coordinator_cpu_s, "forecast_of_records_s",
        recorded_part_s(f), "recorded_ranks", (int)times->ranks, "recorded_s", times->span_s,
        "tasks", (json_int_t)f->troop.n_tasks, "records", (json_int_t)f->n_records, "done_twice",
        (json_int_t)f->n_twice, "ahead", (json_int_t)f->n_ahead, "foreseen",
        (json_int_t)f->n_foreseen, "failures", (json_int_t)f->troop.n_failures, "steps", steps);
}

static enum qsv_status print(const struct qsv_invocation *in, const struct qsv_forecast *f,
                             const struct qsv_recorded_times *times, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf out = {0};
    if (v->style == STYLE_JSON) {
        json_t *root = json_of(f, times);
        char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
        if (text)
            qsv_strbuf_printf(&out, "%s\n", text);
        else
            out.failed = true;
        free(text);
        json_decref(root);
    } else {
        print_table(f, &out);
        compare(f, times, &out);
    }
    return qsv_print(in->out, &out, err);
}

static enum qsv_status check(const struct values *v, struct qsv_error *err)
{
    if (v->ranks < 2)
        return qsv_fail(err, QSV_EUSAGE, "--ranks %" PRIu64 ": expected 2 or more", v->ranks);
    if (!(v->speed > 0))
        return qsv_fail(err, QSV_EUSAGE, "--speed %g: expected more than 0", v->speed);
    if (v->failures < 0 || v->restart < 0 || v->record < 0 || v->rank_spread < 0 ||
        v->task_spread < 0 || v->task_seconds < 0)
        return qsv_fail(err, QSV_EUSAGE, "a negative number: expected 0 or more");
    return QSV_OK;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct subject s = {0};
    struct qsv_forecast f;
    enum qsv_status st = check(v, err);
    if (!st)
        st = prepare(&s, v, err);
    if (!st) {
        struct qsv_plan plan = {.spec = s.spec,
                                .model = s.model,
                                .n_judge = s.n_judge,
                                .n_decide = s.n_decide,
                                .ranks = (uint32_t)v->ranks,
                                .look_ahead = !v->blind,
                                .recorded = s.reader ? qsv_reader_ledger(s.reader) : NULL,
                                .bank = s.bank,
                                .how = {.seed = v->seed,
                                        .images_per_s = v->speed,
                                        .rank_spread = v->rank_spread,
                                        .task_spread = v->task_spread,
                                        .times = s.reader ? &s.times.tasks : NULL,
                                        .failures_per_hour = v->failures,
                                        .restart_s = v->restart,
                                        .record_s = s.reader ? s.times.record_s : v->record,
                                        .latency_s = s.reader ? 0 : 1e-3, /* record_s has it */
                                        .message_s = 10e-6}};
        st = qsv_simulate(&f, &plan, err);
    }
    if (!st)
        st = print(in, &f, &s.times, err);
    finish(&s);
    return st;
}

const struct qsv_command qsv_cmd_simulate = {
    .name = "simulate",
    .summary = "Forecasts how long a sweep takes on so many ranks",
    .synopsis = "[SPEC] --ranks N [--run RUN [--attempt N] | --speed N]\n"
                "    [--widths W,W,W,W] [--failures N] [--format table|json]",
    .details = "The real search and the real coordinator work against simulated ranks, on a\n"
               "clock that jumps. Efficiency: seconds of the records that the search asked\n"
               "for, by ranks x time. Without --run the answers follow a made-up truth.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
