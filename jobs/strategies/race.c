/* A race: settings are measured on the first eighth of the images, in their random order, and on the
 * rest unless they surely exceed the bound on the drop.
 *
 * Sure is what a confidence sequence says (jobs/confidence.h): it holds at every look at once, so
 * that looking early costs nothing in certainty. A setting that keeps the bound is measured to the
 * end: it may be selected. Without a bound on the drop there is nothing to race for.
 */
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
    uint64_t n_images;           /* of the pool */
    size_t first, n;             /* entries that race */
    struct qsv_confidence *sure; /* [n] */
    bool *open;                  /* [n] */
};

/* Adds what an entry's metrics have more than before. */
static enum qsv_status look(struct race *r, size_t i)
{
    const struct qsv_spec *spec = r->search->spec;
    const struct qsv_metrics *m = &r->pool->entries[r->first + i].metrics;
    struct qsv_confidence *c = &r->sure[i];
    enum qsv_status status =
        qsv_confidence_add(c, m->n_images - c->n_seen, m->n_only_baseline - c->n_lost,
                           m->n_only_trial - c->n_won, r->search->err);
    if (!status)
        r->open[i] = qsv_confidence_decide(c, spec->constraint.max_top1_drop *
                                                  (1 - m->caution.reserve)) != QSV_ABOVE;
    return status;
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

static enum qsv_status run(struct race *r, const char *step, struct qsv_metrics *baseline)
{
    struct qsv_pool_part part = {.first = r->first,
                                 .end = r->first + r->n,
                                 .wanted = r->open,
                                 .n_images = r->n_images / FIRST_PART};
    suggest_rest(r);
    enum qsv_status status = qsv_pool_ask(r->pool, r->search, step, &part, NULL);
    for (size_t i = 0; i < r->n && !status; i++)
        status = look(r, i);
    part.n_images = r->n_images;
    return status ? status : qsv_pool_ask(r->pool, r->search, step, &part, baseline);
}

enum qsv_status qsv_pool_race(struct qsv_pool *p, struct qsv_search *s, const char *step,
                              struct qsv_metrics *baseline)
{
    struct race r = {.pool = p,
                     .search = s,
                     .n_images = qsv_search_count_images(s, p->set, p->n_images),
                     .first = p->n_measured,
                     .n = p->n - p->n_measured};
    enum qsv_status status = QSV_OK;
    if (!r.n || r.n_images < LEAST_IMAGES || !qsv_constraint_bounds_drop(s->spec)) {
        const struct qsv_pool_part all = {.first = r.first, .end = p->n, .n_images = p->n_images};
        status = qsv_pool_ask(p, s, step, &all, baseline);
        goto out;
    }
    r.sure = qsv_alloc(r.n, sizeof *r.sure);
    r.open = qsv_alloc(r.n, sizeof *r.open);
    if (!r.sure || !r.open) {
        status = qsv_fail_memory(s->err, "a race");
        goto out;
    }
    for (size_t i = 0; i < r.n; i++) {
        qsv_confidence_init(&r.sure[i], r.n_images, ALPHA);
        r.open[i] = true;
    }
    status = run(&r, step, baseline);
    for (size_t i = 0; i < r.n; i++)
        qsv_confidence_fini(&r.sure[i]);
out:
    free(r.sure);
    free(r.open);
    if (!status)
        p->n_measured = p->n;
    return status;
}

enum qsv_status qsv_pool_finish(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                size_t entry)
{
    const struct qsv_pool_part one = {
        .first = entry, .end = entry + 1, .n_images = p->n_images, .certifying = true};
    if (!p->races || p->entries[entry].metrics.n_images >= qsv_search_count_images(s, p->set, p->n_images))
        return QSV_OK;
    return qsv_pool_ask(p, s, step, &one, NULL);
}
