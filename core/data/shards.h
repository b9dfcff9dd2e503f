/* Names of the files of a data set that was packed into several: "val.0003-of-0008.h5" is number 3,
 * from 0, of the eight that "val.h5" was asked for as.
 */
#ifndef QSV_SHARDS_H
#define QSV_SHARDS_H

#include <stdbool.h>
#include <stdint.h>

enum { QSV_MAX_SHARDS = 512 };

/* The name of file k of n; path itself where n is 1. Caller frees; NULL: memory is out. */
char *qsv_shard_path(const char *path, uint32_t k, uint32_t n);

/* What such a name says; false for any other name. */
bool qsv_shard_parse(const char *path, uint32_t *k, uint32_t *n);

/* The name of file k where path is that of another of them. Caller frees; NULL: memory is out. */
char *qsv_shard_sibling(const char *path, uint32_t k);

#endif
