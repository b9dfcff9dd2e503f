/* A finished run of a made-up model in a temporary folder, for targets that read what runs record:
 * two searches' worth of trials, all folded, and a segment beside. Uses the fixture of the tests of
 * results/, whose assertions hold or end the process.
 */
#ifndef QSV_FUZZ_RECORDED_H
#define QSV_FUZZ_RECORDED_H

#include "tests/unit/results/fixture.h"

static inline void run_search(struct qsv_store *s, const struct fixture *f)
{
    struct qsv_error err = {0};
    uint8_t formats[N_LAYERS];
    assert_int_equal(qsv_store_begin_search(s, 77, "qsvit", "constraint:\n  max_bytes: 1\n", &err),
                     QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 5, "sensitivity", "stage1.0 at int4");
    ask(s, 6, "sensitivity", "stage2.0 at int4");
    add_records(s, f, "", 0, 0, 9);
    add_records(s, f, "", 5, 0, 9);
    add_records(s, f, "", 6, 7, 2);
    const struct qsv_step step = {"select", make_setting(5, formats), "selected", "it fits"};
    assert_int_equal(qsv_store_add_step(s, &step, &err), QSV_OK);
    assert_int_equal(qsv_store_select(s, make_setting(5, formats), true, &err), QSV_OK);
}

/* Judging: 7 shards, 63 images. Deciding: 2 shards, 15 images. */
static inline void run_make(struct fixture *f)
{
    fixture_init(f, 15);
    struct qsv_store *s = open_store(f, NULL);
    run_search(s, f);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
    write_segment(f, "2-1-1", 0, 0, 2);
}

#endif
