/* A race: settings are measured on the first eighth of the images, in their random order, and on
 * the rest unless they surely exceed the bound on the drop.
 *
 * Sure is what a confidence sequence says (jobs/confidence.h): it holds at every look at once, so
 * that looking early costs nothing in certainty. A setting that keeps the bound is measured to the
 * end: it may be selected. Without a bound on the drop there is nothing to race for.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/confidence.h"
#include "jobs/constraint.h"
#include "jobs/strategies/search.h"

enum { FIRST_PART = 8, LEAST_IMAGES = 1024 };
static const double ALPHA = 0.01; /* of a setting that keeps the bound, to be left out */

struct race {
    struct qsv_pool *pool;
    struct qsv_search *search;
    const char *step;
    uint64_t n_images; /* of the pool */
    size_t first, n;   /* entries that race */
    bool *open;        /* [n] */
};

/* Each end of the interval at the level of the verdict, so that it lies above the bound too. */
static enum qsv_status note_left(struct race *r, const struct qsv_pool_entry *e, double bound)
{
    const struct qsv_metrics *m = &e->metrics;
    struct qsv_confidence c;
    double low = 0, high = 0;
    qsv_confidence_init(&c, r->n_images, 2 * ALPHA);
    enum qsv_status status =
        qsv_confidence_add(&c, m->n_images, m->n_only_baseline, m->n_only_trial, r->search->err);
    if (!status) {
        qsv_confidence_interval(&c, &low, &high);
        status = qsv_search_note(r->search, r->step, m->trial_id, "leave",
                                 "%s: surely above %.2f points: drop %.2f after %" PRIu64
                                 " of %" PRIu64 " images, [%.2f, %.2f] on all of them",
                                 e->what, bound, qsv_metrics_top1_drop(m), m->n_images, r->n_images,
                                 low, high);
    }
    qsv_confidence_fini(&c);
    return status;
}

static enum qsv_status look(struct race *r, size_t i)
{
    const struct qsv_pool_entry *e = &r->pool->entries[r->first + i];
    const struct qsv_metrics *m = &e->metrics;
    const double bound = r->search->spec->constraint.max_top1_drop * (1 - m->caution.reserve);
    struct qsv_confidence c;
    qsv_confidence_init(&c, r->n_images, ALPHA);
    enum qsv_status status =
        qsv_confidence_add(&c, m->n_images, m->n_only_baseline, m->n_only_trial, r->search->err);
    if (!status)
        r->open[i] = qsv_confidence_decide(&c, bound) != QSV_ABOVE;
    qsv_confidence_fini(&c);
    return status || r->open[i] ? status : note_left(r, e, bound);
}

/* What is next after a part: the open entries on all images. Whoever is done can begin with it. */
static void suggest_rest(struct race *r)
{
    const uint32_t n_groups = r->search->space->n_groups;
    uint8_t *formats = qsv_search_is_suggesting(r->search) ? qsv_alloc(r->n, n_groups) : NULL;
    uint32_t n = 0;
    for (size_t i = 0; formats && i < r->n; i++)
        if (r->open[i])
            memcpy(formats + (size_t)n++ * n_groups, r->pool->entries[r->first + i].formats,
                   n_groups);
    if (formats)
        qsv_search_suggest(r->search, formats, n, r->pool->set, r->pool->n_images);
    free(formats);
}

static enum qsv_status run(struct race *r, struct qsv_metrics *baseline)
{
    struct qsv_pool_part part = {.first = r->first,
                                 .end = r->first + r->n,
                                 .wanted = r->open,
                                 .n_images = r->n_images / FIRST_PART};
    suggest_rest(r);
    enum qsv_status status = qsv_pool_ask(r->pool, r->search, r->step, &part, NULL);
    for (size_t i = 0; i < r->n && !status; i++)
        status = look(r, i);
    part.n_images = r->n_images;
    return status ? status : qsv_pool_ask(r->pool, r->search, r->step, &part, baseline);
}

static enum qsv_status race(struct race *r, struct qsv_metrics *baseline)
{
    r->open = qsv_alloc(r->n, sizeof *r->open);
    if (!r->open)
        return qsv_fail_memory(r->search->err, "a race");
    for (size_t i = 0; i < r->n; i++)
        r->open[i] = true;
    enum qsv_status status = run(r, baseline);
    free(r->open);
    return status;
}

enum qsv_status qsv_pool_race(struct qsv_pool *p, struct qsv_search *s, const char *step,
                              struct qsv_metrics *baseline)
{
    struct race r = {.pool = p,
                     .search = s,
                     .step = step,
                     .n_images = qsv_search_count_images(s, p->set, p->n_images),
                     .first = p->n_measured,
                     .n = p->n - p->n_measured};
    const struct qsv_pool_part all = {.first = r.first, .end = p->n, .n_images = p->n_images};
    const bool races = r.n && r.n_images >= LEAST_IMAGES && qsv_constraint_bounds_drop(s->spec);
    enum qsv_status status = races ? race(&r, baseline) : qsv_pool_ask(p, s, step, &all, baseline);
    if (!status)
        p->n_measured = p->n;
    return status;
}

enum qsv_status qsv_pool_finish(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                size_t entry)
{
    const struct qsv_pool_part one = {
        .first = entry, .end = entry + 1, .n_images = p->n_images, .certifying = true};
    if (!p->races ||
        p->entries[entry].metrics.n_images >= qsv_search_count_images(s, p->set, p->n_images))
        return QSV_OK;
    return qsv_pool_ask(p, s, step, &one, NULL);
}
