#include "core/pack.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/data/shards.h"
#include "core/pack_files.h"

/* A part is what is lost at most when a process is killed: a fraction of a second's work. */
enum { PART_IMAGES = 128, PART_BYTES = 1 << 25, LAYOUT_VERSION = 1, MAX_NOTE_BYTES = 1 << 28 };

static const char plan_name[] = "plan";

uint32_t qsv_pack_parts(const struct qsv_pack *p)
{
    return p->first_part[p->shards];
}

uint32_t qsv_pack_shard_of(const struct qsv_pack *p, uint32_t part)
{
    uint32_t low = 0, high = p->shards;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (p->first_part[middle] <= part)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint64_t qsv_pack_shard_first(const struct qsv_pack *p, uint32_t shard)
{
    return qsv_dataset_count(p->source) * shard / p->shards;
}

uint64_t qsv_pack_part_first(const struct qsv_pack *p, uint32_t part)
{
    const uint32_t shard = qsv_pack_shard_of(p, part);
    return qsv_pack_shard_first(p, shard) +
           (uint64_t)(part - p->first_part[shard]) * p->part_images;
}

uint64_t qsv_pack_part_images(const struct qsv_pack *p, uint32_t part)
{
    const uint64_t left =
        qsv_pack_shard_first(p, qsv_pack_shard_of(p, part) + 1) - qsv_pack_part_first(p, part);
    return left < p->part_images ? left : p->part_images;
}

struct qsv_part_key qsv_pack_key(const struct qsv_pack *p, uint32_t part)
{
    uint64_t fields[] = {LAYOUT_VERSION, p->fingerprint, p->shards, p->part_images};
    return (struct qsv_part_key){qsv_hash_bytes(fields, sizeof fields), part,
                                 qsv_pack_part_images(p, part), p->image_bytes};
}

static char *path_of(const struct qsv_pack *p, const char *kind, uint32_t number,
                     const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%06" PRIu32 "%s", kind, number, suffix);
    return qsv_file_join(p->folder, name);
}

char *qsv_pack_part_path(const struct qsv_pack *p, uint32_t part)
{
    return path_of(p, "part", part, "");
}

char *qsv_pack_receipt_path(const struct qsv_pack *p, uint32_t shard)
{
    return path_of(p, "file", shard, ".done");
}

char *qsv_pack_temporary_path(const struct qsv_pack *p, uint32_t shard)
{
    return path_of(p, "file", shard, ".h5.tmp");
}

enum qsv_status qsv_pack_init(struct qsv_pack *p, struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const uint64_t n = qsv_dataset_count(p->source);
    struct qsv_strbuf folder = {0};
    assert(qsv_dataset_skipped(p->source) == 0);
    if (p->shards > n)
        return qsv_fail(err, QSV_EINPUT, "%s: %" PRIu64 " images are too few for %u files",
                        p->output, n, p->shards);
    p->image_bytes = (size_t)s.h * s.w * s.c;
    p->part_images = (uint32_t)(PART_BYTES / p->image_bytes);
    p->part_images = p->part_images > PART_IMAGES ? PART_IMAGES : p->part_images;
    p->part_images = p->part_images ? p->part_images : 1;
    qsv_strbuf_printf(&folder, "%s.parts", p->output);
    p->folder = folder.text;
    p->first_part = qsv_alloc(p->shards + 1, sizeof *p->first_part);
    if (folder.failed || !p->first_part) {
        qsv_pack_fini(p);
        return qsv_fail_memory(err, p->output);
    }
    for (uint32_t k = 0; k < p->shards; k++) {
        const uint64_t images = qsv_pack_shard_first(p, k + 1) - qsv_pack_shard_first(p, k);
        p->first_part[k + 1] =
            p->first_part[k] + (uint32_t)((images + p->part_images - 1) / p->part_images);
    }
    return QSV_OK;
}

void qsv_pack_fini(struct qsv_pack *p)
{
    free(p->folder);
    free(p->first_part);
    p->folder = NULL;
    p->first_part = NULL;
}

/* Names that are this work's in its folder. */
static bool is_ours(const char *name)
{
    return !strncmp(name, "part-", 5) || !strncmp(name, "file-", 5) ||
           !strncmp(name, plan_name, strlen(plan_name));
}

/* Removes those of ours that `wanted` says. How many files are there beside them, the plan and the
 * lock. */
static size_t remove_files(const struct qsv_pack *p, bool (*wanted)(const char *name))
{
    DIR *d = opendir(p->folder);
    size_t others = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (is_ours(e->d_name) && wanted(e->d_name))
            unlinkat(dirfd(d), e->d_name, 0);
        else if (e->d_name[0] != '.' && strcmp(e->d_name, "lock") != 0 &&
                 strcmp(e->d_name, plan_name) != 0)
            others++;
    }
    if (d)
        closedir(d);
    return others;
}

static bool is_temporary(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".tmp");
}

static bool is_not_plan(const char *name)
{
    return strcmp(name, plan_name) != 0;
}

static bool is_any(const char *name)
{
    (void)name;
    return true;
}

/* The plan last: without it the rest would be nobody's. */
static void remove_all(const struct qsv_pack *p)
{
    remove_files(p, is_not_plan);
    remove_files(p, is_any);
}

void qsv_pack_end(const struct qsv_pack *p, bool complete)
{
    if (complete || !remove_files(p, is_temporary))
        remove_all(p);
}

static void describe_plan(const struct qsv_pack *p, struct qsv_strbuf *out)
{
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    qsv_strbuf_printf(out, "data set %016" PRIx64 ", %" PRIu64 " images of %ux%ux%u, %u file%s",
                      p->fingerprint, qsv_dataset_count(p->source), s.c, s.h, s.w, p->shards,
                      p->shards == 1 ? "" : "s");
}

static enum qsv_status compare_plan(const struct qsv_pack *p, const struct qsv_strbuf *now,
                                    const char *path, struct qsv_error *err)
{
    uint8_t *found;
    size_t bytes;
    enum qsv_status st = qsv_file_read(&found, &bytes, path, MAX_NOTE_BYTES, err);
    if (st)
        return st;
    if (bytes != now->len || memcmp(found, now->text, bytes))
        st = qsv_fail(err, QSV_EIDENTITY,
                      "%s: unfinished work on other images: it is on %.200s, asked for is %s; "
                      "--fresh removes it",
                      p->folder, (char *)found, now->text);
    free(found);
    return st;
}

static enum qsv_status check_plan(const struct qsv_pack *p, const char *path, struct qsv_error *err)
{
    struct stat s;
    struct qsv_strbuf now = {0};
    describe_plan(p, &now);
    const bool others = remove_files(p, is_temporary) > 0;
    enum qsv_status st = QSV_OK;
    if (now.failed)
        st = qsv_fail_memory(err, path);
    else if (others && !stat(path, &s))
        st = compare_plan(p, &now, path, err);
    else if (others)
        st = qsv_fail(err, QSV_EIDENTITY,
                      "%s: is needed for unfinished work, and holds something else", p->folder);
    else
        st = qsv_file_write(path, now.text, now.len, err);
    qsv_strbuf_fini(&now);
    return st;
}

enum qsv_status qsv_pack_begin(const struct qsv_pack *p, bool fresh, struct qsv_error *err)
{
    char *path = qsv_file_join(p->folder, plan_name);
    if (fresh)
        remove_all(p);
    enum qsv_status st = path ? check_plan(p, path, err) : qsv_fail_memory(err, p->folder);
    free(path);
    return st;
}

/* The first image that a part left out, as an error. */
static enum qsv_status fail_left_out(const char *path, const struct qsv_part_key *key,
                                     struct qsv_error *err)
{
    struct qsv_part part;
    enum qsv_status st = qsv_part_read(&part, path, key, err);
    if (st)
        return st;
    const char *why = memchr(part.text, ' ', part.text_bytes);
    const char *end = why ? memchr(why, '\n', part.text_bytes - (size_t)(why - part.text)) : NULL;
    st = end ? qsv_fail(err, QSV_EINPUT, "%.*s", (int)(end - why - 1), why + 1)
             : qsv_fail(err, QSV_EINPUT, "%s: is damaged", path);
    qsv_part_fini(&part);
    return st;
}

enum qsv_status qsv_pack_has_part(const struct qsv_pack *p, uint32_t part, bool *has,
                                  struct qsv_error *err)
{
    const struct qsv_part_key key = qsv_pack_key(p, part);
    uint64_t kept;
    char *path = qsv_pack_part_path(p, part);
    if (!path)
        return qsv_fail_memory(err, p->folder);
    *has = !qsv_part_look(&kept, path, &key, NULL);
    enum qsv_status st = QSV_OK;
    if (*has && !p->skip && kept < key.images)
        st = fail_left_out(path, &key, err);
    free(path);
    return st;
}

static enum qsv_status read_receipt(struct qsv_pack_left_out *l, uint64_t *bytes,
                                    const struct qsv_pack *p, uint32_t shard, struct qsv_error *err)
{
    uint8_t *text = NULL;
    size_t n = 0;
    char *path = qsv_pack_receipt_path(p, shard), *end = NULL;
    enum qsv_status st = path ? qsv_file_read(&text, &n, path, MAX_NOTE_BYTES, err)
                              : qsv_fail_memory(err, p->folder);
    if (!st) {
        *bytes = strtoull((char *)text, &end, 10);
        if (end == (char *)text || *end != '\n')
            st = qsv_fail(err, QSV_EINPUT, "%s: is damaged", path);
        else
            st = qsv_pack_add_left_out(l, end + 1, n - (size_t)(end + 1 - (char *)text),
                                       qsv_pack_shard_first(p, shard),
                                       qsv_pack_shard_first(p, shard + 1), err);
    }
    free(text);
    free(path);
    return st;
}

bool qsv_pack_has_file(const struct qsv_pack *p, uint32_t shard)
{
    struct stat s;
    struct qsv_pack_left_out l = {0};
    uint64_t bytes;
    char *path = qsv_shard_path(p->output, shard, p->shards);
    const bool has = path && !read_receipt(&l, &bytes, p, shard, NULL) && !stat(path, &s) &&
                     (uint64_t)s.st_size == bytes && (p->skip || !l.numbers.n);
    qsv_pack_left_out_fini(&l);
    free(path);
    return has;
}

static enum qsv_status read_image(const struct qsv_pack *p, uint64_t i, uint8_t *pixels,
                                  struct qsv_error *err)
{
    if (p->stopped(p->context))
        return qsv_fail(err, QSV_ESTOPPED, "%s: stopped", p->output);
    return qsv_dataset_read(p->source, i, pixels, NULL, err);
}

enum qsv_status qsv_pack_make_part(const struct qsv_pack *p, uint32_t part, struct qsv_error *err)
{
    const struct qsv_part_key key = qsv_pack_key(p, part);
    const uint64_t first = qsv_pack_part_first(p, part);
    const bool may_skip = p->skip && qsv_dataset_transform(p->source);
    struct qsv_error why = {0};
    struct qsv_strbuf left_out = {0};
    struct qsv_part made;
    char *path = qsv_pack_part_path(p, part);
    enum qsv_status st = path ? qsv_part_create(&made, &key, err) : qsv_fail_memory(err, p->folder);
    if (st) {
        free(path);
        return st;
    }
    for (uint64_t i = 0; !st && i < key.images; i++) {
        st = read_image(p, first + i, qsv_part_pixels(&made, &key, made.kept), &why);
        if (st == QSV_EINPUT && may_skip) {
            qsv_strbuf_printf(&left_out, "%" PRIu64 " %s\n", first + i, why.text);
            st = QSV_OK;
        } else if (!st) {
            made.kept++;
        }
    }
    if (st)
        qsv_fail(err, st, "%s", why.text);
    else
        st = qsv_part_write(&made, &key, &left_out, path, err);
    qsv_strbuf_fini(&left_out);
    qsv_part_fini(&made);
    free(path);
    return st;
}

static void remove_parts(const struct qsv_pack *p, uint32_t shard)
{
    for (uint32_t i = p->first_part[shard]; i < p->first_part[shard + 1]; i++) {
        char *path = qsv_pack_part_path(p, i);
        if (path)
            unlink(path);
        free(path);
    }
}

/* Renames a file that was written into place, then says so, then its parts may go. */
static enum qsv_status commit(const struct qsv_pack *p, uint32_t shard, const char *temporary,
                              const struct qsv_pack_left_out *l, struct qsv_error *err)
{
    struct stat s;
    struct qsv_strbuf note = {0};
    char *path = qsv_shard_path(p->output, shard, p->shards);
    char *receipt = qsv_pack_receipt_path(p, shard);
    enum qsv_status st = path && receipt ? QSV_OK : qsv_fail_memory(err, p->output);
    if (!st && stat(temporary, &s))
        st = qsv_fail(err, QSV_EIO, "%s: is gone", temporary);
    if (!st)
        st = qsv_file_commit(temporary, path, err);
    if (!st) {
        qsv_strbuf_printf(&note, "%lld\n%s", (long long)s.st_size, l->text.len ? l->text.text : "");
        st = note.failed ? qsv_fail_memory(err, receipt)
                         : qsv_file_write(receipt, note.text, note.len, err);
    }
    if (!st)
        remove_parts(p, shard);
    qsv_strbuf_fini(&note);
    free(receipt);
    free(path);
    return st;
}

enum qsv_status qsv_pack_make_file(const struct qsv_pack *p, uint32_t shard, struct qsv_error *err)
{
    struct qsv_pack_left_out l = {0};
    char *temporary = qsv_pack_temporary_path(p, shard);
    if (!temporary)
        return qsv_fail_memory(err, p->output);
    enum qsv_status st = qsv_pack_write_file(p, shard, temporary, &l, err);
    if (st)
        unlink(temporary);
    else
        st = commit(p, shard, temporary, &l, err);
    qsv_pack_left_out_fini(&l);
    free(temporary);
    return st;
}

enum qsv_status qsv_pack_list_skipped(const struct qsv_pack *p, struct qsv_strbuf *lines,
                                      uint64_t *n, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    *n = 0;
    for (uint32_t k = 0; !st && k < p->shards; k++) {
        struct qsv_pack_left_out l = {0};
        uint64_t bytes;
        st = read_receipt(&l, &bytes, p, k, err);
        *n += l.numbers.n;
        for (char *line = l.text.text, *end; line && (end = strchr(line, '\n')); line = end + 1)
            qsv_strbuf_printf(lines, "skipped %.*s\n", (int)(end - strchr(line, ' ') - 1),
                              strchr(line, ' ') + 1);
        qsv_pack_left_out_fini(&l);
    }
    return st;
}
