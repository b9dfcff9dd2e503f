#include <inttypes.h>
#include <stdlib.h>

#include "results/query.h"
#include "runner/program/commands.h"
#include "runner/search/predicted.h"

struct values {
    const char *run, *where, *sort, *columns, *setting, *bound, *output, *model;
    uint64_t limit, points;
    bool pareto, predicted, sensitivity;
    unsigned format, images;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder, or its results.h5; the run may be going on"},
    {.type = QSV_OPTION_TEXT,
     .name = "where",
     .argument = "EXPRESSION",
     .target = offsetof(struct values, where),
     .help = "only trials for which it holds: 'top1_drop < 1.5 and avg_bits < 4'"},
    {.type = QSV_OPTION_TEXT,
     .name = "sort",
     .argument = "COLUMN,...",
     .target = offsetof(struct values, sort),
     .help = "by these columns; a minus before a name: largest first (--sort=-top1)"},
    {.type = QSV_OPTION_COUNT,
     .name = "limit",
     .argument = "N",
     .target = offsetof(struct values, limit),
     .help = "at most N lines"},
    {.type = QSV_OPTION_TEXT,
     .name = "columns",
     .argument = "COLUMN,...",
     .target = offsetof(struct values, columns),
     .help = "these columns; `all` of them; `help` lists them with their units"},
    {.type = QSV_OPTION_FLAG,
     .name = "pareto",
     .target = offsetof(struct values, pareto),
     .help = "only trials that no other beats in both model_bytes and top1_drop"},
    {.type = QSV_OPTION_CHOICE,
     .name = "images",
     .argument = "any|judge|decide",
     .target = offsetof(struct values, images),
     .fallback = "any",
     .help = "whose figures: of the judging images, of the deciding ones, or of those that speak "
             "for each trial"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|csv|json",
     .target = offsetof(struct values, format),
     .fallback = "table",
     .help = "how to print it"},
    {.type = QSV_OPTION_FLAG,
     .name = "sensitivity",
     .target = offsetof(struct values, sensitivity),
     .help = "step 1 instead: mean KL divergence of each layer group at each format"},
    {.type = QSV_OPTION_TEXT,
     .name = "setting",
     .argument = "ID",
     .target = offsetof(struct values, setting),
     .help = "a trial's setting file instead, for quantize: `best`, or the first digits of an id"},
    {.type = QSV_OPTION_FLAG,
     .name = "predicted",
     .target = offsetof(struct values, predicted),
     .help =
         "with --pareto: the curve between and beyond, as the last `frontier` search predicts it"},
    {.type = QSV_OPTION_COUNT,
     .name = "points",
     .argument = "N",
     .target = offsetof(struct values, points),
     .fallback = "24",
     .max = 100000,
     .help = "of it at most N points, evenly along the curve"},
    {.type = QSV_OPTION_TEXT,
     .name = "bound",
     .argument = "DROP",
     .target = offsetof(struct values, bound),
     .help = "the setting file of the smallest setting that should keep this drop, in percentage "
             "points, by the last `frontier` search"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "SETTING.yaml",
     .target = offsetof(struct values, output),
     .help = "where that goes; its figures are printed then"},
    {.type = QSV_OPTION_TEXT,
     .name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .target = offsetof(struct values, model),
     .help = "where the run's source model is now, for predictions (default: where it was)"},
    {.type = QSV_OPTION_END},
};

static const enum qsv_query_format formats[] = {QSV_QUERY_TABLE, QSV_QUERY_CSV, QSV_QUERY_JSON};
static const enum qsv_query_images images[] = {QSV_QUERY_ANY, QSV_QUERY_JUDGE, QSV_QUERY_DECIDE};

/* What --predicted and --bound can't be combined with. */
static enum qsv_status check(const struct values *v, struct qsv_error *err)
{
    const char *answer = v->predicted ? "--predicted" : v->bound ? "--bound" : NULL;
    const char *other = v->where         ? "--where"
                        : v->sort        ? "--sort"
                        : v->columns     ? "--columns"
                        : v->limit       ? "--limit"
                        : v->sensitivity ? "--sensitivity"
                        : v->setting     ? "--setting"
                                         : NULL;
    if (v->predicted && v->bound)
        other = "--bound";
    if (answer && other)
        return qsv_fail(err, QSV_EUSAGE, "%s and %s don't go together", other, answer);
    if (v->predicted && !v->pareto)
        return qsv_fail(err, QSV_EUSAGE, "--predicted goes with --pareto");
    if (v->bound && v->pareto)
        return qsv_fail(err, QSV_EUSAGE, "--pareto and --bound don't go together");
    if (v->output && !v->bound)
        return qsv_fail(err, QSV_EUSAGE, "--output goes with --bound");
    if (v->predicted && v->points < 2)
        return qsv_fail(err, QSV_EUSAGE, "--points %" PRIu64 ": expected 2 or more", v->points);
    return QSV_OK;
}

static enum qsv_status parse_bound(double *out, const char *text, struct qsv_error *err)
{
    char *end;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= 0 && *out <= 100)
        return QSV_OK;
    return qsv_fail(err, QSV_EUSAGE, "--bound '%s': expected percentage points from 0 to 100",
                    text);
}

static enum qsv_status predict(const struct values *v, struct qsv_strbuf *out,
                               struct qsv_strbuf *warnings, struct qsv_error *err)
{
    struct qsv_predicted_query query = {
        .run = v->run,
        .model = v->model,
        .format = formats[v->format],
        .images = images[v->images],
        .points = (uint32_t)v->points,
        .output = v->output,
        .warnings = warnings,
    };
    if (v->predicted)
        return qsv_predicted_curve(&query, out, err);
    enum qsv_status st = parse_bound(&query.bound, v->bound, err);
    return st ? st : qsv_predicted_setting(&query, out, err);
}

static enum qsv_status list(const struct values *v, struct qsv_strbuf *out,
                            struct qsv_strbuf *warnings, struct qsv_error *err)
{
    const struct qsv_query query = {
        .path = v->run,
        .where = v->where,
        .sort = v->sort,
        .columns = v->columns,
        .limit = v->limit,
        .pareto = v->pareto,
        .format = formats[v->format],
        .images = images[v->images],
        .sensitivity = v->sensitivity,
        .setting = v->setting,
        .warnings = warnings,
    };
    return qsv_query_run(&query, out, err);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0}, warnings = {0};
    enum qsv_status st = check(v, err);
    if (!st)
        st = v->predicted || v->bound ? predict(v, &text, &warnings, err)
                                      : list(v, &text, &warnings, err);
    qsv_print_warnings(&warnings);
    if (!st)
        return qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    return st;
}

const struct qsv_command qsv_cmd_query = {
    .name = "query",
    .summary = "Lists a run's trials",
    .synopsis = "RUN [--where EXPRESSION] [--sort COLUMN,...] [--limit N]\n"
                "    [--columns COLUMN,...|all|help] [--pareto]\n"
                "    [--images any|judge|decide] [--format table|csv|json]\n"
                "RUN --pareto --predicted [--points N] [--images judge|decide]\n"
                "    [--format table|csv|json] [-m MODEL]\n"
                "RUN --bound DROP [-o SETTING.yaml] [-m MODEL]\n"
                "RUN --sensitivity [--format table|csv|json]\n"
                "RUN --setting ID",
    .details = "An expression compares columns with numbers or 'text' (< <= > >= == !=);\n"
               "and, or, not and parentheses join comparisons.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
