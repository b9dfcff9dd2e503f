#include "results/query.h"
#include "runner/commands.h"

struct values {
    const char *run, *where, *sort, *columns, *setting;
    uint64_t limit;
    bool pareto, sensitivity;
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
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    static const enum qsv_query_format formats[] = {QSV_QUERY_TABLE, QSV_QUERY_CSV, QSV_QUERY_JSON};
    static const enum qsv_query_images images[] = {QSV_QUERY_ANY, QSV_QUERY_JUDGE,
                                                   QSV_QUERY_DECIDE};
    const struct values *v = in->values;
    struct qsv_strbuf text = {0}, warnings = {0};
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
        .warnings = &warnings,
    };
    enum qsv_status st = qsv_query_run(&query, &text, err);
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
                "RUN --sensitivity [--format table|csv|json]\n"
                "RUN --setting ID",
    .details = "An expression compares columns with numbers or 'text' (< <= > >= == !=);\n"
               "and, or, not and parentheses join comparisons.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
