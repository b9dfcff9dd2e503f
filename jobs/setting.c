#include "jobs/setting.h"

#include "core/base/hash.h"

uint64_t qsv_setting_id(const uint8_t *formats, uint32_t n_layers)
{
    /* XXH3 takes the length in, so the count needs no place of its own. */
    uint64_t id = qsv_hash_bytes(formats, n_layers);
    return id ? id : 1;
}
