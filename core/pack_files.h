/* What core/pack.c (the list of the work, its folder) and core/pack_file.c (a packed file) need of
 * each other. Paths are the caller's to free; NULL: memory is out. */
#ifndef QSV_PACK_FILES_H
#define QSV_PACK_FILES_H

#include "core/pack.h"

char *qsv_pack_part_path(const struct qsv_pack *p, uint32_t part);
/* Says that a file is there: a line with its bytes, then the lines of what was left out of it. */
char *qsv_pack_receipt_path(const struct qsv_pack *p, uint32_t shard);
/* What it is called while it is written: in the folder, where a killed process's is found again. */
char *qsv_pack_temporary_path(const struct qsv_pack *p, uint32_t shard);

struct qsv_part_key qsv_pack_key(const struct qsv_pack *p, uint32_t part);
/* Number in the source of a part's first image, and of a file's; shard `shards`: of all. */
uint64_t qsv_pack_part_first(const struct qsv_pack *p, uint32_t part);
uint64_t qsv_pack_shard_first(const struct qsv_pack *p, uint32_t shard);

/* Images that were left out of a file. */
struct qsv_pack_left_out {
    struct qsv_damage numbers; /* counted from the first of its range */
    struct qsv_strbuf text;    /* lines as in its parts */
};

/* Writes a file from its parts under this path; fills left_out, also on failure. QSV_EFAILED where
 * a part is damaged, which is then removed. */
enum qsv_status qsv_pack_write_file(const struct qsv_pack *p, uint32_t shard, const char *path,
                                    struct qsv_pack_left_out *left_out, struct qsv_error *err);
/* Adds the lines of a part or receipt. Numbers must rise and lie from first on, below end. */
enum qsv_status qsv_pack_add_left_out(struct qsv_pack_left_out *l, const char *text, size_t bytes,
                                      uint64_t first, uint64_t end, struct qsv_error *err);
void qsv_pack_left_out_fini(struct qsv_pack_left_out *l);

#endif
