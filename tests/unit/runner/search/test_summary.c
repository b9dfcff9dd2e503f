/* What a run prints at its end, from figures made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "results/ledger.h"
#include "runner/search/summary.h"
#include "tests/unit/runner/tiny.h"

struct stage {
    struct folder folder;
    struct qsv_spec *spec;
    struct qsv_inputs in;
    struct qsv_space *space;
    uint8_t formats[512];
};

static int set_up(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    make_folder(&s->folder);
    s->spec = tiny_spec(&s->folder, "  formats: [int4]\n", "constraint:\n  max_top1_drop: 1.0\n");
    load_inputs(&s->in, s->spec);
    assert_int_equal(qsv_space_create(&s->space, s->in.model, s->spec, &err), QSV_OK);
    assert_true(s->space->n_layers <= sizeof s->formats);
    memset(s->formats, QSV_INT4, sizeof s->formats);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *s = *state;
    qsv_space_destroy(s->space);
    qsv_inputs_fini(&s->in);
    qsv_spec_destroy(s->spec);
    remove_folder(&s->folder);
    free(s);
    return 0;
}

/* 1,000 images on which the trial is wrong `lost` times where the baseline is right. */
static struct qsv_metrics with_drop(uint64_t lost)
{
    return (struct qsv_metrics){.n_images = 1000,
                                .n_top1 = 900 - lost,
                                .n_only_baseline = lost,
                                .bytes = {.weights_bytes = 100, .model_bytes = 200}};
}

static char *print(struct stage *s, uint64_t lost_deciding, uint64_t lost_judging, bool apart)
{
    struct qsv_strbuf text = {0};
    static const uint64_t skipped[2];
    const struct qsv_search_cost cost = {.image_forwards = 102688, .trie_forwards = 66400.6};
    struct qsv_selection sel = {
        .formats = s->formats,
        .trial_id = 0xabc,
        .judged = with_drop(lost_judging),
        .decided = with_drop(lost_deciding),
        .baseline = with_drop(0),
    };
    if (apart)
        sel.rest = sel.judged;
    qsv_summary_print(&text, &(struct qsv_summary){.spec = s->spec,
                                                   .space = s->space,
                                                   .selection = &sel,
                                                   .run_folder = "runs/x",
                                                   .skipped = skipped,
                                                   .cost = &cost});
    assert_false(text.failed);
    return text.text;
}

static void what_judging_images_reject_is_told_apart(void **state)
{
    char *text = print(*state, 5, 11, true);
    assert_non_null(strstr(text, "constraint      not met on the judging images, though on those "
                                 "that decided: top-1 drop at most 1 points\n"));
    assert_non_null(strstr(text, "0.50 points there, 1.10 here; "));
    assert_non_null(strstr(text, "qsvit query runs/x --bound 0.85 -o tighter.yaml, "));
    free(text);
}

static void what_no_image_allows_is_not_found(void **state)
{
    static const struct {
        uint64_t deciding, judging;
        bool apart;
    } rows[] = {{11, 11, true}, {5, 11, false}};
    for (size_t i = 0; i < 2; i++) {
        char *text = print(*state, rows[i].deciding, rows[i].judging, rows[i].apart);
        assert_non_null(strstr(text, "constraint      no setting was found that meets it: "));
        assert_null(strstr(text, "tighter.yaml"));
        free(text);
    }
}

static void what_the_search_took_is_said(void **state)
{
    char *text = print(*state, 5, 11, true);
    assert_non_null(strstr(text,
                           "search          102,688 image-forwards, 66,401 where what trials share "
                           "counts once; 2,000 of them judged what is selected\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_judging_images_reject_is_told_apart),
        cmocka_unit_test(what_no_image_allows_is_not_found),
        cmocka_unit_test(what_the_search_took_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
