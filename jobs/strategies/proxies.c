#include "jobs/strategies/proxies.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/rank.h"

enum { FEWEST = 4 };

struct proxies {
    double *foretold, *kl, *drop, *drift; /* [n], settings of the deciding pool */
    size_t n;
    double least, most; /* measured KL / foretold KL */
};

static enum qsv_status init(struct proxies *p, size_t n, struct qsv_error *err)
{
    *p = (struct proxies){.least = INFINITY, .most = -INFINITY};
    p->foretold = qsv_alloc(n, sizeof *p->foretold);
    p->kl = qsv_alloc(n, sizeof *p->kl);
    p->drop = qsv_alloc(n, sizeof *p->drop);
    p->drift = qsv_alloc(n, sizeof *p->drift);
    if (p->foretold && p->kl && p->drop && p->drift)
        return QSV_OK;
    return qsv_fail_memory(err, "the proxies' correlations");
}

static void fini(struct proxies *p)
{
    free(p->foretold);
    free(p->kl);
    free(p->drop);
    free(p->drift);
}

/* As step 1 foretells it: without the factors that were learned from these very settings. */
static double foretell(const struct qsv_outlook *o, const uint8_t *formats)
{
    double kl = o->pinned_kl;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        kl += o->kl[g][formats[g]];
    return kl;
}

static void collect(struct proxies *p, const struct qsv_qsvit *q)
{
    for (size_t i = 0; i < q->decided.n_measured; i++) {
        const struct qsv_pool_entry *e = &q->decided.entries[i];
        const double foretold = foretell(&q->outlook, e->formats);
        const double kl = qsv_metrics_kl(&e->metrics);
        if (!(foretold > 0))
            continue;
        p->foretold[p->n] = foretold;
        p->kl[p->n] = kl;
        p->drop[p->n] = qsv_metrics_top1_drop(&e->metrics);
        p->drift[p->n] = qsv_metrics_drift(&e->metrics);
        p->least = fmin(p->least, kl / foretold);
        p->most = fmax(p->most, kl / foretold);
        p->n++;
    }
}

static void print_correlation(struct qsv_strbuf *out, const char *what, const double *x,
                              const double *y, size_t n)
{
    const double r = qsv_rank_correlation(x, y, n);
    qsv_strbuf_printf(out, "%s ", what);
    if (isnan(r))
        qsv_strbuf_puts(out, "none");
    else
        qsv_strbuf_printf(out, "%.3f", r);
}

static enum qsv_status note(struct qsv_search *s, const struct proxies *p, uint64_t n_images)
{
    struct qsv_strbuf text = {0};
    print_correlation(&text, "foretold KL with measured KL", p->foretold, p->kl, p->n);
    print_correlation(&text, ", with the drop", p->foretold, p->drop, p->n);
    print_correlation(&text, "; drift with the drop", p->drift, p->drop, p->n);
    enum qsv_status status =
        text.failed ? qsv_fail_memory(s->err, "a note")
                    : qsv_search_note(s, "proxies", 0, "rank",
                                      "rank correlations over %zu quantized settings on %" PRIu64
                                      " images: %s; measured KL is %.3g to %.3g times the foretold",
                                      p->n, n_images, text.text, p->least, p->most);
    qsv_strbuf_fini(&text);
    return status;
}

enum qsv_status qsv_proxies_note(struct qsv_qsvit *q)
{
    struct proxies p;
    enum qsv_status status = init(&p, q->decided.n_measured, q->search.err);
    if (!status)
        collect(&p, q);
    if (!status && p.n >= FEWEST)
        status = note(&q->search, &p, q->decided.entries[0].metrics.n_images);
    fini(&p);
    return status;
}
