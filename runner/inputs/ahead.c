#include "runner/inputs/ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

enum {
    MOST_THREADS = 8,
    CHUNK_BYTES = 1 << 16, /* read at once by a thread, or one image */
    LOOK_NS = 50000000     /* for a stop, while others read */
};

struct slot { /* a portion that is expected or being taken */
    uint64_t portion;
    bool begun, forgotten;
    struct qsv_portion what;
    struct qsv_pixels pixels;
    size_t bytes;
    uint32_t next, n_reading; /* image to read next; chunks in work */
    enum qsv_status status;   /* of the first image that failed */
    uint32_t failed_at;
    struct qsv_error error;
};

struct qsv_ahead {
    struct qsv_ahead_setup setup;
    pthread_mutex_t lock; /* over all below, and the slots but for pixels being read */
    pthread_cond_t more;  /* there may be something to read, or the end has come */
    pthread_cond_t read;  /* a chunk was */
    struct slot **slots;  /* [n] in the order of taking */
    size_t n, capacity;
    size_t bytes, peak_bytes;
    bool over, began;
    pthread_t threads[MOST_THREADS];
    uint32_t n_threads;
    double waited_s;
};

uint32_t qsv_ahead_threads(uint32_t threads)
{
    return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
}

void qsv_pixels_fini(struct qsv_pixels *p)
{
    free(p->pixels);
    free(p->labels);
    *p = (struct qsv_pixels){0};
}

static void free_slot(struct slot *s)
{
    qsv_pixels_fini(&s->pixels);
    free(s);
}

enum qsv_status qsv_ahead_create(struct qsv_ahead **out, const struct qsv_ahead_setup *setup,
                                 struct qsv_error *err)
{
    struct qsv_ahead *a = *out = qsv_alloc(1, sizeof *a);
    if (!a)
        return qsv_fail_memory(err, "reading ahead");
    a->setup = *setup;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->more, NULL);
    pthread_cond_init(&a->read, NULL);
    return QSV_OK;
}

void qsv_ahead_destroy(struct qsv_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->over = true;
    pthread_cond_broadcast(&a->more);
    pthread_mutex_unlock(&a->lock);
    for (uint32_t i = 0; i < a->n_threads; i++)
        pthread_join(a->threads[i], NULL);
    for (size_t i = 0; i < a->n; i++)
        free_slot(a->slots[i]);
    free(a->slots);
    pthread_cond_destroy(&a->read);
    pthread_cond_destroy(&a->more);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* What follows is called with the lock held. */

static struct slot *find(const struct qsv_ahead *a, uint64_t portion)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->slots[i]->portion == portion && !a->slots[i]->forgotten)
            return a->slots[i];
    return NULL;
}

static struct slot *add(struct qsv_ahead *a, uint64_t portion, size_t at)
{
    struct slot *s = qsv_alloc(1, sizeof *s);
    if (!s || !qsv_grow(&a->slots, &a->capacity, a->n + 1, sizeof *a->slots)) {
        free(s);
        return NULL;
    }
    s->portion = portion;
    s->what = a->setup.find(a->setup.context, portion);
    s->bytes = s->what.n * (qsv_images_bytes(s->what.images) + sizeof *s->pixels.labels);
    memmove(a->slots + at + 1, a->slots + at, (a->n - at) * sizeof *a->slots);
    a->slots[at] = s;
    a->n++;
    return s;
}

static void drop(struct qsv_ahead *a, struct slot *s)
{
    size_t at = 0;
    while (a->slots[at] != s)
        at++;
    memmove(a->slots + at, a->slots + at + 1, (--a->n - at) * sizeof *a->slots);
    if (s->begun)
        a->bytes -= s->bytes;
    free_slot(s);
}

/* Whoever reads its last chunk drops it. */
static void forget(struct qsv_ahead *a, struct slot *s)
{
    s->forgotten = true;
    if (!s->n_reading)
        drop(a, s);
}

static void forget_before(struct qsv_ahead *a, const struct slot *s)
{
    for (size_t i = 0; a->slots[i] != s;) {
        const size_t n = a->n;
        if (!a->slots[i]->forgotten)
            forget(a, a->slots[i]);
        i += a->n == n;
    }
}

static void begin(struct qsv_ahead *a, struct slot *s)
{
    s->begun = true;
    s->pixels.n = s->what.n;
    s->pixels.pixels = qsv_alloc(s->what.n, qsv_images_bytes(s->what.images));
    s->pixels.labels = qsv_alloc(s->what.n, sizeof *s->pixels.labels);
    if (!s->pixels.pixels || !s->pixels.labels)
        s->status = qsv_fail_memory(&s->error, "a portion of images");
    a->bytes += s->bytes;
    a->peak_bytes = a->bytes > a->peak_bytes ? a->bytes : a->peak_bytes;
}

static bool has_more(const struct slot *s)
{
    return s->begun && !s->forgotten && !s->status && s->next < s->what.n;
}

static bool is_done(const struct slot *s)
{
    return s->begun && !s->n_reading && (s->status || s->next == s->what.n);
}

/* All images before one that fails were begun before it, so that the first of them is known when no
 * chunk is in work. */
static void note_failure(struct slot *s, uint32_t at, enum qsv_status st,
                         const struct qsv_error *err)
{
    if (s->status && s->failed_at < at)
        return;
    s->status = st;
    s->failed_at = at;
    s->error = *err;
}

/* Lets go of the lock while it reads. */
static void read_chunk(struct qsv_ahead *a, struct slot *s)
{
    const size_t image_bytes = qsv_images_bytes(s->what.images);
    const uint32_t at = s->next, left = s->what.n - at;
    uint32_t n = image_bytes < CHUNK_BYTES ? (uint32_t)(CHUNK_BYTES / image_bytes) : 1;
    struct qsv_error err = {0};
    n = n < left ? n : left;
    s->next += n;
    s->n_reading++;
    pthread_mutex_unlock(&a->lock);
    const enum qsv_status st =
        qsv_images_read(s->what.images, s->what.numbers + at, n,
                        s->pixels.pixels + at * image_bytes, s->pixels.labels + at, &err);
    pthread_mutex_lock(&a->lock);
    s->n_reading--;
    if (st)
        note_failure(s, at, st, &err);
    if (s->forgotten && !s->n_reading)
        drop(a, s);
    pthread_cond_broadcast(&a->read);
}

static bool is_for_threads(const struct slot *s)
{
    return qsv_dataset_is_concurrent(s->what.images->dataset);
}

static struct slot *choose(const struct qsv_ahead *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (has_more(a->slots[i]) && is_for_threads(a->slots[i]))
            return a->slots[i];
    return NULL;
}

static bool has_room(const struct qsv_ahead *a, size_t bytes)
{
    return !a->bytes || (bytes <= a->setup.max_bytes && a->bytes <= a->setup.max_bytes - bytes);
}

static void *work(void *context)
{
    struct qsv_ahead *a = context;
    pthread_mutex_lock(&a->lock);
    while (!a->over) {
        struct slot *s = choose(a);
        if (s)
            read_chunk(a, s);
        else
            pthread_cond_wait(&a->more, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* Where the system gives no threads, the taker reads alone. */
static void begin_threads(struct qsv_ahead *a)
{
    sigset_t all, before;
    if (a->began)
        return;
    a->began = true;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (a->n_threads < a->setup.threads && a->n_threads < MOST_THREADS &&
           !pthread_create(&a->threads[a->n_threads], NULL, work, a))
        a->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* By the caller's thread, which frees them, too: each thread allocates from a heap of its own, and
 * these would grow. */
static void begin_what_fits(struct qsv_ahead *a)
{
    bool begun = false;
    for (size_t i = 0; i < a->n && a->setup.threads; i++) {
        struct slot *s = a->slots[i];
        if (s->begun || !is_for_threads(s))
            continue;
        if (!has_room(a, s->bytes))
            break;
        begin(a, s);
        begun = true;
    }
    if (begun) {
        begin_threads(a);
        pthread_cond_broadcast(&a->more);
    }
}

void qsv_ahead_expect(struct qsv_ahead *a, uint64_t portion)
{
    pthread_mutex_lock(&a->lock);
    if (a->setup.threads && !find(a, portion) && add(a, portion, a->n))
        begin_what_fits(a);
    pthread_mutex_unlock(&a->lock);
}

static void wait_for_chunk(struct qsv_ahead *a)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&a->read, &a->lock, &until);
}

/* Helps, so that a portion nobody expected is read by all. */
static enum qsv_status finish(struct qsv_ahead *a, struct slot *s,
                              const volatile sig_atomic_t *stop, struct qsv_error *err)
{
    while (!is_done(s)) {
        if (stop && *stop)
            return qsv_fail(err, QSV_ESTOPPED, "stopped");
        if (has_more(s))
            read_chunk(a, s);
        else
            wait_for_chunk(a);
    }
    if (s->status && err)
        *err = s->error;
    return s->status;
}

static enum qsv_status take(struct qsv_ahead *a, uint64_t portion, struct qsv_pixels *out,
                            const volatile sig_atomic_t *stop, struct qsv_error *err)
{
    struct slot *s = find(a, portion);
    if (s)
        forget_before(a, s);
    else if (!(s = add(a, portion, 0)))
        return qsv_fail_memory(err, "reading ahead");
    if (!s->begun) {
        begin(a, s);
        if (a->setup.threads)
            begin_threads(a);
        pthread_cond_broadcast(&a->more);
    }
    enum qsv_status st = finish(a, s, stop, err);
    if (!st) {
        *out = s->pixels;
        s->pixels = (struct qsv_pixels){0};
    }
    forget(a, s);
    begin_what_fits(a);
    return st;
}

enum qsv_status qsv_ahead_take(struct qsv_ahead *a, uint64_t portion, struct qsv_pixels *out,
                               const volatile sig_atomic_t *stop, struct qsv_error *err)
{
    *out = (struct qsv_pixels){0};
    const double began_s = qsv_clock_monotonic_s();
    pthread_mutex_lock(&a->lock);
    enum qsv_status st = take(a, portion, out, stop, err);
    a->waited_s += qsv_clock_monotonic_s() - began_s;
    pthread_mutex_unlock(&a->lock);
    return st;
}

double qsv_ahead_waited_s(const struct qsv_ahead *a)
{
    return a->waited_s;
}

size_t qsv_ahead_peak_bytes(struct qsv_ahead *a)
{
    pthread_mutex_lock(&a->lock);
    const size_t bytes = a->peak_bytes;
    pthread_mutex_unlock(&a->lock);
    return bytes;
}
