#include "runner/search/search_key.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "jobs/yaml.h"
#include "runner/search/earlier.h"

static enum qsv_status match_random(struct qsv_spec *spec, struct qsv_error *err)
{
    if (strcmp(spec->search.strategy, "random") != 0 || spec->search.max_evaluations)
        return QSV_OK;
    return qsv_earlier_evaluations(&spec->search.max_evaluations, spec->run, "qsvit", err);
}

/* What the setting file says, whatever it is called; 0: there is none. */
static enum qsv_status hash_setting(uint64_t *out, const struct qsv_spec *s, struct qsv_error *err)
{
    uint8_t *text;
    size_t bytes;
    *out = 0;
    if (!s->search.setting)
        return QSV_OK;
    enum qsv_status st = qsv_file_read(&text, &bytes, s->search.setting, QSV_YAML_MAX_BYTES, err);
    if (st)
        return st;
    *out = qsv_hash_bytes(text, bytes);
    free(text);
    return QSV_OK;
}

static enum qsv_status hash(uint64_t *out, const struct qsv_spec *s, struct qsv_error *err)
{
    uint64_t given;
    enum qsv_status st = hash_setting(&given, s, err);
    if (st)
        return st;
    struct qsv_hash *h = qsv_hash_begin();
    if (!h)
        return qsv_fail_memory(err, "the search's id");
    qsv_hash_add_string(h, s->search.strategy);
    qsv_hash_add_u64(h, s->search.granularity);
    qsv_hash_add_u64(h, s->search.n_formats);
    qsv_hash_add(h, s->search.formats, s->search.n_formats);
    qsv_hash_add_u64(h, s->search.sensitivity_images);
    qsv_hash_add_u64(h, s->search.decision_images);
    qsv_hash_add_u64(h, s->search.selection_images);
    qsv_hash_add_u64(h, s->search.candidates);
    qsv_hash_add_u64(h, s->search.max_rounds);
    qsv_hash_add_u64(h, s->search.beam_width);
    qsv_hash_add_u64(h, s->search.drift_images);
    qsv_hash_add(h, &s->search.max_drift, sizeof s->search.max_drift);
    qsv_hash_add_u64(h, s->search.max_evaluations);
    qsv_hash_add_u64(h, s->search.seed);
    qsv_hash_add(h, &s->constraint.max_top1_drop, sizeof s->constraint.max_top1_drop);
    qsv_hash_add(h, &s->constraint.caution, sizeof s->constraint.caution);
    qsv_hash_add_u64(h, s->constraint.max_bytes);
    qsv_hash_add(h, &s->constraint.max_energy_pj, sizeof s->constraint.max_energy_pj);
    if (s->search.max_image_forwards) { /* as if there were no such key where it is not used */
        qsv_hash_add_string(h, "max_image_forwards");
        qsv_hash_add_u64(h, s->search.max_image_forwards);
    }
    if (s->constraint.target_avg_bits > 0) {
        qsv_hash_add_string(h, "target_avg_bits");
        qsv_hash_add(h, &s->constraint.target_avg_bits, sizeof s->constraint.target_avg_bits);
    }
    qsv_hash_add(h, &s->energy, sizeof s->energy);
    if (s->search.setting) {
        qsv_hash_add_string(h, "setting");
        qsv_hash_add_u64(h, given);
    }
    for (size_t i = 0; i < s->n_pins; i++) {
        qsv_hash_add_string(h, s->pins[i].pattern);
        qsv_hash_add_u64(h, s->pins[i].format);
    }
    *out = qsv_hash_end(h);
    return QSV_OK;
}

enum qsv_status qsv_search_key(uint64_t *out, struct qsv_spec *spec, struct qsv_error *err)
{
    enum qsv_status st = match_random(spec, err);
    return st ? st : hash(out, spec, err);
}
