/* The MPI transport between real ranks: transport RANKS starts itself under mpirun. Every rank
 * sends every other messages of many sizes and expects them whole and in order; then all wait,
 * which must not cost a core. Prints TAP on rank 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/rng.h"
#include "runner/transport/transport_mpi.h"
#include "schedulers/launcher.h"

enum { MESSAGES = 40, LARGEST = 3 << 20 };

/* Sizes on both sides of what MPI sends eagerly; some empty. */
static size_t size_of(int from, int to, int number)
{
    struct qsv_rng rng;
    qsv_rng_seed(&rng, (uint64_t)(from * 1000 + to * 100 + number));
    size_t most = number % 8 == 0 ? LARGEST : number % 3 ? 200 : 20000;
    return number == 5 ? 0 : qsv_rng_below(&rng, most);
}

static uint8_t byte_of(int from, int number, size_t i)
{
    return (uint8_t)(from * 7 + number * 13 + (int)(i * 31 >> 3));
}

static int send_all(struct qsv_transport *t, int to)
{
    for (int n = 0; n < MESSAGES; n++) {
        struct qsv_strbuf b = {0};
        size_t bytes = size_of(t->rank, to, n);
        for (size_t i = 0; i < bytes; i++) {
            uint8_t byte = byte_of(t->rank, n, i);
            qsv_strbuf_add(&b, &byte, 1);
        }
        if (t->send(t, to, &b, NULL))
            return 1;
    }
    return 0;
}

static int check(const struct qsv_transport *t, const struct qsv_parcel *p, int number)
{
    if (number >= MESSAGES || p->bytes != size_of(p->from, t->rank, number))
        return 1;
    for (size_t i = 0; i < p->bytes; i++)
        if (p->data[i] != byte_of(p->from, number, i))
            return 1;
    return 0;
}

static int read_report(const struct qsv_parcel *p)
{
    return p->bytes != 4 || p->data[0] || p->data[1];
}

/* Counts what went wrong; *reports: of the others, that came while there was more to come from
 * somebody else. */
static int exchange(struct qsv_transport *t, int *reports)
{
    int bad = 0, left = t->size * MESSAGES;
    int *next = calloc((size_t)t->size, sizeof *next);
    struct qsv_wait wait = {0};
    for (int to = 0; to < t->size; to++)
        bad += send_all(t, to);
    while (left > 0 && next) {
        struct qsv_parcel p;
        if (t->poll(t, &p, NULL))
            return bad + 1;
        if (!p.data) {
            qsv_wait_nap(&wait, &qsv_clock_system);
            continue;
        }
        qsv_wait_reset(&wait);
        if (next[p.from] == MESSAGES) {
            bad += read_report(&p);
            ++*reports;
        } else {
            bad += check(t, &p, next[p.from]++);
            left--;
        }
        free(p.data);
    }
    free(next);
    return bad;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* CPU seconds a second of waiting for a message that does not come. */
static double cost_of_waiting(struct qsv_transport *t)
{
    const struct qsv_clock *c = &qsv_clock_system;
    struct qsv_wait wait = {0};
    struct qsv_parcel p = {0};
    double began_s = c->now_s(c->context), cpu_before_s = cpu_s();
    while (c->now_s(c->context) - began_s < 2 && !p.data && !t->poll(t, &p, NULL))
        qsv_wait_nap(&wait, c);
    free(p.data);
    return (cpu_s() - cpu_before_s) / 2;
}

/* Rank 0 collects what the others found, beyond the reports that came before. */
static int collect(struct qsv_transport *t, int bad, int reports)
{
    struct qsv_wait wait = {0};
    struct qsv_strbuf b = {0};
    if (t->rank) {
        qsv_strbuf_u32(&b, (uint32_t)bad);
        return t->send(t, 0, &b, NULL) != 0;
    }
    for (int left = t->size - 1 - reports; left > 0;) {
        struct qsv_parcel p;
        if (t->poll(t, &p, NULL))
            return bad + 1;
        if (!p.data) {
            qsv_wait_nap(&wait, &qsv_clock_system);
            continue;
        }
        bad += read_report(&p);
        free(p.data);
        left--;
    }
    return bad;
}

static int run_rank(int ranks)
{
    struct qsv_transport *t;
    if (qsv_mpi_begin(&t, NULL))
        return 1;
    int rank = t->rank, size = t->size, reports = 0, bad = exchange(t, &reports);
    bad = collect(t, bad, reports);
    double cost = cost_of_waiting(t);
    if (!qsv_mpi_end(t, &qsv_clock_system, 60))
        qsv_mpi_abort(1);
    if (rank)
        return 0;
    printf("%sok 1 - %d messages between %d ranks arrive whole and in order\n",
           bad || size != ranks ? "not " : "", size * size * MESSAGES, size);
    printf("%sok 2 - waiting costs %.1f %% of a core\n1..2\n", cost > 0.2 ? "not " : "",
           100 * cost);
    return bad || size != ranks || cost > 0.2;
}

int main(int argc, char **argv)
{
    int ranks = argc > 1 ? atoi(argv[1]) : 1;
    if (qsv_rank_info_read().launched)
        return run_rank(ranks);
    struct qsv_launch launch = {.ranks = (uint32_t)ranks, .argv = argv};
    struct qsv_error err;
    return qsv_status_exit(qsv_launcher_find("local")->run(&launch, &err));
}
