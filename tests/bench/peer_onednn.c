/* How fast oneDNN computes the layers that qsvit bench --kernels measures, f32 and int8 (u8 spikes
 * by s8 weights, u8 out: what suits it best), in the layouts that it chooses.
 *
 *   peer_onednn ROUNDS <CASES
 *
 * A case is a line: name, conv or matmul, groups, in channels, in height, in width, out channels,
 * out height, out width, kernel, stride, pad, frames, firing rate (0: real input, f32 alone). For
 * each case and type a line of JSON: name, type, implementation, seconds (median of the rounds).
 * Threads are OMP_NUM_THREADS.
 */
#include <dnnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 1000 };
static const double round_s = 0.01;

struct shape {
    char name[128], how[16];
    int64_t groups, in_c, in_h, in_w, out_c, out_h, out_w, kernel, stride, pad, frames;
    double rate;
};

struct run {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[3]; /* source, weights, destination */
};

static void check(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "peer_onednn: %s: oneDNN says %d\n", what, (int)status);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t draw(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static dnnl_memory_desc_t any_layout(int n, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    dnnl_memory_desc_t d;
    check(dnnl_memory_desc_init_by_tag(&d, n, dims, type, dnnl_format_tag_any), "a tensor");
    return d;
}

static dnnl_primitive_attr_t scaled(bool integer)
{
    const float scale = 1.0F / 64;
    dnnl_primitive_attr_t a;
    check(dnnl_primitive_attr_create(&a), "attributes");
    if (integer)
        check(dnnl_primitive_attr_set_output_scales(a, 1, 0, &scale), "a scale");
    return a;
}

static void describe_conv(struct run *r, const struct shape *s, bool integer)
{
    const dnnl_data_type_t x = integer ? dnnl_u8 : dnnl_f32, w = integer ? dnnl_s8 : dnnl_f32;
    const dnnl_dims_t src = {s->frames, s->in_c, s->in_h, s->in_w};
    const dnnl_dims_t dst = {s->frames, s->out_c, s->out_h, s->out_w};
    const dnnl_dims_t dense = {s->out_c, s->in_c, s->kernel, s->kernel};
    const dnnl_dims_t grouped = {s->groups, s->out_c / s->groups, s->in_c / s->groups, s->kernel,
                                 s->kernel};
    const dnnl_dims_t strides = {s->stride, s->stride}, low = {s->pad, s->pad};
    const dnnl_dims_t high = {(s->out_h - 1) * s->stride + s->kernel - s->in_h - s->pad,
                              (s->out_w - 1) * s->stride + s->kernel - s->in_w - s->pad};
    const dnnl_memory_desc_t from = any_layout(4, src, x), to = any_layout(4, dst, x);
    const dnnl_memory_desc_t weights =
        s->groups > 1 ? any_layout(5, grouped, w) : any_layout(4, dense, w);
    dnnl_convolution_desc_t d;
    check(dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct,
                                             &from, &weights, NULL, &to, strides, low, high),
          s->name);
    dnnl_primitive_attr_t a = scaled(integer);
    check(dnnl_primitive_desc_create(&r->descriptor, &d, a, r->engine, NULL), s->name);
    dnnl_primitive_attr_destroy(a);
}

/* Rows are the pixels of all frames. */
static void describe_matmul(struct run *r, const struct shape *s, bool integer)
{
    const dnnl_data_type_t x = integer ? dnnl_u8 : dnnl_f32, w = integer ? dnnl_s8 : dnnl_f32;
    const int64_t rows = s->frames * s->in_h * s->in_w;
    const dnnl_dims_t src = {rows, s->in_c}, weights = {s->in_c, s->out_c}, dst = {rows, s->out_c};
    const dnnl_memory_desc_t from = any_layout(2, src, x), by = any_layout(2, weights, w),
                             to = any_layout(2, dst, x);
    dnnl_matmul_desc_t d;
    check(dnnl_matmul_desc_init(&d, &from, &by, NULL, &to), s->name);
    dnnl_primitive_attr_t a = scaled(integer);
    check(dnnl_primitive_desc_create(&r->descriptor, &d, a, r->engine, NULL), s->name);
    dnnl_primitive_attr_destroy(a);
}

static void fill(void *data, size_t bytes, bool integer, bool weights, double rate)
{
    const uint32_t threshold = rate > 0 ? (uint32_t)(rate * 2147483648.0) : 0;
    if (integer) {
        int8_t *v = data;
        for (size_t i = 0; i < bytes; i++)
            v[i] = weights ? (int8_t)(draw() % 15) - 7 : draw() < threshold;
        return;
    }
    float *v = data;
    for (size_t i = 0; i < bytes / sizeof *v; i++)
        v[i] = weights || rate <= 0 ? (float)draw() / 2147483648.0F - 0.5F
                                    : (float)(draw() < threshold);
}

static void allocate(struct run *r, const struct shape *s, bool integer)
{
    static const dnnl_query_t what[] = {dnnl_query_src_md, dnnl_query_weights_md,
                                        dnnl_query_dst_md};
    for (int i = 0; i < 3; i++) {
        const dnnl_memory_desc_t *d = dnnl_primitive_desc_query_md(r->descriptor, what[i], 0);
        void *data;
        check(dnnl_memory_create(&r->memory[i], d, r->engine, DNNL_MEMORY_ALLOCATE), s->name);
        check(dnnl_memory_get_data_handle(r->memory[i], &data), s->name);
        if (i < 2)
            fill(data, dnnl_memory_desc_get_size(d), integer, i == 1, s->rate);
    }
}

static double execute(struct run *r, int n)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, r->memory[0]},
                                    {DNNL_ARG_WEIGHTS, r->memory[1]},
                                    {DNNL_ARG_DST, r->memory[2]}};
    const double began_s = now_s();
    for (int i = 0; i < n; i++)
        check(dnnl_primitive_execute(r->primitive, r->stream, 3, args), "execution");
    check(dnnl_stream_wait(r->stream), "execution");
    return (now_s() - began_s) / n;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct run *r, const struct shape *s, bool integer, int rounds)
{
    double samples[MAX_ROUNDS];
    const char *implementation = "";
    if (strcmp(s->how, "matmul"))
        describe_conv(r, s, integer);
    else
        describe_matmul(r, s, integer);
    check(dnnl_primitive_create(&r->primitive, r->descriptor), s->name);
    dnnl_primitive_desc_query(r->descriptor, dnnl_query_impl_info_str, 0, (void *)&implementation);
    allocate(r, s, integer);
    execute(r, 1);
    const double once_s = execute(r, 1);
    for (int i = 0; i < rounds; i++)
        samples[i] = execute(r, once_s < round_s ? (int)(round_s / once_s) + 1 : 1);
    qsort(samples, (size_t)rounds, sizeof *samples, by_value);
    printf("{\"name\": \"%s\", \"type\": \"%s\", \"implementation\": \"%s\", \"seconds\": %.9g}\n",
           s->name, integer ? "int8" : "f32", implementation, samples[rounds / 2]);
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        dnnl_memory_destroy(r->memory[i]);
    dnnl_primitive_destroy(r->primitive);
    dnnl_primitive_desc_destroy(r->descriptor);
}

static bool read_case(struct shape *s, const char *line)
{
    long long v[11];
    const int n =
        sscanf(line, "%127s %15s %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lf",
               s->name, s->how, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8],
               &v[9], &v[10], &s->rate);
    if (n != 14)
        return false;
    int64_t *const to[] = {&s->groups, &s->in_c,   &s->in_h,   &s->in_w, &s->out_c, &s->out_h,
                           &s->out_w,  &s->kernel, &s->stride, &s->pad,  &s->frames};
    for (int i = 0; i < 11; i++)
        *to[i] = v[i];
    return true;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    char line[512];
    const int rounds = argc == 2 ? atoi(argv[1]) : 0;
    if (rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: peer_onednn ROUNDS <CASES\n");
        return 2;
    }
    check(dnnl_engine_create(&r.engine, dnnl_cpu, 0), "an engine");
    check(dnnl_stream_create(&r.stream, r.engine, dnnl_stream_default_flags), "a stream");
    while (fgets(line, sizeof line, stdin)) {
        struct shape s;
        if (!read_case(&s, line)) {
            fprintf(stderr, "peer_onednn: no case: %s", line);
            return 2;
        }
        measure(&r, &s, false, rounds);
        if (s.rate > 0)
            measure(&r, &s, true, rounds);
    }
    dnnl_stream_destroy(r.stream);
    dnnl_engine_destroy(r.engine);
    return 0;
}
