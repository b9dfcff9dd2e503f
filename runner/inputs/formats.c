#include "runner/inputs/formats.h"

#include <string.h>

#include "core/format.h"
#include "jobs/nearest.h"
#include "jobs/setting.h"

static enum qsv_status fail_unknown(const char *name, struct qsv_error *err)
{
    const char *names[QSV_N_FORMATS];
    for (int f = 0; f < QSV_N_FORMATS; f++)
        names[f] = qsv_format_info((enum qsv_format)f)->name;
    const char *nearest = qsv_nearest(name, names, QSV_N_FORMATS);
    return qsv_fail(err, QSV_EUSAGE, "option --format-all: '%s' is none of %s%s%s%s", name,
                    qsv_format_names(), nearest ? ", did you mean " : "", nearest ? nearest : "",
                    nearest ? "?" : "");
}

enum qsv_status qsv_formats_choose(uint8_t *formats, const char *format_all, const char *setting,
                                   const struct qsv_graph *graph, struct qsv_error *err)
{
    enum qsv_format f;
    if (format_all && setting)
        return qsv_fail(err, QSV_EUSAGE, "--format-all and --setting exclude each other");
    if (setting)
        return qsv_setting_read(setting, graph, formats, err);
    if (!format_all)
        return QSV_OK;
    if (!qsv_format_find(&f, format_all))
        return fail_unknown(format_all, err);
    memset(formats, (int)f, graph->n_layers);
    return QSV_OK;
}
