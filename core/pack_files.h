/* Where the files of core/pack.h lie, and what every one of its sources needs of them. Names are
 * the caller's to free; NULL: memory is out. */
#ifndef QSV_PACK_FILES_H
#define QSV_PACK_FILES_H

#include "core/pack.h"

char *qsv_pack_part_path(const struct qsv_pack *p, uint32_t part);
/* A line of a file that is there: how long it is, and those of its images that were left out. */
char *qsv_pack_receipt_path(const struct qsv_pack *p, uint32_t shard);
char *qsv_pack_temporary_path(const struct qsv_pack *p, uint32_t shard);

struct qsv_part_key qsv_pack_key(const struct qsv_pack *p, uint32_t part);
/* Number in the source of a part's first image, and of a file's; shard `shards`: of all. */
uint64_t qsv_pack_part_first(const struct qsv_pack *p, uint32_t part);
uint64_t qsv_pack_shard_first(const struct qsv_pack *p, uint32_t shard);

/* Writes one file under its temporary name from parts that hold `kept` images; left_out [n]:
 * numbers counted from the file's first, text: as in the parts. */
struct qsv_pack_left_out {
    struct qsv_damage numbers;
    struct qsv_strbuf text;
};
enum qsv_status qsv_pack_write_file(const struct qsv_pack *p, uint32_t shard, const char *path,
                                    struct qsv_pack_left_out *left_out, struct qsv_error *err);
/* Adds the lines of a part or receipt. Numbers must rise and lie from first on, below end. */
enum qsv_status qsv_pack_add_left_out(struct qsv_pack_left_out *l, const char *text, size_t bytes,
                                      uint64_t first, uint64_t end, struct qsv_error *err);
void qsv_pack_left_out_fini(struct qsv_pack_left_out *l);

#endif
