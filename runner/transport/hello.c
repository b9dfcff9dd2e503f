#include "runner/transport/hello.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/hash.h"
#include "runner/base/version.h"
#include "schedulers/cores.h"

static uint64_t hash_program(void)
{
    struct stat s;
    uint64_t hash = 0;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (fstat(fd, &s) == 0 && s.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            hash = qsv_hash_bytes(bytes, (size_t)s.st_size);
            munmap(bytes, (size_t)s.st_size);
        }
    }
    close(fd);
    return hash;
}

void qsv_hello_fill(struct qsv_hello *h)
{
    snprintf(h->version, sizeof h->version, "%s", qsv_version());
    snprintf(h->commit, sizeof h->commit, "%s", qsv_version_commit());
    h->build = hash_program();
    h->pid = (uint64_t)getpid();
    h->cores = qsv_cores_available();
    if (gethostname(h->host, sizeof h->host - 1))
        snprintf(h->host, sizeof h->host, "unknown");
}

static enum qsv_status check_program(const struct qsv_hello *h, int rank,
                                     const struct qsv_hello *own, struct qsv_error *err)
{
    if (strcmp(h->version, own->version) != 0 || strcmp(h->commit, own->commit) != 0)
        return qsv_fail(err, QSV_EIDENTITY,
                        "rank %d on %s runs qsvit %s (%s), rank 0 on %s runs %s (%s): install the "
                        "same on all hosts",
                        rank, h->host, h->version, h->commit, own->host, own->version, own->commit);
    if (h->build && own->build && h->build != own->build)
        return qsv_fail(err, QSV_EIDENTITY,
                        "rank %d on %s runs another build of qsvit %s (%s) than rank 0 on %s: "
                        "install the same on all hosts",
                        rank, h->host, h->version, h->commit, own->host);
    return QSV_OK;
}

/* Images by their fingerprint where both ranks have it, and by their sketch. */
static enum qsv_status check_identity(const struct qsv_hello *h, const struct qsv_hello *own,
                                      struct qsv_error *err)
{
    struct qsv_identity a = h->identity, b = own->identity;
    a.dataset = a.dataset ? a.dataset : b.dataset;
    a.calibration = a.calibration ? a.calibration : b.calibration;
    enum qsv_status st = qsv_identity_compare(&a, &b, NULL, err);
    if (st)
        return st;
    a.dataset = h->sketches[QSV_JUDGE];
    b.dataset = own->sketches[QSV_JUDGE];
    a.calibration = h->sketches[QSV_DECIDE];
    b.calibration = own->sketches[QSV_DECIDE];
    return qsv_identity_compare(&a, &b, NULL, err);
}

enum qsv_status qsv_hello_check(const struct qsv_hello *h, int rank, const struct qsv_hello *own,
                                struct qsv_error *err)
{
    enum qsv_status st = check_program(h, rank, own, err);
    if (st)
        return st;
    if (h->spec != own->spec)
        return qsv_fail(err, QSV_EIDENTITY,
                        "rank %d on %s reads another spec than rank 0 on %s: is the file the same "
                        "on both hosts?",
                        rank, h->host, own->host);
    st = check_identity(h, own, err);
    return st ? qsv_fail_in(err, st, "rank %d on %s differs from rank 0 on %s", rank, h->host,
                            own->host)
              : QSV_OK;
}
