#include "runner/base/stop.h"

#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t arrived; /* the signal's number */
static volatile sig_atomic_t longest_s;
static const char *volatile too_long; /* what to say then */
static volatile sig_atomic_t late_status;

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
    if (!arrived && longest_s)
        alarm((unsigned)longest_s);
    arrived = number;
}

static void on_alarm(int number)
{
    (void)number;
    const char *text = too_long;
    if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(late_status);
    _exit(late_status);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

const volatile sig_atomic_t *qsv_stop_on_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction before;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
            handle(numbers[i], on_signal);
    return &arrived;
}

void qsv_stop_within(unsigned seconds, int exit_status, const char *text)
{
    too_long = text;
    late_status = exit_status;
    longest_s = (sig_atomic_t)seconds;
    handle(SIGALRM, on_alarm);
    if (arrived) /* before this was asked for */
        alarm(seconds);
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
