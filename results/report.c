#include "results/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "results/columns.h"
#include "results/json.h"
#include "results/query.h"
#include "results/view.h"

/* Takes the reference; false, and it is dropped, where memory is out. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

json_t *qsv_report_columns(void)
{
    json_t *all = json_object();
    for (size_t i = 0; all && i < qsv_n_query_columns; i++) {
        const struct qsv_query_column *c = &qsv_query_columns[i];
        if (!put(all, c->name, json_pack("{s:s?, s:s}", "unit", c->unit, "help", c->help))) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

/* The last word of the path: of runs/fmnist/ and runs/fmnist/results.h5 it is fmnist. */
static json_t *make_name(const char *path)
{
    static const char file[] = "/results.h5";
    size_t n = strlen(path), tail = sizeof file - 1, start;
    if (n > tail && !strcmp(path + n - tail, file))
        n -= tail;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (start = n; start > 0 && path[start - 1] != '/';)
        start--;
    char *name = qsv_strndup(path + start, n - start);
    json_t *value = name ? qsv_json_string(name) : NULL;
    free(name);
    return value;
}

static json_t *make_formats(void)
{
    json_t *names = json_array();
    for (int f = 0; f < QSV_N_FORMATS; f++) {
        const struct qsv_format_info *info = qsv_format_info((enum qsv_format)f);
        json_array_append_new(names,
                              json_pack("{s:s, s:f}", "name", info->name, "bits", info->bits));
    }
    return names;
}

static json_t *make_layers(const struct qsv_ledger *l)
{
    json_t *layers = json_array();
    for (uint32_t i = 0; i < l->shape.n_layers; i++) {
        const struct qsv_layer_row *row = &l->layers[i];
        json_array_append_new(
            layers, json_pack("{s:o, s:o, s:o, s:I, s:I, s:b}", "name", qsv_json_string(row->name),
                              "block", qsv_json_string(row->block), "stage",
                              qsv_json_string(row->stage), "n_weights", (json_int_t)row->n_weights,
                              "macs", (json_int_t)row->macs, "spike_input", (int)row->spike_input));
    }
    return layers;
}

static const struct qsv_view_trial *find_trial(const struct qsv_reader *r, uint64_t id)
{
    const struct qsv_view *v = qsv_reader_view(r);
    for (size_t i = 0; i < v->ledger->n_trials; i++)
        if (v->trials[i].row->id == id)
            return &v->trials[i];
    return NULL;
}

/* Spikes a neuron and time step of one LIF over a trial's records on a set; null without any. */
static json_t *make_rate(const struct qsv_ledger *l, const struct qsv_view_trial *t, uint32_t lif,
                         enum qsv_image_set set)
{
    uint64_t spikes = 0, n_images = 0;
    for (size_t i = 0; t && i < t->n; i++) {
        const struct qsv_record *record = &t->evaluations[i]->record;
        if (t->evaluations[i]->set != set)
            continue;
        spikes += record->lif_spikes[lif];
        n_images += record->n_images;
    }
    if (!n_images)
        return json_null();
    return qsv_json_number((double)spikes / qsv_lif_samples(l, lif, n_images));
}

static const struct qsv_reader_trial *find_selected(const struct qsv_reader *r)
{
    for (size_t i = 0; i < qsv_reader_trial_count(r); i++)
        if (qsv_reader_trial(r, i)->is_selected)
            return qsv_reader_trial(r, i);
    return NULL;
}

static json_t *make_lifs(const struct qsv_reader *r)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_reader_trial *selected = find_selected(r);
    const enum qsv_image_set set = selected ? selected->shown : QSV_JUDGE;
    const struct qsv_view_trial *before = find_trial(r, l->baseline);
    const struct qsv_view_trial *after = selected ? find_trial(r, selected->id) : NULL;
    json_t *lifs = json_array();
    for (uint32_t i = 0; i < l->shape.n_lifs; i++)
        json_array_append_new(
            lifs, json_pack("{s:o, s:o, s:o}", "name", qsv_json_string(l->lifs[i].name), "baseline",
                            make_rate(l, before, i, set), "selected", make_rate(l, after, i, set)));
    return lifs;
}

static enum qsv_status ask(json_t **out, const struct qsv_reader *r, const struct qsv_query *q,
                           struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    enum qsv_status st = qsv_query_read(q, r, &text, err);
    if (!st)
        st = qsv_json_parse(out, &text, err);
    qsv_strbuf_fini(&text);
    return st;
}

/* A setting as text: a letter a layer, its format's position in `formats`, 0 to 9 and a to z. */
static json_t *make_setting(const uint8_t *formats, uint32_t n_layers)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    _Static_assert(QSV_N_FORMATS < sizeof letters, "a letter a format");
    char *text = qsv_alloc(n_layers + 1, 1);
    for (uint32_t i = 0; text && i < n_layers; i++)
        text[i] = letters[formats[i]];
    json_t *value = text ? json_string(text) : NULL;
    free(text);
    return value;
}

static json_t *make_uniform(const uint8_t *formats, uint32_t n_layers)
{
    for (uint32_t i = 1; i < n_layers; i++)
        if (formats[i] != formats[0])
            return json_null();
    return json_string(qsv_format_info((enum qsv_format)formats[0])->name);
}

static enum qsv_status make_trials(json_t **out, const struct qsv_reader *r, struct qsv_error *err)
{
    const struct qsv_query q = {.columns = "all", .format = QSV_QUERY_JSON};
    const uint32_t n_layers = qsv_reader_ledger(r)->shape.n_layers;
    enum qsv_status st = ask(out, r, &q, err);
    for (size_t i = 0; !st && i < qsv_reader_trial_count(r); i++) {
        const uint8_t *formats = qsv_reader_trial(r, i)->formats;
        json_t *row = json_array_get(*out, i);
        if (!put(row, "setting", make_setting(formats, n_layers)) ||
            !put(row, "uniform", make_uniform(formats, n_layers)))
            st = qsv_fail_memory(err, "trials");
    }
    return st;
}

static enum qsv_status make_sensitivity(json_t **out, const struct qsv_reader *r,
                                        struct qsv_error *err)
{
    const struct qsv_query q = {.sensitivity = true, .format = QSV_QUERY_JSON};
    enum qsv_status st = ask(out, r, &q, err);
    if (st != QSV_EINPUT)
        return st;
    *out = json_array(); /* no search in it has measured any */
    return *out ? QSV_OK : qsv_fail_memory(err, "the sensitivity table");
}

static json_t *make_head(const struct qsv_reader *r)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const struct qsv_reader_trial *selected = find_selected(r);
    char created[24];
    qsv_clock_utc(l->created_unix_s, created);
    return json_pack(
        "{s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:I, s:I, s:{s:I, s:I}, s:{s:I, s:I, s:I}, s:o, s:o}",
        "name", make_name(qsv_reader_path(r)), "path", qsv_json_string(qsv_reader_path(r)),
        "run_id", qsv_reader_run_id(r), "created_utc", created, "complete", (int)l->complete,
        "model", qsv_json_string(l->model_path), "architecture", qsv_json_string(l->architecture),
        "time_steps", (json_int_t)l->time_steps, "classes", (json_int_t)l->classes, "images",
        "judge", (json_int_t)l->partition.n_judge, "decide", (json_int_t)l->partition.n_decide,
        "f32", "n_weights", (json_int_t)qsv_reader_graph(r)->n_weights, "weights_bytes",
        (json_int_t)l->f32.weights_bytes, "model_bytes", (json_int_t)l->f32.model_bytes, "baseline",
        qsv_json_id(l->baseline), "selected", qsv_json_id(selected ? selected->id : 0));
}

enum qsv_status qsv_report_run(json_t **out, const struct qsv_reader *r, struct qsv_error *err)
{
    json_t *trials = NULL, *sensitivity = NULL, *run = make_head(r);
    enum qsv_status st = make_trials(&trials, r, err);
    if (!st)
        st = make_sensitivity(&sensitivity, r, err);
    bool ok = run && put(run, "formats", make_formats()) &&
              put(run, "layers", make_layers(qsv_reader_ledger(r))) &&
              put(run, "lifs", make_lifs(r)) && put(run, "searches", qsv_report_searches(r)) &&
              put(run, "trials", json_incref(trials)) &&
              put(run, "sensitivity", json_incref(sensitivity));
    json_decref(trials);
    json_decref(sensitivity);
    if (!st && !ok)
        st = qsv_fail_memory(err, "a report");
    if (st)
        json_decref(run);
    *out = st ? NULL : run;
    return st;
}
