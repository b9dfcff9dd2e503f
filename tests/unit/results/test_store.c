#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/seal.h"

static int count_files(const char *folder, const char *end)
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

static char *path_in(const struct fixture *f, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static int count_segments(const struct fixture *f)
{
    return count_files(path_in(f, "segments"), ".h5");
}

static void a_record_comes_back_from_segment_and_from_results(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 25);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 0, "baseline", "all f32");
    ask(s, 5, "base", "try");
    record(s, &f, "1-1-1", 0, 0, 10);
    record(s, &f, "1-1-2", 5, 4, 6);
    assert_int_equal(qsv_store_record_count(s), 16);
    assert_recorded(s, &f, 5, 4, 6);
    qsv_store_abandon(s);
    assert_int_equal(count_segments(&f), 2);

    s = open_store(&f, NULL); /* from segments */
    assert_int_equal(count_segments(&f), 0);
    assert_recorded(s, &f, 0, 0, 10);
    assert_recorded(s, &f, 5, 4, 6);
    assert_null(qsv_store_find(s, 12345, 0));
    qsv_store_abandon(s);

    s = open_store(&f, NULL); /* from results.h5 */
    assert_recorded(s, &f, 0, 0, 10);
    assert_recorded(s, &f, 5, 4, 6);
    assert_int_equal(qsv_store_record_count(s), 16);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void attempts_count_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 1);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 2);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_attempt(s), 3);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void the_same_record_counts_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    record(s, &f, "1-2-1", 3, 1, 2);
    assert_int_equal(qsv_store_record_count(s), 3);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_int_equal(qsv_store_record_count(s), 3);
    assert_recorded(s, &f, 3, 0, 3);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void a_run_of_another_identity_is_refused_by_field(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    struct qsv_store *s;
    fixture_init(&f, 0);
    qsv_store_abandon(open_store(&f, NULL));
    f.run.identity.quantizer = 0x9999;
    f.run.identity.engine = 2;
    assert_int_equal(qsv_store_open(&s, f.folder, &f.run, NULL, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "quantizer"));
    assert_non_null(strstr(err.text, "0000000000005555 there, 0000000000009999 now"));
    assert_non_null(strstr(err.text, "1 there, 2 now"));
    assert_null(strstr(err.text, "dataset"));
    assert_int_equal(access(path_in(&f, "results.h5"), F_OK), 0);
    assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
    fixture_fini(&f);
}

static void flip_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    long here = ftell(file);
    int c = fgetc(file);
    fseek(file, here, SEEK_SET);
    fputc(c ^ 0x10, file);
    fclose(file);
}

static void a_damaged_segment_costs_only_itself(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    record(s, &f, "1-1-2", 3, 2, 2);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "segments/1-1-1.h5"), -40);
    s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 2);
    assert_recorded(s, &f, 3, 2, 2);
    assert_non_null(strstr(warnings.text, "1-1-1.h5"));
    assert_non_null(strstr(warnings.text, "set aside as"));
    assert_int_equal(access(path_in(&f, "segments/1-1-1.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&warnings);
    fixture_fini(&f);
}

static void damaged_results_are_set_aside_and_segments_kept(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 3, 0, 2);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, &f, "1-1-2", 3, 2, 2);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "results.h5"), 700);
    s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 2);
    assert_recorded(s, &f, 3, 2, 2);
    assert_int_equal(qsv_store_attempt(s), 2); /* from the records */
    assert_int_equal(access(path_in(&f, "results.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    flip_byte(path_in(&f, "results.h5"), 700);
    qsv_store_abandon(open_store(&f, &warnings));
    assert_int_equal(access(path_in(&f, "results.h5.damaged.2"), F_OK), 0);
    qsv_strbuf_fini(&warnings);
    fixture_fini(&f);
}

static void another_schema_version_is_refused_not_set_aside(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    struct qsv_store *s;
    struct qsv_h5_image *image;
    fixture_init(&f, 0);
    assert_int_equal(qsv_seal_create(&image, NULL), QSV_OK);
    assert_int_equal(
        qsv_h5_set_u64(qsv_h5_image_file(image), "schema_version", QSV_SCHEMA_VERSION + 1, NULL),
        QSV_OK);
    assert_int_equal(qsv_seal_commit(image, path_in(&f, "results.h5"), NULL), QSV_OK);
    assert_int_equal(qsv_store_open(&s, f.folder, &f.run, NULL, &err), QSV_EIDENTITY);
    assert_non_null(strstr(err.text, "schema version 2, written by a newer qsvit"));
    assert_int_equal(access(path_in(&f, "results.h5"), F_OK), 0);
    fixture_fini(&f);
}

static void temporaries_of_killed_writers_are_removed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    qsv_store_abandon(open_store(&f, NULL));
    assert_int_equal(qsv_file_write(path_in(&f, "segments/1-1-1.h5.77.tmp"), "x", 1, NULL), QSV_OK);
    assert_int_equal(qsv_file_write(path_in(&f, "results.h5.77.tmp"), "x", 1, NULL), QSV_OK);
    assert_int_equal(qsv_file_write(path_in(&f, "mine.tmp"), "x", 1, NULL), QSV_OK);
    qsv_store_abandon(open_store(&f, NULL));
    assert_int_equal(count_files(path_in(&f, "segments"), ".tmp"), 0);
    assert_int_equal(count_files(f.folder, ".tmp"), 1);
    fixture_fini(&f);
}

/* A record that does not fit its run, by what is wrong with it. */
static void break_shard(struct qsv_record *r)
{
    r->shard = 7;
}
static void break_images(struct qsv_record *r)
{
    r->n_images = 3;
}
static void break_bits(struct qsv_record *r)
{
    r->correct[0] ^= 1;
}
static void break_padding(struct qsv_record *r)
{
    r->correct[1] |= 0x80;
}
static void break_counts(struct qsv_record *r)
{
    r->n_only_baseline = 11;
}
static void break_trial(struct qsv_record *r)
{
    r->trial_id++;
}

static void records_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const struct {
        void (*damage)(struct qsv_record *);
        const char *message;
    } cases[] = {
        {break_shard, "no such shard"},
        {break_images, "number of images"},
        {break_bits, "not as many as it counts"},
        {break_padding, "not as many as it counts"},
        {break_counts, "contradict"},
        {break_trial, "no setting"},
    };
    struct fixture f;
    struct qsv_error err;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 3, "base", "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_record r = make_record(&f, 3, 0);
        cases[i].damage(&r);
        assert_int_equal(qsv_store_add(s, &r, "1-1-1", &err), QSV_EINPUT);
        assert_non_null(strstr(err.text, cases[i].message));
        assert_non_null(r.lif_spikes); /* still the caller's */
        qsv_record_fini(&r);
    }
    assert_int_equal(qsv_store_record_count(s), 0);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

static void a_segment_whose_records_do_not_fit_is_damage(void **state)
{
    (void)state;
    struct fixture f, other;
    struct qsv_strbuf warnings = {0};
    fixture_init(&f, 0);
    fixture_init(&other, 0);
    qsv_store_abandon(open_store(&f, NULL));
    /* The same identity, but a partition of other images. */
    qsv_partition_fini(&other.partition);
    assert_int_equal(qsv_partition_init(&other.partition, 100, 0, SHARD, 7, NULL), QSV_OK);
    remove_tree(other.folder);
    strcpy(other.folder, f.folder);
    write_segment(&other, "1-1-1", 3, 8, 1);
    struct qsv_store *s = open_store(&f, &warnings);
    assert_int_equal(qsv_store_record_count(s), 0);
    assert_int_equal(access(path_in(&f, "segments/1-1-1.h5.damaged"), F_OK), 0);
    qsv_store_abandon(s);
    qsv_strbuf_fini(&warnings);
    qsv_partition_fini(&other.partition);
    fixture_fini(&f);
}

static void folding_waits_for_segments_and_time(void **state)
{
    (void)state;
    struct fixture f;
    char name[32];
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    for (uint64_t t = 1; t <= 8; t++) {
        ask(s, t, "base", "x");
        for (uint32_t shard = 0; shard < 5; shard++) {
            snprintf(name, sizeof name, "1-%llu-%u", (unsigned long long)t, shard);
            record(s, &f, name, t, shard, 1);
        }
    }
    assert_int_equal(qsv_store_fold_if_due(s, NULL), QSV_OK);
    assert_int_equal(count_segments(&f), 40); /* 40 segments, but the last fold was just now */
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    assert_int_equal(count_segments(&f), 0);
    assert_int_equal(qsv_store_close(s, false, "stopped", NULL), QSV_OK);
    assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
    fixture_fini(&f);
}

static void one_sweep(const struct fixture *f, struct qsv_record *r, struct qsv_error *err,
                      enum qsv_status *st)
{
    struct qsv_store *s = NULL;
    struct qsv_step step = {"base", 0, "base", "because"};
    uint8_t formats[N_LAYERS];
    struct qsv_trial trial = {formats, 0, "what"};
    struct qsv_trial_setting setting = {make_setting(9, formats), formats};
    *st = qsv_segment_write(f->folder, "1-9-9", &f->run, r, 1, &setting, 1, err);
    if (!*st)
        *st = qsv_store_open(&s, f->folder, &f->run, NULL, err);
    if (!*st)
        *st = qsv_store_begin_search(s, 1, "qsvit", "spec", err);
    if (!*st)
        *st = qsv_store_add_trial(s, &trial, setting.trial_id, "base", err);
    if (!*st)
        *st = qsv_store_add(s, r, "1-9-9", err);
    if (!*st)
        *st = qsv_store_add_step(s, &step, err);
    if (!*st)
        *st = qsv_store_close(s, false, "stopped", err);
    else
        qsv_store_abandon(s);
}

/* A run that holds folded records and one that is not folded. */
static void prepare(const struct fixture *f)
{
    struct qsv_store *s = open_store(f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 1, "qsvit", "spec", NULL), QSV_OK);
    ask(s, 0, "baseline", "x");
    record(s, f, "1-1-1", 0, 0, 2);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    record(s, f, "1-1-2", 0, 2, 1);
    qsv_store_abandon(s);
}

static void copy_tree(const char *from, const char *to)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

static void every_failing_allocation_is_an_error_and_loses_nothing(void **state)
{
    (void)state;
    struct fixture f, master;
    struct qsv_error err;
    enum qsv_status st;
    fixture_init(&f, 0);
    fixture_init(&master, 0);
    prepare(&master);
    /* A failure while cleaning up is forgiven, so that one success is not the end yet. */
    int n = 1;
    for (int successes = 0; successes < 10; n++) {
        copy_tree(master.folder, f.folder);
        struct qsv_record r = make_record(&f, 9, 1);
        qsv_alloc_fail_at(n);
        one_sweep(&f, &r, &err, &st);
        qsv_alloc_fail_at(0);
        qsv_record_fini(&r);
        successes = st ? 0 : successes + 1;
        if (st && st != QSV_ENOMEM)
            fail_msg("allocation %d: status %d: %s", n, (int)st, err.text);
        assert_int_equal(access(path_in(&f, "lock"), F_OK), -1);
        assert_int_equal(count_files(f.folder, ".damaged"), 0);
        assert_int_equal(count_files(path_in(&f, "segments"), ".damaged"), 0);
        if (n % 8)
            continue;
        struct qsv_store *s = open_store(&f, NULL);
        assert_recorded(s, &f, 0, 0, 3);
        qsv_store_abandon(s);
    }
    assert_true(n > 200);
    fixture_fini(&master);
    fixture_fini(&f);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As on a full disk: writes fail from some size on, at each step of the way in turn. */
static void a_write_that_fails_is_told_and_costs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct qsv_error err;
    int failures = 0;
    fixture_init(&f, 0);
    struct qsv_store *s = open_store(&f, NULL);
    ask(s, 0, "baseline", "x");
    ask(s, 3, "base", "x");
    record(s, &f, "1-1-1", 0, 0, 3);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 60000; bytes += 1500) {
        uint8_t formats[N_LAYERS];
        struct qsv_trial_setting setting = {make_setting(3, formats), formats};
        struct qsv_record r = make_record(&f, 3, 1);
        limit_file_size(bytes);
        enum qsv_status segment =
            qsv_segment_write(f.folder, "1-1-2", &f.run, &r, 1, &setting, 1, &err);
        enum qsv_status folded = qsv_store_fold(s, &err);
        limit_file_size(RLIM_INFINITY);
        assert_true(segment == QSV_OK || segment == QSV_EIO);
        assert_true(folded == QSV_OK || folded == QSV_EIO);
        failures += (segment != QSV_OK) + (folded != QSV_OK);
        assert_int_equal(count_files(f.folder, ".tmp"), 0);
        assert_int_equal(count_files(path_in(&f, "segments"), ".tmp"), 0);
        qsv_record_fini(&r);
    }
    assert_true(failures > 10);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    qsv_store_abandon(s);
    s = open_store(&f, NULL);
    assert_recorded(s, &f, 0, 0, 3);
    assert_recorded(s, &f, 3, 1, 1);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

/* Writes segments and folds until it is killed, and tells the pipe what was recorded. */
static void work_until_killed(const struct fixture *f, int pipe_fd, uint64_t seed)
{
    struct qsv_store *s = open_store(f, NULL);
    for (uint32_t shard = 0; shard < f->partition.n_shards; shard++) {
        char name[32];
        uint8_t done[2] = {(uint8_t)seed, (uint8_t)shard};
        snprintf(name, sizeof name, "%u-1-%u", qsv_store_attempt(s), shard);
        ask(s, seed, "base", "x");
        write_segment(f, name, seed, shard, 1);
        if (write(pipe_fd, done, 2) != 2)
            _exit(1);
        add_records(s, f, name, seed, shard, 1);
        if (shard % 2)
            qsv_store_fold(s, NULL);
    }
    for (;;)
        qsv_store_fold(s, NULL);
}

/* Kills the child some time after its n-th report. */
static void kill_after(const struct fixture *f, uint64_t seed, uint64_t n, uint64_t more_us,
                       uint8_t recorded[256][16])
{
    uint8_t done[2];
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        close(fds[0]);
        work_until_killed(f, fds[1], seed);
    }
    close(fds[1]);
    for (uint64_t i = 0; i < n && read(fds[0], done, 2) == 2; i++)
        recorded[done[0]][done[1]] = 1;
    usleep((useconds_t)more_us);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    while (read(fds[0], done, 2) == 2)
        recorded[done[0]][done[1]] = 1;
    close(fds[0]);
}

static void what_was_reported_survives_kill_9(void **state)
{
    (void)state;
    enum { KILLS = 25 };
    static uint8_t recorded[256][16];
    struct fixture f;
    struct qsv_rng rng;
    size_t n = 0;
    fixture_init(&f, 25);
    qsv_rng_seed(&rng, 20240817);
    for (uint64_t k = 1; k <= KILLS; k++) {
        uint64_t reports = qsv_rng_below(&rng, 11), more_us = qsv_rng_below(&rng, 8000);
        kill_after(&f, k, reports, more_us, recorded);
    }
    struct qsv_strbuf warnings = {0};
    struct qsv_store *s = open_store(&f, &warnings);
    assert_int_equal(warnings.len, 0);
    for (uint32_t k = 1; k <= KILLS; k++)
        for (uint32_t shard = 0; shard < 10; shard++)
            if (recorded[k][shard]) {
                assert_recorded(s, &f, k, shard, 1);
                n++;
            }
    assert_true(n > KILLS); /* the kills came late enough to tell */
    assert_true(qsv_store_record_count(s) >= n);
    qsv_store_abandon(s);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_from_segment_and_from_results),
        cmocka_unit_test(attempts_count_up),
        cmocka_unit_test(the_same_record_counts_once),
        cmocka_unit_test(a_run_of_another_identity_is_refused_by_field),
        cmocka_unit_test(a_damaged_segment_costs_only_itself),
        cmocka_unit_test(damaged_results_are_set_aside_and_segments_kept),
        cmocka_unit_test(another_schema_version_is_refused_not_set_aside),
        cmocka_unit_test(temporaries_of_killed_writers_are_removed),
        cmocka_unit_test(records_that_do_not_fit_are_refused),
        cmocka_unit_test(a_segment_whose_records_do_not_fit_is_damage),
        cmocka_unit_test(folding_waits_for_segments_and_time),
        cmocka_unit_test(every_failing_allocation_is_an_error_and_loses_nothing),
        cmocka_unit_test(a_write_that_fails_is_told_and_costs_nothing),
        cmocka_unit_test(what_was_reported_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
