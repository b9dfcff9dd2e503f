/* Searches in synthetic worlds, and what holds of each: the selection is what the evaluator
 * answers, the same answers give the same questions, and it ends where evaluator or memory fails.
 * cmocka comes before it.
 */
#ifndef QSV_SEARCHES_H
#define QSV_SEARCHES_H

#include "core/base/alloc.h"
#include "tests/unit/jobs/synthetic.h"

static inline enum qsv_status try_search_by(struct world *w, const char *strategy,
                                            struct qsv_selection *out, struct qsv_error *err)
{
    struct qsv_space *space = NULL;
    world_forget(w);
    enum qsv_status status = qsv_space_create(&space, &w->model, &w->spec, err);
    if (!status)
        status = qsv_strategy_find(strategy)->search(space, &w->spec, &w->evaluator, out, err);
    qsv_space_destroy(space);
    return status;
}

static inline struct qsv_selection search_by(struct world *w, const char *strategy)
{
    struct qsv_selection out = {0};
    struct qsv_error err = {0};
    if (try_search_by(w, strategy, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

static inline void assert_answered(const struct world *w, const struct qsv_selection *s)
{
    struct qsv_metrics m;
    assert_int_equal(s->trial_id, qsv_setting_id(s->formats, w->n_layers));
    world_answer(w, s->formats, QSV_JUDGE, 0, &m);
    assert_memory_equal(&m, &s->judged, sizeof m);
    world_answer(w, s->formats, QSV_DECIDE,
                 w->spec.has_calibration ? w->spec.search.selection_images
                                         : w->spec.search.decision_images,
                 &m);
    m.caution = s->decided.caution;
    assert_memory_equal(&m, &s->decided, sizeof m);
    assert_int_equal(s->baseline.n_only_baseline, 0);
    assert_int_equal(s->baseline.n_images, s->judged.n_images);
    assert_int_equal(s->baseline_decided.n_images, s->decided.n_images);
}

static inline void assert_same_questions(struct world *w, const char *strategy)
{
    struct qsv_selection first = search_by(w, strategy);
    const uint64_t log = w->log;
    const uint32_t n_notes = w->n_notes;
    struct qsv_selection second = search_by(w, strategy);
    assert_true(log != 0 && log == w->log);
    assert_int_equal(n_notes, w->n_notes);
    assert_memory_equal(first.formats, second.formats, w->n_layers);
    qsv_selection_fini(&first);
    qsv_selection_fini(&second);
}

/* Whichever of its calls fails: that is the last one. */
static inline void assert_ends_with_evaluator(struct world *w, const char *strategy, uint32_t calls)
{
    for (uint32_t at = 1; at <= calls; at++) {
        struct qsv_selection out = {0};
        struct qsv_error err = {0};
        w->fail_at = at;
        assert_int_equal(try_search_by(w, strategy, &out, &err), QSV_ESTOPPED);
        assert_string_equal(err.text, "stopped");
        assert_int_equal(w->calls, at);
        qsv_selection_fini(&out);
    }
    w->fail_at = 0;
}

/* Whichever of its allocations fails, of which there are more than `least`. */
static inline void assert_ends_without_memory(struct world *w, const char *strategy, long least)
{
    enum qsv_status status = QSV_ENOMEM;
    long n = 0;
    while (status == QSV_ENOMEM) {
        struct qsv_selection out = {0};
        struct qsv_error err = {0};
        qsv_alloc_fail_at(++n);
        status = try_search_by(w, strategy, &out, &err);
        qsv_alloc_fail_at(0);
        assert_true(status == QSV_OK || err.text[0]);
        qsv_selection_fini(&out);
    }
    assert_int_equal(status, QSV_OK);
    assert_true(n > least);
}

#endif
