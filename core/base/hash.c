#include "core/base/hash.h"

#include <string.h>
#include <xxhash.h>

struct qsv_hash *qsv_hash_begin(void)
{
    XXH3_state_t *s = XXH3_createState();
    if (s)
        XXH3_64bits_reset(s);
    return (struct qsv_hash *)s;
}

void qsv_hash_add(struct qsv_hash *h, const void *data, size_t bytes)
{
    XXH3_64bits_update((XXH3_state_t *)h, data, bytes);
}

void qsv_hash_add_u64(struct qsv_hash *h, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> 8 * i);
    qsv_hash_add(h, b, sizeof b);
}

void qsv_hash_add_string(struct qsv_hash *h, const char *s)
{
    size_t n = strlen(s);
    qsv_hash_add_u64(h, n);
    qsv_hash_add(h, s, n);
}

uint64_t qsv_hash_end(struct qsv_hash *h)
{
    uint64_t v = XXH3_64bits_digest((XXH3_state_t *)h);
    XXH3_freeState((XXH3_state_t *)h);
    return v;
}

uint64_t qsv_hash_bytes(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}
