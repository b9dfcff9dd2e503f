/* The codes of a run, made in parts on the tiny network: every layer once, the same whatever the
 * parts, never twice, and refused where they are damaged or of something else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/statistics.h"
#include "runner/inputs/calibrate.h"
#include "runner/inputs/codes.h"
#include "runner/search/sweep.h"
#include "runner/transport/transport_loop.h"
#include "runner/worker/worker.h"
#include "tests/unit/runner/tiny.h"

static const char few[] = "  formats: [int4, binary]\n  max_rounds: 1\n";
static const char more_formats[] = "  formats: [int4, int2, binary]\n  max_rounds: 1\n";
static const char searched[] = "constraint:\n  max_top1_drop: 5\n"
                               "quantizer:\n  method: searched\n  images: 32\n";

struct stage {
    struct folder folder;
    struct qsv_spec *spec;
    struct qsv_inputs in;
};

/* Inputs of a run in that folder: another process's, or another attempt's. */
static void open_in(struct stage *s, const struct folder *f, const char *search,
                    uint32_t shard_images)
{
    s->folder = *f;
    s->spec = tiny_spec(f, search, searched);
    s->spec->shard_images = shard_images;
    load_inputs(&s->in, s->spec);
}

static void make_folder_of_parts(const struct stage *s)
{
    if (qsv_codes_make_folder(&s->in.codes, &err))
        fail_msg("%s", err.text);
}

static void leave(struct stage *s)
{
    qsv_inputs_fini(&s->in);
    qsv_spec_destroy(s->spec);
}

static void begin(struct stage *s, const char *search, uint32_t shard_images)
{
    struct folder f;
    make_folder(&f);
    open_in(s, &f, search, shard_images);
    make_folder_of_parts(s);
}

static void end(struct stage *s)
{
    const struct folder f = s->folder;
    leave(s);
    remove_folder(&f);
}

static void part_path(const struct stage *s, uint32_t part, char path[128])
{
    snprintf(path, 128, "%s/run/bank/part-%04u.h5", s->folder.path, part);
}

static void whole_path(const struct stage *s, char path[128])
{
    snprintf(path, 128, "%s/run/bank.h5", s->folder.path);
}

/* Names in RUN/bank/ that end so; "": all. */
static uint32_t count_files(const struct stage *s, const char *ending)
{
    char path[128];
    uint32_t n = 0;
    snprintf(path, sizeof path, "%s/run/bank", s->folder.path);
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        const size_t len = strlen(e->d_name), tail = strlen(ending);
        n += e->d_name[0] != '.' && len >= tail && !strcmp(e->d_name + len - tail, ending);
    }
    if (d)
        closedir(d);
    return n;
}

static void make_parts(const struct stage *s, uint32_t first, uint32_t n)
{
    for (uint32_t p = first; p < n; p++)
        if (qsv_codes_make_part(&s->in.codes, p, NULL, &err))
            fail_msg("part %u: %s", p, err.text);
}

static void gather(const struct stage *s)
{
    if (qsv_codes_gather(&s->in.codes, &err))
        fail_msg("%s", err.text);
}

static void make_all(const struct stage *s)
{
    make_folder_of_parts(s);
    make_parts(s, 0, qsv_codes_parts(&s->in.codes));
    gather(s);
}

/* Of all that the bank has in a format; 0 where a layer lacks it. */
static uint64_t hash_codes(const struct stage *s, struct qsv_bank *b, enum qsv_format f)
{
    struct qsv_hash *h = qsv_hash_begin();
    bool all = true;
    assert_non_null(h);
    for (uint32_t l = 0; l < s->in.model->graph.n_layers; l++) {
        const struct qsv_layer *layer = &s->in.model->graph.layers[l];
        const struct qsv_bank_entry *e;
        if (!qsv_bank_has(b, l, f)) {
            all = false;
            continue;
        }
        assert_int_equal(qsv_bank_get(&e, b, l, f, &err), QSV_OK);
        assert_non_null(e->correction);
        qsv_hash_add(h, e->codes, layer->n_weights);
        qsv_hash_add(h, e->scale, layer->out_ch * sizeof *e->scale);
        qsv_hash_add(h, e->correction, layer->out_ch * sizeof *e->correction);
        qsv_hash_add(h, &e->loss, sizeof e->loss);
    }
    const uint64_t hash = qsv_hash_end(h);
    return all ? hash : 0;
}

static void assert_same_codes(const struct stage *a, struct qsv_bank *of_a, const struct stage *b,
                              struct qsv_bank *of_b)
{
    static const enum qsv_format formats[] = {QSV_INT4, QSV_BINARY};
    for (int i = 0; i < 2; i++) {
        const uint64_t hash = hash_codes(a, of_a, formats[i]);
        assert_true(hash && hash == hash_codes(b, of_b, formats[i]));
    }
}

/* Codes by one bank with statistics of all layers, of the images that the parts must take: the last
 * 32 of the deciding ones' order. */
static struct qsv_bank *codes_at_once(const struct stage *s, struct qsv_statistics **statistics)
{
    struct qsv_bank *b;
    const struct qsv_codes *c = &s->in.codes;
    assert_int_equal(c->set, QSV_DECIDE);
    assert_int_equal(c->partition->n_decide, 64);
    assert_int_equal(qsv_statistics_create(statistics, s->in.model, NULL, &err), QSV_OK);
    assert_int_equal(qsv_calibrate(*statistics, c->images,
                                   qsv_dataset_fingerprint(c->images->dataset),
                                   c->partition->order[QSV_DECIDE] + 32, 32, NULL, &err),
                     QSV_OK);
    assert_int_equal(qsv_bank_create(&b, s->in.model, &s->spec->quantizer, &err), QSV_OK);
    assert_int_equal(qsv_bank_use_statistics(b, *statistics, &err), QSV_OK);
    for (uint32_t l = 0; l < s->in.model->graph.n_layers; l++)
        for (int f = 0; f < 2; f++) {
            const struct qsv_bank_entry *e;
            assert_int_equal(qsv_bank_get(&e, b, l, f ? QSV_BINARY : QSV_INT4, &err), QSV_OK);
        }
    return b;
}

/* How many parts hold a layer's format. */
static void count_entries(const struct stage *s, uint32_t n_parts, uint32_t *counts)
{
    for (uint32_t p = 0; p < n_parts; p++) {
        struct qsv_bank *b;
        char path[128];
        uint32_t n = 0;
        part_path(s, p, path);
        assert_int_equal(qsv_bank_load(&b, s->in.model, path, &err), QSV_OK);
        for (uint32_t l = 0; l < s->in.model->graph.n_layers; l++)
            for (enum qsv_format f = 0; f < QSV_N_FORMATS; f++)
                if (qsv_format_info(f)->integer && qsv_bank_has(b, l, f)) {
                    counts[l * QSV_N_FORMATS + f]++;
                    n++;
                }
        assert_true(n > 0);
        qsv_bank_destroy(b);
    }
}

static void parts_cover_every_layer_once(void **state)
{
    (void)state;
    static const struct {
        uint32_t shard_images, n_parts;
    } rows[] = {{8, 8}, {32, 5}, {200, 2}};
    struct stage first;
    struct qsv_statistics *statistics;
    begin(&first, few, 16);
    struct qsv_bank *want = codes_at_once(&first, &statistics);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage s;
        begin(&s, few, rows[i].shard_images);
        const size_t n_layers = s.in.model->graph.n_layers;
        uint32_t *counts = qsv_alloc(n_layers * QSV_N_FORMATS, sizeof *counts);
        assert_true(qsv_codes_are_recorded(&s.in.codes));
        assert_false(qsv_codes_are_complete(&s.in.codes));
        assert_int_equal(qsv_codes_parts(&s.in.codes), rows[i].n_parts);
        make_parts(&s, 0, rows[i].n_parts);
        count_entries(&s, rows[i].n_parts, counts);
        for (size_t l = 0; l < n_layers; l++)
            for (uint32_t f = 0; f < QSV_N_FORMATS; f++)
                assert_int_equal(counts[l * QSV_N_FORMATS + f], f == QSV_INT4 || f == QSV_BINARY);
        gather(&s);
        assert_true(qsv_codes_are_complete(&s.in.codes));
        assert_same_codes(&first, want, &s, s.in.bank);
        free(counts);
        end(&s);
    }
    qsv_bank_destroy(want);
    qsv_statistics_destroy(statistics);
    end(&first);
}

static void a_part_that_is_there_is_not_made_again(void **state)
{
    (void)state;
    struct stage s;
    struct stat before, after;
    char path[128];
    begin(&s, few, 64);
    part_path(&s, 1, path);
    assert_false(qsv_codes_has_part(&s.in.codes, 1));
    make_parts(&s, 1, 2);
    assert_true(qsv_codes_has_part(&s.in.codes, 1));
    assert_false(qsv_codes_has_part(&s.in.codes, 0));
    assert_int_equal(stat(path, &before), 0);
    make_parts(&s, 1, 2);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_int_equal(count_files(&s, ""), 1);
    end(&s);
}

struct rival { /* makes the same part while another is at it */
    const struct qsv_codes *codes;
    uint32_t part;
    bool done;
};

static bool overtake(void *context)
{
    struct rival *r = context;
    if (!r->done) {
        r->done = true;
        assert_int_equal(qsv_codes_make_part(r->codes, r->part, NULL, NULL), QSV_OK);
    }
    return false;
}

static void of_two_makers_the_first_counts(void **state)
{
    (void)state;
    struct stage s, other;
    struct stat before, after;
    char path[128];
    begin(&s, few, 64);
    open_in(&other, &s.folder, few, 64);
    struct rival r = {&other.in.codes, 2, false};
    const struct qsv_stop stop = {NULL, overtake, &r};
    part_path(&s, 2, path);
    /* The rival's file is told by its time: nothing that comes later may touch it. */
    assert_int_equal(qsv_codes_make_part(&s.in.codes, 2, &stop, &err), QSV_OK);
    assert_true(r.done);
    assert_int_equal(count_files(&s, ""), 1);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(before.st_nlink, 1);
    r.done = false;
    assert_int_equal(qsv_codes_make_part(&s.in.codes, 2, &stop, &err), QSV_OK);
    assert_false(r.done); /* there is nothing to do */
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    leave(&other);
    end(&s);
}

/* What happens to RUN/bank/ while a maker is at a part. */
struct others {
    struct stage *stage;
    enum { GATHER, GATHER_AND_BEGIN_ANEW, REMOVE_FOLDER } what;
    bool done;
};

static bool go_ahead(void *context)
{
    struct others *o = context;
    char path[128];
    if (o->done)
        return false;
    o->done = true;
    if (o->what == REMOVE_FOLDER) {
        snprintf(path, sizeof path, "%s/run/bank", o->stage->folder.path);
        assert_int_equal(rmdir(path), 0);
        return false;
    }
    make_parts(o->stage, 0, qsv_codes_parts(&o->stage->in.codes));
    gather(o->stage);
    if (o->what == GATHER_AND_BEGIN_ANEW)
        make_folder_of_parts(o->stage);
    return false;
}

static void assert_only_the_whole_is_there(const struct stage *s)
{
    static const char *const names[] = {"bank", "bank.done"};
    char path[128];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/run/%s", s->folder.path, names[i]);
        assert_int_equal(access(path, F_OK), -1);
    }
    whole_path(s, path);
    assert_int_equal(access(path, F_OK), 0);
}

/* A part was dealt twice; one maker ends, or begins, when all are put together and removed. */
static void a_part_that_comes_too_late_is_dropped(void **state)
{
    (void)state;
    struct stage s, other;
    begin(&s, few, 64);
    open_in(&other, &s.folder, few, 64);
    struct others o = {&other, GATHER, false};
    const struct qsv_stop stop = {NULL, go_ahead, &o};
    if (qsv_codes_make_part(&s.in.codes, 2, &stop, &err))
        fail_msg("%s", err.text);
    assert_true(o.done);
    assert_only_the_whole_is_there(&s);
    assert_true(qsv_codes_are_complete(&s.in.codes)); /* it goes on with those that counted */
    assert_same_codes(&s, s.in.bank, &other, other.in.bank);
    leave(&other);

    open_in(&other, &s.folder, few, 64);
    make_parts(&other, 1, 2);
    assert_only_the_whole_is_there(&s);
    leave(&other);
    end(&s);
}

/* The folder is there again, for formats that were added: nothing it says is about this part. */
static void a_part_may_be_late_by_a_round(void **state)
{
    (void)state;
    struct stage s, other;
    begin(&s, few, 64);
    open_in(&other, &s.folder, few, 64);
    struct others o = {&other, GATHER_AND_BEGIN_ANEW, false};
    const struct qsv_stop stop = {NULL, go_ahead, &o};
    assert_int_equal(qsv_codes_make_part(&s.in.codes, 2, &stop, &err), QSV_OK);
    assert_true(o.done);
    assert_int_equal(count_files(&s, ".tmp"), 0);
    make_all(&s);
    assert_only_the_whole_is_there(&s);
    leave(&other);
    end(&s);
}

static void assert_missed(const struct stage *s, const struct qsv_stop *stop)
{
    char path[128];
    part_path(s, 2, path);
    err.text[0] = '\0';
    assert_int_equal(qsv_codes_make_part(&s->in.codes, 2, stop, &err), QSV_EIO);
    if (!strstr(err.text, path) || strchr(err.text, '\n'))
        fail_msg("%s", err.text);
    *strrchr(path, '/') = '\0';
    assert_int_equal(access(path, F_OK), -1); /* it isn't a maker's to make */
}

static void a_wanted_part_misses_its_folder(void **state)
{
    (void)state;
    struct stage s, later;
    begin(&s, few, 64);
    struct others o = {&s, REMOVE_FOLDER, false};
    const struct qsv_stop stop = {NULL, go_ahead, &o};
    assert_missed(&s, &stop); /* it goes while the part is made */
    assert_true(o.done);
    assert_missed(&s, NULL);

    make_all(&s); /* there is a whole, without formats that were added since */
    open_in(&later, &s.folder, more_formats, 64);
    assert_missed(&later, NULL);
    leave(&later);
    end(&s);
}

static const char mark[] = "the first one";

static bool put_mark(void *context)
{
    const char *path = context;
    FILE *f = fopen(path, "wx");
    if (!f)
        return false;
    assert_true(fputs(mark, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return false;
}

/* Whatever lies there when a part is ready stays as it is. */
static void no_part_takes_anothers_place(void **state)
{
    (void)state;
    struct stage s;
    char path[128], text[32] = "";
    begin(&s, few, 64);
    part_path(&s, 0, path);
    const struct qsv_stop stop = {NULL, put_mark, path};
    assert_int_equal(qsv_codes_make_part(&s.in.codes, 0, &stop, &err), QSV_OK);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    assert_string_equal(text, mark);
    fclose(f);
    assert_int_equal(count_files(&s, ""), 1);
    end(&s);
}

static void gathered_parts_are_gone_and_loaded_again(void **state)
{
    (void)state;
    struct stage s, later;
    char path[128];
    begin(&s, few, 32);
    assert_int_equal(qsv_codes_load(&s.in.codes, &err), QSV_OK); /* nothing is there yet */
    assert_false(qsv_codes_are_complete(&s.in.codes));
    make_parts(&s, 0, 5);
    part_path(&s, 1, path);
    strcat(path, ".1234.tmp"); /* of one who was killed */
    put_mark(path);
    gather(&s);
    part_path(&s, 0, path);
    *strrchr(path, '/') = '\0';
    assert_int_equal(access(path, F_OK), -1);
    whole_path(&s, path);
    assert_int_equal(access(path, F_OK), 0);

    open_in(&later, &s.folder, few, 32);
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_OK);
    assert_true(qsv_codes_are_complete(&later.in.codes));
    assert_same_codes(&s, s.in.bank, &later, later.in.bank);
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_OK); /* what is there stays */
    leave(&later);
    end(&s);
}

static void cut(const char *path, double part)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, (off_t)((double)info.st_size * part)), 0);
}

static void flip(const char *path, double at)
{
    FILE *f = fopen(path, "r+");
    struct stat info;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    assert_int_equal(fseek(f, (long)((double)info.st_size * at), SEEK_SET), 0);
    const int c = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    assert_int_equal(fputc(c ^ 16, f), c ^ 16);
    assert_int_equal(fclose(f), 0);
}

/* In one line that names the file, and nothing of it is taken. */
static void assert_refused(const struct stage *s, const char *path)
{
    struct stage later;
    open_in(&later, &s->folder, few, 64);
    err.text[0] = '\0';
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_EINPUT);
    if (!strstr(err.text, path) || strchr(err.text, '\n'))
        fail_msg("%s", err.text);
    assert_false(qsv_codes_are_complete(&later.in.codes));
    leave(&later);
}

static void a_damaged_bank_is_refused(void **state)
{
    (void)state;
    static const double cuts[] = {0.9999, 0.9, 0.5, 0.01, 0};
    struct stage s;
    char path[128], copy[160], command[320];
    begin(&s, few, 64);
    make_all(&s);
    whole_path(&s, path);
    snprintf(copy, sizeof copy, "%s.good", path);
    snprintf(command, sizeof command, "cp '%s' '%s'", path, copy);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "cp '%s' '%s'", copy, path);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        cut(path, cuts[i]);
        assert_refused(&s, path);
        assert_int_equal(system(command), 0);
    }
    for (double at = 0.001; at < 1; at += 0.05) {
        flip(path, at);
        assert_refused(&s, path);
        assert_int_equal(system(command), 0);
    }
    end(&s);
}

static void a_bank_of_something_else_is_refused(void **state)
{
    (void)state;
    struct stage s, later;
    char path[128];
    begin(&s, few, 64);
    make_all(&s);
    whole_path(&s, path);
    open_in(&later, &s.folder, few, 64);
    later.in.model->hash ^= 1;
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "codes of model"));
    later.in.model->hash ^= 1;
    later.spec->quantizer.name = qsv_quantizer_find("gptq");
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "codes by searched, expected by gptq"));
    leave(&later);
    end(&s);
}

static void a_damaged_part_is_refused(void **state)
{
    (void)state;
    struct stage s;
    char path[128];
    begin(&s, few, 64);
    make_parts(&s, 0, 3);
    part_path(&s, 1, path);
    flip(path, 0.7);
    assert_int_equal(qsv_codes_gather(&s.in.codes, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(count_files(&s, ""), 3);
    assert_int_equal(unlink(path), 0); /* made again it goes on */
    make_all(&s);
    assert_true(qsv_codes_are_complete(&s.in.codes));
    end(&s);
}

static void formats_that_are_added_change_no_others(void **state)
{
    (void)state;
    struct stage s, later;
    begin(&s, few, 64);
    make_all(&s);
    open_in(&later, &s.folder, more_formats, 64);
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_OK);
    assert_false(qsv_codes_are_complete(&later.in.codes));
    make_folder_of_parts(&later);
    make_parts(&later, 0, 3);
    for (uint32_t p = 0; p < 3; p++) { /* nothing is computed twice */
        struct qsv_bank *b;
        char path[128];
        part_path(&later, p, path);
        assert_int_equal(qsv_bank_load(&b, later.in.model, path, &err), QSV_OK);
        for (uint32_t l = 0; l < later.in.model->graph.n_layers; l++)
            assert_false(qsv_bank_has(b, l, QSV_INT4) || qsv_bank_has(b, l, QSV_BINARY));
        qsv_bank_destroy(b);
    }
    gather(&later);
    assert_true(qsv_codes_are_complete(&later.in.codes));
    assert_same_codes(&s, s.in.bank, &later, later.in.bank);
    assert_true(hash_codes(&later, later.in.bank, QSV_INT2) != 0);
    leave(&later);

    open_in(&later, &s.folder, more_formats, 64); /* and all that is in the file */
    assert_int_equal(qsv_codes_load(&later.in.codes, &err), QSV_OK);
    assert_true(qsv_codes_are_complete(&later.in.codes));
    assert_same_codes(&s, s.in.bank, &later, later.in.bank);
    leave(&later);
    end(&s);
}

static void formats_of_pins_are_made_too(void **state)
{
    (void)state;
    struct stage s;
    struct qsv_pin pin = {(char *)"*", QSV_INT6, 1}, *was;
    begin(&s, few, 200);
    make_all(&s);
    was = s.spec->pins;
    s.spec->pins = &pin;
    s.spec->n_pins = 1;
    assert_false(qsv_codes_are_complete(&s.in.codes));
    make_all(&s);
    assert_true(hash_codes(&s, s.in.bank, QSV_INT6) != 0);
    s.spec->pins = was;
    s.spec->n_pins = 0;
    assert_true(qsv_codes_are_complete(&s.in.codes));
    char *strategy = s.spec->search.strategy;
    s.spec->search.strategy = (char *)"uniform"; /* asks for formats that aren't the search's */
    assert_false(qsv_codes_are_complete(&s.in.codes));
    s.spec->search.strategy = strategy;
    end(&s);
}

static void rounded_codes_are_not_recorded(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, few, 64);
    s.spec->quantizer.name = qsv_quantizer_find("round");
    assert_false(qsv_codes_are_recorded(&s.in.codes));
    assert_true(qsv_codes_are_complete(&s.in.codes));
    end(&s);
}

static void the_hash_knows_what_decides_codes(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, few, 64);
    const uint64_t hash = qsv_codes_hash(s.spec);
    assert_true(hash != 0 && hash == s.in.run.identity.quantizer);
    s.spec->calibration_images++;
    assert_true(hash != qsv_codes_hash(s.spec));
    s.spec->quantizer.name = qsv_quantizer_find("round"); /* by no images at all */
    const uint64_t rounded = qsv_codes_hash(s.spec);
    s.spec->calibration_images++;
    assert_true(rounded == qsv_codes_hash(s.spec) && rounded != hash);
    end(&s);
}

struct looks {
    long n, stop_at;
};

static bool look(void *context)
{
    struct looks *l = context;
    return ++l->n >= l->stop_at;
}

static void a_stop_leaves_nothing_behind(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, few, 64);
    const volatile sig_atomic_t set = 1;
    const struct qsv_stop at_once = {&set, NULL, NULL};
    assert_int_equal(qsv_codes_make_part(&s.in.codes, 0, &at_once, &err), QSV_ESTOPPED);
    assert_int_equal(count_files(&s, ""), 0);

    enum qsv_status st = QSV_ESTOPPED;
    long n = 1, stops = 0;
    for (; st == QSV_ESTOPPED; n += n < 8 ? 1 : n / 4) {
        struct looks l = {0, n};
        const struct qsv_stop stop = {NULL, look, &l};
        assert_int_equal(count_files(&s, ""), 0);
        st = qsv_codes_make_part(&s.in.codes, 0, &stop, &err);
        stops += st == QSV_ESTOPPED;
    }
    assert_int_equal(st, QSV_OK);
    assert_true(stops > 8); /* between batches, and between layers' codes */
    assert_int_equal(count_files(&s, ""), 1);
    end(&s);
}

/* The calls that write, each failing once; then as if nothing had been. */
static void what_cannot_be_written_is_made_later(void **state)
{
    (void)state;
    struct stage s, want;
    begin(&s, few, 200);
    begin(&want, few, 200);
    make_all(&want);
    enum qsv_status st = QSV_EIO;
    unsigned long n = 0;
    while (st) {
        char fault[32];
        n++;
        snprintf(fault, sizeof fault, "any:%lu%s", n, n % 2 ? ":EIO" : "+:ENOSPC");
        assert_int_equal(qsv_io_set_fault(fault, NULL), QSV_OK);
        err.text[0] = '\0';
        st = QSV_OK;
        for (uint32_t p = 0; !st && p < 2; p++)
            st = qsv_codes_make_part(&s.in.codes, p, NULL, &err);
        if (!st)
            st = qsv_codes_gather(&s.in.codes, &err);
        qsv_io_set_fault(NULL, NULL);
        if (st && (st != QSV_EIO || !strstr(err.text, s.folder.path) || strchr(err.text, '\n')))
            fail_msg("%s: status %d: %s", fault, (int)st, err.text);
        assert_int_equal(count_files(&s, ".tmp"), 0);
    }
    assert_true(n > 10);
    assert_same_codes(&want, want.in.bank, &s, s.in.bank);
    leave(&want);
    const struct folder f = want.folder;
    open_in(&want, &s.folder, few, 200);
    assert_int_equal(qsv_codes_load(&want.in.codes, &err), QSV_OK);
    assert_true(qsv_codes_are_complete(&want.in.codes));
    leave(&want);
    remove_folder(&f);
    end(&s);
}

/* Whether the part is there already isn't known then, in one place: that is no failure. */
static void out_of_memory(void **state)
{
    (void)state;
    struct stage s;
    char path[128];
    begin(&s, few, 200);
    part_path(&s, 0, path);
    long n = 0;
    for (int made = 0; made < 2;) { /* twice in a row: there is no allocation left to fail */
        n += n < 40 ? 1 : 1 + n / 4;
        qsv_alloc_fail_at(n);
        err.text[0] = '\0';
        const enum qsv_status st = qsv_codes_make_part(&s.in.codes, 0, NULL, &err);
        qsv_alloc_fail_at(0);
        if (st && (st != QSV_ENOMEM || !err.text[0]))
            fail_msg("allocation %ld: status %d: %s", n, (int)st, err.text);
        assert_int_equal(count_files(&s, ".tmp"), 0);
        assert_int_equal(unlink(path), st ? -1 : 0);
        made = st ? 0 : made + 1;
    }
    assert_true(n > 100);
    make_all(&s);
    assert_true(qsv_codes_are_complete(&s.in.codes));
    end(&s);
}

static enum qsv_status sweep(struct qsv_spec *spec, FILE *log)
{
    static volatile sig_atomic_t stop;
    const struct qsv_sweep s = {.spec = spec,
                                .clock = &qsv_clock_system,
                                .stop = &stop,
                                .out = log,
                                .log = log,
                                .command_line = "qsvit run",
                                .libraries = "HDF5"};
    err.text[0] = '\0';
    return qsv_sweep_alone(&s, &err);
}

/* Stopped while the parts are made, then asked for more formats. */
static void parts_of_an_earlier_attempt_may_lack_formats(void **state)
{
    (void)state;
    struct stage s;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    begin(&s, few, 64);
    make_parts(&s, 0, 2);
    const struct folder f = s.folder;
    leave(&s);
    struct qsv_spec *spec = tiny_spec(&f, more_formats, searched);
    spec->shard_images = 64;
    const enum qsv_status st = sweep(spec, nowhere);
    if (st && st != QSV_EUNMET)
        fail_msg("%s", err.text);
    qsv_spec_destroy(spec);

    open_in(&s, &f, more_formats, 64);
    assert_int_equal(qsv_codes_load(&s.in.codes, &err), QSV_OK);
    assert_true(qsv_codes_are_complete(&s.in.codes));
    assert_int_equal(count_files(&s, ""), 0);
    fclose(nowhere);
    end(&s);
}

/* Killed when the whole was there: before its parts were removed, or in the middle of that. */
static void parts_of_an_earlier_attempt_are_removed(void **state)
{
    (void)state;
    struct stage s;
    char path[128], command[320];
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    for (int renamed = 0; renamed < 2; renamed++) {
        begin(&s, few, 64);
        make_parts(&s, 0, 3);
        snprintf(command, sizeof command, "cp -r '%s/run/bank' '%s/kept'", s.folder.path,
                 s.folder.path);
        assert_int_equal(system(command), 0);
        gather(&s);
        snprintf(path, sizeof path, "%s/run/bank%s", s.folder.path, renamed ? ".done" : "");
        snprintf(command, sizeof command, "mv '%s/kept' '%s'", s.folder.path, path);
        assert_int_equal(system(command), 0);
        assert_int_equal(access(path, F_OK), 0);
        const enum qsv_status st = sweep(s.spec, nowhere);
        if (st && st != QSV_EUNMET)
            fail_msg("%s", err.text);
        assert_only_the_whole_is_there(&s);
        end(&s);
    }
    fclose(nowhere);
}

struct post { /* a worker, and its coordinator's end */
    struct qsv_loop *loop;
    struct qsv_worker *worker;
    struct qsv_message_sizes sizes;
};

static struct qsv_message receive(struct post *p)
{
    struct qsv_transport *t = qsv_loop_end(p->loop, 0);
    struct qsv_parcel parcel;
    struct qsv_message m;
    do {
        assert_int_equal(t->poll(t, &parcel, &err), QSV_OK);
        assert_non_null(parcel.data);
        assert_int_equal(qsv_message_unpack(&m, &p->sizes, parcel.data, parcel.bytes, &err),
                         QSV_OK);
        free(parcel.data);
    } while (m.type == QSV_MESSAGE_ALIVE);
    return m;
}

static void employ(struct post *p, struct stage *s, const char *run_folder,
                   const struct qsv_codes *codes)
{
    const struct qsv_worker_setup setup = {
        .bench = {.model = s->in.model,
                  .bank = s->in.bank,
                  .images = {&s->in.images[0], &s->in.images[1]},
                  .partition = &s->in.partition,
                  .shape = s->in.run.shape},
        .clock = &qsv_clock_system,
        .worker_timeout_s = 1e6,
        .run_folder = run_folder,
        .exported = "",
        .run = &s->in.run,
        .hello = &s->in.hello,
        .codes = codes,
    };
    struct qsv_worker_setup own = setup;
    p->sizes = (struct qsv_message_sizes){s->in.run.shape, s->in.partition.n_shards};
    assert_int_equal(qsv_loop_create(&p->loop, 2, &err), QSV_OK);
    own.transport = qsv_loop_end(p->loop, 1);
    assert_int_equal(qsv_worker_create(&p->worker, &own, &err), QSV_OK);
    struct qsv_message hello = receive(p);
    assert_int_equal(hello.type, QSV_MESSAGE_HELLO);
}

static void dismiss(struct post *p)
{
    qsv_worker_destroy(p->worker);
    qsv_loop_destroy(p->loop);
}

/* The answer to a task of that kind, on these shards. */
static struct qsv_message perform(struct post *p, enum qsv_task_kind kind, uint32_t first,
                                  uint32_t n, uint32_t n_trials)
{
    const uint32_t n_layers = p->sizes.shape.n_layers;
    struct qsv_message m = {.type = QSV_MESSAGE_TASK};
    struct qsv_task *t = &m.u.task;
    bool idle;
    assert_int_equal(qsv_task_init(t, n_trials, n_layers, &err), QSV_OK);
    t->number = 9;
    t->kind = kind;
    t->attempt = 1;
    t->first_shard = first;
    t->n_shards = n;
    for (uint32_t i = 0; i < n_trials; i++) {
        uint8_t *formats = t->formats + (size_t)i * n_layers;
        memset(formats, i ? QSV_INT4 : QSV_F32, n_layers);
        t->trials[i].trial_id = qsv_setting_id(formats, n_layers);
    }
    assert_int_equal(qsv_message_send(qsv_loop_end(p->loop, 0), 1, &m, &p->sizes, &err), QSV_OK);
    qsv_message_fini(&m);
    assert_int_equal(qsv_worker_step(p->worker, &idle, &err), QSV_OK);
    assert_false(idle);
    return receive(p);
}

static void assert_failed(struct qsv_message m, const char *text)
{
    assert_int_equal(m.type, QSV_MESSAGE_FAILED);
    if (!strstr(m.u.failed.error.text, text))
        fail_msg("%s", m.u.failed.error.text);
    qsv_message_fini(&m);
}

static void workers_make_parts(void **state)
{
    (void)state;
    struct stage s, later;
    struct post p;
    char run[96], path[128];
    begin(&s, few, 64);
    snprintf(run, sizeof run, "%s/run", s.folder.path);
    employ(&p, &s, run, &s.in.codes);
    struct qsv_message m = perform(&p, QSV_TASK_CODES, 0, 2, 1);
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    assert_int_equal(m.u.done.task, 9);
    assert_int_equal(m.u.done.n_records, 2);
    assert_string_equal(m.u.done.segment, ""); /* nothing is recorded */
    assert_int_equal(m.u.done.records[1].shard, 1);
    qsv_message_fini(&m);
    for (uint32_t i = 0; i < 3; i++) {
        part_path(&s, i, path);
        assert_int_equal(access(path, F_OK), i < 2 ? 0 : -1);
    }
    assert_failed(perform(&p, QSV_TASK_CODES, 0, 1, 2), "codes that nobody needs");
    assert_failed(perform(&p, QSV_TASK_EVALUATE, 0, 1, 2), "bank.h5: lacks codes");
    dismiss(&p);

    /* With the whole there it evaluates. */
    open_in(&later, &s.folder, few, 64);
    make_all(&later);
    leave(&later);
    char command[160];
    snprintf(command, sizeof command, "mkdir -p '%s/segments'", run);
    assert_int_equal(system(command), 0);
    employ(&p, &s, run, &s.in.codes);
    m = perform(&p, QSV_TASK_EVALUATE, 0, 1, 2);
    assert_int_equal(m.type, QSV_MESSAGE_DONE);
    qsv_message_fini(&m);
    dismiss(&p);

    employ(&p, &s, run, NULL);
    assert_failed(perform(&p, QSV_TASK_CODES, 0, 1, 1), "codes that nobody needs");
    dismiss(&p);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_cover_every_layer_once),
        cmocka_unit_test(a_part_that_is_there_is_not_made_again),
        cmocka_unit_test(of_two_makers_the_first_counts),
        cmocka_unit_test(a_part_that_comes_too_late_is_dropped),
        cmocka_unit_test(a_part_may_be_late_by_a_round),
        cmocka_unit_test(a_wanted_part_misses_its_folder),
        cmocka_unit_test(no_part_takes_anothers_place),
        cmocka_unit_test(gathered_parts_are_gone_and_loaded_again),
        cmocka_unit_test(a_damaged_bank_is_refused),
        cmocka_unit_test(a_bank_of_something_else_is_refused),
        cmocka_unit_test(a_damaged_part_is_refused),
        cmocka_unit_test(formats_that_are_added_change_no_others),
        cmocka_unit_test(formats_of_pins_are_made_too),
        cmocka_unit_test(rounded_codes_are_not_recorded),
        cmocka_unit_test(the_hash_knows_what_decides_codes),
        cmocka_unit_test(a_stop_leaves_nothing_behind),
        cmocka_unit_test(what_cannot_be_written_is_made_later),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(parts_of_an_earlier_attempt_may_lack_formats),
        cmocka_unit_test(parts_of_an_earlier_attempt_are_removed),
        cmocka_unit_test(workers_make_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
