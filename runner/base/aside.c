#include "runner/base/aside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"
#include "results/lock.h"

enum { MOST = 10000 };

/* A path ends in slashes only by the user's habit. */
static char *without_slashes(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return qsv_strndup(path, n);
}

static char *free_name(const char *path)
{
    for (int i = 1; i < MOST; i++) {
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "%s.old-%d", path, i);
        if (b.failed || access(b.text, F_OK) < 0)
            return b.text;
        qsv_strbuf_fini(&b);
    }
    return NULL;
}

static enum qsv_status move(const char *from, FILE *log, struct qsv_error *err)
{
    char *to = free_name(from);
    if (!to)
        return qsv_fail(err, QSV_EIO, "%s: there are too many old ones beside it", from);
    enum qsv_status st = QSV_OK;
    if (rename(from, to) < 0)
        st = qsv_fail(err, QSV_EIO, "%s: cannot rename to %s: %s", from, to, strerror(errno));
    else
        fprintf(log, "%s: moved to %s\n", from, to);
    free(to);
    return st;
}

enum qsv_status qsv_aside_move(const char *run_folder, FILE *log, struct qsv_error *err)
{
    struct qsv_lock *lock;
    if (access(run_folder, F_OK) < 0)
        return QSV_OK;
    enum qsv_status st = qsv_lock_take(&lock, run_folder, err);
    if (st)
        return st;
    qsv_lock_release(lock);
    char *from = without_slashes(run_folder);
    st = from ? move(from, log, err) : qsv_fail_memory(err, run_folder);
    free(from);
    return st;
}
