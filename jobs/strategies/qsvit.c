/* `qsvit`: the four steps of QSViT (arXiv 2504.00948). docs/search.md explains them. */
#include "jobs/strategies/qsvit.h"

#include "jobs/strategies/proxies.h"
#include "jobs/strategies/strategies.h"

enum qsv_status qsv_qsvit_init(struct qsv_qsvit *q, const struct qsv_space *space,
                               const struct qsv_spec *spec, struct qsv_evaluator *evaluator,
                               struct qsv_selection *out, bool frontier, struct qsv_error *err)
{
    *q = (struct qsv_qsvit){
        .frontier = frontier,
        .search = {space, spec, evaluator, out, err},
        .decided = {.set = QSV_DECIDE, .n_images = spec->search.decision_images, .races = true},
        .final = {.set = QSV_JUDGE, .races = true},
    };
    if (spec->has_calibration) /* judging images decide nothing */
        q->final = (struct qsv_pool){.set = QSV_DECIDE,
                                     .n_images = spec->search.selection_images,
                                     .caution = spec->constraint.caution,
                                     .races = true};
    if (frontier)
        q->final.caution.margin /= 2; /* closing.c aims with all of it */
    return qsv_outlook_init(&q->outlook, space, err);
}

enum qsv_status qsv_qsvit_steps(struct qsv_qsvit *q)
{
    enum qsv_status status = qsv_qsvit_sensitivity(q);
    if (!status)
        status = qsv_qsvit_base(q);
    if (!status)
        status = qsv_qsvit_guided(q);
    if (!status)
        status = qsv_qsvit_select(q);
    return status ? status : qsv_proxies_note(q);
}

void qsv_qsvit_fini(struct qsv_qsvit *q)
{
    qsv_outlook_fini(&q->outlook);
    qsv_pool_fini(&q->decided);
    qsv_pool_fini(&q->final);
}

enum qsv_status qsv_qsvit_search(const struct qsv_space *space, const struct qsv_spec *spec,
                                 struct qsv_evaluator *evaluator, struct qsv_selection *out,
                                 bool frontier, struct qsv_error *err)
{
    struct qsv_qsvit q;
    enum qsv_status status = qsv_qsvit_init(&q, space, spec, evaluator, out, frontier, err);
    if (!status)
        status = qsv_qsvit_steps(&q);
    qsv_qsvit_fini(&q);
    return status;
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    return qsv_qsvit_search(space, spec, evaluator, out, false, err);
}

const struct qsv_strategy qsv_strategy_qsvit = {
    .name = "qsvit",
    .summary =
        "sensitivity of every group, base settings within a budget, guided search, repair on all "
        "images",
    .search = search,
    .keeps_budget = true,
};
