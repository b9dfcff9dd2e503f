/* safetensors: an input is a header up to the first NUL byte, and the data behind that. The
 * header's length, which nearly every change would make wrong, is put in front here.
 */
#include <stdlib.h>
#include <string.h>

#include "core/import/checkpoint.h"
#include "core/import/safetensors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_tensors t = {0};
    struct qsv_strbuf file = {0};
    struct qsv_error err = {0};
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const size_t header = end ? (size_t)(end - data) : size;
    qsv_strbuf_u64(&file, header);
    qsv_strbuf_add(&file, data, header);
    if (end)
        qsv_strbuf_add(&file, end + 1, size - header - 1);
    FUZZ_NEED(!file.failed);
    char *exact = fuzz_text(file.text, file.len); /* a sanitizer sees a read behind its end */
    if (fuzz_accepted(qsv_safetensors_parse(&t, (uint8_t *)exact, file.len, &err), &err, QSV_OK))
        for (size_t i = 0; i < t.n; i++)
            fuzz_touch(t.v[i].data, t.v[i].bytes);
    qsv_tensors_fini(&t);
    qsv_strbuf_fini(&file);
    free(exact);
    return 0;
}
