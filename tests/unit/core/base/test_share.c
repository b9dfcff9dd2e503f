/* Memory that processes share: parents and children stand for the ranks of a machine. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/share.h"

enum { N = 3, BYTES = 100000 };

/* Keys of this process, so that tests which run at the same time do not meet. */
static uint64_t key_of(uint64_t number)
{
    static long self;
    self = self ? self : (long)getpid(); /* children keep their parent's */
    return (uint64_t)self << 16 | number;
}

struct data {
    uint8_t big[BYTES];
    uint8_t small[3];
    struct qsv_share_piece pieces[N]; /* the last is empty */
};

static struct data *make(uint8_t seed)
{
    struct data *d = qsv_alloc(1, sizeof *d);
    for (size_t i = 0; i < BYTES; i++)
        d->big[i] = (uint8_t)(i * seed >> 3);
    d->small[1] = seed;
    d->pieces[0] = (struct qsv_share_piece){d->small, sizeof d->small};
    d->pieces[1] = (struct qsv_share_piece){d->big, sizeof d->big};
    return d;
}

static struct qsv_share *must_share(const struct data *d, uint64_t key, const void **shared)
{
    struct qsv_share *s;
    struct qsv_error err = {0};
    if (qsv_share_create(&s, key, d->pieces, N, shared, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < N; i++) {
        assert_int_equal((uintptr_t)shared[i] % QSV_ALIGN, 0);
        assert_memory_equal(shared[i], d->pieces[i].data, d->pieces[i].bytes);
    }
    return s;
}

/* The inode of the file that is mapped there; 0: none. */
static unsigned long inode_at(const void *address)
{
    char line[512];
    unsigned long begin, end, inode = 0, found = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &begin, &end, &inode) == 3 &&
            begin <= (uintptr_t)address && (uintptr_t)address < end)
            found = inode;
    if (f)
        fclose(f);
    return found;
}

/* In a child: 0 where it gets the data in the file `inode`, 1 where it can't. */
static int in_child(uint64_t key, uint8_t seed, unsigned long inode)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        struct data *d = make(seed);
        const void *shared[N];
        struct qsv_share *s;
        if (qsv_share_create(&s, key, d->pieces, N, shared, NULL))
            _exit(1);
        _exit(memcmp(shared[1], d->big, BYTES) ? 2 : inode_at(shared[1]) != inode ? 3 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_others_get_the_same_memory(void **state)
{
    struct data *d = make(7);
    const void *shared[N], *again[N];
    (void)state;
    struct qsv_share *s = must_share(d, key_of(1), shared);
    unsigned long inode = inode_at(shared[1]);
    assert_true(inode != 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(in_child(key_of(1), 7, inode), 0);
    struct qsv_share *second = must_share(d, key_of(1), again); /* within one process, too */
    assert_int_equal(inode_at(again[1]), inode);
    qsv_share_destroy(s); /* what is mapped stays */
    assert_memory_equal(again[1], d->big, BYTES);
    s = must_share(d, key_of(1), shared); /* and its key is free again */
    assert_true(inode_at(shared[1]) != inode);
    qsv_share_destroy(second);
    qsv_share_destroy(s);
    free(d);
}

static void test_shared_memory_is_read_only(void **state)
{
    struct data *d = make(9);
    const void *shared[N];
    (void)state;
    struct qsv_share *s = must_share(d, key_of(2), shared);
    assert_int_equal(
        mprotect((void *)((uintptr_t)shared[0] & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE),
        -1);
    qsv_share_destroy(s);
    free(d);
}

static void test_other_data_are_not_taken(void **state)
{
    struct data *d = make(5);
    const void *shared[N];
    (void)state;
    struct qsv_share *s = must_share(d, key_of(3), shared);
    assert_int_equal(in_child(key_of(3), 6, 0), 1); /* the same key and size */
    qsv_share_destroy(s);
    free(d);
}

/* Whoever holds the key but ends before the data are there is followed by the next. */
static void test_a_dead_process_leaves_nothing(void **state)
{
    struct data *d = make(3);
    const void *shared[N];
    int ready[2], status;
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        const void *own[N];
        struct qsv_share *s;
        if (qsv_share_create(&s, key_of(4), d->pieces, N, own, NULL) || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct qsv_share *s = must_share(d, key_of(4), shared);
    unsigned long inode = inode_at(shared[1]);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_memory_equal(shared[1], d->big, BYTES);
    struct qsv_share *next = must_share(d, key_of(4), shared);
    assert_true(inode_at(shared[1]) != inode);
    qsv_share_destroy(next);
    qsv_share_destroy(s);
    close(ready[0]);
    close(ready[1]);
    free(d);
}

static void test_nothing_to_share(void **state)
{
    struct data *d = make(1);
    struct qsv_share *s;
    struct qsv_error err = {0};
    const void *shared[N];
    const struct qsv_share_piece huge[] = {{d->big, SIZE_MAX - 10}, {d->big, 100}};
    (void)state;
    assert_int_equal(qsv_share_create(&s, 1, d->pieces, 0, shared, &err), QSV_EFAILED);
    assert_null(s);
    assert_int_equal(qsv_share_create(&s, 1, huge, 2, shared, &err), QSV_EFAILED);
    assert_null(s);
    free(d);
}

/* Without a descriptor left: an error, and nothing is lost. */
static void test_no_descriptors(void **state)
{
    struct data *d = make(1);
    struct rlimit before, none;
    struct qsv_share *s;
    struct qsv_error err = {0};
    const void *shared[N];
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t n = 3; n < 5; n++) {
        none = (struct rlimit){n, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        enum qsv_status st = qsv_share_create(&s, key_of(5), d->pieces, N, shared, &err);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_int_equal(st, QSV_EFAILED);
        assert_null(s);
    }
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_get_the_same_memory),
        cmocka_unit_test(test_shared_memory_is_read_only),
        cmocka_unit_test(test_other_data_are_not_taken),
        cmocka_unit_test(test_a_dead_process_leaves_nothing),
        cmocka_unit_test(test_nothing_to_share),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
