/* A data set decoded once into HDF5, which is a data set again (docs/datasets.md): one file, or
 * several that are one data set together (core/data/shards.h).
 *
 *     images   u8 [N, height, width, channels], a chunk an image, with Fletcher32
 *     labels   u16 [N]
 *     paths    text [N], what the images were called; where they have names
 *     classes  text [n], what the labels mean; where they have names
 *     skipped  text [m], images that were left out because they can't be decoded; where there are
 *     attributes: source_fingerprint, 16 hexadecimal digits: that of the data set, with all images;
 *     skipped_images; resize, crop, interpolation of JPEG and PNG; shard, shards of several files
 *
 * The work is a fixed list of parts, each some images of one file in a row, that any process may
 * make in any order and that are kept in the folder OUTPUT.parts until their file is written. So it
 * can be killed at any time and goes on from there, and what is written depends neither on that nor
 * on who has made what. One process begins and ends; the folder's lock is its matter.
 */
#ifndef QSV_PACK_H
#define QSV_PACK_H

#include <stdbool.h>

#include "core/base/strbuf.h"
#include "core/dataset.h"
#include "core/pack_part.h"

struct qsv_pack {
    struct qsv_dataset *source; /* the caller's; nothing was left out of it */
    const char *output;         /* the caller's */
    char *folder;               /* of parts */
    uint64_t fingerprint;       /* of source */
    uint32_t shards;            /* files */
    bool skip;                  /* leave out images that can't be decoded */
    uint32_t part_images;       /* most of a part */
    size_t image_bytes;
    uint32_t *first_part; /* [shards + 1]: of each file; the last is how many there are */
    /* Asked before every image: QSV_ESTOPPED where it says true. */
    bool (*stopped)(void *context);
    void *context;
};

/* Fills what follows from source, output, fingerprint, shards. QSV_EINPUT where there are fewer
 * images than files. Nothing is touched. */
enum qsv_status qsv_pack_init(struct qsv_pack *p, struct qsv_error *err);
void qsv_pack_fini(struct qsv_pack *p);

/* In the folder, which is there: sets up the work or finds what is done of it. fresh: removes that
 * first. QSV_EIDENTITY where it is of other images, another transform or number of files. */
enum qsv_status qsv_pack_begin(const struct qsv_pack *p, bool fresh, struct qsv_error *err);

uint32_t qsv_pack_parts(const struct qsv_pack *p);
/* The file that a part belongs to, and how many images are in its range. */
uint32_t qsv_pack_shard_of(const struct qsv_pack *p, uint32_t part);
uint64_t qsv_pack_part_images(const struct qsv_pack *p, uint32_t part);

/* Whether it is there. QSV_EINPUT where the part left out an image, and none shall be. */
enum qsv_status qsv_pack_has_part(const struct qsv_pack *p, uint32_t part, bool *has,
                                  struct qsv_error *err);
bool qsv_pack_has_file(const struct qsv_pack *p, uint32_t shard);

/* QSV_EINPUT names the image that can't be decoded. */
enum qsv_status qsv_pack_make_part(const struct qsv_pack *p, uint32_t part, struct qsv_error *err);
/* Writes a file whose parts are all there, and removes them. A part that turns out to be damaged is
 * removed, so that the same work done again makes it anew. */
enum qsv_status qsv_pack_make_file(const struct qsv_pack *p, uint32_t shard, struct qsv_error *err);

/* When all files are there: adds why each image that is left out is, a line each. */
enum qsv_status qsv_pack_list_skipped(const struct qsv_pack *p, struct qsv_strbuf *lines,
                                      uint64_t *n, struct qsv_error *err);
/* Removes all that is the work's in the folder where it is complete, or where nothing was done yet;
 * otherwise it stays to be gone on with. */
void qsv_pack_end(const struct qsv_pack *p, bool complete);

#endif
