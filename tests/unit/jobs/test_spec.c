/* The spec: what is refused and how it is said, defaults, the default cluster.yaml, and that the
 * documentation holds the table of keys. Runs from the project's top folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "jobs/spec_keys.h"
#include "jobs/yaml.h"

/* The least that is a spec; what a row adds comes after its three lines. */
#define LEAST "model: m.h5\ndataset: {images: i}\nconstraint: {max_top1_drop: 2}\n"

static enum qsv_status parse(struct qsv_spec **out, const char *text, struct qsv_error *err)
{
    return qsv_spec_parse(out, text, strlen(text), "d/c.yaml", err);
}

static void assert_refused(const char *text, const char *says)
{
    struct qsv_spec *s;
    struct qsv_error err;
    assert_int_equal(parse(&s, text, &err), QSV_EINPUT);
    assert_null(s);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {LEAST "modle: m\n", "d/c.yaml:4: unknown key 'modle', allowed are: model, pins, "
                             "shard_images, ranks, threads, task_seconds, worker_timeout_s, "
                             "flush_interval_s, run, dataset, "
                             "calibration, search, "
                             "quantizer, constraint, energy, scheduler; did you mean 'model'?"},
        {LEAST "Run: r\n", "unknown key 'Run', allowed are"},
        {LEAST "Run: r\n", "did you mean 'run'?"},
        {LEAST "serach:\n  seed: 1\n", "d/c.yaml:4: unknown key 'serach'"},
        {LEAST "serach:\n  seed: 1\n", "did you mean 'search'?"},
        {LEAST "search:\n  seed: 1\n  max_round: 2\n",
         "d/c.yaml:6: unknown key 'max_round' in search, allowed are: strategy, granularity, "
         "formats, "
         "sensitivity_images, decision_images, selection_images, candidates, max_rounds, "
         "beam_width, drift_images, max_drift, max_evaluations, max_image_forwards, seed, "
         "setting; did you mean 'max_rounds'?"},
        {"constraint:\n  max_top1_drp: 1\n",
         "d/c.yaml:2: unknown key 'max_top1_drp' in constraint, allowed are: max_top1_drop, "
         "max_bytes, target_avg_bits, max_energy_pj, margin, reserve; did you mean "
         "'max_top1_drop'?"},
        {LEAST "images: x\n", "; 'images' goes under 'dataset:'"},
        {LEAST "search.seed: 3\n", "d/c.yaml:4: unknown key 'search.seed'"},
        {LEAST "search.seed: 3\n", "; 'seed' goes under 'search:'"},
        {LEAST "search: {shard_images: 3}\n", "; 'shard_images' goes at the left margin"},
        {LEAST "search: {max_bytes: 3}\n", "; 'max_bytes' goes under 'constraint:'"},
        {LEAST "zzz: 3\n", "scheduler"},
        {LEAST "search: {'': 3}\n", "unknown key '' in search"},
        {LEAST "search: {dataset.first: 3}\n", "unknown key 'dataset.first' in search"},
        {LEAST "ranks: 2\nranks: 2\n", "d/c.yaml:5: key 'ranks' is given twice, first in line 4"},
        {LEAST "model: m\n", "d/c.yaml:4: key 'model' is given twice, first in line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i][0], rows[i][1]);
}

static void test_missing_keys(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "d/c.yaml: is empty"},
        {"ranks: 1\n", "d/c.yaml: model is missing, expected a path: the network"},
        {"model: m\n",
         "d/c.yaml: dataset.images is missing, expected a path: the images that judge"},
        {"model: m\ndataset:\n", "d/c.yaml: dataset.images is missing"},
        {"model: m\ndataset: {images: i}\n",
         "d/c.yaml: nothing is under 'constraint:', expected max_top1_drop, max_bytes, "
         "target_avg_bits or max_energy_pj"},
        {"model: m\ndataset: {images: i}\nconstraint:\n", "nothing is under 'constraint:'"},
        {LEAST "calibration: {first: 3}\n", "d/c.yaml: calibration.images is missing"},
        {LEAST "search: {strategy: given}\n",
         "d/c.yaml: search.setting is missing, expected the path of a setting file"},
        {LEAST "search:\n  strategy: frontier\n  setting: s.yaml\n",
         "d/c.yaml:6: search.setting: found 'd/s.yaml', expected none: strategy 'frontier'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i][0], rows[i][1]);
}

static void test_wrong_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"model:\n", "d/c.yaml:1: model: found nothing, expected a path"},
        {"model: ''\n", "d/c.yaml:1: model: found the text '', expected a path"},
        {"model: [a]\n", "d/c.yaml:1: model: found a list, expected a path"},
        {"model: {a: b}\n", "d/c.yaml:1: model: found a map, expected a path"},
        {"dataset: x\n", "d/c.yaml:1: dataset: found 'x', expected indented keys below it"},
        {"\ndataset:\n- x\n", "d/c.yaml:2: dataset: found a list, expected indented keys"},
        {"search:\n  strategy: qsvti\n",
         "d/c.yaml:2: search.strategy: found 'qsvti', expected one of: frontier, qsvit, "},
        {"search: {granularity: channel}\n",
         "search.granularity: found 'channel', expected one of: layer, block, stage"},
        {"search: {granularity: [layer]}\n", "found a list, expected one of: layer, block, stage"},
        {"quantizer: {method: gptk}\n",
         "quantizer.method: found 'gptk', expected one of: searched"},
        {"quantizer: {scale: min}\n", "quantizer.scale: found 'min', expected one of: max, mse"},
        {"quantizer: {affine: int4}\n",
         "quantizer.affine: found 'int4', expected one of: f32, f16, int8"},
        {"search: {formats: int4}\n", "search.formats: found 'int4', expected a list of: f32, f16, "
                                      "int8, int6, int5, int4, int3, "
                                      "int2, ternary, binary, none"},
        {"search: {formats: []}\n", "search.formats: found an empty list, expected a list of: f32"},
        {"search:\n  formats: [int4,\n    int7]\n",
         "d/c.yaml:3: search.formats: found 'int7', expected a format: f32"},
        {"search:\n  formats:\n  - int4\n  - int3\n  - int4\n",
         "d/c.yaml:5: search.formats: found 'int4' a second time"},
        {"pins: head\n",
         "d/c.yaml:1: pins: found 'head', expected a map of layer name patterns to formats"},
        {"pins:\n  head: int4\n  a.*: 4\n", "d/c.yaml:3: a.*: found '4', expected a format: f32"},
        {"scheduler: {launcher: }\n", "scheduler.launcher: found nothing, expected a word"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i][0], rows[i][1]);
}

static void test_wrong_numbers(void **state)
{
    (void)state;
    static const char *const integers[] = {"0",
                                           "1025",
                                           "-1",
                                           "+3",
                                           "1.0",
                                           "1e2",
                                           "1_000",
                                           "0x10",
                                           "010",
                                           "",
                                           "four",
                                           "'4'",
                                           "[4]",
                                           "{a: 4}",
                                           "~",
                                           "4 5",
                                           "18446744073709551617",
                                           "99999999999999999999999",
                                           "4k",
                                           "true",
                                           ".inf"};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "\nsearch:\n  candidates: %s\n", integers[i]);
        assert_refused(b.text, "d/c.yaml:3: search.candidates: found ");
        assert_refused(b.text, ", expected an integer from 1 to 1024");
        qsv_strbuf_fini(&b);
    }
    static const char *const reals[] = {"100.5", "-0.1",  "nan",     ".nan",  "inf",   ".inf",
                                        "-.inf", "1e400", "0x1p3",   "1,5",   "1.5.2", "1e",
                                        "e5",    ".",     "",        "'1.5'", "1.5 %", "[1]",
                                        "1_0",   "NaN",   "infinity"};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "constraint:\n  max_top1_drop: %s\n", reals[i]);
        assert_refused(b.text, "d/c.yaml:2: constraint.max_top1_drop: found ");
        assert_refused(b.text, ", expected a number from 0 to 100");
        qsv_strbuf_fini(&b);
    }
    static const char *const rows[][2] = {
        {"constraint: {max_bytes: 0}\n",
         "found '0', expected an integer from 1 to 9007199254740992"},
        {"constraint: {target_avg_bits: 0}\n", "found '0', expected a number from 0.1 to 32"},
        {LEAST "search:\n  strategy: uniform\n  max_image_forwards: 9\n",
         "d/c.yaml:6: search.max_image_forwards: found 9, expected 0: strategy 'uniform' keeps no "
         "budget"},
        {"constraint: {max_energy_pj: 0}\n", "found '0', expected a number from 1 to 1e+18"},
        {"energy: {dram_byte_pj: -1}\n",
         "energy.dram_byte_pj: found '-1', expected a number from 0"},
        {"dataset: {first: 4294967296}\n",
         "found '4294967296', expected an integer from 0 to 4294967295"},
        {"shard_images: 0\n", "shard_images: found '0', expected an integer from 1 to 1000000"},
        {"task_seconds: 0\n", "task_seconds: found '0', expected a number from 0.01 to 86400"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i][0], rows[i][1]);
}

static void test_defaults(void **state)
{
    (void)state;
    struct qsv_spec *s;
    struct qsv_error err;
    if (parse(&s, LEAST, &err))
        fail_msg("%s", err.text);
    assert_string_equal(s->path, "d/c.yaml");
    assert_string_equal(s->model, "d/m.h5");
    assert_string_equal(s->dataset.images, "d/i");
    assert_null(s->dataset.labels);
    assert_null(s->dataset.format);
    assert_int_equal(s->dataset.first, 0);
    assert_int_equal(s->dataset.count, 0);
    assert_false(s->has_calibration);
    assert_null(s->calibration.images);
    assert_string_equal(s->search.strategy, "frontier");
    assert_int_equal(s->search.granularity, QSV_BY_LAYER);
    assert_int_equal(s->search.n_formats, 5);
    assert_memory_equal(s->search.formats,
                        ((uint8_t[]){QSV_INT4, QSV_INT3, QSV_INT2, QSV_TERNARY, QSV_BINARY}), 5);
    assert_int_equal(s->search.sensitivity_images, 384);
    assert_int_equal(s->search.decision_images, 0);
    assert_int_equal(s->search.candidates, 4);
    assert_int_equal(s->search.max_rounds, 200);
    assert_int_equal(s->search.beam_width, 4);
    assert_int_equal(s->search.drift_images, 128);
    assert_true(s->search.max_drift == 1);
    assert_int_equal(s->search.max_evaluations, 0);
    assert_int_equal(s->search.max_image_forwards, 0);
    assert_int_equal(s->search.seed, 1);
    assert_string_equal(s->quantizer.name, "searched");
    assert_int_equal(s->quantizer.scale, QSV_SCALE_MSE);
    assert_int_equal(s->quantizer.affine, QSV_INT8);
    assert_true(s->constraint.max_top1_drop == 2);
    assert_int_equal(s->constraint.max_bytes, 0);
    assert_true(isnan(s->constraint.target_avg_bits));
    assert_true(isnan(s->constraint.max_energy_pj));
    assert_null(s->pins);
    assert_int_equal(s->n_pins, 0);
    assert_memory_equal(&s->energy, &qsv_energy_default, sizeof s->energy);
    assert_int_equal(s->shard_images, 128);
    assert_int_equal(s->dataset.transform.resize, 256);
    assert_int_equal(s->dataset.transform.crop, 224);
    assert_int_equal(s->dataset.transform.interpolation, QSV_BICUBIC);
    assert_int_equal(s->dataset.on_error, QSV_ON_ERROR_FAIL);
    assert_int_equal(s->ranks, 0);
    assert_true(s->task_seconds == 2);
    assert_true(s->worker_timeout_s == 300);
    assert_true(s->flush_interval_s == 0);
    const struct qsv_spec_scheduler *h = &s->scheduler;
    assert_string_equal(h->launcher, "local");
    assert_string_equal(h->mpi, "pmix");
    assert_true(!h->job_name && !h->partition && !h->account && !h->qos && !h->constraint);
    assert_true(!h->memory && !h->mail_user && !h->time_s);
    assert_int_equal(h->nodes, 1);
    assert_int_equal(h->ranks_per_node, 0);
    assert_int_equal(h->threads_per_rank, 1);
    assert_int_equal(s->threads, 1);
    assert_int_equal(qsv_spec_cores(s), 1);
    assert_int_equal(h->launcher_options.n + h->sbatch_options.n + h->setup.n, 0);
    assert_string_equal(h->mail_type, "END,FAIL");
    assert_int_equal(h->signal_lead_s, 120);
    assert_int_equal(h->max_restarts, 100);
    assert_string_equal(s->run, "d/runs/sweep");
    assert_string_equal(s->text, LEAST);
    assert_int_equal(s->text_bytes, strlen(LEAST));
    qsv_spec_destroy(s);
}

static void test_every_key(void **state)
{
    (void)state;
    static const char text[] =
        "run: /abs/r\nmodel: ../m.h5\nranks: 7\nthreads: 3\ntask_seconds: .5\nshard_images: 64\n"
        "dataset: {format: hdf5, images: i, labels: l, first: 5, count: 6, resize: 4096, crop: "
        "15,\n"
        "  interpolation: bilinear, on_error: skip}\n"
        "calibration: {format: idx, images: /ci, labels: cl, first: 7, count: 8, resize: 16,\n"
        "  crop: 17, interpolation: bicubic, on_error: fail}\n"
        "search: {strategy: given, granularity: stage, formats: [binary, f32, ternary, int8],\n"
        "  sensitivity_images: 9, decision_images: 10, selection_images: 16, candidates: 11,\n"
        "  max_rounds: 12, beam_width: 64, drift_images: 17, max_drift: 0.75,\n"
        "  max_evaluations: 13, max_image_forwards: 15, seed: 4294967295,\n"
        "  setting: s.yaml}\n"
        "quantizer: {method: gptq, scale: max, affine: f16, images: 14}\n"
        "constraint: {max_top1_drop: 0, max_bytes: 9007199254740992,\n"
        "  target_avg_bits: 2.5, max_energy_pj: 2.5e7, margin: 1.5, reserve: 0.125}\n"
        "pins:\n  head: int8\n  \"*.q\": f16\n  head*: int2\n"
        "energy: {f32_multiply_pj: 1, f32_add_pj: 2, f16_multiply_pj: 3, f16_add_pj: 4,\n"
        "  int8_add_pj: 5, sram_byte_pj: 6, dram_byte_pj: 0.125}\n"
        "scheduler: {launcher: srun, mpi: pmix_v4, launcher_options: [--cpu-bind=cores, '-v'],\n"
        "  job_name: j, partition: 'p,q', account: a, qos: q, constraint: '[a|b]&c*2', nodes: 2,\n"
        "  ranks_per_node: 3, threads_per_rank: 4, memory: 64G, time: 1-12:30, mail_user: u@h,\n"
        "  mail_type: ALL, sbatch_options: ['--comment=a b'], setup: ['module load x', "
        "\"a\\nb\"],\n"
        "  signal_lead_s: 5, max_restarts: 6}\n"
        "worker_timeout_s: 45\nflush_interval_s: 1.5\n";
    struct qsv_spec *s;
    struct qsv_error err;
    if (parse(&s, text, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        assert_int_not_equal(s->lines[i], 0); /* the text above names every key */
    assert_string_equal(s->run, "/abs/r");
    assert_string_equal(s->model, "d/../m.h5");
    assert_int_equal(s->ranks, 7);
    assert_int_equal(s->threads, 3);
    assert_int_equal(qsv_spec_cores(s), 4); /* the scheduler sets aside more */
    assert_true(s->task_seconds == 0.5);
    assert_true(s->worker_timeout_s == 45);
    assert_true(s->flush_interval_s == 1.5);
    assert_int_equal(s->shard_images, 64);
    assert_int_equal(s->dataset.transform.resize, 4096);
    assert_int_equal(s->dataset.transform.crop, 15);
    assert_int_equal(s->dataset.transform.interpolation, QSV_BILINEAR);
    assert_int_equal(s->dataset.on_error, QSV_ON_ERROR_SKIP);
    assert_int_equal(s->calibration.transform.resize, 16);
    assert_int_equal(s->calibration.transform.crop, 17);
    assert_int_equal(s->calibration.transform.interpolation, QSV_BICUBIC);
    assert_int_equal(s->calibration.on_error, QSV_ON_ERROR_FAIL);
    assert_string_equal(s->dataset.format, "hdf5");
    assert_string_equal(s->dataset.labels, "d/l");
    assert_int_equal(s->dataset.first, 5);
    assert_int_equal(s->dataset.count, 6);
    assert_true(s->has_calibration);
    assert_string_equal(s->calibration.format, "idx");
    assert_string_equal(s->calibration.images, "/ci");
    assert_string_equal(s->calibration.labels, "d/cl");
    assert_int_equal(s->calibration.first, 7);
    assert_int_equal(s->calibration.count, 8);
    assert_string_equal(s->search.strategy, "given");
    assert_string_equal(s->search.setting, "d/s.yaml");
    assert_int_equal(s->search.granularity, QSV_BY_STAGE);
    assert_int_equal(s->search.n_formats, 4);
    assert_memory_equal(s->search.formats, /* by falling bits */
                        ((uint8_t[]){QSV_F32, QSV_INT8, QSV_TERNARY, QSV_BINARY}), 4);
    assert_int_equal(s->search.sensitivity_images, 9);
    assert_int_equal(s->search.decision_images, 10);
    assert_int_equal(s->search.selection_images, 16);
    assert_int_equal(s->search.candidates, 11);
    assert_int_equal(s->search.max_rounds, 12);
    assert_int_equal(s->search.beam_width, 64);
    assert_int_equal(s->search.drift_images, 17);
    assert_true(s->search.max_drift == 0.75);
    assert_int_equal(s->search.max_evaluations, 13);
    assert_int_equal(s->search.max_image_forwards, 15);
    assert_int_equal(s->search.seed, 4294967295u);
    assert_int_equal(s->quantizer.scale, QSV_SCALE_MAX);
    assert_string_equal(s->quantizer.name, "gptq");
    assert_int_equal(s->calibration_images, 14);
    assert_int_equal(s->quantizer.affine, QSV_F16);
    assert_true(s->constraint.max_top1_drop == 0);
    assert_true(s->constraint.max_bytes == 1ull << 53);
    assert_true(s->constraint.target_avg_bits == 2.5);
    assert_true(s->constraint.max_energy_pj == 2.5e7);
    assert_true(s->constraint.caution.margin == 1.5);
    assert_true(s->constraint.caution.reserve == 0.125);
    assert_int_equal(s->n_pins, 3);
    assert_string_equal(s->pins[1].pattern, "*.q");
    assert_int_equal(s->pins[1].format, QSV_F16);
    assert_int_equal(s->pins[2].line, 22);
    const double pj[] = {1, 2, 3, 4, 5, 6, 0.125};
    assert_memory_equal(&s->energy, pj, sizeof pj);
    const struct qsv_spec_scheduler *h = &s->scheduler;
    assert_string_equal(h->launcher, "srun");
    assert_string_equal(h->mpi, "pmix_v4");
    assert_int_equal(h->launcher_options.n, 2);
    assert_string_equal(h->launcher_options.v[0], "--cpu-bind=cores");
    assert_string_equal(h->launcher_options.v[1], "-v");
    assert_string_equal(h->job_name, "j");
    assert_string_equal(h->partition, "p,q");
    assert_string_equal(h->account, "a");
    assert_string_equal(h->qos, "q");
    assert_string_equal(h->constraint, "[a|b]&c*2");
    assert_int_equal(h->nodes, 2);
    assert_int_equal(h->ranks_per_node, 3);
    assert_int_equal(h->threads_per_rank, 4);
    assert_string_equal(h->memory, "64G");
    assert_int_equal(h->time_s, 86400 + 12 * 3600 + 30 * 60);
    assert_string_equal(h->mail_user, "u@h");
    assert_string_equal(h->mail_type, "ALL");
    assert_int_equal(h->sbatch_options.n, 1);
    assert_string_equal(h->sbatch_options.v[0], "--comment=a b");
    assert_int_equal(h->setup.n, 2);
    assert_string_equal(h->setup.v[0], "module load x");
    assert_string_equal(h->setup.v[1], "a\nb");
    assert_int_equal(h->signal_lead_s, 5);
    assert_int_equal(h->max_restarts, 6);
    qsv_spec_destroy(s);
}

/* Words end in a batch script, each in a line of its own: nothing in them may mean more. */
static void test_scheduler_values(void **state)
{
    (void)state;
    static const char *const words[] = {
        "a b",   "'a\tb'",    "\"a\\nb\"", "''",  "'a\"b'", "\"it's\"", "'a\\b'",
        "'a#b'", "\"\\x07\"", "\u00e4",    "[a]", "{a: b}", "~",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "scheduler:\n  partition: %s\n", words[i]);
        assert_refused(b.text, "d/c.yaml:2: ");
        qsv_strbuf_fini(&b);
    }
    static const char *const rows[][2] = {
        {"memory: 4 G", "scheduler.memory: found '4 G', expected a size as in 64G"},
        {"memory: G", "found 'G'"},
        {"memory: 4GB", "found '4GB'"},
        {"memory: -4G", "found '-4G'"},
        {"memory: 1234567890123456", "found '1234567890123456'"},
        {"time: ''", "scheduler.time: found the text '', expected a time as in 90 (minutes)"},
        {"time: 0", "found '0'"},
        {"time: 1-", "found '1-'"},
        {"time: -1", "found '-1'"},
        {"time: 1:2:3:4", "found '1:2:3:4'"},
        {"time: 1-2-3", "found '1-2-3'"},
        {"time: 1:2-3", "found '1:2-3'"},
        {"time: 4h", "found '4h'"},
        {"time: 3651-0", "found '3651-0'"},
        {"time: 99999999999", "found '99999999999'"},
        {"sbatch_options: --exclusive", "found '--exclusive', expected a list of options"},
        {"sbatch_options: [exclusive]", "scheduler.sbatch_options: found 'exclusive'"},
        {"sbatch_options: [\"--a\\n#SBATCH --b\"]", "each one line that begins with -"},
        {"launcher_options: [[-v]]", "scheduler.launcher_options: found a list"},
        {"setup: module load x", "scheduler.setup: found 'module load x', expected a list"},
        {"setup: [~]", "scheduler.setup: found nothing"},
        {"nodes: 0", "scheduler.nodes: found '0', expected an integer from 1 to 65535"},
        {"signal_lead_s: 0", "expected an integer from 1 to 65535"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, "scheduler:\n  %s\n", rows[i][0]);
        assert_refused(b.text, rows[i][1]);
        qsv_strbuf_fini(&b);
    }
}

/* Slurm's ways to write a time. */
static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t seconds;
    } rows[] = {
        {"90", 5400},           {"'90'", 5400},    {"1:30", 90},          {"4:00:00", 14400},
        {"04:00:00", 14400},    {"1-0", 86400},    {"1-12", 129600},      {"1-12:30", 131400},
        {"1-12:30:15", 131415}, {"0-00:00:01", 1}, {"3650-0", 315360000}, {"100:00:00", 360000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_spec *s;
        struct qsv_error err;
        struct qsv_strbuf b = {0};
        qsv_strbuf_printf(&b, LEAST "scheduler: {time: %s}\n", rows[i].text);
        if (parse(&s, b.text, &err))
            fail_msg("%s", err.text);
        assert_int_equal(s->scheduler.time_s, rows[i].seconds);
        qsv_spec_destroy(s);
        qsv_strbuf_fini(&b);
    }
}

static void test_folder(void **state)
{
    (void)state;
    static const char text[] = LEAST "run: r\n";
    char folder[] = "/tmp/qsvit-spec.XXXXXX", path[64], expected[64];
    struct qsv_spec *s;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.yaml", folder);
    snprintf(expected, sizeof expected, "%s/r", folder);
    assert_int_equal(qsv_file_write(path, text, strlen(text), NULL), QSV_OK);
    assert_int_equal(qsv_spec_read_from(&s, path, "/elsewhere", NULL), QSV_OK);
    assert_string_equal(s->run, "/elsewhere/r");
    assert_string_equal(s->path, path);
    qsv_spec_destroy(s);
    assert_int_equal(qsv_spec_read(&s, path, NULL), QSV_OK);
    assert_string_equal(s->run, expected);
    assert_string_equal(s->folder, folder);
    qsv_spec_destroy(s);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void test_late_failures(void **state)
{
    (void)state;
    struct qsv_spec *s;
    struct qsv_error err;
    assert_int_equal(parse(&s, LEAST "scheduler:\n  launcher: pbs\n", &err), QSV_OK);
    assert_int_equal(
        qsv_spec_fail(s, "scheduler.launcher", &err, "found '%s'", s->scheduler.launcher),
        QSV_EINPUT);
    assert_string_equal(err.text, "d/c.yaml:5: scheduler.launcher: found 'pbs'");
    qsv_spec_fail(s, "search.formats", &err, "%d too many", 3); /* a default */
    assert_string_equal(err.text, "d/c.yaml: search.formats: 3 too many");
    qsv_spec_destroy(s);
}

static void read_whole(const char *path, char **text, size_t *bytes)
{
    struct qsv_error err;
    if (qsv_file_read((uint8_t **)text, bytes, path, QSV_YAML_MAX_BYTES, &err))
        fail_msg("%s (the tests run from the project's top folder)", err.text);
}

/* The default sweep shows every key, and what it shows as a default is one. */
static void test_cluster_yaml(void **state)
{
    (void)state;
    struct qsv_spec *s;
    struct qsv_error err;
    if (qsv_spec_read(&s, "cluster.yaml", &err))
        fail_msg("%s", err.text);
    assert_string_equal(s->model, "models/sdtv2_fmnist_t4.h5");
    assert_string_equal(s->run, "runs/fmnist");
    assert_true(s->constraint.max_top1_drop == 1.5);
    assert_int_equal(s->calibration.first, 20000);
    assert_int_equal(s->calibration.count, 11264);
    assert_memory_equal(&s->energy, &qsv_energy_default, sizeof s->energy);
    for (size_t i = 0; i < qsv_n_spec_keys; i++)
        assert_non_null(strstr(s->text, qsv_spec_key_leaf(&qsv_spec_keys[i])));
    qsv_spec_destroy(s);
}

static void assert_no_harm(const char *text, size_t bytes)
{
    char *exact = malloc(bytes ? bytes : 1);
    struct qsv_spec *s;
    struct qsv_error err;
    memcpy(exact, text, bytes);
    enum qsv_status st = qsv_spec_parse(&s, exact, bytes, "d/c.yaml", &err);
    assert_true(st == QSV_OK || st == QSV_EINPUT);
    assert_true(st == QSV_OK || !strncmp(err.text, "d/c.yaml:", 9));
    qsv_spec_destroy(s);
    free(exact);
}

static void test_every_prefix(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    read_whole("cluster.yaml", &text, &bytes);
    for (size_t n = 0; n <= bytes; n++)
        assert_no_harm(text, n);
    free(text);
}

/* Mutations of a short spec hit keys and values, not comments. */
static void test_mutations(void **state)
{
    (void)state;
    static const char good[] =
        "model: m.h5\ndataset:\n  images: a\n  labels: b\n  first: 10\ncalibration: {images: c}\n"
        "search:\n  strategy: qsvit\n  granularity: block\n  formats: [int4, int3]\n  seed: 77\n"
        "quantizer: {scale: max}\nconstraint:\n  max_top1_drop: 1.5e0\npins:\n  'a.*': int8\n"
        "energy: {f16_add_pj: 0.4}\nranks: 3\nrun: r\nscheduler:\n  time: 1-12:30\n"
        "  memory: 4G\n  partition: p\n  setup: [a, b]\n  sbatch_options: [-x]\n";
    static const char marks[] = "\n :-?[]{}*!\"'0123456789.e_~";
    char text[sizeof good];
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 3);
    for (int i = 0; i < 12000; i++) {
        memcpy(text, good, sizeof good);
        for (uint64_t k = qsv_rng_below(&rng, 4) + 1; k; k--) {
            size_t at = qsv_rng_below(&rng, sizeof good - 1);
            text[at] = qsv_rng_below(&rng, 2) ? marks[qsv_rng_below(&rng, sizeof marks - 1)]
                                              : (char)qsv_rng_next(&rng);
        }
        assert_no_harm(text, sizeof good - 1);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    struct qsv_spec *s;
    struct qsv_error err;
    enum qsv_status st = QSV_ENOMEM;
    for (long n = 1; st == QSV_ENOMEM; n++) {
        assert_in_range(n, 1, 1000);
        qsv_alloc_fail_at(n);
        st =
            parse(&s, LEAST "pins: {a: int4, b: int3}\nrun: r\nscheduler: {setup: [a, b]}\n", &err);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_ENOMEM ? !s : !!s);
    }
    assert_int_equal(st, QSV_OK);
    qsv_spec_destroy(s);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < qsv_n_spec_keys; i++) {
        const struct qsv_spec_key *k = &qsv_spec_keys[i];
        assert_ptr_equal(qsv_spec_key_find(k->name), k);
        bool in_section = false;
        for (size_t j = 0; qsv_spec_sections[j]; j++)
            in_section |= qsv_spec_key_is_in(k, qsv_spec_sections[j]);
        assert_int_equal(in_section, strchr(k->name, '.') != NULL);
        if (!k->standard && !k->absent && !k->required)
            assert_true(qsv_spec_key_is_in(k, "energy")); /* has defaults of its own */
        assert_non_null(k->help);
        assert_true(strlen(k->help) < 100 && !strchr(k->help, '|') && !strchr(k->help, '\n'));
        assert_true(strlen(qsv_spec_key_allowed(k).text) < sizeof(struct qsv_spec_words) - 1);
        assert_true(strlen(qsv_spec_key_default(k).text) > 0);
    }
    assert_null(qsv_spec_key_find("search"));
    for (int g = QSV_BY_LAYER; g <= QSV_BY_STAGE; g++)
        assert_non_null(strstr("layer block stage", qsv_granularity_name(g)));
    assert_string_equal(qsv_granularity_name(QSV_BY_BLOCK), "block");
}

static void test_descriptions(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_spec_describe_keys(&b, QSV_KEYS_TEXT);
    assert_non_null(strstr(b.text, "  search.candidates\n"
                                   "      an integer from 1 to 1024 (settings); default: 4\n"
                                   "      settings evaluated at once in steps 2 and 3\n"));
    assert_non_null(strstr(b.text, "a number from 0 to 1000000 (pJ a byte); default: 162.5\n"));
    assert_non_null(
        strstr(b.text, "  calibration.images\n      a path; required in calibration\n"));
    qsv_strbuf_fini(&b);

    qsv_spec_describe_keys(&b, QSV_KEYS_ROFF);
    assert_non_null(strstr(b.text, ".TP\n.B energy.sram_byte_pj\nreading a weight from on\\-chip "
                                   "memory.\nIt is a number from 0 to 1000000 (pJ a byte); "
                                   "default: 1.25.\n"));
    for (char *line = b.text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (*line == '.' || *line == '\'')
            assert_true(!strncmp(line, ".TP\n", 4) || !strncmp(line, ".B ", 3));
    qsv_strbuf_fini(&b);
}

/* docs/spec.md holds the table as it is printed, between two comments. */
static void test_documentation(void **state)
{
    (void)state;
    static const char begins[] = "<!-- keys begin -->\n", ends[] = "<!-- keys end -->\n";
    char *text;
    size_t bytes;
    struct qsv_strbuf table = {0};
    read_whole("docs/spec.md", &text, &bytes);
    char *begin = strstr(text, begins), *end = strstr(text, ends);
    assert_non_null(begin);
    assert_non_null(end);
    *end = '\0';
    qsv_spec_describe_keys(&table, QSV_KEYS_MARKDOWN);
    if (strcmp(begin + strlen(begins), table.text))
        fail_msg("the table of keys in docs/spec.md is out of date; it should be:\n%s", table.text);
    qsv_strbuf_fini(&table);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_missing_keys),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_late_failures),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_scheduler_values),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_cluster_yaml),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_documentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
