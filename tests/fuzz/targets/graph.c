/* What becomes of a checkpoint's or model file's tensors: architecture, graph, network. An input
 * begins with a byte that chooses a source or a folded model, whose tensors and options it then
 * changes, in changes of seven bytes: what, which tensor or option (2 bytes), and a value.
 *
 * 0: a tensor is gone; 1: a dimension has another size; 2: it has another rank; 3: another
 * format; 4: an option has another value; 5: four bytes of the data, at a fixed place.
 */
#include <stdlib.h>
#include <string.h>

#include "core/bank.h"
#include "core/network.h"
#include "core/quantizer.h"
#include "tests/fuzz/model.h"

enum { MAX_CHANGES = 8, N_OPS = 6 };
static const size_t max_tensor = (size_t)1 << 20;
static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F16};

static struct qsv_model *model;
static struct qsv_tensors folded; /* of `model` in int4, some layers in none */

struct shape { /* of a tensor that is to be made */
    enum qsv_format format;
    uint32_t rank, size[QSV_MAX_RANK];
    bool dropped;
    uint32_t bits; /* that replace data, where patched */
    bool patched;
};

struct change {
    unsigned what, which;
    uint32_t value;
};

static void make_folded(void)
{
    struct qsv_bank *b;
    struct qsv_network *n;
    struct qsv_error err = {0};
    uint8_t formats[1024];
    FUZZ_NEED(model->graph.n_layers <= sizeof formats);
    for (size_t i = 0; i < model->graph.n_layers; i++)
        formats[i] = i % 16 == 5 ? QSV_NONE : QSV_INT4;
    if (qsv_bank_create(&b, model, &by_max, &err) ||
        qsv_network_create(&n, model, b, formats, &err) || qsv_network_fold(&folded, n, &err))
        fuzz_fail("%s", err.text);
    qsv_network_destroy(n);
    qsv_bank_destroy(b);
}

static void change_option(struct qsv_model_options *o, const struct change *c)
{
    uint32_t *const options[] = {&o->heads, &o->time_steps, &o->input.c, &o->input.h, &o->input.w};
    const size_t n = sizeof options / sizeof *options;
    if (c->which % (n + 2) < n)
        *options[c->which % (n + 2)] = c->value;
    else
        memcpy(c->which % (n + 2) == n ? &o->mean[0] : &o->std[0], &c->value, sizeof c->value);
}

static void change_tensor(struct shape *s, const struct change *c)
{
    if (c->what == 0)
        s->dropped = true;
    else if (c->what == 1)
        s->size[c->value >> 29 & 3] = c->value & 0x1fffffff;
    else if (c->what == 2)
        s->rank = c->value % (QSV_MAX_RANK + 1);
    else if (c->what == 3)
        s->format = (enum qsv_format)(c->value % QSV_N_FORMATS);
    else
        s->bits = c->value, s->patched = true;
}

static void add_tensor(struct qsv_tensors *out, const struct qsv_tensor *from,
                       const struct shape *s)
{
    struct qsv_tensor *t;
    struct qsv_error err = {0};
    uint64_t n = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        if (__builtin_mul_overflow(n, s->size[i], &n))
            return;
    /* As many as a reader lets through. */
    if (n > (s->format == QSV_NONE ? 1u << 30 : max_tensor / 4))
        return;
    FUZZ_NEED(!qsv_tensors_add(out, from->name, s->format, s->rank, s->size, &t, &err));
    memcpy(t->data, from->data, t->bytes < from->bytes ? t->bytes : from->bytes);
    if (s->patched && t->bytes >= sizeof s->bits)
        memcpy(t->data, &s->bits, sizeof s->bits);
    t->exponent = s->format == QSV_F16 && s->rank == 1 ? from->exponent : 0;
}

static void make_tensors(struct qsv_tensors *out, struct qsv_model_options *o,
                         const struct qsv_tensors *from, struct qsv_cursor *in)
{
    struct shape *shapes = calloc(from->n, sizeof *shapes);
    FUZZ_NEED(shapes);
    for (size_t i = 0; i < from->n; i++) {
        shapes[i] = (struct shape){.format = from->v[i].format, .rank = from->v[i].rank};
        memcpy(shapes[i].size, from->v[i].shape, sizeof shapes[i].size);
    }
    for (int i = 0; i < MAX_CHANGES; i++) {
        const struct change c = {qsv_cursor_u8(in) % N_OPS, qsv_cursor_u16(in), qsv_cursor_u32(in)};
        if (in->failed)
            break;
        if (c.what == 4)
            change_option(o, &c);
        else
            change_tensor(&shapes[c.which % from->n], &c);
    }
    for (size_t i = 0; i < from->n; i++)
        if (!shapes[i].dropped)
            add_tensor(out, &from->v[i], &shapes[i]);
    free(shapes);
}

/* A quantized and an exact network of a source model, or the one of a folded model. */
static void make_networks(const struct qsv_model *m, bool unchanged)
{
    struct qsv_bank *b = NULL;
    struct qsv_network *n = NULL;
    struct qsv_error err = {0};
    uint8_t *formats = malloc(m->graph.n_layers);
    FUZZ_NEED(formats);
    memset(formats, QSV_TERNARY, m->graph.n_layers);
    enum qsv_status st =
        m->folded ? qsv_network_create_folded(&n, m, &err) : qsv_bank_create(&b, m, &by_max, &err);
    if (!st && b)
        st = qsv_network_create(&n, m, b, formats, &err);
    FUZZ_NEED(fuzz_accepted(st, &err, QSV_OK) || !unchanged);
    qsv_network_destroy(n);
    qsv_bank_destroy(b);
    free(formats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_cursor in = qsv_cursor_over(data, size);
    struct qsv_tensors t = {0};
    struct qsv_model *m = NULL;
    struct qsv_error err = {0};
    const bool source = qsv_cursor_u8(&in) % 2;
    if (!model) {
        model = load_tiny();
        make_folded();
    }
    struct qsv_model_options options = model->options;
    make_tensors(&t, &options, source ? &model->tensors : &folded, &in);
    if (fuzz_accepted(qsv_model_create(&m, &t, &options, "FILE", &err), &err, QSV_OK))
        make_networks(m, size <= 1);
    FUZZ_NEED(m || size > 1);
    qsv_model_destroy(m);
    return 0;
}
