#include "runner/pack/packer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"

/* What a rank is told to do, and reports of. */
enum task { TASK_NONE, TASK_PART, TASK_FILE };

struct assignment {
    enum task task;
    uint32_t number;
};

/* Rank 0's view of the work. */
struct work {
    const struct qsv_packer *packer;
    uint32_t next_part;          /* all before it were dealt, or are there */
    uint32_t n_done;             /* parts that are there */
    bool *there;                 /* [parts]: it was when this began, or its file was */
    uint32_t *missing;           /* [shards]: parts that are not */
    bool *dealt;                 /* [shards]: the file is there, or was dealt */
    struct assignment *assigned; /* [ranks] */
    uint32_t n_busy;
    bool ends; /* nothing is dealt any more */
    struct assignment failed;
    struct qsv_error failure;
};

static void work_fini(struct work *w)
{
    free(w->there);
    free(w->missing);
    free(w->dealt);
    free(w->assigned);
}

static void fail(struct work *w, struct assignment a, const struct qsv_error *err)
{
    /* A stop hides nothing that is wrong; of two that are wrong the first counts. */
    const bool sooner = w->failure.code == QSV_OK || w->failure.code == QSV_ESTOPPED ||
                        (err->code != QSV_ESTOPPED && a.task == TASK_PART &&
                         w->failed.task == TASK_PART && a.number < w->failed.number);
    w->ends = true;
    if (!sooner)
        return;
    w->failed = a;
    w->failure = *err;
}

static enum qsv_status find_done(struct work *w, struct qsv_error *err)
{
    const struct qsv_pack *p = w->packer->pack;
    enum qsv_status st = QSV_OK;
    for (uint32_t k = 0; k < p->shards; k++)
        w->dealt[k] = qsv_pack_has_file(p, k);
    for (uint32_t i = 0; !st && i < qsv_pack_parts(p); i++) {
        const uint32_t k = qsv_pack_shard_of(p, i);
        w->there[i] = w->dealt[k];
        if (!w->there[i])
            st = qsv_pack_has_part(p, i, &w->there[i], err);
        w->missing[k] += !w->there[i];
        w->n_done += w->there[i];
    }
    return st;
}

static enum qsv_status work_init(struct work *w, const struct qsv_packer *packer, uint32_t ranks,
                                 struct qsv_error *err)
{
    const uint32_t shards = packer->pack->shards;
    *w = (struct work){.packer = packer,
                       .there = qsv_alloc(qsv_pack_parts(packer->pack), sizeof *w->there),
                       .missing = qsv_alloc(shards, sizeof *w->missing),
                       .dealt = qsv_alloc(shards, sizeof *w->dealt),
                       .assigned = qsv_alloc(ranks, sizeof *w->assigned)};
    enum qsv_status st = QSV_OK;
    if (!w->there || !w->missing || !w->dealt || !w->assigned)
        st = qsv_fail_memory(err, packer->pack->output);
    if (!st)
        st = find_done(w, err);
    if (st)
        work_fini(w);
    else
        qsv_progress_begin(packer->progress, "pack", 0, 0, w->n_done, qsv_pack_parts(packer->pack));
    return st;
}

/* What is to be done next: a file whose parts are there before another part, because it frees
 * their room. */
static struct assignment choose(struct work *w)
{
    const struct qsv_pack *p = w->packer->pack;
    for (uint32_t k = 0; k < p->shards && !w->ends; k++)
        if (!w->dealt[k] && !w->missing[k]) {
            w->dealt[k] = true;
            return (struct assignment){TASK_FILE, k};
        }
    while (!w->ends && w->next_part < qsv_pack_parts(p)) {
        const uint32_t part = w->next_part++;
        if (!w->there[part])
            return (struct assignment){TASK_PART, part};
    }
    return (struct assignment){TASK_NONE, 0};
}

static void conclude(struct work *w, struct assignment a)
{
    const struct qsv_pack *p = w->packer->pack;
    if (a.task == TASK_FILE)
        return;
    w->missing[qsv_pack_shard_of(p, a.number)]--;
    w->n_done++;
    qsv_progress_add(w->packer->progress, 1);
}

static void look_around(struct work *w)
{
    const struct qsv_packer *p = w->packer;
    struct qsv_error err = {.code = QSV_OK};
    qsv_progress_tick(p->progress);
    if (!w->ends && qsv_stop_asked(p->stop)) {
        qsv_fail(&err, QSV_ESTOPPED, "stopped");
        fail(w, (struct assignment){TASK_NONE, 0}, &err);
    }
    if (p->tick && p->tick(p->context, &err))
        fail(w, (struct assignment){TASK_NONE, 0}, &err);
}

static enum qsv_status do_task(const struct qsv_pack *p, struct assignment a, struct qsv_error *err)
{
    return a.task == TASK_PART ? qsv_pack_make_part(p, a.number, err)
                               : qsv_pack_make_file(p, a.number, err);
}

static enum qsv_status end(struct work *w, struct qsv_error *err)
{
    const struct qsv_pack *p = w->packer->pack;
    const uint64_t n = qsv_dataset_count(p->source);
    const uint32_t parts = qsv_pack_parts(p);
    enum qsv_status st = w->failure.code;
    qsv_progress_clear(w->packer->progress);
    if (st == QSV_ESTOPPED)
        qsv_fail(err, st,
                 "%s: stopped after %u of %u parts of %" PRIu64
                 " images; the same command goes on from there",
                 p->output, w->n_done, parts, n);
    else if (st)
        qsv_fail(err, st, "%s", w->failure.text);
    work_fini(w);
    return st;
}

enum qsv_status qsv_packer_alone(const struct qsv_packer *p, struct qsv_error *err)
{
    struct work w;
    enum qsv_status st = work_init(&w, p, 1, err);
    if (st)
        return st;
    for (;;) {
        struct qsv_error why;
        look_around(&w);
        const struct assignment a = choose(&w);
        if (!a.task)
            break;
        if (do_task(p->pack, a, &why))
            fail(&w, a, &why);
        else
            conclude(&w, a);
    }
    return end(&w, err);
}

static enum qsv_status tell(struct qsv_transport *t, int to, struct assignment a,
                            uint64_t fingerprint, struct qsv_error *err)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_u32(&b, a.task);
    qsv_strbuf_u32(&b, a.number);
    qsv_strbuf_u64(&b, fingerprint);
    return t->send(t, to, &b, err);
}

/* To whoever has nothing to do. */
static enum qsv_status deal(struct work *w, struct qsv_transport *t, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (int rank = 1; !st && rank < t->size; rank++) {
        if (w->assigned[rank].task)
            continue;
        const struct assignment a = choose(w);
        if (!a.task)
            break;
        w->assigned[rank] = a;
        w->n_busy++;
        st = tell(t, rank, a, w->packer->pack->fingerprint, err);
    }
    return st;
}

static void take_report(struct work *w, const struct qsv_parcel *parcel)
{
    struct qsv_cursor c = qsv_cursor_over(parcel->data, parcel->bytes);
    struct qsv_error why = {.code = (enum qsv_status)qsv_cursor_u32(&c)};
    struct assignment *a = &w->assigned[parcel->from];
    const size_t n = qsv_cursor_left(&c);
    if (n < sizeof why.text)
        qsv_cursor_copy(&c, why.text, n);
    if (why.code)
        fail(w, *a, &why);
    else
        conclude(w, *a);
    *a = (struct assignment){TASK_NONE, 0};
    w->n_busy--;
}

void qsv_packer_dismiss(struct qsv_transport *t)
{
    for (int rank = 1; rank < t->size; rank++)
        tell(t, rank, (struct assignment){TASK_NONE, 0}, 0, NULL);
}

enum qsv_status qsv_packer_deal(const struct qsv_packer *p, struct qsv_transport *t,
                                struct qsv_error *err)
{
    struct work w;
    struct qsv_wait wait = {0};
    enum qsv_status st = work_init(&w, p, (uint32_t)t->size, err);
    if (st)
        return st;
    for (;;) {
        struct qsv_parcel parcel;
        look_around(&w);
        if ((st = deal(&w, t, err)) || !w.n_busy || (st = t->poll(t, &parcel, err)))
            break;
        if (parcel.data) {
            take_report(&w, &parcel);
            free(parcel.data);
            qsv_wait_reset(&wait);
        } else {
            qsv_wait_nap(&wait, p->clock);
        }
    }
    if (st) {
        work_fini(&w);
        return st;
    }
    return end(&w, err);
}

/* Does what a message asks for, and reports. */
static enum qsv_status obey(struct qsv_packer_worker *w, struct qsv_transport *t,
                            struct assignment a, uint64_t fingerprint, struct qsv_error *err)
{
    struct qsv_error why = {.code = QSV_OK};
    struct qsv_strbuf report = {0};
    enum qsv_status st = w->pack ? QSV_OK : w->open(w->context, &w->pack, fingerprint, &why);
    if (!st)
        st = do_task(w->pack, a, &why);
    qsv_strbuf_u32(&report, st);
    if (st)
        qsv_strbuf_puts(&report, why.text);
    return t->send(t, 0, &report, err);
}

/* What a parcel asks for. */
static enum qsv_status take_order(struct qsv_packer_worker *w, struct qsv_transport *t,
                                  const struct qsv_parcel *parcel, struct qsv_error *err)
{
    struct qsv_cursor c = qsv_cursor_over(parcel->data, parcel->bytes);
    struct assignment a = {(enum task)qsv_cursor_u32(&c), 0};
    a.number = qsv_cursor_u32(&c);
    const uint64_t fingerprint = qsv_cursor_u64(&c);
    w->over = a.task == TASK_NONE;
    return w->over ? QSV_OK : obey(w, t, a, fingerprint, err);
}

enum qsv_status qsv_packer_step(struct qsv_packer_worker *w, struct qsv_transport *t,
                                struct qsv_error *err)
{
    struct qsv_parcel parcel;
    enum qsv_status st = t->poll(t, &parcel, err);
    if (!st && parcel.data)
        st = take_order(w, t, &parcel, err);
    free(parcel.data);
    return st;
}

enum qsv_status qsv_packer_work(struct qsv_packer_worker *w, struct qsv_transport *t,
                                const struct qsv_clock *clock, struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = QSV_OK;
    while (!st && !w->over) {
        st = qsv_packer_step(w, t, err);
        if (!w->over)
            qsv_wait_nap(&wait, clock);
    }
    return st;
}
