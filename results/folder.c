#include "results/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/io.h"
#include "core/base/strbuf.h"

char *qsv_folder_results(const char *run_folder)
{
    return qsv_file_join(run_folder, "results.h5");
}

char *qsv_folder_segments(const char *run_folder)
{
    return qsv_file_join(run_folder, "segments");
}

char *qsv_folder_segment(const char *run_folder, const char *name)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_printf(&b, "segments/%s.h5", name);
    char *path = b.failed ? NULL : qsv_file_join(run_folder, b.text);
    qsv_strbuf_fini(&b);
    return path;
}

void qsv_names_fini(struct qsv_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct qsv_names){0};
}

enum qsv_status qsv_names_add(struct qsv_names *names, const char *name, struct qsv_error *err)
{
    char *copy = qsv_strdup(name);
    if (!copy || !qsv_grow(&names->v, &names->capacity, names->n + 1, sizeof *names->v)) {
        free(copy);
        return qsv_fail_memory(err, "names of files");
    }
    names->v[names->n++] = copy;
    return QSV_OK;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder that end so, without that end. */
static enum qsv_status list(const char *folder, const char *end, struct qsv_names *out,
                            struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    DIR *d = opendir(folder);
    if (!d && errno == ENOENT)
        return QSV_OK;
    if (!d)
        return qsv_fail(err, QSV_EIO, "%s: cannot list: %s", folder, strerror(errno));
    for (struct dirent *e = readdir(d); e && !st; e = readdir(d)) {
        if (!ends_with(e->d_name, end))
            continue;
        e->d_name[strlen(e->d_name) - strlen(end)] = '\0';
        st = qsv_names_add(out, e->d_name, err);
    }
    closedir(d);
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_name);
    return st;
}

enum qsv_status qsv_folder_list(const char *run_folder, struct qsv_names *out,
                                struct qsv_error *err)
{
    char *segments = qsv_folder_segments(run_folder);
    if (!segments)
        return qsv_fail_memory(err, run_folder);
    enum qsv_status st = list(segments, ".h5", out, err);
    free(segments);
    return st;
}

/* Files of a run's own that are written under a temporary name first. The lock's are left alone:
 * somebody may just be trying to take it. */
static bool is_own(const char *name)
{
    static const char *const starts[] = {"results.h5.", "selected.", "spec.yaml."};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncmp(name, starts[i], strlen(starts[i])))
            return true;
    return false;
}

/* A leftover cannot hurt, so that failing to remove one is no failure. */
static void clean(const char *folder, bool all)
{
    struct qsv_names names = {0};
    list(folder, ".tmp", &names, NULL);
    for (size_t i = 0; i < names.n; i++) {
        struct qsv_strbuf path = {0};
        if (!all && !is_own(names.v[i]))
            continue;
        qsv_strbuf_printf(&path, "%s/%s.tmp", folder, names.v[i]);
        if (!path.failed)
            unlink(path.text);
        qsv_strbuf_fini(&path);
    }
    qsv_names_fini(&names);
}

void qsv_folder_clean(const char *run_folder)
{
    char *segments = qsv_folder_segments(run_folder);
    clean(run_folder, false);
    if (segments)
        clean(segments, true);
    free(segments);
}

enum qsv_status qsv_folder_set_aside(const char *path, struct qsv_strbuf *to, struct qsv_error *err)
{
    qsv_strbuf_printf(to, "%s.damaged", path);
    size_t stem = to->len;
    for (int i = 2; !to->failed && access(to->text, F_OK) == 0; i++) {
        to->len = stem;
        qsv_strbuf_printf(to, ".%d", i);
    }
    if (to->failed)
        return qsv_fail_memory(err, path);
    if (qsv_io_rename(path, to->text) < 0)
        return qsv_fail(err, QSV_EIO, "%s: cannot rename to '%s': %s", path, to->text,
                        strerror(errno));
    return QSV_OK;
}
