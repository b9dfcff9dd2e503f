#include "runner/quantizers.h"

#include "jobs/nearest.h"

enum qsv_status qsv_quantizers_choose(struct qsv_quantizer *out, const char *name,
                                      struct qsv_error *err)
{
    static const char *const names[] = {"max", "mse", "gptq", "compensated", "searched"};
    const char *kind = qsv_quantizer_find(name);
    *out = (struct qsv_quantizer){0};
    if (qsv_scale_rule_find(&out->scale, name)) {
        out->name = qsv_quantizer_find("round");
        return QSV_OK;
    }
    *out = (struct qsv_quantizer){kind, QSV_SCALE_MSE, QSV_F32};
    if (kind)
        return QSV_OK;
    const char *nearest = qsv_nearest(name, names, sizeof names / sizeof *names);
    return qsv_fail(
        err, QSV_EUSAGE,
        "option --quantizer: '%s' is none of max, mse, gptq, compensated, searched%s%s%s", name,
        nearest ? ", did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}
