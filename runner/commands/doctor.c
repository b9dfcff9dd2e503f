#include <string.h>

#include "runner/program/commands.h"
#include "runner/doctor/probes.h"

struct values {
    const char *spec;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_TEXT,
     .name = "spec",
     .letter = 'c',
     .argument = "SPEC",
     .target = offsetof(struct values, spec),
     .help = "a sweep's spec: its model, data set and run folder are tried, too"},
    {.type = QSV_OPTION_END},
};

static void print_finding(struct qsv_strbuf *out, const char *name, const struct qsv_finding *f)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    const char *advice = f->advice.text ? f->advice.text : "";
    size_t n = strlen(advice);
    if (n > 1 && !strcmp(advice + n - 2, "; "))
        n -= 2;
    qsv_strbuf_printf(out, "%-4s  %-7s %s\n", words[f->health], name,
                      f->found.text ? f->found.text : "out of memory");
    if (n)
        qsv_strbuf_printf(out, "%14s-> %.*s\n", "", (int)n, advice);
}

/* How many failed. */
static uint32_t look(struct qsv_strbuf *out, const struct qsv_patient *p)
{
    uint32_t failed = 0;
    for (const struct qsv_probe *probe = qsv_probes; probe->name; probe++) {
        struct qsv_finding f = {0};
        probe->look(&f, p);
        print_finding(out, probe->name, &f);
        failed += f.health == QSV_HEALTH_FAIL;
        qsv_strbuf_fini(&f.found);
        qsv_strbuf_fini(&f.advice);
    }
    return failed;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_spec *spec = NULL;
    struct qsv_strbuf text = {0};
    if (v->spec)
        qsv_spec_read(&spec, v->spec, err);
    const struct qsv_patient patient = {spec, v->spec && !spec ? err->text : NULL,
                                        spec ? spec->run : "."};
    uint32_t failed = look(&text, &patient);
    qsv_spec_destroy(spec);
    enum qsv_status st = qsv_print(in->out, &text, err);
    if (!st && failed)
        st = qsv_fail(err, QSV_EFAILED, "%u probe%s failed", failed, failed == 1 ? "" : "s");
    return st;
}

const struct qsv_command qsv_cmd_doctor = {
    .name = "doctor",
    .summary = "Looks whether a sweep can run here, and says what to change",
    .synopsis = "[-c SPEC]",
    .details = "Tries MPI launcher, Slurm, CPU, cores, memory, the spec with its model and data\n"
               "set, and all that a run does with files, in the run's folder. Run it where the\n"
               "ranks are to run. Ends with status 1 where something is missing.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
