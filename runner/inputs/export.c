#include "runner/inputs/export.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cost.h"
#include "core/import/checkpoint.h"

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && !strcmp(path + n - m, end);
}

enum qsv_status qsv_export_keep_input(const char *path, const char *input, struct qsv_error *err)
{
    struct stat a, b;
    if (stat(path, &a) < 0 || stat(input, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        return QSV_OK;
    return qsv_fail(err, QSV_EUSAGE, "%s: is the input itself: write to another file", path);
}

enum qsv_status qsv_export_check(const char *path, const char *input, struct qsv_error *err)
{
    if (!ends_in(path, ".h5") && !ends_in(path, ".safetensors"))
        return qsv_fail(err, QSV_EUSAGE,
                        "%s: the name says how to write it: it must end in .h5 or .safetensors",
                        path);
    return qsv_export_keep_input(path, input, err);
}

static enum qsv_status write_safetensors(const struct qsv_network *n, const char *path,
                                         struct qsv_error *err)
{
    struct qsv_tensors tensors = {0};
    enum qsv_status st = qsv_network_dequantize(&tensors, n, err);
    if (!st)
        st = qsv_safetensors_write(&tensors, path, err);
    qsv_tensors_fini(&tensors);
    return st;
}

enum qsv_status qsv_export_write(struct qsv_loaded *x, const uint8_t *formats,
                                 const struct qsv_quantizer *quantizer, const char *path, FILE *out,
                                 struct qsv_error *err)
{
    struct qsv_bytes bytes;
    enum qsv_status st = qsv_loaded_build(x, formats, quantizer, err);
    if (st)
        return st;
    if (ends_in(path, ".h5"))
        st = qsv_network_save(x->network, path, err);
    else
        st = write_safetensors(x->network, path, err);
    if (st)
        return st;
    qsv_cost_bytes(&bytes, x->model, quantizer->affine, formats);
    double source = (double)x->model->source_bytes;
    fprintf(out, "%s: %zu layers, %.2f bits a weight, %" PRIu64 " bytes%s, %.1f %% saved\n", path,
            x->model->graph.n_layers, bytes.avg_bits, bytes.model_bytes,
            ends_in(path, ".h5") ? "" : " when packed",
            100 * (source - (double)bytes.model_bytes) / source);
    return QSV_OK;
}
