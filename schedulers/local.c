#define _GNU_SOURCE
#include "schedulers/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedulers/children.h"
#include "schedulers/cores.h"
#include "schedulers/handover.h"
#include "schedulers/program.h"
#include "schedulers/spawn.h"

/* Why each is there: tests/mpi/test_local.sh takes away what it replaces. */
static const char *const environment[] = {
    "OMPI_MCA_plm=isolated",          /* starts without ssh */
    "OMPI_MCA_ras=^slurm,gridengine", /* this machine, not the allocation around it */
    "OMPI_MCA_pml=ob1",
    "OMPI_MCA_btl=self,vader,tcp", /* tcp for when /dev/shm is too small for vader */
    "OMPI_MCA_btl_tcp_if_include=lo",
    "OMPI_MCA_btl_vader_single_copy_mechanism=none", /* containers forbid it, with a warning */
    "OMPI_MCA_btl_base_warn_component_unused=0",
    "OMPI_MCA_orte_forward_job_control=1", /* Ctrl-Z */
    "OMP_WAIT_POLICY=passive",             /* threads that wait leave their core to others */
    "PMIX_MCA_gds=hash",                   /* needs no room in the temporary folder */
    NULL,
};

static const char *const as_root[] = {
    "OMPI_ALLOW_RUN_AS_ROOT=1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    NULL,
};

void qsv_local_plan_fini(struct qsv_local_plan *p)
{
    qsv_words_fini(&p->argv);
    qsv_words_fini(&p->environment);
}

uint32_t qsv_local_ranks(uint32_t machine_cores, uint32_t cores_of_rank)
{
    uint32_t n = machine_cores / (cores_of_rank ? cores_of_rank : 1);
    return (n ? n : 1) + 1;
}

enum qsv_status qsv_local_plan_create(struct qsv_local_plan *out, const struct qsv_launch *launch,
                                      const struct qsv_local_machine *machine,
                                      struct qsv_error *err)
{
    struct qsv_words argv = {0}, env = {0};
    qsv_words_add_list(
        &argv, (const char *const[]){machine->mpirun, "-q", "--stdin", "none", "-np", NULL});
    qsv_words_addf(&argv, "%u",
                   launch->ranks ? launch->ranks : qsv_local_ranks(machine->cores, launch->cores));
    /* Ranks move freely among the cores, because the one that coordinates sleeps on one of them. */
    qsv_words_add_list(&argv, (const char *const[]){"--oversubscribe", "--bind-to", "none",
                                                    machine->program, NULL});
    for (size_t i = 1; launch->argv[0] && launch->argv[i]; i++)
        qsv_words_add(&argv, launch->argv[i]);
    qsv_words_add_list(&env, environment);
    if (machine->root)
        qsv_words_add_list(&env, as_root);
    if (*machine->output)
        qsv_words_addf(&env, "%s=%s", QSV_HANDOVER_VARIABLE, machine->output);

    *out = (struct qsv_local_plan){argv, env};
    if (!argv.failed && !env.failed)
        return QSV_OK;
    qsv_local_plan_fini(out);
    return qsv_fail_memory(err, "the command line of mpirun");
}

/* In the child. The process group keeps a terminal's Ctrl-C away from mpirun, which would end
 * everything at once; the ranks are asked first. */
static _Noreturn void exec_mpirun(const struct qsv_local_plan *plan, const sigset_t *mask,
                                  pid_t parent, int report)
{
    qsv_spawn_begin(parent);
    unsetenv(QSV_HANDOVER_VARIABLE);
    for (char **e = plan->environment.list; *e; e++) {
        char *value = strchr(*e, '=');
        *value = '\0';
        setenv(*e, value + 1, 0);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(plan->argv.list[0], plan->argv.list);
    int failure = errno;
    _exit(write(report, &failure, sizeof failure) == sizeof failure ? 1 : 2);
}

/* Starts mpirun. *pid is its process. */
static enum qsv_status start(pid_t *pid, const struct qsv_local_plan *plan, const sigset_t *mask,
                             struct qsv_error *err)
{
    int report[2], failure = 0;
    pid_t self = getpid();
    if (pipe2(report, O_CLOEXEC) < 0)
        return qsv_fail(err, QSV_EFAILED, "cannot start mpirun: %s", strerror(errno));
    *pid = fork();
    if (*pid == 0)
        exec_mpirun(plan, mask, self, report[1]);
    if (*pid < 0)
        failure = errno;
    close(report[1]);
    /* Ends when the program has taken over: the pipe closes then. */
    if (*pid > 0 && read(report[0], &failure, sizeof failure) != sizeof failure)
        failure = 0;
    close(report[0]);
    if (!failure)
        return QSV_OK;
    if (*pid > 0)
        waitpid(*pid, NULL, 0);
    return qsv_fail(err, QSV_EFAILED,
                    "cannot start %s: %s (Open MPI's mpirun is needed: on Debian, apt-get install "
                    "openmpi-bin; elsewhere put it on the PATH or into QSV_MPIRUN)",
                    plan->argv.list[0], strerror(failure));
}

enum { LOOK_MS = 500 };

/* What waiting has to know. */
struct job {
    pid_t pid;
    int stops; /* how often it was asked to stop */
    bool had_ranks, hung;
    double alone_s; /* how long it has had none */
    struct qsv_handover handover;
};

static void pass_signal(struct job *j, int number)
{
    static const int harder[] = {SIGUSR1, SIGTERM, SIGKILL};
    if (number == SIGTSTP) {
        kill(j->pid, SIGTSTP);
        raise(SIGSTOP);
        kill(j->pid, SIGCONT);
    } else if (number != SIGCHLD) {
        kill(j->pid, harder[j->stops < 2 ? j->stops : 2]);
        j->stops++;
    }
}

/* Open MPI 4's mpirun may wait for itself for ever when a rank was killed while it was connecting.
 * One whose ranks are gone is given some time to end, and more where they were never seen. */
static void look_for_ranks(struct job *j)
{
    if (qsv_children_live(j->pid)) {
        j->had_ranks = true;
        j->alone_s = 0;
        return;
    }
    j->alone_s += LOOK_MS / 1000.0;
    if (j->alone_s < (j->had_ranks ? 10 : 60))
        return;
    j->hung = true;
    kill(j->pid, SIGKILL);
}

/* Until mpirun has ended; its wait status. The request to stop is repeated: mpirun drops what comes
 * before it has started the ranks. */
static int wait_for(struct job *j, int signals)
{
    int status = 0;
    while (waitpid(j->pid, &status, WNOHANG) == 0) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = j->handover.fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        int ready = poll(fds, 2, LOOK_MS);
        if (ready == 0)
            look_for_ranks(j);
        if (ready == 0 && j->stops == 1)
            kill(j->pid, SIGUSR1);
        if (ready <= 0)
            continue;
        if (fds[0].revents && read(signals, &info, sizeof info) == sizeof info)
            pass_signal(j, (int)info.ssi_signo);
        if (fds[1].revents & POLLIN)
            qsv_handover_serve(&j->handover, STDOUT_FILENO, STDERR_FILENO);
    }
    return status;
}

/* The status that a rank's exit status stands for, as qsv_status_exit gives it. */
static enum qsv_status status_of(int code)
{
    static const enum qsv_status known[] = {QSV_OK, QSV_EINPUT, QSV_EUNMET, QSV_ESTUCK,
                                            QSV_ESTOPPED};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (qsv_status_exit(known[i]) == code)
            return known[i];
    return QSV_EFAILED;
}

/* Whether a program comes to such an end by its own fault, and would again; others are killed, by a
 * person, by the kernel because memory ran out, or with their node. */
static bool is_own_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
           number == SIGABRT;
}

static enum qsv_status conclude(const struct job *j, int status, const struct qsv_local_plan *plan,
                                struct qsv_error *err)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    enum qsv_status st = status_of(code);
    if (j->hung)
        return qsv_fail(err, QSV_ESTOPPED,
                        "every rank was gone and %s did not end; what is recorded stays, the same "
                        "command goes on from there",
                        plan->argv.list[0]);
    if (st == QSV_EFAILED && j->stops) /* ended as asked, before it could be said nicely */
        return qsv_fail(err, QSV_ESTOPPED, "stopped; what is recorded stays");
    if (code > 128 && code <= 128 + SIGRTMAX)
        return qsv_fail(err, is_own_fault(code - 128) ? QSV_EFAILED : QSV_ESTOPPED,
                        "a rank was ended by signal %d (%s); what is recorded stays, the same "
                        "command goes on from there",
                        code - 128, strsignal(code - 128));
    if (st == QSV_EFAILED && !j->handover.taken && *j->handover.name)
        return qsv_fail(err, QSV_EFAILED,
                        "%s ended with status %d before the run began; to see why: %s -np 2 true",
                        plan->argv.list[0], code, plan->argv.list[0]);
    if (err)
        *err = (struct qsv_error){.code = st};
    return st;
}

static enum qsv_status run_plan(struct job *j, const struct qsv_local_plan *plan,
                                struct qsv_error *err)
{
    sigset_t set, before;
    qsv_spawn_signals(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0)
        return qsv_fail(err, QSV_EFAILED, "cannot watch signals: %s", strerror(errno));
    sigprocmask(SIG_BLOCK, &set, &before);
    enum qsv_status st = start(&j->pid, plan, &before, err);
    if (!st)
        st = conclude(j, wait_for(j, signals), plan, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(signals);
    return st;
}

static enum qsv_status run(const struct qsv_launch *launch, struct qsv_error *err)
{
    char *program;
    enum qsv_status st = qsv_program_path(&program, err);
    if (st)
        return st;
    const char *mpirun = getenv("QSV_MPIRUN");
    struct job j = {0};
    qsv_handover_open(&j.handover);
    struct qsv_local_machine machine = {
        .mpirun = mpirun && *mpirun ? mpirun : "mpirun",
        .program = program,
        .output = j.handover.name,
        .cores = qsv_cores_available(),
        .root = geteuid() == 0,
    };
    struct qsv_local_plan plan = {0};
    st = qsv_local_plan_create(&plan, launch, &machine, err);
    if (!st)
        st = run_plan(&j, &plan, err);
    qsv_local_plan_fini(&plan);
    qsv_handover_close(&j.handover);
    free(program);
    return st;
}

const struct qsv_launcher qsv_launcher_local = {
    .name = "local",
    .summary = "mpirun on this machine",
    .run = run,
};
