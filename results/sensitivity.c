#include "results/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/ledger.h"
#include "results/sheet.h"

/* How a strategy describes the trials of this step: "<group> at <format>". */
#define STEP "sensitivity"
#define AT   " at "

struct matrix {
    char **groups;
    double (*kl)[QSV_N_FORMATS]; /* [n]; NaN where it is not measured */
    size_t n, cap_groups, cap_kl;
    bool has[QSV_N_FORMATS];
};

static void free_matrix(struct matrix *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->groups[i]);
    free(m->groups);
    free(m->kl);
}

static bool parse(const char *description, size_t *group_length, enum qsv_format *format)
{
    const char *at = NULL;
    for (const char *s = strstr(description, AT); s; s = strstr(s + 1, AT))
        at = s;
    if (!at || at == description)
        return false;
    *group_length = (size_t)(at - description);
    return qsv_format_find(format, at + strlen(AT));
}

/* Cells of a group come one after the other, so that it is found at the end. */
static enum qsv_status find_group(struct matrix *m, const char *name, size_t length, size_t *group,
                                  struct qsv_error *err)
{
    for (*group = m->n; (*group)-- > 0;)
        if (strlen(m->groups[*group]) == length && !strncmp(m->groups[*group], name, length))
            return QSV_OK;
    char *copy = qsv_strndup(name, length);
    if (!copy || !qsv_grow(&m->groups, &m->cap_groups, m->n + 1, sizeof *m->groups) ||
        !qsv_grow(&m->kl, &m->cap_kl, m->n + 1, sizeof *m->kl)) {
        free(copy);
        return qsv_fail_memory(err, "the sensitivity table");
    }
    for (int f = 0; f < QSV_N_FORMATS; f++)
        m->kl[m->n][f] = NAN;
    m->groups[m->n] = copy;
    *group = m->n++;
    return QSV_OK;
}

static double kl_of(const struct qsv_reader *r, const struct qsv_index *by_id, uint64_t trial_id,
                    enum qsv_query_images images)
{
    uint32_t i = qsv_index_find(by_id, trial_id, 0);
    if (i == QSV_INDEX_NONE)
        return NAN;
    const struct qsv_figures *f = qsv_reader_trial(r, i)->figures;
    bool decide =
        images == QSV_QUERY_DECIDE || (images == QSV_QUERY_ANY && f[QSV_DECIDE].metrics.n_images);
    return qsv_metrics_kl(&f[decide ? QSV_DECIDE : QSV_JUDGE].metrics);
}

static enum qsv_status add_cell(struct matrix *m, const struct qsv_reader *r,
                                const struct qsv_index *by_id, const struct qsv_asked_row *asked,
                                enum qsv_query_images images, struct qsv_error *err)
{
    size_t length, group;
    enum qsv_format format;
    if (strcmp(asked->step, STEP) || !parse(asked->description, &length, &format))
        return QSV_OK;
    enum qsv_status st = find_group(m, asked->description, length, &group, err);
    if (st)
        return st;
    m->kl[group][format] = kl_of(r, by_id, asked->trial_id, images);
    m->has[format] = true;
    return QSV_OK;
}

static bool has_step(const struct qsv_recorded_search *s)
{
    for (size_t i = 0; i < s->n_asked; i++)
        if (!strcmp(s->asked[i].step, STEP))
            return true;
    return false;
}

/* The current search, or else the last one that has such a step. */
static const struct qsv_recorded_search *find_search(const struct qsv_ledger *l)
{
    const struct qsv_recorded_search *found = qsv_ledger_search(l);
    if (found && has_step(found))
        return found;
    found = NULL;
    for (size_t i = 0; i < l->n_searches; i++)
        if (has_step(&l->searches[i]))
            found = &l->searches[i];
    return found;
}

static enum qsv_status index_trials(struct qsv_index *by_id, const struct qsv_reader *r,
                                    struct qsv_error *err)
{
    for (size_t i = 0; i < qsv_reader_trial_count(r); i++)
        if (!qsv_index_add(by_id, qsv_reader_trial(r, i)->id, 0, (uint32_t)i))
            return qsv_fail_memory(err, "trials");
    return QSV_OK;
}

static enum qsv_status fill(struct matrix *m, const struct qsv_reader *r,
                            enum qsv_query_images images, struct qsv_error *err)
{
    struct qsv_index by_id = {0};
    const struct qsv_recorded_search *s = find_search(qsv_reader_ledger(r));
    if (!s)
        return qsv_fail(err, QSV_EINPUT, "%s: no search in it has measured sensitivity",
                        qsv_reader_path(r));
    enum qsv_status st = index_trials(&by_id, r, err);
    for (size_t i = 0; i < s->n_asked && !st; i++)
        st = add_cell(m, r, &by_id, &s->asked[i], images, err);
    qsv_index_fini(&by_id);
    return st;
}

static enum qsv_status print(struct qsv_strbuf *out, const struct matrix *m,
                             enum qsv_query_format format, struct qsv_error *err)
{
    enum { COLUMNS = QSV_N_FORMATS + 1 };
    struct qsv_sheet_column columns[COLUMNS] = {{"group", NULL, true, 0}};
    enum qsv_format formats[COLUMNS];
    size_t n = 1;
    for (int f = 0; f < QSV_N_FORMATS; f++)
        if (m->has[f]) {
            const char *name = qsv_format_info((enum qsv_format)f)->name;
            formats[n] = (enum qsv_format)f;
            columns[n++] = (struct qsv_sheet_column){name, "KL, nats", false, -3};
        }
    struct qsv_cell *cells = qsv_alloc(m->n, n * sizeof *cells);
    if (!cells)
        return qsv_fail_memory(err, "the sensitivity table");
    for (size_t i = 0; i < m->n; i++) {
        cells[i * n].text = m->groups[i];
        for (size_t c = 1; c < n; c++)
            cells[i * n + c].number = m->kl[i][formats[c]];
    }
    struct qsv_sheet sheet = {columns, cells, n, m->n};
    enum qsv_status st = qsv_sheet_print(out, &sheet, format, err);
    free(cells);
    return st;
}

enum qsv_status qsv_sensitivity_print(struct qsv_strbuf *out, const struct qsv_reader *r,
                                      enum qsv_query_images images, enum qsv_query_format format,
                                      struct qsv_error *err)
{
    struct matrix m = {0};
    enum qsv_status st = fill(&m, r, images, err);
    if (!st)
        st = print(out, &m, format, err);
    free_matrix(&m);
    return st;
}
