/* Model files: values of one that is good are changed (h5.h), and the checksum over its contents
 * does not count: what qsv_model_load refuses for that last reason alone, it has read completely.
 */
#include <string.h>

#include "core/model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_h5 *good;
    struct qsv_model *m = NULL;
    struct qsv_error err = {0};
    if (!good)
        good = fuzz_h5_load("tests/data/tiny.h5");
    const char *path = fuzz_h5_change(good, 0, data, size);
    FUZZ_NEED(fuzz_accepted(qsv_model_load(&m, path, &err), &err, QSV_OK) || size);
    qsv_model_destroy(m);
    return 0;
}
