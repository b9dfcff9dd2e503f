#include "runner/search/compare.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "jobs/nearest.h"
#include "jobs/spec_keys.h"
#include "jobs/spec_variant.h"
#include "jobs/strategy.h"
#include "results/layout.h"
#include "results/ledger_file.h"
#include "results/reader.h"
#include "results/sheet.h"
#include "results/view.h"
#include "runner/inputs/inputs.h"
#include "runner/search/search_key.h"

enum { MAX_NAMES = 32 };

struct names {
    size_t n;
    const char *v[MAX_NAMES];
};

static struct names all_strategies(void)
{
    struct names all = {0};
    for (; all.n < MAX_NAMES && qsv_strategies[all.n]; all.n++)
        all.v[all.n] = qsv_strategies[all.n]->name;
    return all;
}

static struct names all_quantizers(void)
{
    struct names all = {0};
    const char *const *methods = qsv_spec_key_find("quantizer.method")->choices;
    for (; all.n < MAX_NAMES && methods[all.n]; all.n++)
        all.v[all.n] = methods[all.n];
    return all;
}

static bool has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], name))
            return true;
    return false;
}

/* One of the names that there are, which outlive the word. */
static enum qsv_status add_name(struct names *out, const struct names *all, const char *word,
                                const char *option, struct qsv_error *err)
{
    if (has(out, word))
        return qsv_fail(err, QSV_EUSAGE, "%s: '%s' is there twice", option, word);
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->v[i], word)) {
            out->v[out->n++] = all->v[i];
            return QSV_OK;
        }
    const char *nearest = qsv_nearest(word, all->v, all->n);
    struct qsv_strbuf known = {0};
    for (size_t i = 0; i < all->n; i++)
        qsv_strbuf_printf(&known, "%s%s", i ? ", " : "", all->v[i]);
    qsv_fail(err, QSV_EUSAGE, "%s: found '%s', expected one or more of: %s%s%s%s", option, word,
             known.failed ? "" : known.text, nearest ? "; did you mean '" : "",
             nearest ? nearest : "", nearest ? "'?" : "");
    qsv_strbuf_fini(&known);
    return QSV_EUSAGE;
}

static enum qsv_status parse_names(struct names *out, const struct names *all, const char *list,
                                   const char *option, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    *out = (struct names){0};
    if (!list) {
        *out = *all;
        return QSV_OK;
    }
    for (const char *at = list; at && !st;) {
        size_t n = strcspn(at, ",");
        char *word = qsv_strndup(at, n);
        st = word ? add_name(out, all, word, option, err) : qsv_fail_memory(err, option);
        free(word);
        at = at[n] ? at + n + 1 : NULL;
    }
    return st;
}

static void put_last(struct names *names, const char *name)
{
    size_t kept = 0;
    const char *found = NULL;
    for (size_t i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], name))
            found = names->v[i];
        else
            names->v[kept++] = names->v[i];
    if (found)
        names->v[kept] = found;
}

static enum qsv_status vary_spec(struct qsv_compared *s, const struct qsv_spec *spec,
                                 struct qsv_error *err)
{
    const struct qsv_spec_change changes[] = {{"search", "strategy", s->strategy},
                                              {"quantizer", "method", s->quantizer}};
    struct qsv_strbuf text = {0};
    enum qsv_status st = qsv_spec_vary(&text, spec, changes, 2, err);
    if (!st)
        st = qsv_spec_parse(&s->spec, text.text, text.len, spec->path, err);
    qsv_strbuf_fini(&text);
    return st;
}

static enum qsv_status init_sweep(struct qsv_compared *s, const struct qsv_spec *spec,
                                  struct qsv_error *err)
{
    struct qsv_strbuf run = {0}, path = {0};
    enum qsv_status st = vary_spec(s, spec, err);
    if (st)
        return st;
    qsv_strbuf_printf(&run, "%s-compare/%s", spec->run, s->quantizer);
    qsv_strbuf_printf(&path, "%s-compare/%s-%s.yaml", spec->run, s->quantizer, s->strategy);
    if (run.failed || path.failed) {
        qsv_strbuf_fini(&run);
        qsv_strbuf_fini(&path);
        return qsv_fail_memory(err, spec->run);
    }
    free(s->spec->run);
    s->spec->run = run.text;
    s->path = path.text;
    return QSV_OK;
}

enum qsv_status qsv_comparison_init(struct qsv_comparison *c, const char *spec,
                                    const char *strategies, const char *quantizers,
                                    struct qsv_error *err)
{
    struct names by, codes, known = all_strategies(), methods = all_quantizers();
    *c = (struct qsv_comparison){0};
    enum qsv_status st = parse_names(&by, &known, strategies, "--strategies", err);
    if (!st)
        st = parse_names(&codes, &methods, quantizers, "--quantizers", err);
    if (!st)
        st = qsv_spec_read(&c->spec, spec, err);
    if (st)
        return st;
    put_last(&by, "random");
    c->sweeps = qsv_alloc(by.n * codes.n, sizeof *c->sweeps);
    if (!c->sweeps)
        return qsv_fail_memory(err, "a comparison");
    for (size_t q = 0; q < codes.n; q++)
        for (size_t i = 0; i < by.n && !st; i++) {
            struct qsv_compared *s = &c->sweeps[c->n++];
            s->strategy = by.v[i];
            s->quantizer = codes.v[q];
            st = init_sweep(s, c->spec, err);
        }
    return st;
}

void qsv_comparison_fini(struct qsv_comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        qsv_spec_destroy(c->sweeps[i].spec);
        free(c->sweeps[i].path);
    }
    free(c->sweeps);
    qsv_spec_destroy(c->spec);
    *c = (struct qsv_comparison){0};
}

static enum qsv_status check_identity(const struct qsv_spec *spec, const struct qsv_reader *r,
                                      struct qsv_error *err)
{
    struct qsv_inputs in;
    enum qsv_status st = qsv_inputs_load(&in, spec, err);
    if (st)
        return st;
    st = qsv_identity_compare(qsv_reader_identity(r), &in.run.identity, spec->run, err);
    qsv_inputs_fini(&in);
    return st;
}

static void take_figures(struct qsv_compared *s, const struct qsv_reader *r, uint64_t trial_id)
{
    struct qsv_trial_file_row row;
    for (size_t i = 0; i < qsv_reader_trial_count(r); i++) {
        const struct qsv_view_trial *t = &qsv_reader_view(r)->trials[i];
        if (t->row->id != trial_id)
            continue;
        qsv_trial_derive(&row, qsv_reader_ledger(r), t->row, qsv_reader_trial(r, i)->figures,
                         QSV_JUDGE);
        s->avg_bits = row.trial.bytes.avg_bits;
        s->model_bytes = (double)row.trial.bytes.model_bytes;
        s->model_saved = row.model_saved;
        s->top1_drop = row.top1_drop;
        s->drop_low = row.drop_low;
        s->drop_high = row.drop_high;
        s->done = true;
    }
}

/* A search that ended under a version that did not say what it cost is as good as none: it asks
 * again, and finds all recorded. */
static void take_outcome(struct qsv_compared *s, const struct qsv_reader *r, uint64_t key)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    for (size_t i = 0; i < l->n_searches; i++) {
        const struct qsv_search_row *row = &l->searches[i].row;
        if (row->id != key || !row->selected || !row->cost.image_forwards)
            continue;
        take_figures(s, r, row->selected);
        s->meets = row->meets;
        s->cost = row->cost;
    }
}

static enum qsv_status look(struct qsv_compared *s, bool check, struct qsv_error *err)
{
    struct qsv_reader *r;
    uint64_t key;
    enum qsv_status st = qsv_search_key(&key, s->spec, err);
    if (!st)
        st = qsv_reader_open(&r, s->spec->run, false, NULL, err);
    if (st)
        return st;
    if (check)
        st = check_identity(s->spec, r, err);
    if (!st)
        take_outcome(s, r, key);
    qsv_reader_close(r);
    return st;
}

enum qsv_status qsv_compared_look(struct qsv_compared *s, bool check, struct qsv_error *err)
{
    char *results = qsv_file_join(s->spec->run, "results.h5");
    if (!results)
        return qsv_fail_memory(err, s->spec->run);
    bool exists = access(results, F_OK) == 0;
    free(results);
    return exists ? look(s, check, err) : QSV_OK;
}

enum qsv_status qsv_compared_prepare(const struct qsv_compared *s, struct qsv_error *err)
{
    enum qsv_status st = qsv_file_make_folder(s->spec->run, err);
    return st ? st : qsv_file_write(s->path, s->spec->text, s->spec->text_bytes, err);
}

static const struct qsv_sheet_column columns[] = {
    {"strategy", NULL, true, 0},        {"quantizer", NULL, true, 0},
    {"affine", NULL, true, 0},          {"avg_bits", "bit/weight", false, 2},
    {"model_bytes", "B", false, 0},     {"model_saved", "%", false, 1},
    {"top1_drop", "points", false, 2},  {"drop_low", "points", false, 2},
    {"drop_high", "points", false, 2},  {"holds", NULL, true, 0},
    {"image_forwards", NULL, false, 0}, {"trie_forwards", NULL, false, 0},
    {"worker_s", "s", false, 1},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void fill_row(struct qsv_cell *cells, const struct qsv_compared *s)
{
    const struct qsv_cell row[N_COLUMNS] = {
        {.text = s->strategy},
        {.text = s->quantizer},
        {.text = qsv_format_info(s->spec->quantizer.affine)->name},
        {.number = s->avg_bits},
        {.number = s->model_bytes},
        {.number = s->model_saved},
        {.number = s->top1_drop},
        {.number = s->drop_low},
        {.number = s->drop_high},
        {.text = s->meets ? "yes" : "no"},
        {.number = (double)s->cost.image_forwards},
        {.number = s->cost.trie_forwards},
        {.number = s->cost.worker_s},
    };
    memcpy(cells, row, sizeof row);
}

enum qsv_status qsv_comparison_print(struct qsv_strbuf *out, const struct qsv_comparison *c,
                                     enum qsv_query_format format, struct qsv_error *err)
{
    struct qsv_cell *cells = qsv_alloc(c->n, N_COLUMNS * sizeof *cells);
    if (!cells)
        return qsv_fail_memory(err, "a comparison");
    for (size_t i = 0; i < c->n; i++)
        fill_row(cells + i * N_COLUMNS, &c->sweeps[i]);
    const struct qsv_sheet sheet = {columns, cells, N_COLUMNS, c->n};
    enum qsv_status st = qsv_sheet_print(out, &sheet, format, err);
    free(cells);
    return st;
}
