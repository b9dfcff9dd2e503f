#include "results/ledger_file.h"

#include "core/seal.h"

/* Deflate makes at most 1,032 bytes of one; and a file of a few bytes may still hold small tables
 * by HDF5's own shortcuts. */
enum { BEST_RATIO = 1032, SLACK_BYTES = 1 << 20 };

size_t qsv_file_max_bytes(hid_t file)
{
    hsize_t bytes = 0;
    if (H5Fget_filesize(file, &bytes) < 0)
        bytes = 0;
    return (size_t)bytes * BEST_RATIO + SLACK_BYTES;
}

enum qsv_status qsv_ledger_finish(struct qsv_h5_image *image, const char *path, enum qsv_status st,
                                  struct qsv_error *err)
{
    if (!st)
        return qsv_seal_commit(image, path, err);
    qsv_h5_image_destroy(image);
    return qsv_fail_in(err, st, "%s", path);
}
