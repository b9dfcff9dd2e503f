/* A folder of image files: directly in it, or in folders of it, which are classes where no labels
 * are given (torchvision's ImageFolder). Files that are no images by their suffix are passed over,
 * as there; and so are names that begin with a dot.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/data/encoded.h"

static bool never(const uint8_t *head, size_t n)
{
    (void)head;
    (void)n;
    return false;
}

static bool is_folder(int parent, const struct dirent *entry)
{
    struct stat s;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    return !fstatat(parent, entry->d_name, &s, 0) && S_ISDIR(s.st_mode);
}

static enum qsv_status open_folder(DIR **out, const struct qsv_encoded *e, const char *name,
                                   struct qsv_error *err)
{
    const int fd = openat(e->fd, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    *out = fd < 0 ? NULL : fdopendir(fd);
    if (*out)
        return QSV_OK;
    const int why = errno;
    if (fd >= 0)
        close(fd);
    return qsv_fail(err, QSV_EINPUT, "%s/%s: cannot open: %s", e->path, name, strerror(why));
}

/* Images of a folder below the top one; `name` is its. */
static enum qsv_status list_class(struct qsv_encoded *e, const char *name, struct qsv_error *err)
{
    const size_t before = e->n;
    DIR *d;
    enum qsv_status st = open_folder(&d, e, name, err);
    if (st)
        return st;
    for (struct dirent *entry; !st && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        if (is_folder(dirfd(d), entry)) {
            st = qsv_fail(err, QSV_EINPUT, "%s/%s/%s: a folder in a class folder, expected images",
                          e->path, name, entry->d_name);
        } else if (qsv_encoded_is_image(entry->d_name)) {
            char *path = qsv_file_join(name, entry->d_name);
            st = path ? qsv_encoded_add(e, path, 0, 0, err) : qsv_fail_memory(err, e->path);
            free(path);
        }
    }
    closedir(d);
    if (!st && e->n == before)
        st = qsv_fail(err, QSV_EINPUT, "%s/%s: a class folder without images", e->path, name);
    return st;
}

static enum qsv_status list(struct qsv_encoded *e, struct qsv_error *err)
{
    DIR *d;
    enum qsv_status st = open_folder(&d, e, ".", err);
    if (st)
        return st;
    for (struct dirent *entry; !st && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        if (is_folder(dirfd(d), entry))
            st = list_class(e, entry->d_name, err);
        else if (qsv_encoded_is_image(entry->d_name))
            st = qsv_encoded_add(e, entry->d_name, 0, 0, err);
    }
    closedir(d);
    return st;
}

static enum qsv_status open_images(void **state, struct qsv_data_info *info,
                                   const struct qsv_dataset_source *source, struct qsv_error *err)
{
    return qsv_encoded_open(state, info, source, false, list, err);
}

const struct qsv_data_reader qsv_folder_reader = {.name = "folder",
                                                  .is_folder = true,
                                                  .decodes = true,
                                                  .recognise = never,
                                                  .open = open_images,
                                                  .read_pixels = qsv_encoded_read_pixels,
                                                  .read_labels = qsv_encoded_read_labels,
                                                  .hash = qsv_encoded_hash,
                                                  .class_name = qsv_encoded_class_name,
                                                  .image_name = qsv_encoded_image_name,
                                                  .close = qsv_encoded_close};
