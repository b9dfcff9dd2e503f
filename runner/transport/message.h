/* What ranks say to each other. Little-endian, checked to the last byte on receipt.
 *
 *     worker                    coordinator
 *     hello (or failed)   -->
 *                         <--   welcome
 *                         <--   task, and maybe the next one before the first is done
 *     alive, now and then -->
 *     done (or failed)    -->         in their order
 *                         <--   stop
 *     bye                 -->
 */
#ifndef QSV_MESSAGE_H
#define QSV_MESSAGE_H

#include "jobs/record.h"
#include "results/run.h"
#include "runner/base/task.h"
#include "runner/transport/transport.h"

enum qsv_message_type {
    QSV_MESSAGE_HELLO = 1,
    QSV_MESSAGE_TASK,
    QSV_MESSAGE_DONE,
    QSV_MESSAGE_FAILED,
    QSV_MESSAGE_STOP,
    QSV_MESSAGE_BYE,
    QSV_MESSAGE_ALIVE, /* of a worker that computes, between layers */
    QSV_MESSAGE_WELCOME
};

enum { QSV_MESSAGE_NAME = 256 }; /* bytes of a name or version, with its NUL */

struct qsv_hello { /* what must be the same on every rank, and who is there */
    char version[QSV_MESSAGE_NAME];
    char commit[QSV_MESSAGE_NAME];
    uint64_t build;               /* hash of the program's file; 0: not known */
    struct qsv_identity identity; /* fingerprints of images 0 where it has not read all of them */
    uint64_t sketches[2];         /* [qsv_image_set] see core/dataset.h; 0: none */
    uint64_t spec;                /* hash of the spec's text */
    char host[QSV_MESSAGE_NAME];
    char isa[QSV_MESSAGE_NAME];
    uint64_t pid;
    uint32_t cores;               /* that it may use */
    char alone[QSV_MESSAGE_NAME]; /* why it shares no memory with others of its machine; "": it does
                                     where there are any */
};

struct qsv_done {
    uint64_t task;
    double seconds;
    double waited_s;                                    /* of these, for images */
    uint64_t layer_forwards_asked, layer_forwards_done; /* see core/engine.h */
    char segment[QSV_MESSAGE_NAME]; /* where it is recorded; "": a kind that is not, or a task that
                                       shares the segment of the one reported next */
    uint32_t n_records;
    struct qsv_record *records; /* [n_records], owned */
};

struct qsv_failed {
    uint64_t task; /* 0: it could not begin */
    struct qsv_error error;
};

struct qsv_bye {
    uint64_t layer_forwards_asked, layer_forwards_done; /* see core/engine.h */
};

struct qsv_message {
    enum qsv_message_type type;
    union {
        struct qsv_hello hello;
        struct qsv_identity welcome; /* the run's: of a rank that has read all images */
        struct qsv_task task;
        struct qsv_done done;
        struct qsv_failed failed;
        struct qsv_bye bye;
    } u;
};

void qsv_message_fini(struct qsv_message *m);

struct qsv_message_sizes { /* what is needed to read one */
    struct qsv_record_shape shape;
    uint32_t n_shards;
};

void qsv_message_pack(const struct qsv_message *m, const struct qsv_message_sizes *sizes,
                      struct qsv_strbuf *out);
/* QSV_EFAILED for bytes that are no message; QSV_EIDENTITY for a hello of a program that speaks
 * otherwise, naming its host and version. Finish *m with qsv_message_fini. */
enum qsv_status qsv_message_unpack(struct qsv_message *m, const struct qsv_message_sizes *sizes,
                                   const void *data, size_t bytes, struct qsv_error *err);

/* Packs and sends. */
enum qsv_status qsv_message_send(struct qsv_transport *t, int to, const struct qsv_message *m,
                                 const struct qsv_message_sizes *sizes, struct qsv_error *err);

#endif
