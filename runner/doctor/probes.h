/* What a sweep needs of a machine, one probe each: found or not, and what to change.
 */
#ifndef QSV_PROBES_H
#define QSV_PROBES_H

#include "core/base/strbuf.h"
#include "jobs/spec.h"

enum qsv_health { QSV_HEALTH_OK, QSV_HEALTH_WARN, QSV_HEALTH_FAIL };

struct qsv_finding {
    enum qsv_health health;
    struct qsv_strbuf found;  /* one line */
    struct qsv_strbuf advice; /* what to change; empty where nothing is to be */
};

struct qsv_patient {             /* what is probed */
    const struct qsv_spec *spec; /* NULL: no spec, or one that can't be read */
    const char *why_no_spec;     /* the error; NULL: none was asked for */
    const char *run;             /* the run's folder; need not exist */
};

struct qsv_probe {
    const char *name;
    void (*look)(struct qsv_finding *f, const struct qsv_patient *p);
};

/* The name of the last one is NULL. */
extern const struct qsv_probe qsv_probes[];

enum qsv_presence { QSV_ABSENT, QSV_BROKEN, QSV_THERE };

/* What a program answers to --version: its first line, or why it fails. */
enum qsv_presence qsv_probe_version(struct qsv_strbuf *out, const char *program);

/* Tries, in a folder or the nearest one above it that exists, all that a run does with files, and
 * leaves nothing behind. */
void qsv_probe_folder(struct qsv_finding *f, const char *folder);

#endif
