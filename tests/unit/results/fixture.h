/* A run without an engine: a small model filled in by hand, images dealt into shards, and records
 * that are made up from a seed, the same each time. Used by the tests of this folder.
 */
#ifndef QSV_TEST_FIXTURE_H
#define QSV_TEST_FIXTURE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "jobs/setting.h"
#include "results/store.h"

enum { N_LAYERS = 6, N_LIFS = 3, N_SITES = N_LAYERS + 1, SHARD = 10, CLASSES = 10 };

struct fixture {
    struct qsv_layer layers[N_LAYERS];
    struct qsv_link links[N_LAYERS];
    struct qsv_node nodes[N_LAYERS];
    struct qsv_lif lifs[N_LIFS];
    struct qsv_attention attention;
    char *blocks[3], *stages[2];
    struct qsv_model model;
    struct qsv_partition partition;
    struct qsv_run run;
    char folder[64];
};

static inline void fill_layer(struct fixture *f, uint32_t i)
{
    static char *names[N_LAYERS] = {"stem.conv",       "stage1.0.conv1", "stage1.0.conv2",
                                    "stage2.0.attn.q", "stage2.0.fc1",   "head"};
    f->nodes[i] = (struct qsv_node){.op = QSV_OP_CONV, .index = i, .per_step = i > 0};
    f->layers[i] = (struct qsv_layer){
        .name = names[i],
        .node = i,
        .out_ch = 8 + i,
        .in_ch = 4 + i,
        .groups = 1,
        .kernel = i % 2 ? 1 : 3,
        .stride = 1,
        .spike_input = i > 0,
        .block = i / 2,
        .stage = i / 3,
        .n_weights = (8 + i) * (4 + i) * (i % 2 ? 1 : 9),
        .macs = 1000 * (i + 1),
    };
    f->links[i] = (struct qsv_link){QSV_NO_LAYER, QSV_NO_LAYER, {0}, i + 1 < N_LAYERS, i};
    f->model.graph.n_weights += f->layers[i].n_weights;
}

static inline void fill_model(struct fixture *f)
{
    static char *lif_names[N_LIFS] = {"stage1.0.lif", "stage2.0.lif", "head.lif"};
    static char *blocks[3] = {"stem", "stage1.0", "stage2.0"}, *stages[2] = {"stage1", "stage2"};
    memcpy(f->blocks, blocks, sizeof blocks);
    memcpy(f->stages, stages, sizeof stages);
    f->model = (struct qsv_model){.path = "tiny.h5", .architecture = "sdtv2", .classes = CLASSES};
    f->model.options.time_steps = 4;
    for (uint32_t i = 0; i < N_LAYERS; i++)
        fill_layer(f, i);
    for (uint32_t i = 0; i < N_LIFS; i++)
        f->lifs[i] = (struct qsv_lif){lif_names[i], 0, {8, 4 - i, 4}, i ? 0.5f : 1.0f, 2.0f};
    f->attention = (struct qsv_attention){.name = "stage2.0.attn", .heads = 2, .channels = 8};
    struct qsv_graph *g = &f->model.graph;
    g->layers = f->layers;
    g->links = f->links;
    g->nodes = f->nodes;
    g->lifs = f->lifs;
    g->attentions = &f->attention;
    g->block_names = f->blocks;
    g->stage_names = f->stages;
    g->n_layers = g->n_nodes = N_LAYERS;
    g->n_lifs = N_LIFS;
    g->n_attentions = 1;
    g->n_blocks = 3;
    g->n_stages = 2;
    f->model.source_bytes = 4 * g->n_weights + 400;
}

/* 63 judging images (shards of 10, the last of 3), and n_decide deciding ones. */
static inline void fixture_init(struct fixture *f, uint64_t n_decide)
{
    struct qsv_error err;
    memset(f, 0, sizeof *f);
    fill_model(f);
    assert_int_equal(qsv_partition_init(&f->partition, 63, n_decide, SHARD, 7, &err), QSV_OK);
    f->run = (struct qsv_run){
        .identity = {.model = 0x1111,
                     .dataset = 0x2222,
                     .calibration = 0x3333,
                     .order = 0x4444,
                     .shard_images = SHARD,
                     .quantizer = 0x5555,
                     .engine = 1},
        .model = &f->model,
        .partition = &f->partition,
        .skipped = {[QSV_JUDGE] = 2, [QSV_DECIDE] = 1},
        .shape = {N_LAYERS, N_LIFS, N_SITES},
        .energy = qsv_energy_default,
        .created_unix_s = 1700000000.25,
        .provenance = {.version = "1.2.3",
                       .commit = "abc",
                       .libraries = "HDF5 1.10",
                       .command_line = "qsvit run cluster.yaml",
                       .isa = "scalar",
                       .ranks = 2},
    };
    /* In memory where there is such a place: these tests sync hundreds of files. */
    snprintf(f->folder, sizeof f->folder, "%s/qsvit_results_XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->folder));
}

/* Files whose names end so. */
static inline int count_files(const char *folder, const char *end)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t len = strlen(e->d_name), m = strlen(end);
        n += len >= m && !strcmp(e->d_name + len - m, end);
    }
    closedir(d);
    return n;
}

/* Overwritten by the next call. */
static inline char *path_in(const struct fixture *f, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static inline void remove_tree(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline void fixture_fini(struct fixture *f)
{
    qsv_partition_fini(&f->partition);
    remove_tree(f->folder);
}

/* Setting `seed`; 0 is the baseline. Its id. */
static inline uint64_t make_setting(uint64_t seed, uint8_t formats[N_LAYERS])
{
    struct qsv_rng rng;
    qsv_rng_seed(&rng, seed);
    for (int i = 0; i < N_LAYERS; i++)
        formats[i] = seed ? (uint8_t)qsv_rng_below(&rng, QSV_N_FORMATS) : QSV_F32;
    return qsv_setting_id(formats, N_LAYERS);
}

static inline void make_answers(struct qsv_record *r, struct qsv_rng *rng)
{
    for (uint32_t i = 0; i < r->n_images; i++) {
        int right = r->correct[i / 8] >> i % 8 & 1;
        r->label[i] = (uint16_t)qsv_rng_below(rng, CLASSES);
        r->answer[i] = (uint16_t)((r->label[i] + (right ? 0 : 1)) % CLASSES);
        r->loss[i] = qsv_rng_unit(rng);
    }
}

/* The record of setting `seed` on a shard. */
static inline struct qsv_record make_record(const struct fixture *f, uint64_t seed, uint32_t shard)
{
    struct qsv_rng rng;
    struct qsv_record r;
    uint8_t formats[N_LAYERS];
    uint32_t n = qsv_partition_shard(&f->partition, shard).n_images;
    qsv_rng_seed(&rng, seed * 1000 + shard);
    assert_int_equal(qsv_record_init(&r, &f->run.shape, n, seed == 0, NULL), QSV_OK);
    r.trial_id = make_setting(seed, formats);
    r.shard = shard;
    for (uint32_t i = 0; i < n; i++)
        if (qsv_rng_below(&rng, 4)) {
            r.correct[i / 8] |= (uint8_t)(1u << i % 8);
            r.n_top1++;
        }
    r.n_top5 = r.n_top1 + (uint32_t)qsv_rng_below(&rng, n - r.n_top1 + 1);
    if (seed) {
        r.n_only_trial = (uint32_t)qsv_rng_below(&rng, r.n_top1 / 2 + 1);
        r.n_only_baseline = (uint32_t)qsv_rng_below(&rng, n - r.n_top1 + 1);
        r.kl_sum = qsv_rng_unit(&rng) * (double)seed;
        r.kl_square_sum = r.kl_sum * r.kl_sum;
        r.loss_diff_sum = qsv_rng_unit(&rng) - 0.5;
        r.loss_diff_square_sum = qsv_rng_unit(&rng);
        r.drift = qsv_rng_unit(&rng) / 10;
    }
    r.loss_sum = qsv_rng_unit(&rng) * n;
    r.mac_ops = 1000 * n;
    for (int i = 0; i < N_LIFS; i++) {
        r.lif_spikes[i] = qsv_rng_below(&rng, 100 * n);
        r.lif_drift[i] = seed ? qsv_rng_below(&rng, 1000) : 0;
    }
    for (int i = 0; i < N_SITES; i++) {
        r.site_ac[i] = i ? qsv_rng_below(&rng, 100000) : 0;
        r.ac_ops += r.site_ac[i];
    }
    r.attempt = 1;
    r.rank = 1;
    r.wall_s = 0.5;
    r.peak_mem_bytes = 3 << 20;
    r.t_end_unix_s = 1700000001.0 + shard;
    if (seed == 0)
        make_answers(&r, &rng);
    return r;
}

/* Counts that a test chooses; the first n_top1 answers are right. */
struct counts {
    uint32_t n_top1, only_trial, only_baseline;
    double kl_sum, loss_sum;
};

static inline struct qsv_record plain_record(const struct fixture *f, uint64_t seed, uint32_t shard,
                                             struct counts c)
{
    struct qsv_record r = make_record(f, seed, shard);
    memset(r.correct, 0, (r.n_images + 7) / 8);
    for (uint32_t i = 0; i < c.n_top1; i++)
        r.correct[i / 8] |= (uint8_t)(1u << i % 8);
    r.n_top1 = r.n_top5 = c.n_top1;
    r.n_only_trial = c.only_trial;
    r.n_only_baseline = c.only_baseline;
    r.kl_sum = c.kl_sum;
    r.kl_square_sum = c.kl_sum;
    r.loss_sum = c.loss_sum;
    for (int i = 0; i < N_SITES; i++)
        r.site_ac[i] = 100 * r.n_images * (seed ? 1 : 2);
    r.ac_ops = N_SITES * r.site_ac[0];
    return r;
}

/* Adds it to the store's memory, without a segment. */
static inline void add_plain(struct qsv_store *s, const struct fixture *f, uint64_t seed,
                             uint32_t shard, struct counts c)
{
    struct qsv_record r = plain_record(f, seed, shard, c);
    assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
}

/* One format for every layer. */
static inline uint64_t ask_uniform(struct qsv_store *s, enum qsv_format format, const char *step,
                                   const char *what, uint64_t parent)
{
    uint8_t formats[N_LAYERS];
    memset(formats, (int)format, sizeof formats);
    uint64_t id = qsv_setting_id(formats, N_LAYERS);
    struct qsv_trial trial = {formats, parent, what};
    assert_int_equal(qsv_store_add_trial(s, &trial, id, step, NULL), QSV_OK);
    return id;
}

static inline void assert_arrays_equal(const struct qsv_record *a, const struct qsv_record *b)
{
    assert_memory_equal(a->lif_spikes, b->lif_spikes, N_LIFS * sizeof(uint64_t));
    assert_memory_equal(a->lif_drift, b->lif_drift, N_LIFS * sizeof(uint64_t));
    assert_memory_equal(a->site_ac, b->site_ac, N_SITES * sizeof(uint64_t));
    assert_memory_equal(a->correct, b->correct, (a->n_images + 7) / 8);
    assert_int_equal(!a->loss, !b->loss);
    if (!a->loss)
        return;
    assert_memory_equal(a->label, b->label, a->n_images * sizeof *a->label);
    assert_memory_equal(a->answer, b->answer, a->n_images * sizeof *a->answer);
    assert_memory_equal(a->loss, b->loss, a->n_images * sizeof *a->loss);
}

/* Bit for bit, arrays and all. */
static inline void assert_records_equal(const struct qsv_record *a, const struct qsv_record *b)
{
    struct qsv_record x = *a, y = *b;
    assert_arrays_equal(a, b);
    x.lif_spikes = x.lif_drift = x.site_ac = NULL;
    y.lif_spikes = y.lif_drift = y.site_ac = NULL;
    x.correct = y.correct = NULL;
    x.label = x.answer = y.label = y.answer = NULL;
    x.loss = y.loss = NULL;
    assert_memory_equal(&x, &y, sizeof x);
}

static inline struct qsv_store *open_store(const struct fixture *f, struct qsv_strbuf *warnings)
{
    struct qsv_error err = {0};
    struct qsv_store *s = NULL;
    if (qsv_store_open(&s, f->folder, &f->run, warnings, &err))
        fail_msg("%s", err.text);
    return s;
}

static inline void ask(struct qsv_store *s, uint64_t seed, const char *step, const char *what)
{
    uint8_t formats[N_LAYERS];
    uint64_t id = make_setting(seed, formats);
    struct qsv_trial trial = {formats, 0, what};
    assert_int_equal(qsv_store_add_trial(s, &trial, id, step, NULL), QSV_OK);
}

/* Writes records of setting `seed` on n shards from `first` on as one segment. */
static inline void write_segment(const struct fixture *f, const char *name, uint64_t seed,
                                 uint32_t first, uint32_t n)
{
    struct qsv_error err = {0};
    struct qsv_record records[16];
    uint8_t formats[N_LAYERS];
    struct qsv_trial_setting setting = {make_setting(seed, formats), formats};
    for (uint32_t i = 0; i < n; i++)
        records[i] = make_record(f, seed, first + i);
    if (qsv_segment_write(f->folder, name, &f->run, records, n, &setting, 1, &err))
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < n; i++)
        qsv_record_fini(&records[i]);
}

static inline void add_records(struct qsv_store *s, const struct fixture *f, const char *name,
                               uint64_t seed, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct qsv_record r = make_record(f, seed, first + i);
        assert_int_equal(qsv_store_add(s, &r, name, NULL), QSV_OK);
    }
}

/* As a worker and the coordinator do together. */
static inline void record(struct qsv_store *s, const struct fixture *f, const char *name,
                          uint64_t seed, uint32_t first, uint32_t n)
{
    write_segment(f, name, seed, first, n);
    add_records(s, f, name, seed, first, n);
}

static inline void assert_recorded(const struct qsv_store *s, const struct fixture *f,
                                   uint64_t seed, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct qsv_record expected = make_record(f, seed, first + i);
        const struct qsv_record *found = qsv_store_find(s, expected.trial_id, first + i);
        assert_non_null(found);
        assert_records_equal(found, &expected);
        qsv_record_fini(&expected);
    }
}

#endif
