#define _GNU_SOURCE
#include "schedulers/spawn.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

void qsv_spawn_signals(sigset_t *set)
{
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGTSTP};
    struct sigaction action;
    sigemptyset(set);
    for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++)
        if (sigaction(stopping[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(set, stopping[i]);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(set, SIGCHLD);
}

void qsv_spawn_begin(pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
}
