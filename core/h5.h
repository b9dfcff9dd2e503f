/* HDF5 with this project's habits: errors as one line, file locking off (NFS, Lustre), files that
 * may be torn or hostile read with few attempts and bounded sizes, datasets chunked with
 * Fletcher32. HDF5's own error printing is off from the first call on.
 */
#ifndef QSV_H5_H
#define QSV_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#include "core/base/error.h"

/* What every function here that opens or creates begins with: no printing, and nothing done when
 * the process exits, where HDF5 1.10 crashes on a file that it could not close because a write
 * failed. All files are closed by then anyway. */
void qsv_h5_begin(void);

/* Read-only. QSV_EINPUT where it can't be opened, is not HDF5 or is torn. Close with H5Fclose. */
enum qsv_status qsv_h5_open(hid_t *file, const char *path, struct qsv_error *err);

/* A new file, truncating. QSV_EIO on failure. Close with qsv_h5_close, which tells of a failed
 * write. */
enum qsv_status qsv_h5_create(hid_t *file, const char *path, struct qsv_error *err);
enum qsv_status qsv_h5_close(hid_t file, const char *path, struct qsv_error *err);

/* What HDF5 has just failed at: "path: doing: why", the system's words where it was the system. */
enum qsv_status qsv_h5_fail(struct qsv_error *err, enum qsv_status code, const char *path,
                            const char *doing);

/* True where loc has a link of that name (a path of several parts is looked up part by part). */
bool qsv_h5_exists(hid_t loc, const char *name);

/* Attributes of a file, group or dataset. Writing replaces. Reading: QSV_EINPUT where missing or of
 * another type. */
enum qsv_status qsv_h5_set_string(hid_t loc, const char *name, const char *value,
                                  struct qsv_error *err);
enum qsv_status qsv_h5_set_u64(hid_t loc, const char *name, uint64_t value, struct qsv_error *err);
enum qsv_status qsv_h5_set_f64(hid_t loc, const char *name, double value, struct qsv_error *err);
enum qsv_status qsv_h5_set_f64s(hid_t loc, const char *name, const double *values, size_t n,
                                struct qsv_error *err);
/* Fixed- or variable-length strings; *value is the caller's to free; longer than 1 MiB is refused.
 */
enum qsv_status qsv_h5_get_string(hid_t loc, const char *name, char **value, struct qsv_error *err);
enum qsv_status qsv_h5_get_u64(hid_t loc, const char *name, uint64_t *value, struct qsv_error *err);
enum qsv_status qsv_h5_get_f64(hid_t loc, const char *name, double *value, struct qsv_error *err);
enum qsv_status qsv_h5_get_f64s(hid_t loc, const char *name, double *values, size_t n,
                                struct qsv_error *err);

/* Creates dataset `name` (in loc) and writes data. rank 1..5; dims of 0 are allowed. chunk_rows:
 * rows of the first dimension a chunk (0: chosen, about 256 KiB); deflate 0..9. Fletcher32 always.
 */
struct qsv_h5_layout {
    unsigned rank;
    hsize_t dims[6];
    hsize_t chunk_rows;
    unsigned deflate;
};
enum qsv_status qsv_h5_write(hid_t loc, const char *name, hid_t file_type, hid_t memory_type,
                             const struct qsv_h5_layout *layout, const void *data,
                             struct qsv_error *err);

/* A group that does not remember when it was made: the same contents, the same bytes. Below 0:
 * failed.
 */
hid_t qsv_h5_create_group(hid_t loc, const char *name);
/* Opens dataset `name`; checks that it has `rank` dimensions and gives them. Close with H5Dclose.
 */
enum qsv_status qsv_h5_open_dataset(hid_t *dataset, hid_t loc, const char *name, unsigned rank,
                                    hsize_t *dims, struct qsv_error *err);

/* Reads the whole dataset of exactly this rank into newly allocated memory (*data, freed by the
 * caller); element_size is that of memory_type. More than max_bytes is refused before anything is
 * allocated. dims [rank] are filled. */
enum qsv_status qsv_h5_read(hid_t loc, const char *name, hid_t memory_type, size_t element_size,
                            unsigned rank, hsize_t *dims, size_t max_bytes, void **data,
                            struct qsv_error *err);

#endif
