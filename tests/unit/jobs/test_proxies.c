/* What a search notes about the proxies that it went by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/jobs/synthetic.h"

static struct qsv_error err;
static char noted[512]; /* the last note of step "proxies" */

static enum qsv_status take_note(void *context, const struct qsv_step *step, struct qsv_error *e)
{
    (void)context;
    (void)e;
    if (!strcmp(step->name, "proxies")) {
        assert_string_equal(step->decision, "rank");
        assert_string_equal(noted, "");
        snprintf(noted, sizeof noted, "%s", step->why);
    }
    return QSV_OK;
}

/* KL adds up, the drop is proportional to it, losses are as the KL in each layer. */
static struct world *create(const char *strategy)
{
    struct world *w = world_create(24, 3);
    world_know_losses(w, 5);
    memset(w->floor, 0, sizeof w->floor);
    w->n_images[QSV_JUDGE] = 100000; /* so that hardly any drops are equal */
    w->spec.search.strategy = (char *)strategy;
    w->evaluator.note = take_note;
    return w;
}

static void search(struct world *w)
{
    struct qsv_space *space;
    struct qsv_selection out = {0};
    noted[0] = '\0';
    assert_int_equal(qsv_space_create(&space, &w->model, &w->spec, &err), QSV_OK);
    if (qsv_strategy_find(w->spec.search.strategy)
            ->search(space, &w->spec, &w->evaluator, &out, &err))
        fail_msg("%s", err.text);
    qsv_space_destroy(space);
    qsv_selection_fini(&out);
}

static void assert_noted(const char *says)
{
    if (!strstr(noted, says))
        fail_msg("'%s' does not say '%s'", noted, says);
}

static void where_divergences_add_up_all_is_foretold(void **state)
{
    (void)state;
    struct world *w = create("frontier");
    search(w);
    assert_noted("quantized settings on 4096 images: ");
    assert_noted("foretold KL with measured KL 1.000, with the drop ");
    assert_noted("; drift with the drop 0.9");
    assert_noted("measured KL is 1 to 1 times the foretold");
    world_destroy(w);
}

/* Layers that act twice as strongly together as alone, the more so the more there are. What the
 * search has learned of it does not count as foretold. */
static void layers_that_act_together_show_in_the_factor(void **state)
{
    (void)state;
    struct world *w = create("frontier");
    double least, most;
    for (uint32_t l = 0; l < w->n_layers; l++)
        w->among[l] = 2;
    search(w);
    assert_noted("foretold KL with measured KL 1.000");
    const char *at = strstr(noted, "measured KL is ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "measured KL is %lf to %lf times", &least, &most), 2);
    assert_true(least > 1 && least < most);
    assert_true(most == 2);
    world_destroy(w);
}

static void qsvit_says_so_too(void **state)
{
    (void)state;
    struct world *w = create("qsvit");
    search(w);
    assert_noted("foretold KL with measured KL 1.000");
    world_destroy(w);
}

static void of_three_settings_nothing_is_said(void **state)
{
    (void)state;
    struct world *w = create("frontier");
    w->spec.search.max_image_forwards = 25 * 384 + 3 * 4096; /* step 1 and the ends */
    search(w);
    assert_string_equal(noted, "");
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_divergences_add_up_all_is_foretold),
        cmocka_unit_test(layers_that_act_together_show_in_the_factor),
        cmocka_unit_test(qsvit_says_so_too),
        cmocka_unit_test(of_three_settings_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
