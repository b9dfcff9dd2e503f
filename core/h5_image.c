#include "core/h5_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"

enum { GROW_BYTES = 1 << 18 };

struct qsv_h5_image {
    hid_t file;
    size_t user_block;
    uint8_t *data; /* HDF5's until it closes the file */
    size_t capacity;
};

/* HDF5 asks these for the memory that the file is in, and hands it back when it closes the file:
 * there it is kept. */
static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)op;
    ((struct qsv_h5_image *)image)->capacity = size;
    return malloc(size);
}

static void *image_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                          void *image)
{
    (void)op;
    (void)image;
    return memcpy(to, from, size);
}

static void *image_realloc(void *data, size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)op;
    void *bigger = realloc(data, size);
    if (bigger)
        ((struct qsv_h5_image *)image)->capacity = size;
    return bigger;
}

static herr_t image_free(void *data, H5FD_file_image_op_t op, void *image)
{
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        ((struct qsv_h5_image *)image)->data = data;
    else
        free(data);
    return 0;
}

static void *share(void *image)
{
    return image;
}

static herr_t unshare(void *image)
{
    (void)image;
    return 0;
}

static hid_t create(struct qsv_h5_image *image)
{
    H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy, image_realloc, image_free,
                                             share,        unshare,      image};
    qsv_h5_begin();
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE), file = -1;
    if (H5Pset_fapl_core(fapl, GROW_BYTES, 0) >= 0 &&
        H5Pset_file_image_callbacks(fapl, &callbacks) >= 0 &&
        H5Pset_obj_track_times(fcpl, false) >= 0 && /* the same contents, the same bytes */
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_LATEST) >= 0 &&
        H5Pset_userblock(fcpl, image->user_block) >= 0)
        /* Looked for first, so it must be a name that can't be there. */
        file = H5Fcreate("/dev/null/image", H5F_ACC_TRUNC, fcpl, fapl);
    H5Pclose(fapl);
    H5Pclose(fcpl);
    return file;
}

enum qsv_status qsv_h5_image_create(struct qsv_h5_image **out, size_t user_block,
                                    struct qsv_error *err)
{
    struct qsv_h5_image *image = qsv_alloc(1, sizeof *image);
    *out = NULL;
    if (!image)
        return qsv_fail_memory(err, "an HDF5 file");
    image->user_block = user_block;
    image->file = create(image);
    if (image->file < 0) {
        free(image);
        return qsv_fail(err, QSV_EFAILED, "HDF5 cannot make a file in memory");
    }
    *out = image;
    return QSV_OK;
}

hid_t qsv_h5_image_file(const struct qsv_h5_image *image)
{
    return image->file;
}

/* HDF5 grows the memory in steps; where the file ends is in its superblock (version 3: signature,
 * four bytes, then base, extension and end, eight bytes each). 0 where it is not as expected. */
static size_t file_end(const struct qsv_h5_image *image)
{
    struct qsv_cursor c = qsv_cursor_over(image->data, image->data ? image->capacity : 0);
    qsv_cursor_take(&c, image->user_block + 12);
    uint64_t base = qsv_cursor_u64(&c);
    qsv_cursor_u64(&c);
    uint64_t end = qsv_cursor_u64(&c);
    return !c.failed && base == image->user_block && end <= image->capacity ? (size_t)end : 0;
}

enum qsv_status qsv_h5_image_close(struct qsv_h5_image *image, uint8_t **data, size_t *bytes,
                                   struct qsv_error *err)
{
    herr_t closed = H5Fclose(image->file);
    image->file = -1;
    *data = image->data;
    *bytes = file_end(image);
    if (closed < 0 || !*bytes)
        return qsv_fail(err, QSV_EFAILED, "HDF5 cannot finish a file in memory");
    return QSV_OK;
}

void qsv_h5_image_destroy(struct qsv_h5_image *image)
{
    if (!image)
        return;
    if (image->file >= 0)
        H5Fclose(image->file);
    free(image->data);
    free(image);
}
