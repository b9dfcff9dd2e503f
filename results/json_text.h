/* JSON values of what files, folders and other programs say. Jansson takes neither text that is not
 * UTF-8 nor numbers that are not finite, and a report must not fail for them. */
#ifndef QSV_JSON_TEXT_H
#define QSV_JSON_TEXT_H

#include <jansson.h>

/* Of text that is not UTF-8 what is ASCII is left, the rest becomes '?'. NULL: out of memory. */
json_t *qsv_json_text(const char *text);

/* null where v is not finite. */
json_t *qsv_json_number(double v);

#endif
