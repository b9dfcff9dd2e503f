#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runner/program/commands.h"
#include "schedulers/launcher.h"

/* A file that is opened must never become descriptor 0, 1 or 2 because that one was closed:
 * messages would go into it. What stands in can't be used either, so that a write is still an
 * error. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            _exit(1);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    qsv_launcher_take_output();
    return qsv_commands_main(argc, argv, stdout);
}
