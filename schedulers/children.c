#include "schedulers/children.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Reads state and parent from /proc/PID/stat: "PID (NAME) STATE PARENT ...", where a name may hold
 * anything. */
static bool is_living_child(const char *pid, pid_t parent)
{
    char path[64], line[512], state;
    int of;
    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    const char *end = strrchr(line, ')');
    return end && sscanf(end + 1, " %c %d", &state, &of) == 2 && of == parent && state != 'Z' &&
           state != 'X';
}

bool qsv_children_live(pid_t parent)
{
    DIR *proc = opendir("/proc");
    const struct dirent *e;
    bool found = !proc, any = false;
    while (proc && !found && (e = readdir(proc))) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        any = true;
        found = is_living_child(e->d_name, parent);
    }
    if (proc)
        closedir(proc);
    return found || !any;
}
