#include "runner/inputs/codes.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/io.h"
#include "core/statistics.h"
#include "jobs/strategy.h"
#include "runner/inputs/calibrate.h"

enum { MOST_PARTS = 8 };

uint64_t qsv_codes_hash(const struct qsv_spec *spec)
{
    struct qsv_hash *h = qsv_hash_begin();
    if (!h)
        return 0;
    qsv_quantizer_hash(&spec->quantizer, h);
    if (qsv_quantizer_needs_statistics(&spec->quantizer))
        qsv_hash_add_u64(h, spec->calibration_images);
    return qsv_hash_end(h);
}

bool qsv_codes_are_recorded(const struct qsv_codes *c)
{
    return qsv_quantizer_needs_statistics(&c->spec->quantizer);
}

char *qsv_codes_path(const char *run)
{
    struct stat info;
    const char *slash = strrchr(run, '/');
    if (stat(run, &info) || S_ISDIR(info.st_mode))
        return qsv_file_join(run, "bank.h5");
    char *folder =
        slash ? qsv_strndup(run, slash > run ? (size_t)(slash - run) : 1) : qsv_strdup("");
    char *path = folder ? qsv_file_join(folder, "bank.h5") : NULL;
    free(folder);
    return path;
}

static char *part_path(const struct qsv_codes *c, uint32_t part)
{
    char name[32];
    snprintf(name, sizeof name, "bank/part-%04u.h5", part);
    return qsv_file_join(c->spec->run, name);
}

enum qsv_status qsv_codes_make_folder(const struct qsv_codes *c, struct qsv_error *err)
{
    char *folder = qsv_file_join(c->spec->run, "bank");
    enum qsv_status st =
        folder ? qsv_file_make_folder(folder, err) : qsv_fail_memory(err, "the bank");
    free(folder);
    return st;
}

/* Formats that trials may give to a layer: the search's, the pins', and what the strategy asks for
 * by itself. */
static bool is_wanted(const struct qsv_codes *c, uint8_t format)
{
    const struct qsv_strategy *strategy = qsv_strategy_find(c->spec->search.strategy);
    if (!qsv_format_info(format)->integer)
        return false;
    if (strategy && strategy->any_format)
        return true;
    for (uint32_t f = 0; f < c->spec->search.n_formats; f++)
        if (c->spec->search.formats[f] == format)
            return true;
    for (size_t p = 0; p < c->spec->n_pins; p++)
        if (c->spec->pins[p].format == format)
            return true;
    return false;
}

static bool lacks(const struct qsv_codes *c, uint32_t layer)
{
    for (uint8_t f = 0; f < QSV_N_FORMATS; f++)
        if (is_wanted(c, f) && !qsv_bank_has(c->bank, layer, f))
            return true;
    return false;
}

bool qsv_codes_are_complete(const struct qsv_codes *c)
{
    if (!qsv_codes_are_recorded(c))
        return true;
    for (uint32_t l = 0; l < c->model->graph.n_layers; l++)
        if (lacks(c, l))
            return false;
    return true;
}

uint32_t qsv_codes_parts(const struct qsv_codes *c)
{
    uint32_t n = MOST_PARTS;
    n = c->partition->n_shards < n ? c->partition->n_shards : n;
    return c->model->graph.n_layers < n ? (uint32_t)c->model->graph.n_layers : n;
}

bool qsv_codes_has_part(const struct qsv_codes *c, uint32_t part)
{
    char *path = part_path(c, part);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    return there;
}

/* Operations of one layer's codes, more or less: factorization, and rows by columns. */
static double work_of(const struct qsv_layer *l)
{
    const double k = (double)l->kernel * l->kernel * l->in_ch;
    return k * k * (k + 10.0 * (l->groups > 1 ? 1 : l->out_ch));
}

/* The layer with most work left goes to the part with least so far. */
enum qsv_status qsv_codes_part_layers(const struct qsv_codes *c, uint32_t part, bool *mine,
                                      struct qsv_error *err)
{
    const struct qsv_graph *g = &c->model->graph;
    double sums[MOST_PARTS] = {0};
    bool *dealt = qsv_alloc(g->n_layers, sizeof *dealt);
    if (!dealt)
        return qsv_fail_memory(err, "a part of the bank");
    for (size_t n = 0; n < g->n_layers; n++) {
        size_t largest = g->n_layers;
        uint32_t to = 0;
        for (size_t l = 0; l < g->n_layers; l++)
            if (!dealt[l] &&
                (largest == g->n_layers || work_of(&g->layers[l]) > work_of(&g->layers[largest])))
                largest = l;
        for (uint32_t p = 1; p < qsv_codes_parts(c); p++)
            to = sums[p] < sums[to] ? p : to;
        sums[to] += work_of(&g->layers[largest]);
        dealt[largest] = true;
        mine[largest] = to == part && lacks(c, (uint32_t)largest);
    }
    free(dealt);
    return QSV_OK;
}

/* The last images of the order, so that those that decide first are others where there are enough.
 */
static enum qsv_status collect(const struct qsv_codes *c, struct qsv_statistics *s,
                               const struct qsv_stop *stop, struct qsv_error *err)
{
    const uint64_t there = c->set == QSV_DECIDE ? c->partition->n_decide : c->partition->n_judge;
    const uint64_t wanted = c->spec->calibration_images;
    const uint32_t n = (uint32_t)(wanted && wanted < there ? wanted : there);
    return qsv_calibrate(s, c->images, qsv_dataset_fingerprint(c->images->dataset),
                         c->partition->order[c->set] + (there - n), n, stop, err);
}

static enum qsv_status fill(const struct qsv_codes *c, struct qsv_bank *part, const bool *mine,
                            const struct qsv_stop *stop, struct qsv_error *err)
{
    const struct qsv_bank_entry *entry;
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < c->model->graph.n_layers; l++)
        for (uint8_t f = 0; !st && mine[l] && f < QSV_N_FORMATS; f++) {
            if (!is_wanted(c, f) || qsv_bank_has(c->bank, l, f))
                continue;
            st = qsv_stop_asked(stop) ? qsv_fail(err, QSV_ESTOPPED, "stopped")
                                      : qsv_bank_get(&entry, part, l, f, err);
        }
    return st;
}

/* The first one counts: links, unlike renames, take no other's place. */
static enum qsv_status publish(const struct qsv_bank *part, const char *path, struct qsv_error *err)
{
    char *own = qsv_file_temporary(path);
    enum qsv_status st = own ? qsv_bank_save(part, own, err) : qsv_fail_memory(err, path);
    if (!st && qsv_io_link(own, path) && errno != EEXIST)
        st = qsv_io_fail(err, path, "cannot link into place");
    if (own)
        unlink(own);
    free(own);
    return st;
}

/* What an engine had lies in pieces between others, and would stay ours. */
static void give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static enum qsv_status make(const struct qsv_codes *c, const bool *mine, const char *path,
                            const struct qsv_stop *stop, struct qsv_error *err)
{
    struct qsv_statistics *s = NULL;
    struct qsv_bank *part = NULL;
    enum qsv_status st = qsv_statistics_create(&s, c->model, mine, err);
    if (!st)
        st = collect(c, s, stop, err);
    give_back();
    if (!st)
        st = qsv_bank_create(&part, c->model, &c->spec->quantizer, err);
    if (!st)
        st = qsv_bank_spend_statistics(part, s, err);
    if (!st)
        st = fill(c, part, mine, stop, err);
    if (!st)
        st = publish(part, path, err);
    qsv_bank_destroy(part);
    qsv_statistics_destroy(s);
    return st;
}

static bool has_folder(const struct qsv_codes *c)
{
    struct stat info;
    char *folder = qsv_file_join(c->spec->run, "bank");
    const bool there = !folder || stat(folder, &info) == 0; /* out of memory: as far as is known */
    free(folder);
    return there;
}

/* All parts were put together, and with them these layers. That the folder is there says nothing:
 * it may be a later round's. */
static bool is_late(const struct qsv_codes *c, const bool *mine)
{
    if (qsv_codes_load(c, NULL))
        return false;
    for (uint32_t l = 0; l < c->model->graph.n_layers; l++)
        if (mine[l] && lacks(c, l))
            return false;
    return true;
}

static enum qsv_status make_unless_late(const struct qsv_codes *c, uint32_t part, const char *path,
                                        bool *mine, const struct qsv_stop *stop,
                                        struct qsv_error *err)
{
    enum qsv_status st = qsv_codes_part_layers(c, part, mine, err);
    if (st)
        return st;
    if (!has_folder(c))
        st = qsv_fail(err, QSV_EIO, "%s: its folder is missing", path);
    else
        st = make(c, mine, path, stop, err);
    return st == QSV_EIO && is_late(c, mine) ? QSV_OK : st;
}

enum qsv_status qsv_codes_make_part(const struct qsv_codes *c, uint32_t part,
                                    const struct qsv_stop *stop, struct qsv_error *err)
{
    char *path = part_path(c, part);
    bool *mine = qsv_alloc(c->model->graph.n_layers, sizeof *mine);
    enum qsv_status st = path && mine ? QSV_OK : qsv_fail_memory(err, "a part of the bank");
    if (!st && !qsv_codes_has_part(c, part))
        st = make_unless_late(c, part, path, mine, stop, err);
    free(path);
    free(mine);
    return st;
}

/* Puts the file's entries into the bank. */
static enum qsv_status take(const struct qsv_codes *c, const char *path, struct qsv_error *err)
{
    struct qsv_bank *from;
    const struct qsv_bank_entry *e;
    enum qsv_status st = qsv_bank_load(&from, c->model, path, err);
    if (st)
        return st;
    if (strcmp(qsv_bank_quantizer(from)->name, c->spec->quantizer.name))
        st = qsv_fail(err, QSV_EINPUT, "%s: codes by %s, expected by %s", path,
                      qsv_bank_quantizer(from)->name, c->spec->quantizer.name);
    for (uint32_t l = 0; !st && l < c->model->graph.n_layers; l++)
        for (uint8_t f = 0; !st && f < QSV_N_FORMATS; f++) {
            if (!qsv_format_info(f)->integer || !qsv_bank_has(from, l, f) ||
                qsv_bank_has(c->bank, l, f))
                continue;
            st = qsv_bank_get(&e, from, l, f, err);
            if (!st)
                st = qsv_bank_install(c->bank, l, e, err);
        }
    qsv_bank_destroy(from);
    return st;
}

enum qsv_status qsv_codes_load(const struct qsv_codes *c, struct qsv_error *err)
{
    char *path = qsv_codes_path(c->spec->run);
    enum qsv_status st = path ? QSV_OK : qsv_fail_memory(err, "the bank");
    if (!st && access(path, F_OK) == 0)
        st = take(c, path, err);
    free(path);
    return st;
}

/* With what makers who were killed, or are at it, left behind. */
static void remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, "part-", 5))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(folder);
}

/* The folder loses its name first, at once: makers who are late can put nothing more into it. */
void qsv_codes_remove_parts(const struct qsv_codes *c)
{
    char *folder = qsv_file_join(c->spec->run, "bank");
    char *done = qsv_file_join(c->spec->run, "bank.done");
    if (folder && done) {
        remove_folder(done); /* of one who was killed here */
        if (!qsv_io_rename(folder, done))
            remove_folder(done);
    }
    free(folder);
    free(done);
}

enum qsv_status qsv_codes_gather(const struct qsv_codes *c, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t p = 0; !st && p < qsv_codes_parts(c); p++) {
        char *path = part_path(c, p);
        st = path ? take(c, path, err) : qsv_fail_memory(err, "the bank");
        free(path);
    }
    char *whole = qsv_codes_path(c->spec->run);
    if (!st)
        st = whole ? qsv_bank_save(c->bank, whole, err) : qsv_fail_memory(err, "the bank");
    if (!st)
        qsv_codes_remove_parts(c);
    free(whole);
    return st;
}
