#include "runner/inputs/inputs.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/engine.h"
#include "runner/transport/hello.h"
#include "runner/inputs/image_options.h"

enum role { ALONE, FIRST_OF_MANY, ONE_OF_MANY };

static enum qsv_status open_images(struct qsv_images *out, const struct qsv_spec_images *s,
                                   const struct qsv_model *model, enum role role,
                                   struct qsv_error *err)
{
    const struct qsv_dataset_source source = qsv_images_source(s);
    struct qsv_dataset *d;
    enum qsv_status st = role == ONE_OF_MANY ? qsv_dataset_open_member(&d, &source, err)
                                             : qsv_dataset_open(&d, &source, err);
    return st ? st : qsv_images_init(out, d, model, err);
}

static enum qsv_status load_model(struct qsv_inputs *in, struct qsv_error *err)
{
    enum qsv_status st = qsv_model_load(&in->model, in->spec->model, err);
    if (!st && in->model->folded)
        st = qsv_fail(err, QSV_EINPUT,
                      "%s: is quantized already; a sweep starts from the model that it was made "
                      "from",
                      in->spec->model);
    return st;
}

static enum qsv_status load_images(struct qsv_inputs *in, enum role role, struct qsv_error *err)
{
    const struct qsv_spec *s = in->spec;
    uint64_t n_decide = 0;
    enum qsv_status st = open_images(&in->images[QSV_JUDGE], &s->dataset, in->model, role, err);
    if (!st && s->has_calibration) {
        st = open_images(&in->images[QSV_DECIDE], &s->calibration, in->model, role, err);
        if (!st)
            n_decide = qsv_dataset_count(in->images[QSV_DECIDE].dataset);
    }
    return st ? st
              : qsv_partition_init(&in->partition, qsv_dataset_count(in->images[QSV_JUDGE].dataset),
                                   n_decide, s->shard_images, s->search.seed, err);
}

static void share(struct qsv_inputs *in, struct qsv_error *why)
{
    enum qsv_status st = qsv_model_share(in->model, why);
    for (int set = 0; set < 2; set++)
        if (!st && in->images[set].dataset)
            st = qsv_dataset_share(in->images[set].dataset, why);
#ifdef __GLIBC__
    malloc_trim(0); /* what was replaced lies in pieces between others, and would stay ours */
#endif
}

static enum qsv_status hash_into(uint64_t *out, struct qsv_hash *h, struct qsv_error *err)
{
    if (!h)
        return qsv_fail_memory(err, "the run's identity");
    *out = qsv_hash_end(h);
    return QSV_OK;
}

static uint64_t fingerprint(const struct qsv_dataset *d)
{
    return d && qsv_dataset_has_fingerprint(d) ? qsv_dataset_fingerprint(d) : 0;
}

static void identify_images(struct qsv_inputs *in)
{
    in->run.identity.dataset = fingerprint(in->images[QSV_JUDGE].dataset);
    in->run.identity.calibration = fingerprint(in->images[QSV_DECIDE].dataset);
}

static enum qsv_status identify(struct qsv_inputs *in, struct qsv_error *err)
{
    struct qsv_identity *id = &in->run.identity;
    identify_images(in);
    id->model = in->model->hash;
    id->shard_images = in->spec->shard_images;
    id->engine = QSV_ENGINE_NUMERICS;
    struct qsv_hash *h = qsv_hash_begin();
    if (h) {
        qsv_hash_add_u64(h, in->spec->search.seed);
        qsv_hash_add_u64(h, in->partition.n_judge);
        qsv_hash_add_u64(h, in->partition.n_decide);
    }
    enum qsv_status st = hash_into(&id->order, h, err);
    if (st)
        return st;
    id->quantizer = qsv_codes_hash(in->spec);
    return id->quantizer ? QSV_OK : qsv_fail_memory(err, "the run's identity");
}

static void describe(struct qsv_inputs *in)
{
    const struct qsv_graph *g = &in->model->graph;
    struct qsv_run *run = &in->run;
    run->model = in->model;
    run->partition = &in->partition;
    for (int set = 0; set < 2; set++)
        if (in->images[set].dataset)
            run->skipped[set] = qsv_dataset_skipped(in->images[set].dataset);
    run->shape = (struct qsv_record_shape){(uint32_t)g->n_layers, (uint32_t)g->n_lifs,
                                           (uint32_t)(g->n_layers + g->n_attentions)};
    run->energy = in->spec->energy;
    run->affine = in->spec->quantizer.affine;
    const enum qsv_image_set set = in->partition.n_decide ? QSV_DECIDE : QSV_JUDGE;
    in->codes =
        (struct qsv_codes){in->spec, in->model, in->bank, &in->images[set], &in->partition, set};
    run->created_unix_s = qsv_clock_unix_s();
    struct qsv_hello *h = &in->hello;
    qsv_hello_fill(h);
    h->identity = run->identity;
    for (int image_set = 0; image_set < 2; image_set++) {
        const struct qsv_dataset *d = in->images[image_set].dataset;
        h->sketches[image_set] = d ? qsv_dataset_sketch(d) : 0;
    }
    h->spec = qsv_hash_bytes(in->spec->text, in->spec->text_bytes);
}

static enum qsv_status load(struct qsv_inputs *in, const struct qsv_spec *spec, enum role role,
                            struct qsv_error *err)
{
    struct qsv_error why = {0};
    *in = (struct qsv_inputs){.spec = spec};
    enum qsv_status st = load_model(in, err);
    if (!st)
        st = load_images(in, role, err);
    if (!st)
        st = identify(in, err);
    if (!st && role != ALONE)
        share(in, &why);
    /* It keeps pointers to the tensors. */
    if (!st)
        st = qsv_bank_create(&in->bank, in->model, &spec->quantizer, err);
    if (st) {
        qsv_inputs_fini(in);
        return st;
    }
    describe(in);
    snprintf(in->hello.alone, sizeof in->hello.alone, "%s", why.text);
    return QSV_OK;
}

enum qsv_status qsv_inputs_load(struct qsv_inputs *in, const struct qsv_spec *spec,
                                struct qsv_error *err)
{
    return load(in, spec, ALONE, err);
}

enum qsv_status qsv_inputs_load_shared(struct qsv_inputs *in, const struct qsv_spec *spec, bool all,
                                       struct qsv_error *err)
{
    return load(in, spec, all ? FIRST_OF_MANY : ONE_OF_MANY, err);
}

void qsv_inputs_learn(struct qsv_inputs *in, const struct qsv_identity *identity)
{
    const uint64_t fingerprints[2] = {identity->dataset, identity->calibration};
    for (int set = 0; set < 2; set++) {
        struct qsv_dataset *d = in->images[set].dataset;
        if (d && !qsv_dataset_has_fingerprint(d))
            qsv_dataset_learn(d, fingerprints[set]);
    }
    identify_images(in);
}

static void describe_images(struct qsv_strbuf *out, const char *role,
                            const struct qsv_images *images, uint32_t n_shards)
{
    struct qsv_shape shape = qsv_dataset_shape(images->dataset);
    qsv_strbuf_printf(out, "%-10s %" PRIu64 " images of %ux%ux%u%s, %u shards\n", role,
                      qsv_dataset_count(images->dataset), shape.c, shape.h, shape.w,
                      images->factor > 1 ? " (doubled)" : "", n_shards);
    qsv_image_options_print_skipped(images->dataset, out);
}

void qsv_inputs_describe(const struct qsv_inputs *in, struct qsv_strbuf *out)
{
    const struct qsv_model *m = in->model;
    const struct qsv_partition *p = &in->partition;
    qsv_strbuf_printf(out, "model      %s: %s, %zu layers, %" PRIu64 " weights, T=%u, %u classes\n",
                      in->spec->model, m->architecture, m->graph.n_layers, m->graph.n_weights,
                      m->options.time_steps, m->classes);
    describe_images(out, "judging", &in->images[QSV_JUDGE], p->n_judge_shards);
    if (in->images[QSV_DECIDE].dataset)
        describe_images(out, "deciding", &in->images[QSV_DECIDE], p->n_shards - p->n_judge_shards);
    qsv_strbuf_printf(out, "search     %s by %s, %u formats\n", in->spec->search.strategy,
                      qsv_granularity_name(in->spec->search.granularity),
                      in->spec->search.n_formats);
    qsv_strbuf_printf(out, "run        %s, identity %016" PRIx64 "\n", in->spec->run,
                      qsv_identity_hash(&in->run.identity));
}

void qsv_inputs_fini(struct qsv_inputs *in)
{
    qsv_partition_fini(&in->partition);
    for (int set = 0; set < 2; set++)
        if (in->images[set].dataset)
            qsv_images_fini(&in->images[set]);
    qsv_bank_destroy(in->bank);
    qsv_model_destroy(in->model);
    *in = (struct qsv_inputs){0};
}
