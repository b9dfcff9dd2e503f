#include "fixture.h"

#include "core/base/alloc.h"
#include "results/diff.h"

/* Two runs of the same: the second was interrupted, and measured by others at another time. */
static struct fixture f, g;

static void begin(struct qsv_store *s, const char *spec)
{
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", spec, NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 3, "base", "three");
}

static void note(struct qsv_store *s, const char *why)
{
    struct qsv_step step = {"base", 5, "lower", why};
    assert_int_equal(qsv_store_add_step(s, &step, NULL), QSV_OK);
}

static void end(struct qsv_store *s, bool meets)
{
    assert_int_equal(qsv_store_select(s, 5, meets, NULL), QSV_OK);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
}

static void write_first(void)
{
    struct qsv_store *s = open_store(&f, NULL);
    begin(s, "a\nb\nc\n");
    record(s, &f, "1-1-1", 0, 0, 9);
    record(s, &f, "1-1-2", 3, 0, 9);
    note(s, "one");
    note(s, "two");
    end(s, true);
}

static void write_resumed(void)
{
    struct qsv_store *s = open_store(&g, NULL);
    begin(s, "a\nb\nc\n");
    record(s, &g, "1-1-1", 0, 0, 9);
    note(s, "one");
    qsv_store_fold(s, NULL);
    record(s, &g, "1-1-2", 3, 0, 3);
    qsv_store_abandon(s); /* killed: "three" is in a segment only */

    s = open_store(&g, NULL);
    begin(s, "a\nb\nc\n");
    for (uint32_t shard = 3; shard < 9; shard++) {
        struct qsv_record r = make_record(&g, 3, shard);
        r.attempt = 2;
        r.rank = 5;
        r.wall_s = 77;
        r.peak_mem_bytes = 1;
        r.t_end_unix_s = 5;
        assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
    }
    note(s, "one");
    note(s, "two");
    end(s, true);
}

static void setup(void)
{
    fixture_init(&f, 15);
    fixture_init(&g, 15);
    write_first();
}

static void teardown(void)
{
    fixture_fini(&f);
    fixture_fini(&g);
}

static struct qsv_diff compare(struct qsv_strbuf *report)
{
    struct qsv_error err = {0};
    struct qsv_diff d = {0};
    if (qsv_diff_run(&d, f.folder, g.folder, report, NULL, &err))
        fail_msg("%s", err.text);
    return d;
}

static void a_resumed_run_equals_an_undisturbed_one(void **state)
{
    (void)state;
    struct qsv_strbuf report = {0};
    setup();
    write_resumed();
    struct qsv_diff d = compare(&report);
    if (!d.equal)
        fail_msg("%s", report.text);
    assert_string_equal(report.text, "equal: 2 trials, 18 records\n");
    qsv_strbuf_fini(&report);
    teardown();
}

enum change {
    SHARD_LESS,
    LOSS,
    BITS,
    DRIFT,
    LIF,
    SITE,
    LABEL,
    TRIAL_NAME,
    STEP_LESS,
    STEP_TEXT,
    MISSES,
    INCOMPLETE,
    QUESTION,
    N_CHANGES
};

static void change_record(struct qsv_record *r, enum change c)
{
    uint64_t bits;
    memcpy(&bits, &r->loss_sum, sizeof bits);
    switch (c) {
    case LOSS: /* by the last bit of a double */
        bits++;
        memcpy(&r->loss_sum, &bits, sizeof bits);
        break;
    case DRIFT:
        r->lif_drift[2]++;
        break;
    case LIF:
        r->lif_spikes[0]++;
        break;
    case SITE:
        r->site_ac[1]++;
        break;
    case LABEL:
        if (r->label)
            r->label[4]++;
        break;
    case BITS: /* another image, as many */
        for (uint32_t i = 1; i < r->n_images; i++)
            if ((r->correct[0] & 1) != (r->correct[i / 8] >> i % 8 & 1)) {
                r->correct[0] ^= 1;
                r->correct[i / 8] ^= (uint8_t)(1u << i % 8);
                break;
            }
        break;
    default:
        break;
    }
}

static void write_changed(enum change c)
{
    struct qsv_store *s = open_store(&g, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "a\nb\nc\n", NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 3, "base", c == TRIAL_NAME ? "drei" : "three");
    if (c == QUESTION)
        ask(s, 3, "guided", "again");
    for (uint64_t seed = 0; seed <= 3; seed += 3)
        for (uint32_t shard = 0; shard < 9; shard++) {
            struct qsv_record r = make_record(&g, seed, shard);
            if (shard == 1 && (seed == 3 || c == LABEL))
                change_record(&r, c);
            if (c == SHARD_LESS && seed == 3 && shard == 8)
                qsv_record_fini(&r);
            else
                assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
        }
    note(s, c == STEP_TEXT ? "eins" : "one");
    if (c != STEP_LESS)
        note(s, "two");
    if (c != INCOMPLETE) {
        end(s, c != MISSES);
        return;
    }
    assert_int_equal(qsv_store_select(s, 5, true, NULL), QSV_OK);
    assert_int_equal(qsv_store_close(s, false, "stopped", NULL), QSV_OK);
}

static void each_single_difference_is_found(void **state)
{
    (void)state;
    static const char *const said[N_CHANGES] = {
        [SHARD_LESS] = "shard 8 is only in the first",
        [LOSS] = "shard 1: other loss_sum",
        [BITS] = "shard 1: other correct",
        [DRIFT] = "shard 1: other lif_drift",
        [LIF] = "shard 1: other lif_spikes",
        [SITE] = "shard 1: other",
        [LABEL] = "shard 1: other label",
        [TRIAL_NAME] = "has other descriptions",
        [STEP_LESS] = "2 steps against 1",
        [STEP_TEXT] = "search 1, step 1: why 'one' against 'eins'",
        [MISSES] = "only the first meets the constraint",
        [INCOMPLETE] = "only the first is complete",
        [QUESTION] = "asked for 2 trials against 3",
    };
    for (int c = 0; c < N_CHANGES; c++) {
        struct qsv_strbuf report = {0};
        setup();
        write_changed((enum change)c);
        struct qsv_diff d = compare(&report);
        assert_false(d.equal);
        assert_int_equal(d.identity + d.spec, 0);
        if (!strstr(report.text, said[c]))
            fail_msg("case %d: '%s' does not say '%s'", c, report.text, said[c]);
        qsv_strbuf_fini(&report);
        teardown();
    }
}

static void specs_are_listed_by_line(void **state)
{
    (void)state;
    struct qsv_strbuf report = {0};
    setup();
    struct qsv_store *s = open_store(&g, NULL);
    begin(s, "a\nx\ny\nc\n");
    for (uint32_t shard = 0; shard < 9; shard++) {
        add_records(s, &g, "none", 0, shard, 1);
        add_records(s, &g, "none", 3, shard, 1);
    }
    note(s, "one");
    note(s, "two");
    end(s, true);
    struct qsv_diff d = compare(&report);
    assert_true(d.equal);
    assert_int_equal(d.spec, 3);
    assert_string_equal(report.text, "spec: line 2, only in the first: b\n"
                                     "spec: line 2, only in the second: x\n"
                                     "spec: line 3, only in the second: y\n"
                                     "equal: 2 trials, 18 records; the specs' texts differ\n");
    qsv_strbuf_fini(&report);
    teardown();
}

static void another_identity_ends_the_comparison(void **state)
{
    (void)state;
    struct qsv_strbuf report = {0};
    setup();
    g.run.identity.model = 0xabc;
    write_resumed();
    struct qsv_diff d = compare(&report);
    assert_false(d.equal);
    assert_int_equal(d.identity, 1);
    assert_non_null(
        strstr(report.text, "identity: model: 0000000000001111 against 0000000000000abc"));
    qsv_strbuf_fini(&report);
    teardown();
}

static void long_listings_are_cut(void **state)
{
    (void)state;
    struct qsv_strbuf report = {0};
    setup();
    for (int i = 0; i < 3; i++)
        qsv_strbuf_fini(&report);
    struct qsv_store *s = open_store(&g, NULL);
    begin(s, "a\nb\nc\n");
    for (uint64_t seed = 10; seed < 15; seed++) {
        ask(s, seed, "base", "x");
        add_records(s, &g, "none", seed, 0, 9);
    }
    end(s, true);
    struct qsv_diff d = compare(&report);
    assert_int_equal(d.records, 18 + 45);
    assert_non_null(strstr(report.text, "records: 43 more\n"));
    qsv_strbuf_fini(&report);
    teardown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_equals_an_undisturbed_one),
        cmocka_unit_test(each_single_difference_is_found),
        cmocka_unit_test(specs_are_listed_by_line),
        cmocka_unit_test(another_identity_ends_the_comparison),
        cmocka_unit_test(long_listings_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
