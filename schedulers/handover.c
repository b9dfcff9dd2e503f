#define _GNU_SOURCE
#include "schedulers/handover.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 10 };

/* Room for two descriptors beside a message of one byte. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
};

void qsv_handover_open(struct qsv_handover *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address.sun_family; /* without a name: the kernel finds one */
    *h =
        (struct qsv_handover){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (h->fd < 0)
        return;
    if (bind(h->fd, (struct sockaddr *)&address, length) < 0 || listen(h->fd, 1) < 0) {
        qsv_handover_close(h);
        return;
    }
    length = sizeof address;
    const size_t start = offsetof(struct sockaddr_un, sun_path) + 1;
    if (getsockname(h->fd, (struct sockaddr *)&address, &length) < 0 || length <= start ||
        length - start >= sizeof h->name) {
        qsv_handover_close(h);
        return;
    }
    memcpy(h->name, address.sun_path + 1, length - start);
}

void qsv_handover_close(struct qsv_handover *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

static bool same_user(int peer)
{
    struct ucred who;
    socklen_t length = sizeof who;
    return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == geteuid();
}

static bool send_pair(int peer, const int pair[2])
{
    char byte = 0;
    union control control = {0};
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(c), pair, 2 * sizeof(int));
    return sendmsg(peer, &message, MSG_NOSIGNAL) == 1;
}

void qsv_handover_serve(struct qsv_handover *h, int out, int err)
{
    int peer = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0)
        return;
    if (same_user(peer) && send_pair(peer, (int[2]){out, err})) {
        h->taken = true;
        qsv_handover_close(h);
    }
    close(peer);
}

static bool receive_pair(int peer, int pair[2])
{
    char byte = 0;
    union control control = {0};
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (recvmsg(peer, &message, MSG_CMSG_CLOEXEC) != 1)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
        return false;
    memcpy(pair, CMSG_DATA(c), 2 * sizeof(int));
    return true;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    size_t n = strlen(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !n || n >= sizeof address.sun_path) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    memcpy(address.sun_path + 1, name, n);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, length) < 0 || !same_user(fd)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool qsv_handover_take(const char *name)
{
    int pair[2] = {-1, -1};
    int fd = connect_to(name);
    if (fd < 0)
        return false;
    bool taken = receive_pair(fd, pair);
    if (taken) {
        dup2(pair[0], STDOUT_FILENO);
        dup2(pair[1], STDERR_FILENO);
        close(pair[0]);
        close(pair[1]);
    }
    close(fd);
    return taken;
}
