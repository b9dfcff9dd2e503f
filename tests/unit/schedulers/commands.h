/* Stand-ins for a batch system's commands: shell scripts in a folder that is first on the PATH. */
#ifndef QSV_TEST_COMMANDS_H
#define QSV_TEST_COMMANDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char commands_folder[64];

static inline int commands_begin(void)
{
    char path[4096];
    strcpy(commands_folder, "/tmp/qsvit-commands.XXXXXX");
    if (!mkdtemp(commands_folder))
        return -1;
    snprintf(path, sizeof path, "%s:%s", commands_folder, getenv("PATH"));
    return setenv("PATH", path, 1);
}

static inline int commands_end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", commands_folder);
    return system(command);
}

static inline void commands_set(const char *name, const char *body)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", commands_folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        abort();
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    if (chmod(path, 0755))
        abort();
}

#endif
