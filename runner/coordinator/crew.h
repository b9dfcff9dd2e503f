/* The workers as the coordinator sees them: who is here, who was given up, what each is doing; how
 * they are greeted, heard and told to stop. Worker w is rank w + 1.
 */
#ifndef QSV_CREW_H
#define QSV_CREW_H

#include "runner/coordinator/coordinator.h"
#include "runner/coordinator/given.h"
#include "runner/base/watch.h"

enum { QSV_CREW_MOST_GIVEN = 8 };

struct qsv_crew_member {
    bool here, gone; /* said hello; said bye */
    bool lost;       /* given up, until it reports or says hello after all */
    struct qsv_hello hello;
    struct qsv_given given[QSV_CREW_MOST_GIVEN]; /* in hand, and queued */
    uint32_t n_given;
    double since_s; /* when it began with what it has in hand */
};

struct qsv_crew {
    struct qsv_coordinator_setup setup;
    struct qsv_message_sizes sizes;
    const struct qsv_hello *own;
    uint32_t n;
    struct qsv_crew_member *members; /* [n] */
    struct qsv_watch watch;
    bool told_to_stop;
};

/* To be finished on failure, too. */
enum qsv_status qsv_crew_init(struct qsv_crew *c, const struct qsv_coordinator_setup *setup,
                              struct qsv_error *err);
void qsv_crew_fini(struct qsv_crew *c);

double qsv_crew_now_s(const struct qsv_crew *c);
bool qsv_crew_is_stopped(const struct qsv_crew *c);
const char *qsv_crew_host(const struct qsv_crew_member *m);
void qsv_crew_say(struct qsv_crew *c, uint32_t worker, const char *what);

/* See qsv_coordinator_greet; greet_one takes a hello, or a failure in its place. */
enum qsv_status qsv_crew_greet(struct qsv_crew *c, const struct qsv_hello *own,
                               struct qsv_error *err);
enum qsv_status qsv_crew_greet_one(struct qsv_crew *c, uint32_t from, const struct qsv_message *m,
                                   struct qsv_error *err);

/* Receives one message, if there is one: *from is its worker. */
enum qsv_status qsv_crew_receive(struct qsv_crew *c, bool *came, uint32_t *from,
                                 struct qsv_message *m, struct qsv_error *err);

bool qsv_crew_is_any_left(const struct qsv_crew *c);

/* Once: a second time does nothing. */
enum qsv_status qsv_crew_tell_to_stop(struct qsv_crew *c, struct qsv_error *err);
/* See qsv_coordinator_stop. */
enum qsv_status qsv_crew_stop(struct qsv_crew *c, double longest_s, struct qsv_bye *work,
                              struct qsv_error *err);

enum qsv_status qsv_crew_fail_stopped(struct qsv_error *err);
enum qsv_status qsv_crew_fail_of(const struct qsv_crew_member *m, uint32_t worker,
                                 const struct qsv_failed *f, struct qsv_error *err);
enum qsv_status qsv_crew_fail_unexpected(const struct qsv_message *m, uint32_t from,
                                         struct qsv_error *err);
enum qsv_status qsv_crew_fail_none_left(const struct qsv_crew *c, struct qsv_error *err);

#endif
