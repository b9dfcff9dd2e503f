#include "core/import/safetensors.h"

#include <jansson.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"
#include "core/import/budget.h"
#include "core/import/strided.h"

/* As many tensors as are allowed, with long names, take less. */
enum { MAX_HEADER = 4 << 20 };

struct reader {
    const uint8_t *data; /* behind the header */
    size_t bytes;
    uint64_t budget;
    struct qsv_tensors *out;
};

/* One tensor of the header. */
struct entry {
    const char *name, *type;
    const struct qsv_element *element; /* NULL for a type that is not read */
    struct qsv_strided view;
    bool rank_fits;
    uint64_t begin, end; /* in the data */
};

static enum qsv_status read_header(json_t **header, struct qsv_cursor *c, struct qsv_error *err)
{
    uint64_t n = qsv_cursor_u64(c);
    if (n > MAX_HEADER)
        return qsv_fail(err, QSV_EINPUT,
                        "safetensors: the header has %llu bytes, at most %d are allowed",
                        (unsigned long long)n, MAX_HEADER);
    const uint8_t *text = qsv_cursor_take(c, n);
    if (!text)
        return qsv_fail(err, QSV_EINPUT, "safetensors: the header has %llu bytes, the file %zu",
                        (unsigned long long)n, c->bytes);
    json_error_t e;
    *header = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, &e);
    if (!*header)
        return qsv_fail(err, QSV_EINPUT, "safetensors: the header's byte %d: %s", e.position,
                        e.text);
    if (!json_is_object(*header))
        return qsv_fail(err, QSV_EINPUT, "safetensors: the header is no JSON object");
    return QSV_OK;
}

static enum qsv_status get_number(uint64_t *out, const json_t *v, uint64_t max, const char *name,
                                  const char *key, struct qsv_error *err)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max)
        return qsv_fail(err, QSV_EINPUT,
                        "safetensors: tensor '%s': '%s' holds what is no number from 0 to %llu",
                        name, key, (unsigned long long)max);
    *out = (uint64_t)json_integer_value(v);
    return QSV_OK;
}

/* Row-major strides need no more than the shape; a rank that is too high leaves the view unfilled.
 */
static enum qsv_status get_shape(struct entry *e, const json_t *shape, uint64_t *count,
                                 struct qsv_error *err)
{
    if (!json_is_array(shape))
        return qsv_fail(err, QSV_EINPUT, "safetensors: tensor '%s': 'shape' is no array", e->name);
    size_t rank = json_array_size(shape);
    enum qsv_status st = QSV_OK;
    *count = 1;
    e->rank_fits = rank <= QSV_MAX_RANK;
    e->view.rank = e->rank_fits ? (uint32_t)rank : 0;
    for (size_t i = rank; !st && i-- > 0;) {
        uint64_t n = 0;
        st = get_number(&n, json_array_get(shape, i), UINT32_MAX, e->name, "shape", err);
        if (e->rank_fits) {
            e->view.shape[i] = (uint32_t)n;
            e->view.stride[i] = *count;
        }
        if (!st && __builtin_mul_overflow(*count, n, count))
            st = qsv_fail(err, QSV_EINPUT,
                          "safetensors: tensor '%s': the shape is larger than memory", e->name);
    }
    return st;
}

static enum qsv_status get_range(struct entry *e, const json_t *range, uint64_t bytes,
                                 struct qsv_error *err)
{
    if (!json_is_array(range) || json_array_size(range) != 2)
        return qsv_fail(err, QSV_EINPUT,
                        "safetensors: tensor '%s': 'data_offsets' is no array of two numbers",
                        e->name);
    enum qsv_status st =
        get_number(&e->end, json_array_get(range, 1), bytes, e->name, "data_offsets", err);
    if (!st)
        st = get_number(&e->begin, json_array_get(range, 0), e->end, e->name, "data_offsets", err);
    return st;
}

static const struct qsv_element *find_element(const char *type)
{
    for (const struct qsv_element *e = qsv_elements; e->safetensors; e++)
        if (!strcmp(e->safetensors, type))
            return e;
    return NULL;
}

static enum qsv_status read_entry(struct entry *e, const char *name, const json_t *v,
                                  uint64_t bytes, struct qsv_error *err)
{
    *e = (struct entry){.name = name, .type = json_string_value(json_object_get(v, "dtype"))};
    if (!e->type)
        return qsv_fail(err, QSV_EINPUT, "safetensors: tensor '%s': has no 'dtype'", name);
    e->element = e->view.element = find_element(e->type);
    uint64_t count = 0, expected = 0;
    enum qsv_status st = get_shape(e, json_object_get(v, "shape"), &count, err);
    if (!st)
        st = get_range(e, json_object_get(v, "data_offsets"), bytes, err);
    if (!st && e->element &&
        (__builtin_mul_overflow(count, e->element->bytes, &expected) ||
         e->end - e->begin != expected))
        st = qsv_fail(err, QSV_EINPUT,
                      "safetensors: tensor '%s': has %llu bytes of data, expected %llu for its "
                      "shape in %s",
                      name, (unsigned long long)(e->end - e->begin), (unsigned long long)expected,
                      e->type);
    return st;
}

/* Whether the tensor can be loaded; `why` says why not. */
static enum qsv_status check(const struct entry *e, uint64_t budget, struct qsv_error *why)
{
    if (!e->element)
        return qsv_fail(why, QSV_EINPUT, "is of type '%.40s'; only F32, F16, BF16 and F64 are read",
                        e->type);
    if (!e->rank_fits)
        return qsv_fail(why, QSV_EINPUT, "has more than %d dimensions", QSV_MAX_RANK);
    return qsv_strided_check(&e->view, (e->end - e->begin) / e->element->bytes, budget, why);
}

static enum qsv_status add(struct reader *r, const char *name, const json_t *v,
                           struct qsv_error *err)
{
    struct entry e;
    struct qsv_error why = {0};
    struct qsv_tensor *added = NULL;
    enum qsv_status st = read_entry(&e, name, v, r->bytes, err);
    if (st)
        return st;
    if (check(&e, r->budget, &why))
        return qsv_tensors_add_defect(r->out, name, why.text, err);
    st = qsv_tensors_add(r->out, name, QSV_F32, e.view.rank, e.view.shape, &added, err);
    if (st)
        return st;
    r->budget -= added->bytes;
    qsv_strided_load(&e.view, r->data + e.begin, (float *)added->data);
    return QSV_OK;
}

enum qsv_status qsv_safetensors_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                      struct qsv_error *err)
{
    struct qsv_cursor c = qsv_cursor_over(data, bytes);
    json_t *header = NULL, *value;
    const char *name;
    enum qsv_status st = read_header(&header, &c, err);
    struct reader r = {.out = out, .budget = qsv_budget_of_file(bytes)};
    r.bytes = qsv_cursor_left(&c);
    r.data = data + c.at;
    json_object_foreach(header, name, value)
    {
        if (!st && strcmp(name, "__metadata__"))
            st = add(&r, name, value, err);
    }
    json_decref(header);
    return st;
}
