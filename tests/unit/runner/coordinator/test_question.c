#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "jobs/setting.h"
#include "runner/coordinator/question.h"
#include "tests/unit/runner/tiny.h"

enum { N_LAYERS = 54 };

static void settings_are_distinct_and_in_order(void **state)
{
    (void)state;
    struct folder folder;
    struct qsv_inputs in;
    struct qsv_question q;
    uint8_t formats[5][N_LAYERS] = {{0}}, baseline[N_LAYERS] = {0};
    make_folder(&folder);
    struct qsv_spec *spec = tiny_spec(&folder, "", "constraint:\n  max_top1_drop: 5\n");
    load_inputs(&in, spec);
    memset(formats[0], QSV_INT4, N_LAYERS);
    formats[1][N_LAYERS - 1] = QSV_INT4;
    memset(formats[2], QSV_INT4, N_LAYERS); /* the same as the first */
    formats[3][20] = QSV_INT8;
    memset(formats[4], QSV_INT4, N_LAYERS);
    formats[4][1] = QSV_F16;
    struct qsv_trial trials[5];
    for (int i = 0; i < 5; i++)
        trials[i] = (struct qsv_trial){formats[i], 0, NULL};
    assert_int_equal(
        qsv_question_init(&q, trials, 5, baseline, in.model, &in.partition, QSV_DECIDE, 20, &err),
        QSV_OK);
    assert_int_equal(q.first_shard, 6);
    assert_int_equal(q.n_shards, 2); /* 20 images are two shards of 16 */
    assert_int_equal(q.n_settings, 5);
    const uint8_t *order[5] = {baseline, formats[1], formats[3], formats[4], formats[0]};
    for (int i = 0; i < 5; i++)
        assert_memory_equal(q.settings[i].formats, order[i], N_LAYERS);
    assert_true(q.trial_ids[0] == q.trial_ids[2]);
    assert_true(q.trial_ids[5] == qsv_setting_id(baseline, N_LAYERS)); /* behind those asked for */

    uint64_t all = 0, before_20 = 0;
    for (int l = 0; l < N_LAYERS; l++) {
        all += in.model->graph.layers[l].macs;
        before_20 += l < 20 ? in.model->graph.layers[l].macs : 0;
    }
    double last = (double)in.model->graph.layers[N_LAYERS - 1].macs;
    assert_true(q.shared[0] == 0);
    assert_float_equal(q.shared[1], 1 - last / (double)all, 1e-5);
    assert_float_equal(q.shared[2], (double)before_20 / (double)all, 1e-5);
    assert_true(q.shared[3] == 0);
    assert_float_equal(q.shared[4], (double)in.model->graph.layers[0].macs / (double)all, 1e-5);
    qsv_question_fini(&q);
    qsv_inputs_fini(&in);
    qsv_spec_destroy(spec);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_distinct_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
