#include "results/json_text.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

json_t *qsv_json_text(const char *text)
{
    json_t *string = json_string(text);
    char *copy = string ? NULL : qsv_strdup(text);
    for (char *p = copy; p && *p; p++)
        if (*p & 0x80)
            *p = '?';
    if (copy)
        string = json_string(copy);
    free(copy);
    return string;
}

json_t *qsv_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}
