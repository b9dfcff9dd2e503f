/* Setting files. One that is accepted, printed and read again gives the same formats. */
#include <stdlib.h>
#include <string.h>

#include "jobs/setting.h"
#include "tests/fuzz/fuzz.h"

enum { N_LAYERS = 9 };

static struct qsv_layer layers[N_LAYERS] = {{.name = "downsample1_1.encode_conv"},
                                            {.name = "block3.0.attn.q_conv.0.body.0"},
                                            {.name = "block3.0.mlp.fc1"},
                                            {.name = "block3.11.mlp.fc1"},
                                            {.name = "head"},
                                            {.name = "od*d[name]?\\"},
                                            {.name = "\xd0\xbc\xd0\xbe\xd0\xb4"},
                                            {.name = "\xff\xfe broken"},
                                            {.name = "\"quoted\"\t\n: #"}};
static const struct qsv_graph graph = {.layers = layers, .n_layers = N_LAYERS};

static void print_and_read(const uint8_t *formats)
{
    uint8_t again[N_LAYERS] = {0};
    struct qsv_strbuf text = {0};
    struct qsv_error err = {0};
    qsv_setting_print(&text, formats, &graph, "a comment\nof two lines");
    FUZZ_NEED(!text.failed);
    if (qsv_setting_parse(text.text, text.len, "PRINTED.yaml", &graph, again, &err))
        fuzz_fail("%s\n%s", err.text, text.text);
    FUZZ_NEED(!memcmp(again, formats, N_LAYERS));
    qsv_strbuf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t formats[N_LAYERS];
    struct qsv_error err = {0};
    char *text = fuzz_text(data, size);
    enum qsv_status st = qsv_setting_parse(text, size, "SETTING.yaml", &graph, formats, &err);
    if (fuzz_accepted(st, &err, QSV_OK))
        print_and_read(formats);
    free(text);
    return 0;
}
