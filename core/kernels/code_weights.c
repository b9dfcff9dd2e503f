#include "core/kernels/code_weights.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/kernels/subsets.h"

enum {
    ENTRIES = 16, /* bytes of `subsets` a group and output */
    SPARE = 8     /* bytes behind the codes that vector loads may touch */
};

/* One kernel table's view of the layer while it is laid out. */
struct layout {
    struct qsv_code_weights *w;
    uint32_t index_bits, n; /* n: groups over all taps */
    const struct qsv_kernels *kernels;
};

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

void qsv_code_weights_fini(struct qsv_code_weights *w)
{
    free(w->codes);
    free(w->subsets);
    free(w->then);
    free(w->base);
    *w = (struct qsv_code_weights){0};
}

/* Sets parts, words and narrow too. */
static void copy_codes(const struct layout *l, const int8_t *codes, uint32_t in_ch)
{
    struct qsv_code_weights *w = l->w;
    const size_t padded = (size_t)w->groups * l->index_bits;
    int largest = 0;
    w->narrow = true;
    for (size_t o = 0; o < w->out_ch; o++) {
        uint64_t sum = 0;
        for (size_t c = 0; c < in_ch; c++)
            for (size_t t = 0; t < w->taps; t++, codes++) {
                w->codes[(o * w->taps + t) * padded + c] = *codes;
                largest = abs(*codes) > largest ? abs(*codes) : largest;
                sum += (uint64_t)abs(*codes);
            }
        w->narrow = w->narrow && sum <= INT16_MAX;
    }
    const bool large = (uint32_t)largest * l->index_bits > UINT8_MAX;
    w->words = large && l->kernels->words;
    w->parts = large && !w->words ? 2 : 1;
}

static const int8_t *group_of(const struct layout *l, uint32_t o, uint32_t k)
{
    const struct qsv_code_weights *w = l->w;
    const uint32_t at = l->kernels->taps_inner ? k % w->taps * w->groups + k / w->taps : k;
    return w->codes + ((size_t)o * l->n + at) * l->index_bits;
}

static int nibble_of(const struct layout *l, uint32_t part)
{
    return l->w->parts == 1 ? -1 : (int)part;
}

/* The sums of every subset of n codes; returns their end. */
static int16_t *make_words(int16_t *entry, const int8_t *codes, uint32_t n)
{
    entry[0] = 0;
    for (uint32_t b = 0; b < n; b++)
        for (uint32_t i = 0; i < 1u << b; i++)
            entry[i | 1u << b] = (int16_t)(entry[i] + codes[b]);
    return entry + (1u << n);
}

static void make_word_subsets(const struct layout *l)
{
    int16_t *entry = (int16_t *)(void *)l->w->subsets;
    const uint32_t half = l->index_bits / 2;
    for (uint32_t o4 = 0; o4 < l->w->out_ch; o4 += QSV_OUTPUTS)
        for (uint32_t k = 0; k < l->n; k++)
            for (uint32_t o = o4; o < o4 + QSV_OUTPUTS; o++) {
                entry = make_words(entry, group_of(l, o, k), half);
                entry = make_words(entry, group_of(l, o, k) + half, half);
            }
}

/* Six codes: the subsets of the first three, then of the last three, whose sums the kernel adds;
 * four: all of them. */
static void make_subsets(const struct layout *l)
{
    uint8_t *entry = l->w->subsets;
    const uint32_t at_once = l->index_bits > 4 ? l->index_bits / 2 : l->index_bits;
    for (uint32_t o4 = 0; o4 < l->w->out_ch; o4 += QSV_OUTPUTS)
        for (uint32_t part = 0; part < l->w->parts; part++)
            for (uint32_t k = 0; k < l->n; k++)
                for (uint32_t o = o4; o < o4 + QSV_OUTPUTS; o++)
                    for (uint32_t b = 0; b < l->index_bits; b += at_once, entry += 1u << at_once) {
                        int span;
                        const int8_t *codes = group_of(l, o, k) + b;
                        qsv_subset_sums(
                            entry, codes, at_once, nibble_of(l, part),
                            qsv_subset_negative(codes, at_once, nibble_of(l, part), &span));
                    }
}

/* Behind which groups of outputs o4 ... o4 + 3 words are full. */
static void schedule_words(const struct layout *l, uint8_t *then, uint32_t o4)
{
    int sum[QSV_OUTPUTS] = {0}, span[QSV_OUTPUTS];
    for (uint32_t k = 0; k < l->n; k++) {
        bool full = false;
        for (uint32_t o = 0; o < QSV_OUTPUTS; o++) {
            qsv_subset_negative(group_of(l, o4 + o, k), l->index_bits, -1, &span[o]);
            full |= sum[o] + span[o] > INT16_MAX;
        }
        if (full)
            then[k - 1] = QSV_EMPTY;
        for (int o = 0; o < QSV_OUTPUTS; o++)
            sum[o] = span[o] + (full ? 0 : sum[o]);
        then[k] = QSV_GO_ON;
    }
    then[l->n - 1] = QSV_EMPTY;
}

/* What to do behind each group for outputs o4 ... o4 + 3; adds to their bases. */
static void schedule(const struct layout *l, uint8_t *then, uint32_t o4, uint32_t part)
{
    const int32_t weight = part ? 16 : 1;
    int bytes[QSV_OUTPUTS] = {0}, words[QSV_OUTPUTS] = {0}, span[QSV_OUTPUTS];
    for (uint32_t k = 0; k < l->n; k++) {
        bool widen = false, empty = false;
        for (uint32_t o = 0; o < QSV_OUTPUTS; o++) {
            l->w->base[o4 + o] +=
                weight * qsv_subset_negative(group_of(l, o4 + o, k), l->index_bits,
                                             nibble_of(l, part), &span[o]);
            widen |= bytes[o] + span[o] > UINT8_MAX;
            empty |= words[o] + span[o] > UINT16_MAX;
        }
        if (k && (widen || empty))
            then[k - 1] = empty ? QSV_EMPTY : QSV_WIDEN;
        for (int o = 0; o < QSV_OUTPUTS; o++) {
            bytes[o] = span[o] + (widen || empty ? 0 : bytes[o]);
            words[o] = span[o] + (empty ? 0 : words[o]);
        }
        then[k] = QSV_GO_ON;
    }
    then[l->n - 1] = QSV_EMPTY;
}

uint64_t qsv_code_weights_bytes(const struct qsv_kernels *k, enum qsv_format format,
                                uint32_t out_ch, uint32_t in_ch, uint32_t taps)
{
    const struct qsv_format_info *f = qsv_format_info(format);
    const uint64_t n = (uint64_t)taps * (round_up(in_ch, k->index_bits) / k->index_bits);
    const uint64_t outputs = round_up(out_ch, QSV_OUTPUTS);
    const uint32_t largest =
        (uint32_t)(abs(f->code_min) > abs(f->code_max) ? abs(f->code_min) : abs(f->code_max));
    const uint64_t parts = largest * k->index_bits > UINT8_MAX ? 2 : 1;
    if (!k->subsets)
        return outputs * (n * k->index_bits + sizeof(int32_t));
    return outputs * (n * ENTRIES * parts + sizeof(int32_t)) + outputs / QSV_OUTPUTS * parts * n;
}

enum qsv_status qsv_code_weights_init(struct qsv_code_weights *w, const struct qsv_kernels *k,
                                      const int8_t *codes, uint32_t out_ch, uint32_t in_ch,
                                      uint32_t taps, const char *name, struct qsv_error *err)
{
    const uint32_t groups = round_up(in_ch, k->index_bits) / k->index_bits;
    const uint32_t padded = round_up(out_ch, QSV_OUTPUTS);
    const struct layout l = {w, k->index_bits, taps * groups, k};
    size_t cells;
    *w = (struct qsv_code_weights){.taps = taps, .groups = groups, .out_ch = out_ch};
    if (!qsv_mul_size((size_t)padded * k->index_bits, l.n, &cells))
        return qsv_fail_memory(err, name);
    w->codes = qsv_alloc_aligned(cells + SPARE, 1);
    w->base = qsv_alloc_aligned(padded, sizeof *w->base);
    if (w->codes)
        copy_codes(&l, codes, in_ch);
    if (w->codes && k->subsets) {
        w->subsets = qsv_alloc_aligned((size_t)padded * (w->words ? 2 : w->parts) * l.n, ENTRIES);
        w->then = qsv_alloc_aligned((size_t)padded / QSV_OUTPUTS * w->parts, l.n);
    }
    if (!w->codes || !w->base || (k->subsets && (!w->subsets || !w->then))) {
        qsv_code_weights_fini(w);
        return qsv_fail_memory(err, name);
    }
    if (!k->subsets)
        return QSV_OK;
    if (w->words)
        make_word_subsets(&l);
    else
        make_subsets(&l);
    for (uint32_t i = 0; i < padded / QSV_OUTPUTS * w->parts; i++) {
        uint8_t *then = w->then + (size_t)i * l.n;
        if (w->words)
            schedule_words(&l, then, i * QSV_OUTPUTS);
        else
            schedule(&l, then, i / w->parts * QSV_OUTPUTS, i % w->parts);
    }
    free(w->codes); /* all that is wanted of them */
    w->codes = NULL;
    return QSV_OK;
}
