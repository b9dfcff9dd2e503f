#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/data/shards.h"
#include "core/pack.h"
#include "results/lock.h"
#include "runner/program/commands.h"
#include "runner/inputs/image_options.h"
#include "runner/pack/packer.h"
#include "runner/transport/ranks.h"
#include "schedulers/local.h"

struct values {
    const char *images, *labels, *output;
    uint64_t shards, ranks;
    bool fresh;
    struct qsv_image_options how;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "IMAGES", 0, NULL, AT(images), true, NULL, 0,
     "images: a folder or a tar archive of JPEG and PNG files, IDX, CIFAR's files, HDF5"},
    {QSV_OPTION_TEXT, "output", 'o', "FILE.h5", AT(output), true, NULL, 0,
     "data set to write; it appears when it is complete"},
    {QSV_OPTION_TEXT, "labels", 0, "FILE", AT(labels), false, NULL, 0,
     "labels in a file of their own: IDX, ImageNet's development kit, Kaggle's or another CSV"},
    QSV_IMAGE_OPTIONS(AT(how)),
    {QSV_OPTION_COUNT, "shards", 0, "N", AT(shards), false, "1", QSV_MAX_SHARDS,
     "write N files, FILE.0000-of-000N.h5 and so on, which are one data set together"},
    {QSV_OPTION_COUNT, "ranks", 0, "N", AT(ranks), false, NULL, 65536,
     "MPI ranks to start: all cores unless given; one deals out work, 1 does everything itself"},
    {QSV_OPTION_FLAG, "fresh", 0, NULL, AT(fresh), false, NULL, 0,
     "start over: what an unfinished pack has left in FILE.h5.parts is removed"},
    {.type = QSV_OPTION_END},
};

/* What a rank works with. */
struct job {
    const struct values *values;
    FILE *out;
    struct qsv_dataset_source source;
    struct qsv_stop stop;
    struct qsv_pack pack;
    struct qsv_lock *lock; /* rank 0's */
};

static bool stopped(void *stop)
{
    return qsv_stop_asked(stop);
}

/* The pack of a data set that is open, which becomes the job's. */
static enum qsv_status plan(struct job *j, struct qsv_dataset *d, uint64_t fingerprint,
                            struct qsv_error *err)
{
    j->pack = (struct qsv_pack){.source = d,
                                .output = j->values->output,
                                .fingerprint = fingerprint,
                                .shards = (uint32_t)j->values->shards,
                                .skip = j->values->how.on_error == QSV_ON_ERROR_SKIP,
                                .stopped = stopped,
                                .context = &j->stop};
    return qsv_pack_init(&j->pack, err);
}

static enum qsv_status open_first(struct job *j, struct qsv_error *err)
{
    struct qsv_dataset *d;
    enum qsv_status st = qsv_dataset_open(&d, &j->source, err);
    return st ? st : plan(j, d, qsv_dataset_fingerprint(d), err);
}

static enum qsv_status open_again(void *context, struct qsv_pack **out, uint64_t fingerprint,
                                  struct qsv_error *err)
{
    struct job *j = context;
    struct qsv_dataset *d;
    enum qsv_status st = qsv_dataset_open_again(&d, &j->source, err);
    if (!st)
        st = plan(j, d, fingerprint, err);
    *out = &j->pack;
    return st;
}

static enum qsv_status keep_lock(void *lock, struct qsv_error *err)
{
    return qsv_lock_refresh(lock, err);
}

static enum qsv_status print_end(const struct job *j, struct qsv_error *err)
{
    const struct qsv_pack *p = &j->pack;
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const uint64_t n = qsv_dataset_count(p->source);
    uint64_t skipped;
    struct qsv_strbuf text = {0};
    enum qsv_status st = qsv_pack_list_skipped(p, &text, &skipped, err);
    if (st) {
        qsv_strbuf_fini(&text);
        return st;
    }
    qsv_strbuf_printf(&text, "%s: %" PRIu64 " images of %ux%ux%u", j->values->output, n - skipped,
                      s.c, s.h, s.w);
    if (p->shards > 1)
        qsv_strbuf_printf(&text, " in %u files", p->shards);
    if (skipped)
        qsv_strbuf_printf(&text, ", %" PRIu64 " skipped", skipped);
    qsv_strbuf_puts(&text, "\n");
    return qsv_print(j->out, &text, err);
}

static enum qsv_status pack_all(struct job *j, struct qsv_ranks *r, struct qsv_error *err)
{
    struct qsv_progress *progress = qsv_progress_create(stderr, isatty(STDERR_FILENO), r->clock);
    const struct qsv_packer packer = {&j->pack, r->clock, &j->stop, progress, keep_lock, j->lock};
    enum qsv_status st =
        r->transport ? qsv_packer_deal(&packer, r->transport, err) : qsv_packer_alone(&packer, err);
    qsv_progress_destroy(progress);
    return st ? st : print_end(j, err);
}

/* With the folder locked. */
static enum qsv_status pack_locked(struct job *j, struct qsv_ranks *r, struct qsv_error *err)
{
    enum qsv_status st = qsv_pack_begin(&j->pack, j->values->fresh, err);
    if (st)
        return st;
    st = pack_all(j, r, err);
    qsv_pack_end(&j->pack, st == QSV_OK);
    return st;
}

static enum qsv_status lead(struct job *j, struct qsv_ranks *r, struct qsv_error *err)
{
    enum qsv_status st = open_first(j, err);
    if (!st)
        st = qsv_file_make_folder(j->pack.folder, err);
    if (!st)
        st = qsv_lock_take(&j->lock, j->pack.folder, err);
    if (!st) {
        st = pack_locked(j, r, err);
        qsv_lock_release(j->lock);
        rmdir(j->pack.folder); /* where it is empty */
    }
    if (r->transport)
        qsv_packer_dismiss(r->transport);
    return st;
}

static enum qsv_status follow(struct job *j, struct qsv_ranks *r, struct qsv_error *err)
{
    struct qsv_packer_worker worker = {.open = open_again, .context = j};
    enum qsv_status st = qsv_packer_work(&worker, r->transport, r->clock, err);
    r->stuck = st != QSV_OK;
    return st;
}

static enum qsv_status work(struct qsv_ranks *r, void *context, struct qsv_error *err)
{
    struct job *j = context;
    j->stop = (struct qsv_stop){.flag = r->stop};
    enum qsv_status st =
        r->transport && r->transport->rank > 0 ? follow(j, r, err) : lead(j, r, err);
    qsv_dataset_close(j->pack.source);
    qsv_pack_fini(&j->pack);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    const struct qsv_rank_info info = qsv_rank_info_read();
    struct job job = {.values = v, .out = in->out};
    job.source = (struct qsv_dataset_source){.images = v->images, .labels = v->labels};
    enum qsv_status st = qsv_image_options_apply(&v->how, &job.source, err);
    job.source.on_error = QSV_ON_ERROR_FAIL; /* each image is decoded once: see core/pack.h */
    if (!st && v->shards < 1)
        st = qsv_fail(err, QSV_EUSAGE, "--shards: found 0, expected 1 to %d", QSV_MAX_SHARDS);
    if (st)
        return st;
    if (!info.launched && v->ranks != 1) {
        const struct qsv_launch how = {(uint32_t)v->ranks, 1, in->argv, NULL};
        return qsv_launcher_local.run(&how, err);
    }
    return qsv_ranks_run(&info, work, &job, err);
}

const struct qsv_command qsv_cmd_pack = {
    .name = "pack",
    .summary = "Decodes a data set into HDF5, on all cores",
    .synopsis = "IMAGES -o FILE.h5 [--labels FILE] [--kind NAME]\n"
                "    [--resize N] [--crop N] [--interpolation bicubic|bilinear]\n"
                "    [--on-error fail|skip] [--shards N] [--ranks N] [--fresh]",
    .details = "Pixels as a model takes them, labels, and what images and classes are called.\n"
               "Images lie in the file uncompressed, each with a checksum. An image that can't\n"
               "be decoded ends it by name, or with --on-error skip is left out. Starts mpirun\n"
               "itself where no MPI launcher has started it; the file does not depend on the\n"
               "number of ranks.\n"
               "\n"
               "What is decoded is kept in FILE.h5.parts until the file is complete: after an\n"
               "interruption the same command goes on. Ends with status 75 when it was asked\n"
               "to stop (INT, TERM, USR1).",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
