#include "jobs/strategies/search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/budget.h"

/* A trial's answer; `before`: images of it that were counted already. */
static void count(struct qsv_search *s, uint64_t before, const struct qsv_metrics *answer,
                  bool certifying)
{
    const uint64_t more = answer->n_images > before ? answer->n_images - before : 0;
    s->out->n_evaluations++;
    s->out->image_forwards += more;
    s->out->certifying_forwards += certifying ? more : 0;
}

/* certifying: the budget has no say. */
static enum qsv_status ask(struct qsv_search *s, const char *step, const struct qsv_trial *trials,
                           uint32_t n, enum qsv_image_set set, uint64_t n_images, bool certifying,
                           struct qsv_metrics *answers)
{
    struct qsv_evaluator *e = s->evaluator;
    if (!certifying && !qsv_budget_allows(s, n, set, n_images))
        return qsv_budget_refuse(s, step, n, set, n_images);
    return e->evaluate(e->context, step, trials, n, set, n_images, answers, s->err);
}

enum qsv_status qsv_search_ask(struct qsv_search *s, const char *step,
                               const struct qsv_trial *trials, uint32_t n, enum qsv_image_set set,
                               uint64_t n_images, struct qsv_metrics *answers)
{
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < n; i++)
        before += answers[i].n_images;
    enum qsv_status status = ask(s, step, trials, n, set, n_images, false, answers);
    for (uint32_t i = 0; i < n && !status; i++)
        after += answers[i].n_images;
    s->out->n_evaluations += status ? 0 : n;
    s->out->image_forwards += after > before ? after - before : 0;
    return status;
}

uint64_t qsv_search_count_images(const struct qsv_search *s, enum qsv_image_set set,
                                 uint64_t n_images)
{
    const struct qsv_evaluator *e = s->evaluator;
    return e->count ? e->count(e->context, set, n_images) : 0;
}

bool qsv_search_is_suggesting(const struct qsv_search *s)
{
    return s->evaluator->suggest != NULL;
}

void qsv_search_suggest(struct qsv_search *s, const uint8_t *group_formats, uint32_t n,
                        enum qsv_image_set set, uint64_t n_images)
{
    const struct qsv_space *space = s->space;
    if (!qsv_search_is_suggesting(s) || !n)
        return;
    struct qsv_trial *trials = qsv_alloc(n, sizeof *trials);
    uint8_t *formats = qsv_alloc(n, space->n_layers);
    for (uint32_t i = 0; trials && formats && i < n; i++) {
        uint8_t *layers = formats + (size_t)i * space->n_layers;
        qsv_space_expand(space, group_formats + (size_t)i * space->n_groups, layers);
        trials[i] = (struct qsv_trial){.formats = layers, .what = "maybe next"};
    }
    if (trials && formats) /* a hint is worth no failure */
        s->evaluator->suggest(s->evaluator->context, trials, n, set, n_images);
    free(trials);
    free(formats);
}

enum qsv_status qsv_search_note(struct qsv_search *s, const char *step, uint64_t trial_id,
                                const char *decision, const char *format, ...)
{
    char *why = NULL;
    enum qsv_status status;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    why = n < 0 ? NULL : qsv_alloc((size_t)n + 1, 1);
    if (!why) {
        status = qsv_fail_memory(s->err, "a note");
        goto out;
    }
    vsnprintf(why, (size_t)n + 1, format, again);
    struct qsv_step note = {step, trial_id, decision, why};
    status = s->evaluator->note(s->evaluator->context, &note, s->err);
out:
    va_end(again);
    va_end(args);
    free(why);
    return status;
}

void qsv_search_print_metrics(struct qsv_strbuf *out, const struct qsv_metrics *m)
{
    qsv_strbuf_printf(out, "%" PRIu64 " bytes, %.2f bits, top-1 drop %.2f points, KL %.5f",
                      m->bytes.model_bytes, m->bytes.avg_bits, qsv_metrics_top1_drop(m),
                      qsv_metrics_kl(m));
}

enum qsv_status qsv_search_id(struct qsv_search *s, const uint8_t *group_formats, uint64_t *id)
{
    uint8_t *formats = qsv_alloc(s->space->n_layers, 1);
    if (!formats)
        return qsv_fail_memory(s->err, "a setting");
    qsv_space_expand(s->space, group_formats, formats);
    *id = qsv_setting_id(formats, s->space->n_layers);
    free(formats);
    return QSV_OK;
}

void qsv_pool_fini(struct qsv_pool *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->entries[i].formats);
    free(p->entries);
    *p = (struct qsv_pool){0};
}

enum qsv_status qsv_pool_add(struct qsv_pool *p, struct qsv_search *s, const uint8_t *formats,
                             uint64_t parent, const char *what, size_t *index)
{
    uint32_t n_groups = s->space->n_groups;
    size_t at = 0;
    while (at < p->n && memcmp(p->entries[at].formats, formats, n_groups))
        at++;
    if (index)
        *index = at;
    if (at < p->n)
        return QSV_OK;
    uint8_t *copy = qsv_alloc(n_groups, 1);
    if (!copy || !qsv_grow(&p->entries, &p->capacity, p->n + 1, sizeof *p->entries)) {
        free(copy);
        return qsv_fail_memory(s->err, "a candidate setting");
    }
    struct qsv_pool_entry *e = &p->entries[p->n++];
    memcpy(copy, formats, n_groups);
    e->formats = copy;
    e->parent = parent;
    snprintf(e->what, sizeof e->what, "%s", what);
    return QSV_OK;
}

static bool is_wanted(const struct qsv_pool_part *part, size_t entry)
{
    return !part->wanted || part->wanted[entry - part->first];
}

/* The settings that are asked about, and before them the baseline where it is wanted; how many. */
static uint32_t fill_trials(const struct qsv_pool *p, const struct qsv_pool_part *part,
                            const struct qsv_space *space, bool baseline, struct qsv_trial *trials,
                            uint8_t *formats)
{
    uint32_t n = 0;
    if (baseline) {
        memset(formats, QSV_F32, space->n_layers);
        trials[n++] = (struct qsv_trial){formats, 0, "baseline"};
        formats += space->n_layers;
    }
    for (size_t i = part->first; i < part->end; i++) {
        const struct qsv_pool_entry *e = &p->entries[i];
        if (!is_wanted(part, i))
            continue;
        qsv_space_expand(space, e->formats, formats);
        trials[n++] = (struct qsv_trial){formats, e->parent, e->what};
        formats += space->n_layers;
    }
    return n;
}

static void take_answers(struct qsv_pool *p, struct qsv_search *s, const struct qsv_pool_part *part,
                         const struct qsv_metrics *answers, struct qsv_metrics *baseline)
{
    if (baseline) {
        count(s, baseline->n_images, answers, part->certifying);
        *baseline = *answers++;
    }
    for (size_t i = part->first; i < part->end; i++) {
        struct qsv_metrics *m = &p->entries[i].metrics;
        if (!is_wanted(part, i))
            continue;
        count(s, m->n_images, answers, part->certifying);
        *m = *answers++;
        m->caution = p->caution;
    }
}

enum qsv_status qsv_pool_ask(struct qsv_pool *p, struct qsv_search *s, const char *step,
                             const struct qsv_pool_part *part, struct qsv_metrics *baseline)
{
    const size_t most = part->end - part->first + (baseline != NULL);
    if (!most)
        return QSV_OK;
    struct qsv_trial *trials = qsv_alloc(most, sizeof *trials);
    struct qsv_metrics *answers = qsv_alloc(most, sizeof *answers);
    uint8_t *formats = qsv_alloc(most, s->space->n_layers);
    enum qsv_status status = QSV_OK;
    if (!trials || !answers || !formats) {
        status = qsv_fail_memory(s->err, "the trials of a step");
        goto out;
    }
    const uint32_t n = fill_trials(p, part, s->space, baseline != NULL, trials, formats);
    if (n)
        status = ask(s, step, trials, n, p->set, part->n_images, part->certifying, answers);
    if (n && !status)
        take_answers(p, s, part, answers, baseline);
out:
    free(trials);
    free(answers);
    free(formats);
    return status;
}

static enum qsv_status measure(struct qsv_pool *p, struct qsv_search *s, const char *step,
                               bool certifying, struct qsv_metrics *baseline)
{
    const struct qsv_pool_part all = {
        .first = p->n_measured, .end = p->n, .n_images = p->n_images, .certifying = certifying};
    enum qsv_status status = qsv_pool_ask(p, s, step, &all, baseline);
    if (!status)
        p->n_measured = p->n;
    return status;
}

static void forget_unmeasured(struct qsv_pool *p)
{
    while (p->n > p->n_measured)
        free(p->entries[--p->n].formats);
}

enum qsv_status qsv_pool_measure(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                 struct qsv_metrics *baseline)
{
    const uint32_t n = (uint32_t)(p->n - p->n_measured) + (baseline != NULL);
    if (p->set == QSV_JUDGE && !p->n_measured)
        return qsv_pool_certify(p, s, step, baseline);
    if (!n || !p->n_measured || qsv_budget_allows(s, n, p->set, p->n_images))
        return p->races ? qsv_pool_race(p, s, step, baseline)
                        : measure(p, s, step, false, baseline);
    forget_unmeasured(p);
    return qsv_budget_end(s, step, n, p->set, p->n_images);
}

enum qsv_status qsv_pool_certify(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                 struct qsv_metrics *baseline)
{
    return measure(p, s, step, true, baseline);
}

size_t qsv_pool_best(const struct qsv_pool *p, const struct qsv_spec *spec)
{
    size_t best = 0;
    for (size_t i = 1; i < p->n_measured; i++)
        if (qsv_constraint_compare(spec, &p->entries[i].metrics, &p->entries[best].metrics) < 0)
            best = i;
    return best;
}

enum qsv_status qsv_search_note_entry(struct qsv_search *s, const char *step,
                                      const struct qsv_pool_entry *e)
{
    bool holds = qsv_constraint_holds(s->spec, &e->metrics);
    struct qsv_strbuf figures = {0};
    qsv_search_print_metrics(&figures, &e->metrics);
    enum qsv_status status =
        figures.failed ? qsv_fail_memory(s->err, "a note")
                       : qsv_search_note(s, step, e->metrics.trial_id, holds ? "hold" : "fail",
                                         "%s: %s on %" PRIu64 " images", e->what, figures.text,
                                         e->metrics.n_images);
    qsv_strbuf_fini(&figures);
    return status;
}

/* Sums over the judging images that did not decide. */
static struct qsv_metrics rest_of(const struct qsv_metrics *judged,
                                  const struct qsv_metrics *decided, bool among_judging)
{
    struct qsv_metrics d = {0}, r = {.trial_id = judged->trial_id};
    if (among_judging)
        d = *decided;
    if (d.n_images >= judged->n_images)
        return r;
    r.n_images = judged->n_images - d.n_images;
    r.n_top1 = judged->n_top1 - d.n_top1;
    r.n_top5 = judged->n_top5 - d.n_top5;
    r.n_only_trial = judged->n_only_trial - d.n_only_trial;
    r.n_only_baseline = judged->n_only_baseline - d.n_only_baseline;
    r.loss_sum = judged->loss_sum - d.loss_sum;
    r.loss_diff_sum = judged->loss_diff_sum - d.loss_diff_sum;
    r.loss_diff_square_sum = judged->loss_diff_square_sum - d.loss_diff_square_sum;
    r.kl_sum = judged->kl_sum - d.kl_sum;
    r.kl_square_sum = judged->kl_square_sum - d.kl_square_sum;
    r.ac_ops = judged->ac_ops - d.ac_ops;
    r.mac_ops = judged->mac_ops - d.mac_ops;
    r.drift_sum = judged->drift_sum - d.drift_sum;
    return r;
}

static enum qsv_status note_selection(struct qsv_search *s)
{
    const struct qsv_selection *out = s->out;
    struct qsv_strbuf judged = {0}, wanted = {0};
    qsv_search_print_metrics(&judged, &out->judged);
    qsv_constraint_print(&wanted, s->spec);
    enum qsv_status status = QSV_OK;
    if (judged.failed || wanted.failed)
        status = qsv_fail_memory(s->err, "a note");
    else
        status =
            qsv_search_note(s, "select", out->trial_id, out->meets ? "select" : "reject",
                            "%s on all %" PRIu64 " judging images; %s the constraint (%s)",
                            judged.text, out->judged.n_images,
                            out->meets ? "meets" : "the nearest found does not meet", wanted.text);
    qsv_strbuf_fini(&judged);
    qsv_strbuf_fini(&wanted);
    return status;
}

enum qsv_status qsv_search_select(struct qsv_search *s, const struct qsv_pool_entry *judged,
                                  const struct qsv_metrics *decided, bool among_judging)
{
    struct qsv_selection *out = s->out;
    out->formats = qsv_alloc(s->space->n_layers, 1);
    if (!out->formats)
        return qsv_fail_memory(s->err, "the selection");
    qsv_space_expand(s->space, judged->formats, out->formats);
    out->trial_id = qsv_setting_id(out->formats, s->space->n_layers);
    out->judged = judged->metrics;
    out->decided = *decided;
    out->rest = rest_of(&out->judged, &out->decided, among_judging);
    out->meets = qsv_constraint_met(s->spec, &out->judged);
    return note_selection(s);
}

enum qsv_status qsv_search_judge(struct qsv_search *s, const struct qsv_pool_entry *decided)
{
    struct qsv_pool judged = {.set = QSV_JUDGE};
    enum qsv_status status =
        qsv_pool_add(&judged, s, decided->formats, decided->parent, decided->what, NULL);
    if (!status)
        status = qsv_pool_measure(&judged, s, "judge", &s->out->baseline);
    if (!status)
        status = qsv_search_select(s, &judged.entries[0], &decided->metrics, false);
    qsv_pool_fini(&judged);
    return status;
}
