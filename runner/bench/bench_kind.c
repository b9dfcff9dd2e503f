#include "runner/bench/bench_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[QSV_N_KINDS] = {
    [QSV_KIND_STEM] = "stem",
    [QSV_KIND_CONV3] = "conv3x3",
    [QSV_KIND_CONV3_HALF] = "conv3x3s2",
    [QSV_KIND_CONV1] = "conv1x1",
    [QSV_KIND_LINEAR] = "linear",
    [QSV_KIND_DEPTHWISE] = "depthwise",
    [QSV_KIND_REAL1] = "real1x1",
    [QSV_KIND_REAL_DEPTHWISE] = "real_depthwise",
    [QSV_KIND_ATTENTION] = "attention",
    [QSV_KIND_LIF] = "lif",
    [QSV_KIND_ADD] = "add",
    [QSV_KIND_REST] = "rest",
};

const char *qsv_bench_kind_name(enum qsv_bench_kind k)
{
    return names[k];
}

enum qsv_bench_kind qsv_bench_kind_of(const struct qsv_layer *l)
{
    if (l->groups > 1)
        return l->spike_input ? QSV_KIND_DEPTHWISE : QSV_KIND_REAL_DEPTHWISE;
    if (l->kernel > 1 && !l->spike_input)
        return QSV_KIND_STEM;
    if (l->kernel > 1)
        return l->stride > 1 ? QSV_KIND_CONV3_HALF : QSV_KIND_CONV3;
    if (!l->spike_input)
        return QSV_KIND_REAL1;
    return l->rank < 4 ? QSV_KIND_LINEAR : QSV_KIND_CONV1;
}

bool qsv_bench_kind_fires(enum qsv_bench_kind k)
{
    return k != QSV_KIND_STEM && k != QSV_KIND_REAL1 && k != QSV_KIND_REAL_DEPTHWISE &&
           k < QSV_KIND_LIF;
}

uint64_t qsv_bench_attention_macs(const struct qsv_attention *a)
{
    return 2 * (uint64_t)a->tokens * a->channels * (a->channels / a->heads);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double qsv_bench_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* "model name\t: AMD EPYC\n": what follows the colon, where the line begins with key. */
static bool take_field(const char *line, const char *key, char out[64])
{
    const size_t n = strlen(key);
    const char *colon = strchr(line, ':');
    if (strncmp(line, key, n) || (line[n] != '\t' && line[n] != ' ' && line[n] != ':') || !colon)
        return false;
    snprintf(out, 64, "%.60s", colon + 1 + strspn(colon + 1, " "));
    out[strcspn(out, "\n")] = '\0';
    return true;
}

void qsv_bench_cpu(char out[160])
{
    char line[512], name[64] = "unknown CPU", family[64] = "", model[64] = "";
    FILE *f = fopen("/proc/cpuinfo", "re");
    for (int i = 0; f && i < 32 && fgets(line, sizeof line, f) && line[0] != '\n'; i++)
        if (!take_field(line, "model name", name) && !take_field(line, "cpu family", family) &&
            strncmp(line, "model name", 10))
            take_field(line, "model", model);
    if (f)
        fclose(f);
    snprintf(out, 160, "%s%s%s%s%s", name, *family ? ", family " : "", family,
             *model ? ", model " : "", model);
}
