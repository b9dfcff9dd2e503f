/* The table of the spec's keys: the one place that says what a key is called, what it may be and
 * what it is for. Reader, messages, man page and documentation follow it.
 */
#ifndef QSV_SPEC_KEYS_H
#define QSV_SPEC_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "jobs/spec.h"

struct qsv_yaml_node;

enum qsv_key_type {                   /* and the field it fills */
                    QSV_KEY_TEXT,     /* char * */
                    QSV_KEY_PATH,     /* char *, taken from the spec's folder */
                    QSV_KEY_STRATEGY, /* char * */
                    QSV_KEY_NAME,     /* const char *: one of choices */
                    QSV_KEY_CHOICE,   /* an enum: the number of the choice */
                    QSV_KEY_COUNT32,  /* uint32_t */
                    QSV_KEY_COUNT,    /* uint64_t */
                    QSV_KEY_REAL,     /* double */
                    QSV_KEY_FORMATS,  /* search.formats, search.n_formats */
                    QSV_KEY_PINS,     /* pins, n_pins */
                    QSV_KEY_WORD,     /* char *, of printable ASCII without blanks and quotes */
                    QSV_KEY_SIZE,     /* char *: "4G" */
                    QSV_KEY_TIME,     /* uint64_t, seconds: "1-12:30:00" */
                    QSV_KEY_OPTIONS,  /* struct qsv_spec_texts, each begins with '-' */
                    QSV_KEY_LINES     /* struct qsv_spec_texts */
};

struct qsv_spec_key {
    const char *name; /* "section.key", or "key" outside of sections */
    enum qsv_key_type type;
    size_t offset; /* of the field in struct qsv_spec */
    double min, max;
    const char *const *choices; /* NULL-terminated */
    const char *unit;           /* or NULL */
    const char *standard;       /* the default, as YAML; NULL: see `absent` */
    const char *absent;         /* where there is no default: what then holds. Energy constants have
                                   neither: theirs are in core/cost.c */
    bool required;              /* in calibration: where that is given */
    const char *help;           /* one line */
};

extern const struct qsv_spec_key qsv_spec_keys[];
extern const size_t qsv_n_spec_keys;
extern const char *const qsv_spec_sections[]; /* NULL-terminated */

/* NULL where there is none. */
const struct qsv_spec_key *qsv_spec_key_find(const char *name);
/* The part behind the section. */
const char *qsv_spec_key_leaf(const struct qsv_spec_key *k);
bool qsv_spec_key_is_in(const struct qsv_spec_key *k, const char *section);

/* What a value may be ("an integer from 1 to 1024"), and the default as people write it. */
struct qsv_spec_words {
    char text[256];
};
struct qsv_spec_words qsv_spec_key_allowed(const struct qsv_spec_key *k);
struct qsv_spec_words qsv_spec_key_default(const struct qsv_spec_key *k);

/* Reads a value into the field; QSV_EINPUT with s->path, line, what was found and what is allowed.
 */
enum qsv_status qsv_spec_key_set(struct qsv_spec *s, const struct qsv_spec_key *k,
                                 const struct qsv_yaml_node *node, struct qsv_error *err);
/* Of it: the types that only the scheduler's keys have. */
enum qsv_status qsv_spec_scheduler_set(struct qsv_spec *s, const struct qsv_spec_key *k,
                                       const struct qsv_yaml_node *node, struct qsv_error *err);

/* QSV_EINPUT: what was found, and what is allowed. */
enum qsv_status qsv_spec_key_fail(const struct qsv_spec *s, const struct qsv_spec_key *k,
                                  const struct qsv_yaml_node *node, struct qsv_error *err);
/* Frees what a key's field holds. */
void qsv_spec_key_clear(struct qsv_spec *s, const struct qsv_spec_key *k);

#endif
