#include "core/data/labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/data/devkit.h"
#include "core/data/stream.h"

enum { MAX_BYTES = 1 << 28, MAX_LABEL = 65535 };

static const char kaggle_header[] = "ImageId,PredictionString";

/* A line of a text: what an image is called there, and its class. Both point into the text. */
struct entry {
    char *image, *class_name;
    size_t line;
    uint16_t label;
};

struct qsv_labels {
    const char *path; /* the caller's, until it was read */
    char *text;
    struct entry *entries; /* by image */
    size_t n, capacity;
    char **classes;
    size_t n_classes;
    bool kaggle; /* images without folder and suffix */
    struct qsv_devkit devkit;
};

static int by_image(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->image, ((const struct entry *)b)->image);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum qsv_status fail_line(const struct qsv_labels *l, size_t line, const char *found,
                                 const char *expected, struct qsv_error *err)
{
    return qsv_fail(err, QSV_EINPUT, "%s:%zu: found '%.60s', expected %s", l->path, line, found,
                    expected);
}

static char *without_dot(char *path)
{
    return strncmp(path, "./", 2) ? path : path + 2;
}

/* "path,label": the last comma counts, paths may have some. */
static enum qsv_status parse_path_label(struct entry *e, char *line, const struct qsv_labels *l,
                                        struct qsv_error *err)
{
    static const char expected[] = "path,label with a number from 0 to 65535";
    char *comma = strrchr(line, ','), *end = NULL;
    if (!comma || comma == line || comma[1] < '0' || comma[1] > '9')
        return fail_line(l, e->line, line, expected, err);
    const unsigned long label = strtoul(comma + 1, &end, 10);
    if (*end || label > MAX_LABEL)
        return fail_line(l, e->line, line, expected, err);
    *comma = 0;
    e->image = without_dot(line);
    e->label = (uint16_t)label;
    return QSV_OK;
}

/* "ILSVRC2012_val_00048981,n03995372 85 1 499 272": a class, then boxes. */
static enum qsv_status parse_kaggle(struct entry *e, char *line, const struct qsv_labels *l,
                                    struct qsv_error *err)
{
    char *comma = strchr(line, ',');
    const size_t n = comma ? strcspn(comma + 1, " ") : 0;
    if (!n || comma == line)
        return fail_line(l, e->line, line, "ImageId,PredictionString as in 'x,n01440764 1 2 3 4'",
                         err);
    *comma = 0;
    comma[1 + n] = 0;
    e->image = line;
    e->class_name = comma + 1;
    return QSV_OK;
}

static enum qsv_status parse_line(struct qsv_labels *l, char *line, size_t number,
                                  struct qsv_error *err)
{
    if (!*line || (number == 1 && (l->kaggle || !strcmp(line, "path,label"))))
        return QSV_OK;
    if (!qsv_grow(&l->entries, &l->capacity, l->n + 1, sizeof *l->entries))
        return qsv_fail_memory(err, l->path);
    struct entry *e = &l->entries[l->n++];
    e->line = number;
    return l->kaggle ? parse_kaggle(e, line, l, err) : parse_path_label(e, line, l, err);
}

static enum qsv_status sort_entries(struct qsv_labels *l, struct qsv_error *err)
{
    if (!l->n)
        return qsv_fail(err, QSV_EINPUT, "%s: holds no labels", l->path);
    qsort(l->entries, l->n, sizeof *l->entries, by_image);
    for (size_t i = 1; i < l->n; i++)
        if (!by_image(&l->entries[i], &l->entries[i - 1]))
            return qsv_fail(err, QSV_EINPUT, "%s: lines %zu and %zu are both for '%.200s'", l->path,
                            l->entries[i - 1].line, l->entries[i].line, l->entries[i].image);
    return QSV_OK;
}

/* Numbers of Kaggle's classes: their places among all that the file names. */
static enum qsv_status number_classes(struct qsv_labels *l, struct qsv_error *err)
{
    char **names = qsv_alloc(l->n, sizeof *names);
    if (!names)
        return qsv_fail_memory(err, l->path);
    l->classes = names;
    for (size_t i = 0; i < l->n; i++)
        names[i] = l->entries[i].class_name;
    qsort(names, l->n, sizeof *names, by_name);
    for (size_t i = 0; i < l->n; i++)
        if (!i || strcmp(names[i], names[l->n_classes - 1]))
            names[l->n_classes++] = names[i];
    if (l->n_classes > MAX_LABEL + 1)
        return qsv_fail(err, QSV_EINPUT, "%s: has %zu classes, at most %d are allowed", l->path,
                        l->n_classes, MAX_LABEL + 1);
    for (size_t i = 0; i < l->n; i++) {
        char **at = bsearch(&l->entries[i].class_name, names, l->n_classes, sizeof *names, by_name);
        l->entries[i].label = (uint16_t)(at - names);
    }
    return QSV_OK;
}

static enum qsv_status read_text(struct qsv_labels *l, struct qsv_error *err)
{
    size_t n, number = 0;
    enum qsv_status st = qsv_file_read((uint8_t **)&l->text, &n, l->path, MAX_BYTES, err);
    if (!st && memchr(l->text, 0, n))
        st = qsv_fail(err, QSV_EINPUT, "%s: is no text: it holds NUL bytes", l->path);
    if (st)
        return st;
    l->kaggle = !strncmp(l->text, kaggle_header, sizeof kaggle_header - 1);
    for (char *line = l->text, *next; !st && *line; line = next) {
        const size_t length = strcspn(line, "\n");
        next = line + length + (line[length] != 0);
        line[length] = 0;
        if (length && line[length - 1] == '\r')
            line[length - 1] = 0;
        st = parse_line(l, line, ++number, err);
    }
    if (!st)
        st = sort_entries(l, err);
    return !st && l->kaggle ? number_classes(l, err) : st;
}

enum qsv_status qsv_labels_read(struct qsv_labels **out, const char *path, struct qsv_error *err)
{
    uint8_t head[2] = {0};
    size_t n;
    *out = NULL;
    enum qsv_status st = qsv_stream_peek(path, head, sizeof head, &n, err);
    if (st)
        return st;
    struct qsv_labels *l = qsv_alloc(1, sizeof *l);
    if (!l)
        return qsv_fail_memory(err, path);
    l->path = path;
    if (head[0] == 0x1f && head[1] == 0x8b)
        st = qsv_devkit_read(&l->devkit, path, err);
    else
        st = read_text(l, err);
    if (st)
        qsv_labels_destroy(l);
    else
        *out = l;
    return st;
}

void qsv_labels_destroy(struct qsv_labels *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->devkit.n_classes; i++)
        free(l->devkit.classes[i]);
    free(l->devkit.classes);
    free(l->devkit.labels);
    free(l->classes);
    free(l->entries);
    free(l->text);
    free(l);
}

static const char *file_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum qsv_status find_in_devkit(const struct qsv_devkit *d, const char *image,
                                      uint16_t *label, struct qsv_error *err)
{
    static const char lead[] = "ILSVRC2012_val_";
    const char *name = file_part(image), *digits = name + sizeof lead - 1;
    unsigned number = 0;
    if (strncmp(name, lead, sizeof lead - 1) != 0 || strspn(digits, "0123456789") != 8 ||
        digits[8] != '.' || sscanf(digits, "%8u", &number) != 1 || !number || number > d->n)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: expected a name as in ILSVRC2012_val_00000001.JPEG, up to %zu", image,
                        d->n);
    *label = d->labels[number - 1];
    return QSV_OK;
}

static const struct entry *find_entry(const struct qsv_labels *l, char *name)
{
    const struct entry wanted = {.image = name};
    return bsearch(&wanted, l->entries, l->n, sizeof wanted, by_image);
}

enum qsv_status qsv_labels_find(const struct qsv_labels *l, const char *image, uint16_t *label,
                                struct qsv_error *err)
{
    if (l->devkit.labels)
        return find_in_devkit(&l->devkit, image, label, err);
    char *name = qsv_strdup(l->kaggle ? file_part(image) : image);
    if (!name)
        return qsv_fail_memory(err, "labels");
    if (l->kaggle && strrchr(name, '.'))
        *strrchr(name, '.') = 0;
    const struct entry *e = find_entry(l, name);
    if (!e && !l->kaggle)
        e = find_entry(l, name + (file_part(image) - image));
    free(name);
    if (!e)
        return qsv_fail(err, QSV_EINPUT, "%s: has no label", image);
    *label = e->label;
    return QSV_OK;
}

char *const *qsv_labels_classes(const struct qsv_labels *l, size_t *n)
{
    *n = l->devkit.labels ? l->devkit.n_classes : l->n_classes;
    return l->devkit.labels ? l->devkit.classes : l->classes;
}
