#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "runner/doctor/probes.h"

static const double mib = 1 << 20;

static void set_health(struct qsv_finding *f, enum qsv_health h)
{
    f->health = h > f->health ? h : f->health;
}

/* The nearest folder that exists; the caller frees. */
static char *nearest_folder(const char *folder)
{
    char *path = qsv_strdup(folder);
    while (path && access(path, F_OK) < 0) {
        char *slash = strrchr(path, '/');
        if (slash == path)
            slash[1] = '\0';
        else if (slash)
            *slash = '\0';
        else
            strcpy(path, ".");
    }
    return path;
}

struct file_system {
    unsigned long magic;
    const char *name, *remark; /* remark: NULL: fine */
};

static const struct file_system file_systems[] = {
    {0x6969, "NFS", NULL},
    {0x0bd00bd0, "Lustre", NULL},
    {0x47504653, "GPFS", NULL},
    {0x19830326, "BeeGFS", NULL},
    {0xef53, "ext4", NULL},
    {0x58465342, "XFS", NULL},
    {0x9123683e, "btrfs", NULL},
    {0x01021994, "tmpfs", "is memory: the run is gone when the machine restarts"},
    {0, "", NULL},
};

static void look_at_type(struct qsv_finding *f, const char *folder)
{
    struct statfs s;
    if (statfs(folder, &s) < 0)
        return;
    for (const struct file_system *t = file_systems; t->magic; t++) {
        if ((unsigned long)s.f_type != t->magic)
            continue;
        qsv_strbuf_printf(&f->found, " (%s)", t->name);
        if (t->remark) {
            set_health(f, QSV_HEALTH_WARN);
            qsv_strbuf_printf(&f->advice, "%s %s; ", t->name, t->remark);
        }
    }
}

static void look_at_room(struct qsv_finding *f, const char *folder)
{
    struct statvfs s;
    if (statvfs(folder, &s) < 0)
        return;
    double room = (double)s.f_bavail * (double)s.f_frsize;
    qsv_strbuf_printf(&f->found, ", %.1f GiB free", room / mib / 1024);
    if (room < 1024 * mib) {
        set_health(f, room < 64 * mib ? QSV_HEALTH_FAIL : QSV_HEALTH_WARN);
        qsv_strbuf_puts(&f->advice,
                        "a run takes up to a GiB: make room, or set run: to elsewhere; ");
    }
}

static void note_failure(struct qsv_finding *f, enum qsv_health health, const char *what)
{
    set_health(f, health);
    qsv_strbuf_printf(&f->advice, "%s: %s; ", what, strerror(errno));
}

/* As a lock is taken: who is second must be refused. */
static void try_lock(struct qsv_finding *f, const char *path, const char *other)
{
    int a = open(path, O_RDONLY | O_CLOEXEC), b = open(path, O_RDONLY | O_CLOEXEC);
    if (a < 0 || flock(a, LOCK_EX | LOCK_NB) < 0)
        note_failure(f, QSV_HEALTH_WARN, "flock does not work, taking over a dead lock is slower");
    else if (b >= 0 && flock(b, LOCK_EX | LOCK_NB) == 0) {
        set_health(f, QSV_HEALTH_WARN);
        qsv_strbuf_puts(&f->advice, "flock does not exclude; ");
    }
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    if (link(path, other) < 0)
        note_failure(f, QSV_HEALTH_WARN, "links do not work, taking a lock is less certain");
    unlink(other);
}

static void try_files(struct qsv_finding *f, const char *folder)
{
    char *path = qsv_file_join(folder, "probe"), *other = qsv_file_join(folder, "probe2");
    struct qsv_error err;
    if (!path || !other) {
        set_health(f, QSV_HEALTH_FAIL);
    } else if (qsv_file_write(path, "probe", 5, &err)) { /* write, fsync, rename, fsync */
        set_health(f, QSV_HEALTH_FAIL);
        qsv_strbuf_printf(&f->advice, "%s; ", err.text);
    } else {
        try_lock(f, path, other);
    }
    if (path)
        unlink(path);
    free(path);
    free(other);
}

void qsv_probe_folder(struct qsv_finding *f, const char *folder)
{
    char *nearest = nearest_folder(folder);
    char *mine = nearest ? qsv_file_join(nearest, ".qsvit-doctor-XXXXXX") : NULL;
    if (!mine) {
        f->health = QSV_HEALTH_FAIL;
    } else if (!mkdtemp(mine)) {
        f->health = QSV_HEALTH_FAIL;
        qsv_strbuf_printf(&f->found, "%s: cannot be written: %s", nearest, strerror(errno));
        qsv_strbuf_puts(&f->advice, "set run: to a folder that all ranks can write");
    } else {
        qsv_strbuf_printf(&f->found, "%s", nearest);
        look_at_type(f, nearest);
        look_at_room(f, nearest);
        try_files(f, mine);
        rmdir(mine);
    }
    free(mine);
    free(nearest);
}
