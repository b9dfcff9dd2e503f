/* JSON values of what a run holds, whatever it is: names that are no UTF-8, numbers that are none.
 */
#ifndef QSV_JSON_H
#define QSV_JSON_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Of text that is not UTF-8 what is ASCII is left, the rest becomes '?'; null for NULL. NULL: out
 * of memory, here and below. */
json_t *qsv_json_string(const char *text);

json_t *qsv_json_number(double v); /* null where it is not finite */
json_t *qsv_json_id(uint64_t id);  /* sixteen digits as `qsvit` prints them; null for 0 */

/* Of text that this program has written: anything but a failure for want of memory is a bug. */
enum qsv_status qsv_json_parse(json_t **out, const struct qsv_strbuf *text, struct qsv_error *err);

/* Appends it, on one line, in a form that may stand inside an HTML script element: no '<' is in it.
 */
enum qsv_status qsv_json_print(struct qsv_strbuf *out, const json_t *value, struct qsv_error *err);

#endif
