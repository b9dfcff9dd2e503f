#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "jobs/spec.h"
#include "runner/program/templates.h"

static void each_is_a_spec_and_its_file(void **state)
{
    (void)state;
    static const char *const files[] = {"cluster.yaml", "examples/cifar10.yaml",
                                        "examples/imagenet.yaml"};
    size_t n = 0;
    for (; qsv_templates[n].name; n++) {
        struct qsv_spec *spec;
        struct qsv_error err = {0};
        uint8_t *file;
        size_t bytes;
        const char *text = qsv_templates[n].text;
        if (qsv_spec_parse(&spec, text, strlen(text), qsv_templates[n].name, &err))
            fail_msg("%s", err.text);
        qsv_spec_destroy(spec);
        assert_int_equal(qsv_file_read(&file, &bytes, files[n], 1 << 20, NULL), QSV_OK);
        assert_int_equal(bytes, strlen(text));
        assert_memory_equal(file, text, bytes);
        free(file);
    }
    assert_int_equal(n, sizeof files / sizeof *files);
}

static void only_the_model_is_filled_in(void **state)
{
    (void)state;
    struct qsv_strbuf text = {0}, model = {0};
    const struct qsv_template t = {
        "t", "# model: a/b.h5 comes below\nmodel: no/such.h5 # theirs\nrun: models/x\n"};
    assert_int_equal(qsv_template_fill(&text, &model, &t, "x.yaml", NULL), QSV_OK);
    assert_string_equal(text.text, t.text);
    assert_string_equal(model.text, "no/such.h5");
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&model);
    /* In a folder where it is found, it stays as it stands. */
    const struct qsv_template here = {"t", "a: 1\nmodel: models/sdtv2_fmnist_t4.h5\n"};
    assert_int_equal(qsv_template_fill(&text, &model, &here, "x.yaml", NULL), QSV_OK);
    assert_string_equal(text.text, here.text);
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_a_spec_and_its_file),
        cmocka_unit_test(only_the_model_is_filled_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
