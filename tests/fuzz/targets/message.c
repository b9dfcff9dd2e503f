/* Messages between ranks. One that is understood, packed again, is the same bytes. */
#include <string.h>

#include "runner/transport/message.h"
#include "tests/fuzz/fuzz.h"

static const struct qsv_message_sizes sizes = {.shape = {.n_layers = 3, .n_lifs = 2, .n_sites = 4},
                                               .n_shards = 20};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_message m;
    struct qsv_strbuf again = {0};
    struct qsv_error err = {0};
    enum qsv_status st = qsv_message_unpack(&m, &sizes, data, size, &err);
    if (st == QSV_EFAILED)
        st = QSV_EINPUT, err.code = QSV_EINPUT;
    if (!fuzz_accepted(st, &err, QSV_EIDENTITY))
        return 0;
    qsv_message_pack(&m, &sizes, &again);
    FUZZ_NEED(!again.failed && again.len == size && !memcmp(again.text, data, size));
    qsv_strbuf_fini(&again);
    qsv_message_fini(&m);
    return 0;
}
