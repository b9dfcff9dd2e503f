#include "results/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"

/* Where each column lies in a packed row of the file's layout. */
struct packing {
    size_t n, offset[QSV_MAX_COLUMNS], size[QSV_MAX_COLUMNS], row_size;
};

static const size_t fixed_size[] = {
    [QSV_COLUMN_U8] = 1, [QSV_COLUMN_U32] = 4, [QSV_COLUMN_U64] = 8, [QSV_COLUMN_F64] = 8};

static const char *text_of(const struct qsv_column *c, const char *row)
{
    char *text;
    memcpy(&text, row + c->offset, sizeof text);
    return text ? text : "";
}

static size_t longest(const struct qsv_column *c, size_t row_size, const char *rows, size_t n)
{
    size_t max = 1;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(text_of(c, rows + i * row_size));
        max = len > max ? len : max;
    }
    return max;
}

static struct packing pack_layout(const struct qsv_table *t, const char *rows, size_t n)
{
    struct packing p = {.n = t->n_columns};
    for (size_t i = 0; i < p.n; i++) {
        const struct qsv_column *c = &t->columns[i];
        p.offset[i] = p.row_size;
        p.size[i] =
            c->type == QSV_COLUMN_TEXT ? longest(c, t->row_size, rows, n) : fixed_size[c->type];
        p.row_size += p.size[i];
    }
    return p;
}

static hid_t element_type(enum qsv_column_type type, size_t size, bool in_file)
{
    switch (type) {
    case QSV_COLUMN_U8:
        return H5Tcopy(in_file ? H5T_STD_U8LE : H5T_NATIVE_UINT8);
    case QSV_COLUMN_U32:
        return H5Tcopy(in_file ? H5T_STD_U32LE : H5T_NATIVE_UINT32);
    case QSV_COLUMN_U64:
        return H5Tcopy(in_file ? H5T_STD_U64LE : H5T_NATIVE_UINT64);
    case QSV_COLUMN_F64:
        return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    case QSV_COLUMN_TEXT:
        break;
    }
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, size);
    H5Tset_cset(text, H5T_CSET_UTF8);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    return text;
}

static hid_t compound_type(const struct qsv_table *t, const struct packing *p, bool in_file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, p->row_size);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->size[i]) /* optional, and not there */
            continue;
        hid_t member = element_type(t->columns[i].type, p->size[i], in_file);
        H5Tinsert(type, t->columns[i].name, p->offset[i], member);
        H5Tclose(member);
    }
    return type;
}

static void pack_rows(const struct qsv_table *t, const struct packing *p, const char *rows,
                      size_t n, char *packed)
{
    for (size_t i = 0; i < n; i++, rows += t->row_size, packed += p->row_size)
        for (size_t c = 0; c < p->n; c++) {
            const struct qsv_column *column = &t->columns[c];
            if (column->type != QSV_COLUMN_TEXT) {
                memcpy(packed + p->offset[c], rows + column->offset, p->size[c]);
                continue;
            }
            const char *text = text_of(column, rows);
            memcpy(packed + p->offset[c], text, strlen(text));
        }
}

static enum qsv_status set_unit(hid_t d, const struct qsv_column *c, struct qsv_error *err)
{
    char name[96];
    snprintf(name, sizeof name, "unit.%s", c->name);
    return qsv_h5_set_string(d, name, c->unit, err);
}

static enum qsv_status describe(hid_t loc, const struct qsv_table *t, struct qsv_error *err)
{
    struct qsv_strbuf units = {0};
    hid_t d = H5Dopen2(loc, t->name, H5P_DEFAULT);
    enum qsv_status st = qsv_h5_set_string(d, "title", t->title, err);
    for (size_t i = 0; i < t->n_columns && !st; i++) {
        const struct qsv_column *c = &t->columns[i];
        if (!c->unit)
            continue;
        qsv_strbuf_printf(&units, "%s%s: %s", units.len ? "; " : "", c->name, c->unit);
        st = set_unit(d, c, err);
    }
    if (!st && units.failed)
        st = qsv_fail_memory(err, "the units of a table");
    if (!st && units.len)
        st = qsv_h5_set_string(d, "units", units.text, err);
    qsv_strbuf_fini(&units);
    if (d >= 0)
        H5Dclose(d);
    return st;
}

enum qsv_status qsv_table_write(hid_t loc, const struct qsv_table *t, const void *rows, size_t n,
                                bool described, struct qsv_error *err)
{
    struct packing p = pack_layout(t, rows, n);
    char *packed = qsv_alloc(n, p.row_size);
    if (!packed)
        return qsv_fail_memory(err, t->name);
    pack_rows(t, &p, rows, n, packed);
    hid_t in_file = compound_type(t, &p, true), in_memory = compound_type(t, &p, false);
    struct qsv_h5_layout layout = {.rank = 1, .dims = {n}, .deflate = 1};
    enum qsv_status st = qsv_h5_write(loc, t->name, in_file, in_memory, &layout, packed, err);
    H5Tclose(in_file);
    H5Tclose(in_memory);
    free(packed);
    if (!st && described)
        st = describe(loc, t, err);
    return st;
}

static bool class_matches(enum qsv_column_type type, H5T_class_t found)
{
    return found == (type == QSV_COLUMN_TEXT  ? H5T_STRING
                     : type == QSV_COLUMN_F64 ? H5T_FLOAT
                                              : H5T_INTEGER);
}

/* Size of the file's member, or 0 where there is none of that name and kind. */
static size_t member_size(hid_t type, const struct qsv_column *c)
{
    int i = H5Tget_member_index(type, c->name);
    if (i < 0 || !class_matches(c->type, H5Tget_member_class(type, (unsigned)i)))
        return 0;
    hid_t member = H5Tget_member_type(type, (unsigned)i);
    bool fixed = c->type != QSV_COLUMN_TEXT || H5Tis_variable_str(member) == 0;
    size_t size = fixed ? H5Tget_size(member) : 0;
    H5Tclose(member);
    if (c->type != QSV_COLUMN_TEXT && size > fixed_size[c->type])
        return 0;
    return size;
}

static enum qsv_status read_layout(hid_t d, const struct qsv_table *t, struct packing *p,
                                   struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    hid_t type = H5Dget_type(d);
    *p = (struct packing){.n = t->n_stored};
    if (type < 0 || H5Tget_class(type) != H5T_COMPOUND)
        st = qsv_fail(err, QSV_EINPUT, "dataset '%s' is not a table", t->name);
    for (size_t i = 0; i < p->n && !st; i++) {
        const struct qsv_column *c = &t->columns[i];
        size_t size = member_size(type, c);
        if (!size && !c->optional)
            st = qsv_fail(err, QSV_EINPUT, "table '%s' has no column '%s' of the expected type",
                          t->name, c->name);
        p->offset[i] = p->row_size;
        p->size[i] = c->type == QSV_COLUMN_TEXT || !size ? size : fixed_size[c->type];
        p->row_size += p->size[i];
    }
    if (type >= 0)
        H5Tclose(type);
    return st;
}

static enum qsv_status read_packed(hid_t d, const struct qsv_table *t, const struct packing *p,
                                   size_t n, size_t max_bytes, char **packed, struct qsv_error *err)
{
    size_t bytes;
    if (!qsv_mul_size(n, p->row_size > t->row_size ? p->row_size : t->row_size, &bytes) ||
        bytes > max_bytes)
        return qsv_fail(err, QSV_EINPUT, "table '%s' is larger than the %zu bytes allowed", t->name,
                        max_bytes);
    *packed = qsv_alloc(n, p->row_size);
    if (!*packed)
        return qsv_fail_memory(err, t->name);
    hid_t type = compound_type(t, p, false);
    herr_t done = n ? H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *packed) : 0;
    H5Tclose(type);
    return done < 0 ? qsv_fail(err, QSV_EINPUT, "table '%s' cannot be read", t->name) : QSV_OK;
}

static bool unpack_row(const struct qsv_table *t, const struct packing *p, const char *packed,
                       char *row)
{
    for (size_t c = 0; c < p->n; c++) {
        const struct qsv_column *column = &t->columns[c];
        if (column->type != QSV_COLUMN_TEXT) {
            memcpy(row + column->offset, packed + p->offset[c], p->size[c]);
            continue;
        }
        char *text = qsv_strndup(packed + p->offset[c], p->size[c]);
        if (!text)
            return false;
        memcpy(row + column->offset, &text, sizeof text);
    }
    return true;
}

static enum qsv_status unpack_rows(const struct qsv_table *t, const struct packing *p,
                                   const char *packed, size_t n, void **rows, struct qsv_error *err)
{
    char *out = qsv_alloc(n, t->row_size);
    bool ok = out != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = unpack_row(t, p, packed + i * p->row_size, out + i * t->row_size);
    if (!ok) {
        qsv_table_free(t, out, n);
        return qsv_fail_memory(err, t->name);
    }
    *rows = out;
    return QSV_OK;
}

enum qsv_status qsv_table_read(hid_t loc, const struct qsv_table *t, size_t max_bytes, void *rows,
                               size_t *n, struct qsv_error *err)
{
    hid_t d;
    hsize_t count;
    struct packing p;
    char *packed = NULL;
    void *out = NULL;
    enum qsv_status st = qsv_h5_open_dataset(&d, loc, t->name, 1, &count, err);
    if (st)
        return st;
    st = read_layout(d, t, &p, err);
    if (!st)
        st = read_packed(d, t, &p, (size_t)count, max_bytes, &packed, err);
    if (!st)
        st = unpack_rows(t, &p, packed, (size_t)count, &out, err);
    free(packed);
    H5Dclose(d);
    if (st)
        return st;
    memcpy(rows, &out, sizeof out);
    *n = (size_t)count;
    return QSV_OK;
}

void qsv_table_free(const struct qsv_table *t, void *rows, size_t n)
{
    char *row = rows;
    for (size_t i = 0; row && i < n; i++, row += t->row_size)
        for (size_t c = 0; c < t->n_stored; c++) {
            char *text;
            if (t->columns[c].type != QSV_COLUMN_TEXT)
                continue;
            memcpy(&text, row + t->columns[c].offset, sizeof text);
            free(text);
        }
    free(rows);
}
