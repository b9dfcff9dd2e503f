/* Checkpoints as files: PyTorch's zip archives, safetensors, and what is neither. */
#include "core/import/checkpoint.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_tensors t;
    struct qsv_error err = {0};
    if (!fuzz_accepted(qsv_checkpoint_parse(&t, data, size, "FILE", &err), &err, QSV_OK))
        return 0;
    for (size_t i = 0; i < t.n; i++)
        fuzz_touch(t.v[i].data, t.v[i].bytes);
    qsv_tensors_fini(&t);
    return 0;
}
