#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "core/base/file.h"
#include "core/data/shards.h"
#include "runner/pack/packer.h"
#include "runner/transport/transport_loop.h"
#include "tests/unit/core/dataset_files.h"
#include "tests/unit/core/image_files.h"

/* As many files as images: a part an image. */
enum { SHARDS = N_IMAGE_FILES, MAX_RANKS = 30 };

static const struct qsv_transform small = {48, 40, QSV_BICUBIC};
static struct qsv_error err;
static int images_left; /* until it is stopped */

static bool count_down(void *context)
{
    (void)context;
    return --images_left < 0;
}

static bool is_stopped(void *context)
{
    (void)context;
    return images_left < 0;
}

struct rank {
    struct qsv_packer_worker worker;
    struct qsv_pack pack;
    struct qsv_transport *end;
    struct qsv_dataset_source source;
    const char *output;
    bool fails;
};

static struct qsv_pack make_pack(struct qsv_dataset *d, const char *output, uint64_t fingerprint)
{
    struct qsv_pack p = {.source = d,
                         .output = output,
                         .fingerprint = fingerprint,
                         .shards = SHARDS,
                         .stopped = count_down};
    assert_int_equal(qsv_pack_init(&p, &err), QSV_OK);
    return p;
}

static enum qsv_status open_worker(void *context, struct qsv_pack **out, uint64_t fingerprint,
                                   struct qsv_error *why)
{
    struct rank *r = context;
    struct qsv_dataset *d;
    if (r->fails)
        return qsv_fail(why, QSV_EIO, "no images here");
    assert_int_equal(qsv_dataset_open_again(&d, &r->source, why), QSV_OK);
    r->pack = make_pack(d, r->output, fingerprint);
    *out = &r->pack;
    return QSV_OK;
}

static enum qsv_status step(void *context, struct qsv_error *e)
{
    struct rank *r = context;
    return qsv_packer_step(&r->worker, r->end, e);
}

/* By rank 0 and others in one process; broken: the rank whose images can't be opened, 0: none. */
static enum qsv_status deal(const struct qsv_packer *p, const struct qsv_dataset_source *source,
                            int ranks, int broken)
{
    static struct rank all[MAX_RANKS];
    struct qsv_loop *loop;
    assert_int_equal(qsv_loop_create(&loop, ranks, &err), QSV_OK);
    for (int i = 1; i < ranks; i++) {
        all[i] = (struct rank){.worker = {.open = open_worker, .context = &all[i]},
                               .end = qsv_loop_end(loop, i),
                               .source = *source,
                               .output = p->pack->output,
                               .fails = i == broken};
        qsv_loop_attach(loop, i, step, &all[i]);
    }
    enum qsv_status st = qsv_packer_deal(p, qsv_loop_end(loop, 0), &err);
    qsv_packer_dismiss(qsv_loop_end(loop, 0));
    for (int i = 1; i < ranks; i++) {
        assert_int_equal(step(&all[i], NULL), QSV_OK);
        assert_true(all[i].worker.over);
        qsv_dataset_close(all[i].pack.source);
        qsv_pack_fini(&all[i].pack);
    }
    qsv_loop_destroy(loop);
    return st;
}

static enum qsv_status pack(const char *name, const char *images, int ranks, int broken)
{
    const struct qsv_dataset_source source = {.images = images, .transform = small};
    const struct qsv_stop stop = {.asked = is_stopped};
    struct qsv_dataset *d = open_good(&source);
    struct qsv_pack p = make_pack(d, in_folder(name), qsv_dataset_fingerprint(d));
    const struct qsv_packer packer = {.pack = &p, .clock = &qsv_clock_system, .stop = &stop};
    assert_int_equal(qsv_file_make_folder(p.folder, &err), QSV_OK);
    enum qsv_status st = qsv_pack_begin(&p, false, &err);
    if (!st)
        st = ranks == 1 ? qsv_packer_alone(&packer, &err) : deal(&packer, &source, ranks, broken);
    qsv_pack_end(&p, st == QSV_OK);
    rmdir(p.folder);
    qsv_pack_fini(&p);
    qsv_dataset_close(d);
    return st;
}

static void expect_same_files(const char *name, const char *other)
{
    for (uint32_t k = 0; k < SHARDS; k++) {
        uint8_t *x, *y;
        size_t n, m;
        char *a = qsv_shard_path(in_folder(name), k, SHARDS);
        char *b = qsv_shard_path(in_folder(other), k, SHARDS);
        assert_int_equal(qsv_file_read(&x, &n, a, 1 << 20, NULL), QSV_OK);
        assert_int_equal(qsv_file_read(&y, &m, b, 1 << 20, NULL), QSV_OK);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
        free(x);
        free(y);
        free(a);
        free(b);
    }
}

static void test_any_number_of_ranks(void **state)
{
    (void)state;
    static const char *const names[] = {"two.h5", "five.h5", "thirty.h5"};
    static const int ranks[] = {2, 5, 30};
    images_left = 10000;
    assert_int_equal(pack("one.h5", IMAGE_FOLDER, 1, 0), QSV_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pack(names[i], IMAGE_FOLDER, ranks[i], 0), QSV_OK);
        expect_same_files("one.h5", names[i]);
    }
}

static void test_stopped_and_gone_on_with(void **state)
{
    (void)state;
    char text[400];
    for (int i = 0; i < 7; i++) {
        images_left = 4; /* two parts: an image is asked for when it is decoded and when written */
        assert_int_equal(pack("stopped.h5", IMAGE_FOLDER, 1 + i % 3, 0), QSV_ESTOPPED);
        snprintf(text, sizeof text, "%s: stopped after ", in_folder("stopped.h5"));
        assert_memory_equal(err.text, text, strlen(text));
        assert_non_null(strstr(err.text, " of 19 parts of 19 images; the same command goes on"));
    }
    images_left = 10000;
    assert_int_equal(pack("stopped.h5", IMAGE_FOLDER, 4, 0), QSV_OK);
    expect_same_files("one.h5", "stopped.h5");
}

static void test_a_rank_that_has_no_images(void **state)
{
    (void)state;
    images_left = 10000;
    assert_int_equal(pack("broken.h5", IMAGE_FOLDER, 5, 3), QSV_EIO);
    assert_string_equal(err.text, "no images here");
    assert_int_equal(pack("broken.h5", IMAGE_FOLDER, 5, 0), QSV_OK);
    expect_same_files("one.h5", "broken.h5");
}

/* The images, of which numbers 4 and 11 are cut off, in a flat archive-like folder of one class. */
static const char *make_damaged(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/n1", in_folder("damaged"));
    assert_int_equal(mkdir(in_folder("damaged"), 0700), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < N_IMAGE_FILES; i++) {
        size_t n;
        uint8_t *data = read_image_file(image_files[i], &n);
        snprintf(path, sizeof path, "%s/n1/%02d.JPEG", in_folder("damaged"), i);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        n = i == 4 || i == 11 ? n / 2 : n;
        assert_int_equal(fwrite(data, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        free(data);
    }
    return in_folder("damaged");
}

static void remove_damaged(const char *images)
{
    char path[400];
    for (int i = 0; i < N_IMAGE_FILES; i++) {
        snprintf(path, sizeof path, "%s/n1/%02d.JPEG", images, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/n1", images);
    rmdir(path);
    rmdir(images);
}

static void test_the_first_damaged_image_is_named(void **state)
{
    (void)state;
    const char *images = make_damaged();
    images_left = 10000;
    for (int ranks = 1; ranks < 30; ranks += 7) {
        assert_int_equal(pack("damaged.h5", images, ranks, 0), QSV_EINPUT);
        assert_non_null(strstr(err.text, "damaged/n1/04.JPEG: is a JPEG file that ends too early"));
    }
    remove_damaged(images);
}

static int remove_everything(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_ranks),
        cmocka_unit_test(test_stopped_and_gone_on_with),
        cmocka_unit_test(test_a_rank_that_has_no_images),
        cmocka_unit_test(test_the_first_damaged_image_is_named),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_everything);
}
