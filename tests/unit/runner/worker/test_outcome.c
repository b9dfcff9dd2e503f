/* Records from outcomes that were worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "runner/worker/outcome.h"

enum { CLASSES = 2, IMAGES = 10, POTENTIALS = 3 };

static struct qsv_error err;

/* Two LIFs, of two channels of 2x2 and of one of 1x1; one layer of 100 multiply-accumulates on real
 * input, one on spikes, an attention product. */
static struct qsv_layer layers[2] = {
    {.macs = 100, .spike_input = false, .out_ch = 1, .node = 1},
    {.macs = 50, .spike_input = true, .out_ch = 1, .node = 1},
};
static struct qsv_lif lifs[2] = {
    {.shape = {2, 2, 2}, .v_th = 1.0f, .tau = 2},
    {.shape = {1, 1, 1}, .v_th = 0.5f, .tau = 2},
};
static struct qsv_attention attentions[1];
static struct qsv_node nodes[2] = {{.op = QSV_OP_INPUT}, {.op = QSV_OP_CONV, .per_step = false}};
static const struct qsv_record_shape shape = {2, 2, 3};

static struct qsv_model make_model(void)
{
    struct qsv_model m = {.classes = CLASSES, .options = {.time_steps = 4}};
    m.graph = (struct qsv_graph){.nodes = nodes,
                                 .n_nodes = 2,
                                 .layers = layers,
                                 .n_layers = 2,
                                 .lifs = lifs,
                                 .n_lifs = 2,
                                 .attentions = attentions,
                                 .n_attentions = 1};
    return m;
}

static void make_outcome(struct qsv_outcome *o, const struct qsv_model *m, const float *margins)
{
    const uint8_t f32[2] = {QSV_F32, QSV_F32};
    assert_int_equal(qsv_outcome_init(o, m, f32, IMAGES, POTENTIALS, &err), QSV_OK);
    for (int i = 0; i < IMAGES; i++)
        o->logits[2 * i + 1] = margins[i]; /* class 1 against a logit of 0 of class 0 */
}

static double loss_of(double margin) /* of class 1 */
{
    return log1p(exp(-margin));
}

static void figures_are_right(void **state)
{
    (void)state;
    struct qsv_model m = make_model();
    const float base[IMAGES] = {1, 1, 1, 1, 1, 1, -1, -1, -1, -1};
    const float mine[IMAGES] = {1, 1, 1, -2, -2, 3, 1, -1, -1, -1};
    const uint32_t labels[IMAGES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    struct qsv_outcome b, t;
    struct qsv_record r;
    make_outcome(&b, &m, base);
    make_outcome(&t, &m, mine);
    t.lif_spikes[0] = 7;
    t.site_ac[0] = 0;
    t.site_ac[1] = 30;
    t.site_ac[2] = 12;
    const int64_t pb[POTENTIALS] = {1000, -500, 64}, pt[POTENTIALS] = {1640, -1140, 320};
    memcpy(b.potentials, pb, sizeof pb);
    memcpy(t.potentials, pt, sizeof pt);
    assert_int_equal(qsv_outcome_record(&r, &t, &b, labels, &m, &shape, &err), QSV_OK);

    assert_int_equal(r.n_images, IMAGES);
    assert_int_equal(r.n_top1, 6);          /* 0, 1, 2, 5, 6, 9 */
    assert_int_equal(r.n_top5, IMAGES);     /* of two classes */
    assert_int_equal(r.n_only_trial, 1);    /* 6 */
    assert_int_equal(r.n_only_baseline, 2); /* 3, 4 */
    assert_int_equal(r.correct[0], 0x67);
    assert_int_equal(r.correct[1], 0x02);
    double loss = 3 * loss_of(1) + 2 * loss_of(-2) + loss_of(3) + loss_of(1) + 2 * loss_of(-1) +
                  loss_of(1); /* the last has label 0: its margin the other way round */
    assert_float_equal(r.loss_sum, loss, 1e-12);
    double d3 = loss_of(-2) - loss_of(1), d5 = loss_of(3) - loss_of(1),
           d6 = loss_of(1) - loss_of(-1);
    assert_float_equal(r.loss_diff_sum, 2 * d3 + d5 + d6, 1e-12);
    assert_float_equal(r.loss_diff_square_sum, 2 * d3 * d3 + d5 * d5 + d6 * d6, 1e-12);
    double p = 1 / (1 + exp(-1)), kl[3];
    const double margins[3] = {-2, 3, 1};
    for (int i = 0; i < 3; i++) {
        double from = i == 2 ? 1 - p : p, to = 1 / (1 + exp(-margins[i]));
        kl[i] = from * log(from / to) + (1 - from) * log((1 - from) / (1 - to));
    }
    assert_float_equal(r.kl_sum, 2 * kl[0] + kl[1] + kl[2], 1e-12);
    assert_float_equal(r.kl_square_sum, 2 * kl[0] * kl[0] + kl[1] * kl[1] + kl[2] * kl[2], 1e-12);

    assert_int_equal(r.ac_ops, 42);
    assert_int_equal(r.mac_ops, 1000);
    assert_int_equal(r.site_ac[2], 12);
    assert_int_equal(r.lif_spikes[0], 7);
    /* LIF 0: 640 + 640; over 10 images, 4 steps, 8 neurons of threshold 1 in 1/256: 1/64.
     * LIF 1: 256 over 10 x 4 x 1 of threshold 1/2: 1/20. */
    assert_int_equal(r.lif_drift[0], 1280);
    assert_int_equal(r.lif_drift[1], 256);
    assert_float_equal(r.drift, (1.0 / 64 + 1.0 / 20) / 2, 1e-15);
    assert_null(r.label);
    qsv_record_fini(&r);
    qsv_outcome_fini(&b);
    qsv_outcome_fini(&t);
}

static void the_baseline_is_compared_with_itself(void **state)
{
    (void)state;
    struct qsv_model m = make_model();
    const float base[IMAGES] = {1, 1, 1, 1, 1, 1, -1, -1, -1, -1};
    const uint32_t labels[IMAGES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    struct qsv_outcome b;
    struct qsv_record r;
    make_outcome(&b, &m, base);
    b.potentials[1] = 12345;
    assert_int_equal(qsv_outcome_record(&r, &b, &b, labels, &m, &shape, &err), QSV_OK);
    assert_int_equal(r.n_top1, 7);
    assert_true(r.kl_sum == 0 && r.kl_square_sum == 0 && r.loss_diff_sum == 0 && r.drift == 0);
    assert_int_equal(r.n_only_trial + r.n_only_baseline, 0);
    assert_int_equal(r.label[9], 0);
    assert_int_equal(r.answer[9], 0);
    assert_int_equal(r.answer[0], 1);
    assert_float_equal(r.loss[6], loss_of(-1), 1e-14);
    qsv_record_fini(&r);
    qsv_outcome_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_right),
        cmocka_unit_test(the_baseline_is_compared_with_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
