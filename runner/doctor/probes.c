#include "runner/doctor/probes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/kernels/kernels.h"
#include "runner/inputs/inputs.h"
#include "runner/transport/transport_mpi.h"
#include "schedulers/cores.h"
#include "schedulers/local.h"
#include "schedulers/program.h"
#include "schedulers/slurm.h"

static const double longest_program_s = 10;
static const double mib = 1 << 20;

enum qsv_presence qsv_probe_version(struct qsv_strbuf *out, const char *program)
{
    char *argv[] = {(char *)program, (char *)"--version", NULL};
    struct qsv_output o;
    enum qsv_presence found = QSV_ABSENT;
    if (!qsv_program_run(&o, argv, longest_program_s, NULL))
        found = o.status == 0 ? QSV_THERE : QSV_BROKEN;
    if (found == QSV_THERE && o.out.text)
        qsv_strbuf_add(out, o.out.text, strcspn(o.out.text, "\n"));
    else if (found == QSV_BROKEN)
        qsv_output_words(&o, out);
    qsv_output_fini(&o);
    return found;
}

/* Without the qualifier and the "v": "4.1.4" of "Open MPI v4.1.4" and of "mpirun (Open MPI) 4.1.4".
 */
static const char *number_of(const char *version)
{
    const char *word = version ? strrchr(version, ' ') : NULL;
    word = word ? word + 1 : "";
    return word + (*word == 'v');
}

static void look_for_mpirun(struct qsv_finding *f, const struct qsv_patient *p)
{
    const char *own = getenv("QSV_MPIRUN"), *program = own && *own ? own : "mpirun";
    struct qsv_strbuf version = {0};
    (void)p;
    enum qsv_presence found = qsv_probe_version(&version, program);
    const char *text = version.text ? version.text : "";
    if (found != QSV_THERE) {
        f->health = QSV_HEALTH_FAIL;
        qsv_strbuf_printf(&f->found, "%s cannot be run%s%s", program, *text ? ": " : "", text);
        qsv_strbuf_puts(&f->advice,
                        "install Open MPI (Debian: apt-get install openmpi-bin), load its module, "
                        "or name it in QSV_MPIRUN");
        qsv_strbuf_fini(&version);
        return;
    }
    qsv_strbuf_printf(&f->found, "%s; this program was built for %s", text, qsv_mpi_library());
    if (strcmp(number_of(text), number_of(qsv_mpi_library())) != 0) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->advice, "use the mpirun of the same Open MPI: put it first on the PATH "
                                    "or name it in QSV_MPIRUN");
    }
    qsv_strbuf_fini(&version);
}

/* Of a Slurm that answers: whether a job can requeue itself, and srun start ranks. */
static void look_at_slurm(struct qsv_finding *f)
{
    struct qsv_strbuf scontrol = {0};
    struct qsv_error err = {0};
    if (qsv_probe_version(&scontrol, "scontrol") == QSV_ABSENT) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->found, ", no scontrol");
        qsv_strbuf_puts(&f->advice, "a job can't requeue itself without scontrol: it submits a "
                                    "successor ahead of time");
    } else if (qsv_slurm_check_mpi("pmix", &err)) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->found, ", srun without PMIx");
        qsv_strbuf_puts(&f->advice, err.text);
    }
    qsv_strbuf_fini(&scontrol);
}

static void look_for_slurm(struct qsv_finding *f, const struct qsv_patient *p)
{
    struct qsv_strbuf words = {0};
    bool inside = getenv("SLURM_JOB_ID") != NULL;
    enum qsv_presence found = qsv_probe_version(&words, "sbatch");
    const char *text = words.text ? words.text : "";
    (void)p;
    if (found == QSV_ABSENT)
        qsv_strbuf_puts(&f->found, "none here, as is fine where sweeps run on this machine alone");
    else
        qsv_strbuf_printf(&f->found, "%s%s", found == QSV_BROKEN ? "does not work: " : "", text);
    if (found == QSV_THERE) {
        look_at_slurm(f);
    } else if (found == QSV_BROKEN || inside) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->advice, "qsvit submit and requeueing take Slurm's commands: ask who "
                                    "runs the cluster, or run sweeps without Slurm");
    }
    qsv_strbuf_fini(&words);
}

static void look_at_cpu(struct qsv_finding *f, const struct qsv_patient *p)
{
    const struct qsv_kernels *k = qsv_kernels_choose();
    const char *forced = getenv("QSV_ISA");
    (void)p;
    if (!k) {
        f->health = QSV_HEALTH_FAIL;
        qsv_strbuf_printf(&f->found, "QSV_ISA=%s is none that this CPU has", forced ? forced : "");
        qsv_strbuf_puts(&f->advice, "unset QSV_ISA");
        return;
    }
    qsv_strbuf_printf(&f->found, "instruction set %s%s", k->isa, forced ? ", by QSV_ISA" : "");
    if (!strcmp(k->isa, "scalar")) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->advice, "sweeps are many times faster on a CPU with AVX2 or AVX-512");
    }
}

/* Here, the one that coordinates among them. */
static uint32_t ranks_of(const struct qsv_patient *p)
{
    if (p->spec && p->spec->ranks)
        return p->spec->ranks;
    return qsv_local_ranks(qsv_cores_available(), p->spec ? qsv_spec_cores(p->spec) : 1);
}

static void look_at_cores(struct qsv_finding *f, const struct qsv_patient *p)
{
    uint32_t usable = qsv_cores_available();
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t threads = p->spec ? p->spec->threads : 1, ranks = ranks_of(p);
    const char *other = getenv("OMP_NUM_THREADS");
    qsv_strbuf_printf(&f->found, "%u of %ld usable here", usable, online);
    if (p->spec)
        qsv_strbuf_printf(&f->found, ", for %u rank%s of %u thread%s%s", ranks - (ranks > 1),
                          ranks > 2 ? "s" : "", threads, threads == 1 ? "" : "s",
                          ranks > 1 ? " and one that coordinates" : "");
    if ((uint64_t)(ranks - (ranks > 1)) * threads > usable) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->advice, "ranks x threads is more than cores; right if they are spread "
                                    "over several machines; ");
    }
    if (other && p->spec && strtoul(other, NULL, 10) != threads)
        qsv_strbuf_printf(&f->advice, "OMP_NUM_THREADS is %s and has no effect; ", other);
}

/* Of the control group; 0: no limit. */
static double memory_limit(void)
{
    uint8_t *text = NULL;
    size_t bytes;
    double limit = 0;
    if (!qsv_file_read(&text, &bytes, "/sys/fs/cgroup/memory.max", 64, NULL))
        limit = strtod((char *)text, NULL);
    free(text);
    return limit > 0 ? limit : 0;
}

static void look_at_memory(struct qsv_finding *f, const struct qsv_patient *p)
{
    double page = (double)sysconf(_SC_PAGESIZE), limit = memory_limit();
    double all = page * (double)sysconf(_SC_PHYS_PAGES), room = all;
    if (limit > 0 && limit < room)
        room = limit;
    double each =
        room / qsv_local_ranks(qsv_cores_available(), p->spec ? qsv_spec_cores(p->spec) : 1);
    qsv_strbuf_printf(&f->found, "%.1f GiB%s, %.1f GiB a rank", room / mib / 1024,
                      room < all ? " by its control group" : "", each / mib / 1024);
    /* The largest published network's, as `qsvit run --dry-run` models it. */
    if (each < 1945 * mib) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->advice,
                        "a rank takes up to 1.9 GiB with the largest published network: "
                        "qsvit run --dry-run says what yours takes");
    }
}

static void look_at_spec(struct qsv_finding *f, const struct qsv_patient *p)
{
    if (p->spec) {
        qsv_strbuf_printf(&f->found, "%s", p->spec->path);
    } else if (p->why_no_spec) {
        f->health = QSV_HEALTH_FAIL;
        qsv_strbuf_printf(&f->found, "%s", p->why_no_spec);
        qsv_strbuf_puts(&f->advice, "qsvit help spec describes every key");
    } else {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->found, "none looked at");
        qsv_strbuf_puts(&f->advice,
                        "-c cluster.yaml has model, data set and run folder tried, too");
    }
}

static void look_at_inputs(struct qsv_finding *f, const struct qsv_patient *p)
{
    struct qsv_inputs in;
    struct qsv_error err;
    if (!p->spec) {
        f->health = QSV_HEALTH_WARN;
        qsv_strbuf_puts(&f->found, "not looked at without a spec");
        return;
    }
    if (qsv_inputs_load(&in, p->spec, &err)) {
        f->health = QSV_HEALTH_FAIL;
        qsv_strbuf_printf(&f->found, "%s", err.text);
        qsv_strbuf_puts(&f->advice, "every rank must be able to read what the spec names");
        return;
    }
    qsv_strbuf_printf(&f->found, "%s, %llu judging and %llu deciding images", p->spec->model,
                      (unsigned long long)in.partition.n_judge,
                      (unsigned long long)in.partition.n_decide);
    qsv_inputs_fini(&in);
}

static void look_at_folder(struct qsv_finding *f, const struct qsv_patient *p)
{
    qsv_probe_folder(f, p->run);
}

const struct qsv_probe qsv_probes[] = {
    {"mpirun", look_for_mpirun}, {"slurm", look_for_slurm},  {"cpu", look_at_cpu},
    {"cores", look_at_cores},    {"memory", look_at_memory}, {"spec", look_at_spec},
    {"inputs", look_at_inputs},  {"folder", look_at_folder}, {NULL, NULL},
};
