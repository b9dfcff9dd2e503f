#include "runner/inputs/quantizers.h"

#include "jobs/nearest.h"

enum { MOST = 32 };

static enum qsv_status fail_unknown(const char *name, struct qsv_error *err)
{
    const char *names[MOST] = {qsv_scale_rule_name(QSV_SCALE_MAX),
                               qsv_scale_rule_name(QSV_SCALE_MSE)};
    size_t n = 2;
    for (size_t i = 0; qsv_quantizers[i] && n < MOST; i++)
        names[n++] = qsv_quantizers[i];
    const char *nearest = qsv_nearest(name, names, n);
    return qsv_fail(err, QSV_EUSAGE, "option --quantizer: '%s' is none of %s, %s, %s%s%s%s", name,
                    names[0], names[1], qsv_quantizer_names(), nearest ? ", did you mean " : "",
                    nearest ? nearest : "", nearest ? "?" : "");
}

enum qsv_status qsv_quantizers_choose(struct qsv_quantizer *out, const char *name,
                                      struct qsv_error *err)
{
    *out = (struct qsv_quantizer){0};
    if (qsv_scale_rule_find(&out->scale, name)) {
        out->name = qsv_quantizer_find("round");
        return QSV_OK;
    }
    *out = (struct qsv_quantizer){qsv_quantizer_find(name), QSV_SCALE_MSE, QSV_F32};
    return out->name ? QSV_OK : fail_unknown(name, err);
}
