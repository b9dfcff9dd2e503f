/* Calls a fuzz target for every file of its corpus, without libFuzzer: the program `png` for those
 * of tests/fuzz/corpus/png/, or for the files that are named. A crash ends the process.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/file.h"
#include "tests/fuzz/fuzz.h"

enum { LIMIT_S = 60 }; /* a file; those that are kept take milliseconds */
static const size_t max_file = (size_t)1 << 20;

/* So that more memory than a reader should take is a failure. Sanitizers map terabytes. */
static void limit_memory(void)
{
#if !defined __SANITIZE_ADDRESS__
    const struct rlimit limit = {(rlim_t)2 << 30, (rlim_t)2 << 30};
    setrlimit(RLIMIT_AS, &limit);
#endif
}

/* False where the file can't be read. */
static bool replay(const char *path, int number)
{
    uint8_t *data;
    size_t bytes;
    struct qsv_error err = {0};
    if (qsv_file_read(&data, &bytes, path, max_file, &err)) {
        printf("not ok %d - %s\n", number, err.text);
        return false;
    }
    uint8_t *exact = malloc(bytes ? bytes : 1);
    FUZZ_NEED(exact);
    memcpy(exact, data, bytes);
    free(data);
    printf("# %s\n", path);
    fflush(stdout);
    alarm(LIMIT_S);
    LLVMFuzzerTestOneInput(exact, bytes);
    alarm(0);
    free(exact);
    printf("ok %d - %s\n", number, path);
    return true;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool replay_folder(const char *folder)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_file, alphasort);
    bool good = n > 0;
    if (!good)
        printf("not ok 1 - %s: no corpus\n", folder);
    for (int i = 0; i < n; i++) {
        char *path = qsv_file_join(folder, entries[i]->d_name);
        good = path && replay(path, i + 1) && good;
        free(path);
        free(entries[i]);
    }
    free(entries);
    return good;
}

int main(int argc, char **argv)
{
    char folder[256];
    bool good = true;
    limit_memory();
    for (int i = 1; i < argc; i++)
        good = replay(argv[i], i) && good;
    if (argc > 1)
        return good ? 0 : 1;
    const char *name = strrchr(argv[0], '/');
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name ? name + 1 : argv[0]);
    return replay_folder(folder) ? 0 : 1;
}
