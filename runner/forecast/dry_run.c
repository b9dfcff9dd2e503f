#include "runner/forecast/dry_run.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "runner/program/commands.h"
#include "runner/forecast/footprint.h"
#include "runner/inputs/inputs.h"
#include "runner/forecast/simulate.h"
#include "runner/forecast/speed.h"
#include "schedulers/cores.h"
#include "schedulers/local.h"

static const double MIB = 1 << 20;
enum { MOST_RANKS = 1 << 16 }; /* that are simulated */

struct plan {
    const struct qsv_spec *spec;
    struct qsv_inputs *in;
    uint32_t ranks;          /* 0: as many as the launcher starts */
    uint32_t ranks_per_node; /* 0: not known */
    struct qsv_speed speed;
    struct qsv_forecast forecast;
    struct qsv_footprint memory;
};

static void choose_ranks(struct plan *p)
{
    const struct qsv_spec_scheduler *s = &p->spec->scheduler;
    p->ranks = p->spec->ranks;
    if (!strcmp(s->launcher, "local")) {
        if (!p->ranks)
            p->ranks = qsv_local_ranks(qsv_cores_available(), qsv_spec_cores(p->spec));
        p->ranks_per_node = p->ranks;
    } else {
        if (!p->ranks)
            p->ranks = s->nodes * s->ranks_per_node;
        p->ranks_per_node =
            s->ranks_per_node ? s->ranks_per_node : (p->ranks + s->nodes - 1) / s->nodes;
    }
}

static void describe_places(const struct plan *p, struct qsv_strbuf *out)
{
    const struct qsv_spec *s = p->spec;
    qsv_strbuf_puts(out, "ranks      ");
    if (p->ranks > 1)
        qsv_strbuf_printf(out, "%u, of which one coordinates", p->ranks);
    else
        qsv_strbuf_puts(out, p->ranks ? "1" : "as many as the launcher starts");
    if (strcmp(s->scheduler.launcher, "local") != 0)
        qsv_strbuf_printf(out, "; on %u node%s by %s", s->scheduler.nodes,
                          s->scheduler.nodes == 1 ? "" : "s", s->scheduler.launcher);
    qsv_strbuf_printf(out, "; each computes with %u thread%s\n", s->threads,
                      s->threads == 1 ? "" : "s");
}

static void describe_speed(const struct plan *p, struct qsv_strbuf *out)
{
    const struct qsv_speed *s = &p->speed;
    qsv_strbuf_printf(out,
                      "speed      measured on this machine just now, processor time of one thread "
                      "(%s), %u of the images: %.4g ms an image at f32",
                      s->isa, s->images, 1e3 * s->real_s);
    if (s->format != QSV_F32)
        qsv_strbuf_printf(out, ", %.4g ms at %s", 1e3 * s->integer_s,
                          qsv_format_info(s->format)->name);
    if (s->makes_codes)
        qsv_strbuf_printf(out, ", %.4g ms more for statistics of what layers read",
                          1e3 * s->statistics_s);
    qsv_strbuf_puts(out, "\n");
}

/* Images whose statistics codes are chosen by: each goes through f32 once a part. */
static uint64_t statistics_images(const struct plan *p)
{
    const struct qsv_partition *a = &p->in->partition;
    const uint64_t there = a->n_decide ? a->n_decide : a->n_judge;
    const uint64_t asked = p->spec->calibration_images;
    return asked && asked < there ? asked : there;
}

static double bank_s(const struct plan *p)
{
    const double parts = qsv_codes_parts(&p->in->codes);
    if (!p->speed.makes_codes)
        return 0;
    return (double)statistics_images(p) * (parts * p->speed.real_s + p->speed.statistics_s);
}

static void print_duration(struct qsv_strbuf *out, double seconds)
{
    const uint64_t s = (uint64_t)(seconds + 0.5);
    qsv_strbuf_printf(out, "%4" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
}

/* What a made-up truth and speeds measured here can't know. */
static const char REMARKS[] =
    "           Trials, their order and times are a forecast: the search itself, against made-up "
    "answers, on ranks\n           as fast as measured above. ";

static void describe_row(struct qsv_strbuf *out, const char *name, uint32_t trials,
                         uint64_t forwards, double core_s, double wall_s)
{
    qsv_strbuf_printf(out, "           %-12s %7u %15" PRIu64 " %11.3g  ", name, trials, forwards,
                      core_s / 3600);
    print_duration(out, wall_s);
    qsv_strbuf_puts(out, "\n");
}

static void describe_steps(const struct plan *p, struct qsv_strbuf *out)
{
    const struct qsv_forecast *f = &p->forecast;
    const double threads = p->spec->threads, bank = bank_s(p),
                 parts = qsv_codes_parts(&p->in->codes);
    const double makers = parts < f->ranks - 1 ? parts : f->ranks - 1;
    double core_s = bank, wall_s = bank / makers;
    qsv_strbuf_printf(out, "plan       %-12s %7s %15s %11s  %10s\n", "step", "trials",
                      "images x trials", "core-hours", "time");
    if (p->speed.makes_codes)
        describe_row(out, "bank", 0, statistics_images(p) * (uint64_t)parts, bank, wall_s);
    for (size_t i = 0; i < f->n_steps; i++) {
        const struct qsv_forecast_step *s = &f->steps[i];
        const bool verifies = !strcmp(s->name, "verify");
        const double asked_s =
            verifies ? (double)s->n_forwards * p->speed.integer_s : s->asked_s * threads;
        describe_row(out, s->name, s->n_trials, s->n_forwards, asked_s, s->seconds);
        core_s += asked_s;
        wall_s += s->seconds;
    }
    qsv_strbuf_printf(out, "           in all       %7s %15s %11.3g  ", "", "", core_s / 3600);
    print_duration(out, wall_s);
    qsv_strbuf_printf(out, " on %u ranks, %" PRIu64 " tasks, %" PRIu64 " records\n", f->ranks,
                      f->troop.n_tasks, f->n_records);
    qsv_strbuf_puts(out, REMARKS);
    qsv_strbuf_printf(out, "Not counted: %sreading the images at the start.\n",
                      p->speed.makes_codes ? "choosing codes by the statistics (bank), " : "");
}

static void describe_memory(const struct plan *p, struct qsv_strbuf *out)
{
    const struct qsv_footprint *m = &p->memory;
    qsv_strbuf_printf(out,
                      "memory     by a model, not measured: a rank at most %.0f MiB (values %.0f, "
                      "codes %.0f, prepared weights\n           %.0f or the selected network from "
                      "its file %.0f, images and answers that it keeps %.0f",
                      (double)m->rank / MIB, (double)m->engine / MIB, (double)m->bank / MIB,
                      (double)m->weights / MIB, (double)m->exported / MIB, (double)m->kept / MIB);
    if (m->codes)
        qsv_strbuf_printf(out, "; before that, making codes %.0f", (double)m->codes / MIB);
    qsv_strbuf_printf(out, ")\n           and %.0f MiB that the ranks of a node share",
                      (double)m->shared / MIB);
    if (p->ranks_per_node)
        qsv_strbuf_printf(out, "; a node of %u ranks %.1f GiB", p->ranks_per_node,
                          (double)(p->ranks_per_node * m->rank + m->shared) / (1024 * MIB));
    qsv_strbuf_puts(out, "\n");
}

static enum qsv_status forecast(struct plan *p, struct qsv_error *err)
{
    const uint32_t ranks = p->ranks < MOST_RANKS ? p->ranks : MOST_RANKS;
    double factor = 1, upto = 1;
    const double threads = p->spec->threads; /* a rank's, which share its images */
    const struct qsv_troop_times times = {p->speed.real_s / threads, p->speed.integer_s / threads,
                                          &factor, &upto, 1};
    const struct qsv_plan plan = {
        .spec = p->spec,
        .model = p->in->model,
        .n_judge = p->in->partition.n_judge,
        .n_decide = p->in->partition.n_decide,
        .ranks = ranks > 2 ? ranks : 2,
        .look_ahead = ranks > 2,
        .bank = p->in->bank,
        .how = {
            .seed = 1, .times = &times, .record_s = 0.01, .latency_s = 1e-3, .message_s = 10e-6}};
    return qsv_simulate(&p->forecast, &plan, err);
}

/* The question of step 1 is the longest: every layer at every format. */
static uint64_t most_trials(const struct plan *p)
{
    uint32_t most = 1;
    for (size_t i = 0; i < p->forecast.n_steps; i++)
        most = p->forecast.steps[i].n_trials > most ? p->forecast.steps[i].n_trials : most;
    return most;
}

static enum qsv_status work_out(struct plan *p, struct qsv_error *err)
{
    choose_ranks(p);
    enum qsv_status st = qsv_codes_load(&p->in->codes, err); /* what a run in the folder has */
    if (!st)
        st = qsv_speed_measure(&p->speed, p->in, err);
    if (!st)
        st = forecast(p, err);
    return st ? st : qsv_footprint_model(&p->memory, p->in, most_trials(p), err);
}

enum qsv_status qsv_dry_run(const struct qsv_spec *spec, FILE *out, struct qsv_error *err)
{
    struct qsv_inputs in;
    struct qsv_strbuf text = {0};
    enum qsv_status st = qsv_inputs_load(&in, spec, err);
    if (st)
        return st;
    struct plan p = {.spec = spec, .in = &in};
    st = work_out(&p, err);
    if (!st) {
        qsv_inputs_describe(&in, &text);
        describe_places(&p, &text);
        describe_speed(&p, &text);
        describe_steps(&p, &text);
        describe_memory(&p, &text);
    }
    qsv_inputs_fini(&in);
    return st ? st : qsv_print(out, &text, err);
}
