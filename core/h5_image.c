/* H5Fget_file_image would be the plain way, but leaves out the user block and, in HDF5 1.10, gives
 * a superblock whose checksum is wrong. So the memory of HDF5's core driver is taken over when the
 * driver would free it: then the file is as complete as one on disk.
 */
#include "core/h5_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"

enum { INCREMENT = 1 << 16 };

struct qsv_h5_image {
    hid_t file; /* negative: closed */
    size_t user_block;
    uint8_t *data;    /* once the file is closed */
    size_t allocated; /* bytes */
};

static void *allocate(size_t bytes, H5FD_file_image_op_t op, void *context)
{
    (void)op;
    struct qsv_h5_image *image = context;
    void *data = malloc(bytes);
    image->allocated = data ? bytes : 0;
    return data;
}

static void *resize(void *data, size_t bytes, H5FD_file_image_op_t op, void *context)
{
    (void)op;
    struct qsv_h5_image *image = context;
    void *moved = realloc(data, bytes);
    if (moved)
        image->allocated = bytes;
    return moved;
}

static herr_t release(void *data, H5FD_file_image_op_t op, void *context)
{
    struct qsv_h5_image *image = context;
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE && !image->data)
        image->data = data;
    else
        free(data);
    return 0;
}

static void *keep_context(void *context)
{
    return context;
}

static herr_t leave_context(void *context)
{
    (void)context;
    return 0;
}

static herr_t prepare(hid_t fapl, hid_t fcpl, struct qsv_h5_image *image)
{
    H5FD_file_image_callbacks_t calls = {.image_malloc = allocate,
                                         .image_realloc = resize,
                                         .image_free = release,
                                         .udata_copy = keep_context,
                                         .udata_free = leave_context,
                                         .udata = image};
    if (H5Pset_fapl_core(fapl, INCREMENT, 0) < 0 || H5Pset_userblock(fcpl, image->user_block) < 0 ||
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_LATEST) < 0)
        return -1;
    return H5Pset_file_image_callbacks(fapl, &calls);
}

/* HDF5 first looks for a file of the name that it is given, so it must be one that is not there. */
static hid_t create_file(struct qsv_h5_image *image)
{
    hid_t file = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    char *name = qsv_file_temporary("/nonexistent/image");
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE);
    if (name && fapl >= 0 && fcpl >= 0 && prepare(fapl, fcpl, image) >= 0)
        file = H5Fcreate(name, H5F_ACC_TRUNC, fcpl, fapl);
    if (fapl >= 0)
        H5Pclose(fapl);
    if (fcpl >= 0)
        H5Pclose(fcpl);
    free(name);
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
    image->file = create_file(image);
    if (image->file < 0) {
        qsv_h5_image_destroy(image);
        return qsv_fail_memory(err, "an HDF5 file");
    }
    *out = image;
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

hid_t qsv_h5_image_file(const struct qsv_h5_image *image)
{
    return image->file;
}

/* The driver's memory goes beyond the file's end, which the superblock (version 2 or 3) has behind
 * signature, four bytes, and two addresses. 0: it says nothing that can be. */
static size_t find_end(const struct qsv_h5_image *image)
{
    enum { EOF_AT = 28 };
    uint64_t end = 0;
    if (!image->data || image->allocated < image->user_block + EOF_AT + 8)
        return 0;
    const uint8_t *superblock = image->data + image->user_block;
    if (superblock[8] < 2 || superblock[9] != 8)
        return 0;
    for (int i = 7; i >= 0; i--)
        end = end << 8 | superblock[EOF_AT + i];
    return end <= image->allocated ? (size_t)end : 0;
}

enum qsv_status qsv_h5_image_close(struct qsv_h5_image *image, const char *name, uint8_t **data,
                                   size_t *bytes, struct qsv_error *err)
{
    hid_t file = image->file;
    image->file = -1;
    enum qsv_status st = qsv_h5_close(file, name, err);
    if (st)
        return st;
    *bytes = find_end(image);
    *data = image->data;
    if (*bytes)
        return QSV_OK;
    return qsv_fail(err, QSV_EFAILED, "%s: HDF5 made a file of an unknown kind", name);
}
