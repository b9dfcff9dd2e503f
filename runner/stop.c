#include "runner/stop.h"

static volatile sig_atomic_t arrived; /* the signal's number */

bool qsv_stop_asked(const struct qsv_stop *s)
{
    return s && ((s->flag && *s->flag) || (s->asked && s->asked(s->context)));
}

static void on_signal(int number)
{
    if (arrived == SIGINT && number == SIGINT) {
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    arrived = number;
}

const volatile sig_atomic_t *qsv_stop_on_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction before, action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    return &arrived;
}

const char *qsv_stop_signal(void)
{
    switch (arrived) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGUSR1:
        return "SIGUSR1";
    default:
        return NULL;
    }
}
