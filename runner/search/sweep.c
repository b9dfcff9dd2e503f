#include "runner/search/sweep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "runner/base/aside.h"
#include "runner/search/codes_job.h"
#include "runner/inputs/inputs.h"
#include "runner/coordinator/leftover.h"
#include "runner/status/live.h"
#include "runner/search/search_key.h"
#include "runner/search/selected.h"
#include "runner/base/stop.h"
#include "runner/search/summary.h"
#include "runner/transport/transport_loop.h"
#include "runner/base/version.h"
#include "runner/worker/worker.h"

/* For workers to end the layer that they are in. A stop has to be over within ten seconds. */
static const double longest_stop_s = 5;

/* A sweep in progress, on rank 0. */
struct progressing {
    const struct qsv_sweep *sweep;
    struct qsv_inputs *in;
    struct qsv_coordinator *coordinator;
    struct qsv_store *store;
    struct qsv_progress *progress;
    struct qsv_live_writer live;
    struct qsv_run_evaluator *evaluator;
    struct qsv_space *space;
    struct qsv_selection selection;
    char *exported;
    double began_s;
};

static double now_s(const struct qsv_sweep *s)
{
    return s->clock->now_s(s->clock->context);
}

/* Of a worker that is here. */
static const struct qsv_hello *first_hello(const struct progressing *p)
{
    uint32_t w = 0;
    while (w + 1 < qsv_coordinator_workers(p->coordinator) &&
           !qsv_coordinator_hello(p->coordinator, w)->version[0])
        w++;
    return qsv_coordinator_hello(p->coordinator, w);
}

static void fill_provenance(struct progressing *p)
{
    struct qsv_provenance *v = &p->in->run.provenance;
    v->version = qsv_version();
    v->commit = qsv_version_commit();
    v->libraries = p->sweep->libraries;
    v->command_line = p->sweep->command_line;
    v->isa = first_hello(p)->isa;
    v->ranks = qsv_coordinator_workers(p->coordinator) + (p->sweep->transport ? 1 : 0);
}

static enum qsv_status open_store(struct progressing *p, struct qsv_error *err)
{
    const struct qsv_spec *spec = p->sweep->spec;
    struct qsv_strbuf warnings = {0};
    enum qsv_status st = QSV_OK;
    fill_provenance(p);
    if (p->sweep->fresh)
        st = qsv_aside_move(spec->run, p->sweep->log, err);
    if (!st) {
        qsv_leftover_clear(spec->run, p->sweep->log);
        st = qsv_store_open(&p->store, spec->run, &p->in->run, &warnings, err);
    }
    if (warnings.len)
        fputs(warnings.text, p->sweep->log);
    qsv_strbuf_fini(&warnings);
    return st;
}

static enum qsv_status begin_search(struct progressing *p, struct qsv_error *err)
{
    const struct qsv_spec *spec = p->sweep->spec;
    uint64_t id = 0;
    char *path = qsv_file_join(spec->run, "spec.yaml");
    enum qsv_status st =
        path ? qsv_file_write(path, spec->text, spec->text_bytes, err) : qsv_fail_memory(err, path);
    free(path);
    if (!st)
        st = qsv_search_key(&id, p->sweep->spec, err);
    if (!st)
        st = qsv_store_begin_search(p->store, id, spec->search.strategy, spec->text, err);
    return st ? st : qsv_store_fold(p->store, err);
}

/* What keeps threads from a core each, or may be mistaken for their number. */
static void say_of_threads(struct progressing *p)
{
    const uint32_t threads = p->sweep->spec->threads, n = qsv_coordinator_workers(p->coordinator);
    const char *other = getenv("OMP_NUM_THREADS");
    uint32_t narrow = 0, first = 0;
    for (uint32_t w = n; w-- > 0;) {
        const struct qsv_hello *h = qsv_coordinator_hello(p->coordinator, w);
        if (!h->version[0] || h->cores >= threads)
            continue;
        narrow++;
        first = w;
    }
    if (narrow)
        qsv_progress_say(p->progress,
                         "%u of %u workers may use fewer cores than they have threads: rank %u on "
                         "%s has %u for %u; the launcher's binding decides",
                         narrow, n, first + 1, qsv_coordinator_hello(p->coordinator, first)->host,
                         qsv_coordinator_hello(p->coordinator, first)->cores, threads);
    if (other && strtoul(other, NULL, 10) != threads)
        qsv_progress_say(p->progress, "OMP_NUM_THREADS is %s, but it is threads: %u that counts",
                         other, threads);
}

static void say_of_memory(struct progressing *p)
{
    const uint32_t n = qsv_coordinator_workers(p->coordinator);
    uint32_t alone = 0, first = 0;
    for (uint32_t w = n; w-- > 0;) {
        if (!qsv_coordinator_hello(p->coordinator, w)->alone[0])
            continue;
        alone++;
        first = w;
    }
    if (alone)
        qsv_progress_say(p->progress,
                         "%u of %u workers share no memory with others of their machine, which "
                         "takes more of it: rank %u: %s",
                         alone, n, first + 1, qsv_coordinator_hello(p->coordinator, first)->alone);
}

static void say_what_begins(struct progressing *p)
{
    const struct qsv_graph *g = &p->in->model->graph;
    const struct qsv_hello *h = first_hello(p);
    uint32_t workers = qsv_coordinator_workers(p->coordinator), threads = p->sweep->spec->threads;
    qsv_progress_say(
        p->progress,
        "%s: %zu layers, %" PRIu64 " weights; %" PRIu64 " judging images, %" PRIu64 " deciding",
        p->sweep->spec->model, g->n_layers, g->n_weights, p->in->partition.n_judge,
        p->in->partition.n_decide ? p->in->partition.n_decide : p->in->partition.n_judge);
    qsv_progress_say(
        p->progress, "%s: attempt %u, %zu records so far, %u worker%s of %u thread%s (%s)",
        p->sweep->spec->run, qsv_store_attempt(p->store), qsv_store_record_count(p->store), workers,
        workers == 1 ? "" : "s", threads, threads == 1 ? "" : "s", h->isa);
    say_of_threads(p);
    say_of_memory(p);
}

static void begin_live(struct progressing *p)
{
    p->live = (struct qsv_live_writer){.clock = p->sweep->clock,
                                       .coordinator = p->coordinator,
                                       .progress = p->progress,
                                       .attempt = qsv_store_attempt(p->store)};
    qsv_live_begin(&p->live, p->sweep->spec->run);
}

static enum qsv_status search(struct progressing *p, struct qsv_error *err)
{
    const struct qsv_spec *spec = p->sweep->spec;
    const struct qsv_strategy *strategy = qsv_strategy_find(spec->search.strategy);
    const struct qsv_run_evaluator_setup setup = {p->store,    p->coordinator, &p->in->run, spec,
                                                  p->progress, &p->live,       p->in->bank};
    if (!strategy)
        return qsv_fail(err, QSV_EINPUT, "%s: unknown strategy '%s', known: %s", spec->path,
                        spec->search.strategy, qsv_strategy_names());
    enum qsv_status st = qsv_space_create(&p->space, p->in->model, spec, err);
    if (!st)
        st = qsv_run_evaluator_create(&p->evaluator, &setup, err);
    if (st)
        return st;
    struct qsv_evaluator face = qsv_run_evaluator_face(p->evaluator);
    st = strategy->search(p->space, spec, &face, &p->selection, err);
    if (st)
        return st;
    qsv_store_note_cost(p->store, qsv_run_evaluator_cost(p->evaluator));
    return qsv_store_select(p->store, p->selection.trial_id, p->selection.meets, err);
}

static enum qsv_status export_selected(struct progressing *p, struct qsv_error *err)
{
    if (!p->selection.meets)
        return QSV_OK;
    p->exported = qsv_selected_path(p->sweep->spec->run);
    if (!p->exported)
        return qsv_fail_memory(err, "the selected network");
    return qsv_selected_make(p->in, p->evaluator, p->sweep->spec->run, &p->selection, err);
}

static enum qsv_status print_summary(struct progressing *p, size_t n_records, struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    struct qsv_summary summary = {.spec = p->sweep->spec,
                                  .space = p->space,
                                  .selection = &p->selection,
                                  .run_folder = p->sweep->spec->run,
                                  .exported = p->exported,
                                  .seconds = now_s(p->sweep) - p->began_s,
                                  .n_records = n_records,
                                  .skipped = p->in->run.skipped,
                                  .tally = qsv_coordinator_tally(p->coordinator),
                                  .cost = qsv_run_evaluator_cost(p->evaluator)};
    qsv_progress_clear(p->progress);
    qsv_summary_print(&text, &summary);
    bool ok = !text.failed && fwrite(text.text, 1, text.len, p->sweep->out) == text.len &&
              !fflush(p->sweep->out);
    qsv_strbuf_fini(&text);
    return ok ? QSV_OK : qsv_fail(err, QSV_EIO, "the summary cannot be written");
}

/* Whatever happened, what is recorded is folded, and the attempt says how it ended. */
static enum qsv_status close_store(struct progressing *p, enum qsv_status st, struct qsv_error *err)
{
    struct qsv_error own = {0};
    const char *signal_name = qsv_stop_signal();
    const char *why = st == QSV_OK         ? "complete"
                      : st != QSV_ESTOPPED ? err->text
                      : signal_name        ? signal_name
                                           : "stopped";
    const struct qsv_tally tally = qsv_coordinator_tally(p->coordinator);
    qsv_store_note_work(p->store, tally.layer_forwards_asked, tally.layer_forwards_done);
    qsv_store_note_waiting(p->store, tally.worked_s, tally.waited_s);
    enum qsv_status closed = qsv_store_close(p->store, st == QSV_OK, why, &own);
    p->store = NULL;
    if (!st && closed)
        *err = own;
    return st ? st : closed;
}

static enum qsv_status make_codes(struct progressing *p, struct qsv_error *err)
{
    const struct qsv_codes_job job = {&p->in->codes, p->coordinator, p->store, p->progress,
                                      &p->live};
    return qsv_codes_job_run(&job, err);
}

static enum qsv_status run_search(struct progressing *p, struct qsv_error *err)
{
    enum qsv_status st = open_store(p, err);
    if (st)
        return st;
    st = begin_search(p, err);
    if (!st) {
        say_what_begins(p);
        begin_live(p);
        st = make_codes(p, err);
    }
    if (!st)
        st = search(p, err);
    if (!st)
        st = export_selected(p, err);
    size_t n_records = qsv_store_record_count(p->store);
    qsv_live_end(&p->live);
    st = close_store(p, st, err);
    if (!st)
        st = print_summary(p, n_records, err);
    if (!st && !p->selection.meets)
        st = qsv_fail(err, QSV_EUNMET, "no setting was found that meets the constraint");
    return st;
}

static void fini(struct progressing *p)
{
    qsv_selection_fini(&p->selection);
    qsv_run_evaluator_destroy(p->evaluator);
    qsv_space_destroy(p->space);
    qsv_progress_destroy(p->progress);
    qsv_coordinator_destroy(p->coordinator);
    free(p->exported);
}

static void say_of_worker(void *context, const char *text)
{
    struct progressing *p = context;
    qsv_progress_say(p->progress, "%s", text);
}

/* ready: whether the inputs could be loaded; the workers wait to be told in any case. */
static enum qsv_status coordinate(const struct qsv_sweep *s, struct qsv_inputs *in,
                                  struct qsv_transport *transport, enum qsv_status ready,
                                  bool *stuck, struct qsv_error *err)
{
    struct progressing p = {.sweep = s, .in = in, .began_s = now_s(s)};
    const struct qsv_coordinator_setup setup = {.transport = transport,
                                                .clock = s->clock,
                                                .stop = s->stop,
                                                .partition = &in->partition,
                                                .shape = in->run.shape,
                                                .task_seconds = s->spec->task_seconds,
                                                .worker_timeout_s = s->spec->worker_timeout_s,
                                                .flush_interval_s = s->spec->flush_interval_s,
                                                .say = say_of_worker,
                                                .say_context = &p};
    struct qsv_error last = {0};
    *stuck = false;
    p.progress = qsv_progress_create(s->log, s->terminal, s->clock);
    enum qsv_status st = qsv_coordinator_create(&p.coordinator, &setup, ready ? NULL : err);
    if (!ready && !st)
        st = qsv_coordinator_greet(p.coordinator, &in->hello, err);
    if (!ready && !st)
        st = run_search(&p, err);
    if (!p.coordinator || qsv_coordinator_stop(p.coordinator, longest_stop_s, NULL, &last)) {
        *stuck = true;
        if (*last.text)
            qsv_progress_say(p.progress, "%s; ending without it", last.text);
    }
    fini(&p);
    return ready ? ready : st;
}

enum qsv_status qsv_sweep_coordinate(const struct qsv_sweep *s, bool *stuck, struct qsv_error *err)
{
    struct qsv_inputs in;
    enum qsv_status ready = qsv_inputs_load_shared(&in, s->spec, true, err);
    enum qsv_status st = coordinate(s, &in, s->transport, ready, stuck, err);
    if (!ready)
        qsv_inputs_fini(&in);
    return st;
}

/* The pointers are those of the arguments, which outlive the worker. */
static struct qsv_worker_setup worker_setup(const struct qsv_sweep *s, struct qsv_inputs *in,
                                            struct qsv_transport *transport, const char *exported)
{
    struct qsv_images *decide = in->images[QSV_DECIDE].dataset ? &in->images[QSV_DECIDE] : NULL;
    return (struct qsv_worker_setup){.transport = transport,
                                     .clock = s->clock,
                                     .stop = s->stop,
                                     .worker_timeout_s = s->spec->worker_timeout_s,
                                     .flush_interval_s = s->spec->flush_interval_s,
                                     .run_folder = s->spec->run,
                                     .exported = exported,
                                     .run = &in->run,
                                     .inputs = in,
                                     .codes = &in->codes,
                                     .bench = {in->model,
                                               in->bank,
                                               {&in->images[QSV_JUDGE], decide},
                                               &in->partition,
                                               in->run.shape,
                                               NULL,
                                               s->spec->threads},
                                     .hello = &in->hello};
}

static enum qsv_status work(const struct qsv_sweep *s, struct qsv_inputs *in, const char *exported,
                            struct qsv_error *err)
{
    struct qsv_worker *worker;
    struct qsv_error why;
    const struct qsv_worker_setup setup = worker_setup(s, in, s->transport, exported);
    if (qsv_worker_create(&worker, &setup, &why))
        return qsv_worker_excuse(s->transport, s->clock, &why, err);
    enum qsv_status st = qsv_worker_run(worker, err);
    qsv_worker_destroy(worker);
    return st;
}

enum qsv_status qsv_sweep_work(const struct qsv_sweep *s, struct qsv_error *err)
{
    struct qsv_inputs in;
    struct qsv_error why;
    char *exported = qsv_selected_path(s->spec->run);
    enum qsv_status ready = exported ? qsv_inputs_load_shared(&in, s->spec, false, &why)
                                     : qsv_fail_memory(&why, "the selected network");
    enum qsv_status st =
        ready ? qsv_worker_excuse(s->transport, s->clock, &why, err) : work(s, &in, exported, err);
    if (!ready)
        qsv_inputs_fini(&in);
    free(exported);
    return st;
}

static enum qsv_status step_worker(void *context, struct qsv_error *err)
{
    bool idle;
    return qsv_worker_step(context, &idle, err);
}

/* Both ends of a loop of two ranks. */
static enum qsv_status run_both(const struct qsv_sweep *s, struct qsv_inputs *in,
                                struct qsv_loop *loop, const char *exported, struct qsv_error *err)
{
    struct qsv_worker *worker;
    const struct qsv_worker_setup setup = worker_setup(s, in, qsv_loop_end(loop, 1), exported);
    enum qsv_status st = qsv_worker_create(&worker, &setup, err);
    if (st)
        return st;
    bool stuck;
    qsv_loop_attach(loop, 1, step_worker, worker);
    st = coordinate(s, in, qsv_loop_end(loop, 0), QSV_OK, &stuck, err);
    qsv_worker_destroy(worker);
    return st;
}

enum qsv_status qsv_sweep_alone(const struct qsv_sweep *s, struct qsv_error *err)
{
    struct qsv_inputs in;
    struct qsv_loop *loop;
    enum qsv_status st = qsv_inputs_load(&in, s->spec, err);
    if (st)
        return st;
    char *exported = qsv_selected_path(s->spec->run);
    st = exported ? qsv_loop_create(&loop, 2, err) : qsv_fail_memory(err, "the selected network");
    if (!st) {
        st = run_both(s, &in, loop, exported, err);
        qsv_loop_destroy(loop);
    }
    free(exported);
    qsv_inputs_fini(&in);
    return st;
}
