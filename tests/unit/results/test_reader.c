#include "fixture.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/base/alloc.h"
#include "core/seal.h"
#include "results/ledger.h"
#include "results/reader.h"

static struct qsv_reader *open_reader(const char *path, bool with_arrays)
{
    struct qsv_error err = {0};
    struct qsv_reader *r = NULL;
    if (qsv_reader_open(&r, path, with_arrays, NULL, &err))
        fail_msg("%s", err.text);
    return r;
}

static const struct qsv_reader_trial *find(const struct qsv_reader *r, uint64_t seed)
{
    uint8_t formats[N_LAYERS];
    uint64_t id = make_setting(seed, formats);
    for (size_t i = 0; i < qsv_reader_trial_count(r); i++)
        if (qsv_reader_trial(r, i)->id == id)
            return qsv_reader_trial(r, i);
    return NULL;
}

/* Judging: 7 shards, 63 images. Deciding: 2 shards, 15 images. */
static void write_run(const struct fixture *f)
{
    struct qsv_store *s = open_store(f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 77, "qsvit", "bound: 1\n", NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 5, "base", "five");
    ask(s, 6, "guided", "six");
    for (uint32_t i = 0; i < 9; i++)
        add_plain(s, f, 0, i, (struct counts){.n_top1 = 3, .loss_sum = 2});
    for (uint32_t i = 0; i < 7; i++) /* judged: 4 lost, 3 of them won back, a shard */
        add_plain(s, f, 5, i, (struct counts){3, 1, i == 6 ? 0 : 3, 0.5, 3});
    for (uint32_t i = 7; i < 9; i++)
        add_plain(s, f, 5, i, (struct counts){2, 1, 2, 0.25, 1});
    add_plain(s, f, 6, 7, (struct counts){1, 1, 3, 0.75, 4});
    uint8_t formats[N_LAYERS];
    assert_int_equal(qsv_store_select(s, make_setting(5, formats), true, NULL), QSV_OK);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
}

static void figures_are_those_of_the_records(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 15);
    write_run(&f);
    struct qsv_reader *r = open_reader(f.folder, false);
    assert_true(qsv_reader_complete(r));
    assert_int_equal(qsv_reader_trial_count(r), 3);
    assert_int_equal(qsv_reader_record_count(r), 9 + 9 + 1);
    assert_int_equal(qsv_reader_ledger(r)->skipped[QSV_JUDGE], 2);
    assert_int_equal(qsv_reader_ledger(r)->skipped[QSV_DECIDE], 1);
    assert_string_equal(qsv_reader_spec(r), "bound: 1\n");

    const struct qsv_reader_trial *t = find(r, 5);
    assert_int_equal(t->number, 2);
    assert_string_equal(t->step, "base");
    assert_string_equal(t->description, "five");
    assert_true(t->is_selected);
    assert_false(t->is_baseline);
    assert_int_equal(t->shown, QSV_JUDGE);
    const struct qsv_figures *judge = &t->figures[QSV_JUDGE], *decide = &t->figures[QSV_DECIDE];
    assert_int_equal(judge->metrics.n_images, 63);
    assert_true(judge->all_images && decide->all_images);
    assert_float_equal(qsv_metrics_top1(&judge->metrics), 100.0 * 21 / 63, 1e-12);
    assert_float_equal(qsv_metrics_top1_drop(&judge->metrics), 100.0 * (18 - 7) / 63, 1e-12);
    assert_float_equal(qsv_metrics_kl(&judge->metrics), 3.5 / 63, 1e-15);
    assert_int_equal(decide->metrics.n_images, 15);
    assert_float_equal(qsv_metrics_top1_drop(&decide->metrics), 100.0 * 2 / 15, 1e-12);

    t = find(r, 6); /* decided on a part only */
    assert_int_equal(t->shown, QSV_DECIDE);
    assert_int_equal(t->figures[QSV_JUDGE].metrics.n_images, 0);
    assert_int_equal(t->figures[QSV_DECIDE].metrics.n_images, 10);
    assert_false(t->figures[QSV_DECIDE].all_images);
    assert_true(isnan(t->figures[QSV_JUDGE].energy_saved));
    qsv_reader_close(r);
    fixture_fini(&f);
}

static void costs_are_those_of_the_model(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_bytes bytes;
    struct qsv_energy energy, baseline;
    uint8_t formats[N_LAYERS], f32[N_LAYERS];
    uint64_t ac[N_SITES], ac0[N_SITES];
    fixture_init(&f, 15);
    write_run(&f);
    struct qsv_reader *r = open_reader(f.folder, false);
    const struct qsv_reader_trial *t = find(r, 5);
    make_setting(5, formats);
    make_setting(0, f32);
    for (int i = 0; i < N_SITES; i++) {
        ac[i] = 100 * 63;
        ac0[i] = 2 * ac[i];
    }
    qsv_cost_bytes(&bytes, &f.model, f.run.affine, formats);
    qsv_cost_energy(&energy, &f.model, f.run.affine, formats, ac, 63, &f.run.energy);
    qsv_cost_energy(&baseline, &f.model, f.run.affine, f32, ac0, 63, &f.run.energy);
    assert_int_equal(t->bytes.model_bytes, bytes.model_bytes);
    assert_int_equal(t->bytes.weights_bytes, bytes.weights_bytes);
    assert_float_equal(
        t->weights_saved,
        100 * (1 - (double)bytes.weights_bytes / (4.0 * (double)f.model.graph.n_weights)), 1e-9);
    assert_float_equal(t->model_saved,
                       100 * (1 - (double)bytes.model_bytes / (double)f.model.source_bytes), 1e-9);
    const struct qsv_figures *judge = &t->figures[QSV_JUDGE];
    assert_float_equal(judge->metrics.energy.total_pj, energy.total_pj, 1e-9 * energy.total_pj);
    assert_float_equal(judge->metrics.energy.sram_pj, energy.sram_pj, 1e-9 * energy.sram_pj);
    assert_float_equal(judge->energy_saved, 100 * (1 - energy.total_pj / baseline.total_pj), 1e-9);
    assert_float_equal(find(r, 0)->figures[QSV_JUDGE].energy_saved, 0, 0);
    qsv_reader_close(r);
    fixture_fini(&f);
}

/* Bits, sums and answers of results.h5 by themselves, as h5py sees them. */
static void derived_tables_add_up(void **state)
{
    (void)state;
    struct fixture f;
    char path[128];
    hsize_t dims[2];
    hid_t file;
    void *data;
    fixture_init(&f, 15);
    write_run(&f);
    snprintf(path, sizeof path, "%s/results.h5", f.folder);
    assert_int_equal(qsv_seal_open(&file, path, NULL), QSV_OK);

    assert_int_equal(
        qsv_h5_read(file, "correct_bits", H5T_NATIVE_UINT8, 1, 2, dims, 1 << 20, &data, NULL),
        QSV_OK);
    assert_int_equal(dims[0], 3);
    assert_int_equal(dims[1], 10); /* 78 images */
    const uint8_t *bits = data;
    for (int image = 0; image < 78; image++) {
        /* Trial 2: the first 3 of each judging shard of 10, the first 2 of each deciding one. */
        int in_shard = image < 63 ? image % 10 : (image - 63) % 10;
        bool right = in_shard < (image < 63 ? 3 : 2);
        assert_int_equal(bits[10 + image / 8] >> image % 8 & 1, right);
    }
    free(data);

    assert_int_equal(
        qsv_h5_read(file, "site_ac", H5T_NATIVE_UINT64, 8, 2, dims, 1 << 20, &data, NULL), QSV_OK);
    assert_int_equal(((uint64_t *)data)[N_SITES], 100 * 63);     /* trial 2, judging images */
    assert_int_equal(((uint64_t *)data)[2 * N_SITES], 100 * 10); /* trial 3, deciding ones */
    free(data);

    uint64_t spikes = 0;
    for (uint32_t i = 0; i < 7; i++) {
        struct qsv_record x = make_record(&f, 5, i);
        spikes += x.lif_spikes[1];
        qsv_record_fini(&x);
    }
    assert_int_equal(
        qsv_h5_read(file, "firing_rates", H5T_NATIVE_DOUBLE, 8, 2, dims, 1 << 20, &data, NULL),
        QSV_OK);
    /* LIF 1 has 8 x 3 x 4 neurons, 4 time steps. */
    assert_float_equal(((double *)data)[N_LIFS + 1], (double)spikes / (96.0 * 4 * 63), 1e-12);
    free(data);
    H5Fclose(file);
    fixture_fini(&f);
}

static void trials_are_found_by_key(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    const struct qsv_reader_trial *t;
    char id[17];
    fixture_init(&f, 15);
    write_run(&f);
    struct qsv_reader *r = open_reader(f.folder, false);
    assert_int_equal(qsv_reader_find(r, "best", &t, NULL), QSV_OK);
    assert_ptr_equal(t, find(r, 5));
    assert_int_equal(qsv_reader_find(r, "baseline", &t, NULL), QSV_OK);
    assert_ptr_equal(t, find(r, 0));
    snprintf(id, sizeof id, "%016llX", (unsigned long long)find(r, 6)->id);
    assert_int_equal(qsv_reader_find(r, id, &t, NULL), QSV_OK);
    assert_ptr_equal(t, find(r, 6));
    id[6] = '\0';
    assert_int_equal(qsv_reader_find(r, id, &t, NULL), QSV_OK);
    assert_ptr_equal(t, find(r, 6));
    assert_int_equal(qsv_reader_find(r, "", &t, &err), QSV_EINPUT);
    assert_int_equal(qsv_reader_find(r, "xyz", &t, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "no trial 'xyz'"));
    assert_null(t);
    qsv_reader_close(r);
    fixture_fini(&f);
}

static void an_ambiguous_id_and_a_missing_selection_are_told(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    const struct qsv_reader_trial *t;
    int first[16] = {0}, twice = -1;
    char key[2] = "";
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    for (uint64_t seed = 1; twice < 0; seed++) {
        uint8_t formats[N_LAYERS];
        int digit = (int)(make_setting(seed, formats) >> 60);
        ask(s, seed, "x", "x");
        twice = first[digit]++ ? digit : -1;
    }
    assert_int_equal(qsv_store_close(s, false, "stopped", NULL), QSV_OK);
    struct qsv_reader *r = open_reader(f.folder, false);
    snprintf(key, sizeof key, "%x", (unsigned)twice & 15);
    assert_int_equal(qsv_reader_find(r, key, &t, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "2 trials have ids that begin with"));
    assert_int_equal(qsv_reader_find(r, "best", &t, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "no search was run"));
    assert_int_equal(qsv_reader_find(r, "baseline", &t, &err), QSV_EINPUT);
    qsv_reader_close(r);
    fixture_fini(&f);
}

static void a_live_run_shows_what_is_not_folded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    struct qsv_reader *r = open_reader(f.folder, false);
    assert_int_equal(qsv_reader_trial_count(r), 0);
    qsv_reader_close(r);
    ask(s, 0, "baseline", "all f32");
    record(s, &f, "1-1-1", 0, 0, 2);
    ask(s, 4, "base", "four");
    record(s, &f, "1-1-2", 4, 0, 2);
    r = open_reader(f.folder, true);
    assert_int_equal(qsv_reader_record_count(r), 4);
    const struct qsv_reader_trial *t = find(r, 4);
    assert_int_equal(t->number, 0); /* only the coordinator knows yet */
    assert_string_equal(t->step, "");
    uint8_t formats[N_LAYERS];
    struct qsv_bytes bytes;
    make_setting(4, formats);
    qsv_cost_bytes(&bytes, &f.model, f.run.affine, formats);
    assert_int_equal(t->bytes.model_bytes, bytes.model_bytes);
    assert_memory_equal(t->formats, formats, N_LAYERS);
    assert_false(isnan(t->figures[QSV_JUDGE].energy_saved));
    struct qsv_record expected = make_record(&f, 4, 1);
    assert_records_equal(&qsv_ledger_evaluation(qsv_reader_ledger(r), expected.trial_id, 1)->record,
                         &expected);
    qsv_record_fini(&expected);
    qsv_reader_close(r);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void a_damaged_segment_is_left_out_and_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_strbuf warnings = {0};
    struct qsv_reader *r;
    char path[128];
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 4, "base", "four");
    record(s, &f, "1-1-1", 4, 0, 2);
    record(s, &f, "1-1-2", 4, 2, 2);
    snprintf(path, sizeof path, "%s/segments/1-1-1.h5", f.folder);
    assert_int_equal(truncate(path, 4000), 0);
    assert_int_equal(qsv_reader_open(&r, f.folder, false, &warnings, NULL), QSV_OK);
    assert_int_equal(qsv_reader_record_count(r), 2);
    assert_non_null(strstr(warnings.text, "1-1-1.h5"));
    assert_non_null(strstr(warnings.text, "left out"));
    assert_int_equal(access(path, F_OK), 0);
    qsv_reader_close(r);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&warnings);
    fixture_fini(&f);
}

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    struct qsv_reader *r;
    fixture_init(&f, 0);
    assert_int_equal(qsv_reader_open(&r, f.folder, false, NULL, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "results.h5"));
    assert_int_equal(qsv_reader_open(&r, "/nonexistent/run", false, NULL, &err), QSV_EINPUT);
    assert_null(r);
    fixture_fini(&f);
}

/* A writer that records and folds without pause, while readers open the run again and again. */
static void a_reader_never_sees_a_run_go_back(void **state)
{
    (void)state;
    struct fixture f;
    size_t last = 0;
    int status;
    fixture_init(&f, 25);
    qsv_store_abandon(open_store(&f, NULL));
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        char name[32];
        struct qsv_store *s = open_store(&f, NULL);
        for (uint64_t seed = 1; seed <= 12; seed++) {
            ask(s, seed, "base", "x");
            for (uint32_t shard = 0; shard < 10; shard++) {
                snprintf(name, sizeof name, "2-%d-%u", (int)seed, shard);
                record(s, &f, name, seed, shard, 1);
                if (shard % 3 == 0 && qsv_store_fold(s, NULL))
                    _exit(1);
            }
        }
        _exit(qsv_store_close(s, true, "complete", NULL) != QSV_OK);
    }
    for (pid_t done = 0; !done;) {
        done = waitpid(child, &status, WNOHANG);
        struct qsv_reader *r = open_reader(f.folder, false);
        size_t n = qsv_reader_record_count(r);
        assert_true(n >= last);
        last = n;
        qsv_reader_close(r);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(last, 120);
    fixture_fini(&f);
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    struct fixture f;
    enum qsv_status st = QSV_ENOMEM;
    int n = 0;
    fixture_init(&f, 15);
    write_run(&f);
    write_segment(&f, "1-1-1", 8, 0, 2);
    while (st) {
        struct qsv_reader *r;
        struct qsv_error err;
        qsv_alloc_fail_at(++n);
        st = qsv_reader_open(&r, f.folder, true, NULL, &err);
        qsv_alloc_fail_at(0);
        if (st && st != QSV_ENOMEM)
            fail_msg("allocation %d: %s", n, err.text);
        qsv_reader_close(r);
    }
    assert_true(n > 100);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_records),
        cmocka_unit_test(costs_are_those_of_the_model),
        cmocka_unit_test(derived_tables_add_up),
        cmocka_unit_test(trials_are_found_by_key),
        cmocka_unit_test(an_ambiguous_id_and_a_missing_selection_are_told),
        cmocka_unit_test(a_live_run_shows_what_is_not_folded),
        cmocka_unit_test(a_damaged_segment_is_left_out_and_left_alone),
        cmocka_unit_test(what_is_no_run_is_refused),
        cmocka_unit_test(a_reader_never_sees_a_run_go_back),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
