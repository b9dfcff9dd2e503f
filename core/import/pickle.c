#include "core/import/pickle.h"

#include <string.h>

#include "core/import/machine.h"

/* What an opcode does: `run` with its row. */
struct op {
    enum qsv_status (*run)(struct qsv_machine *m, const struct op *op);
    const char *name;
    uint8_t arg; /* width of a number that follows, or a count */
    uint8_t kind;
};

static enum qsv_status ends_early(struct qsv_machine *m)
{
    return qsv_machine_fail(m, "ends too early");
}

static enum qsv_status op_proto(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint8_t version = qsv_cursor_u8(&m->c);
    return version <= 5 ? QSV_OK : qsv_machine_fail(m, "has a protocol above 5");
}

static enum qsv_status op_frame(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    qsv_cursor_u64(&m->c);
    return QSV_OK;
}

static enum qsv_status op_stop(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    m->stopped = true;
    return qsv_machine_pop(m, &m->p->root);
}

static enum qsv_status op_constant(struct qsv_machine *m, const struct op *op)
{
    return qsv_machine_push_node(m, (struct qsv_pickle_node){.kind = op->kind, .integer = op->arg});
}

static enum qsv_status op_empty(struct qsv_machine *m, const struct op *op)
{
    return qsv_machine_push_node(m, (struct qsv_pickle_node){.kind = op->kind, .items = {0, 0, 0}});
}

static uint64_t number(struct qsv_machine *m, unsigned width)
{
    switch (width) {
    case 1:
        return qsv_cursor_u8(&m->c);
    case 2:
        return qsv_cursor_u16(&m->c);
    case 4:
        return qsv_cursor_u32(&m->c);
    default:
        return qsv_cursor_u64(&m->c);
    }
}

static enum qsv_status op_int(struct qsv_machine *m, const struct op *op)
{
    int64_t v = (int64_t)number(m, op->arg);
    if (op->arg == 4)
        v = (int32_t)(uint32_t)v;
    return qsv_machine_push_node(m, (struct qsv_pickle_node){.kind = QSV_PICKLE_INT, .integer = v});
}

/* Two's complement of any length. */
static enum qsv_status op_long(struct qsv_machine *m, const struct op *op)
{
    size_t n = number(m, op->arg);
    const uint8_t *b = qsv_cursor_take(&m->c, n);
    if (!b)
        return ends_early(m);
    if (n > 8)
        return qsv_machine_push_node(
            m, (struct qsv_pickle_node){.kind = QSV_PICKLE_OPAQUE, .integer = 0});
    uint64_t v = n && b[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | b[i];
    return qsv_machine_push_node(
        m, (struct qsv_pickle_node){.kind = QSV_PICKLE_INT, .integer = (int64_t)v});
}

static enum qsv_status op_float(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint64_t bits = __builtin_bswap64(qsv_cursor_u64(&m->c));
    double v;
    memcpy(&v, &bits, sizeof v);
    return qsv_machine_push_node(m, (struct qsv_pickle_node){.kind = QSV_PICKLE_FLOAT, .real = v});
}

static enum qsv_status op_text(struct qsv_machine *m, const struct op *op)
{
    uint64_t n = number(m, op->arg);
    const uint8_t *at = qsv_cursor_take(&m->c, n);
    if (!at)
        return ends_early(m);
    return qsv_machine_push_node(m, (struct qsv_pickle_node){.kind = op->kind, .text = {at, n}});
}

static enum qsv_status op_extension(struct qsv_machine *m, const struct op *op)
{
    number(m, op->arg);
    return qsv_machine_push_node(m,
                                 (struct qsv_pickle_node){.kind = QSV_PICKLE_OPAQUE, .integer = 0});
}

static enum qsv_status op_mark(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    return qsv_machine_list_push(m, &m->marks, (uint32_t)m->stack.n);
}

static enum qsv_status op_pop(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t dropped;
    size_t height;
    if (m->stack.n == qsv_machine_floor(m) && m->marks.n)
        return qsv_machine_pop_mark(m, &height);
    return qsv_machine_pop(m, &dropped);
}

static enum qsv_status op_pop_mark(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    return qsv_machine_pop_mark(m, &m->stack.n);
}

static enum qsv_status op_dup(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t v = 0;
    enum qsv_status st = qsv_machine_top(m, &v);
    return st ? st : qsv_machine_list_push(m, &m->stack, v);
}

static enum qsv_status op_put(struct qsv_machine *m, const struct op *op)
{
    return qsv_machine_put(m, number(m, op->arg));
}

/* Python's index here is how many values the memo holds; writers of this opcode use no other, so
 * they lie without gaps. */
static enum qsv_status op_memoize(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    return qsv_machine_put(m, m->memo.n);
}

static enum qsv_status op_get(struct qsv_machine *m, const struct op *op)
{
    uint64_t index = number(m, op->arg);
    if (index >= m->memo.n || !m->memo.v[index])
        return qsv_machine_fail(m, "gets a memo index that was never put");
    return qsv_machine_list_push(m, &m->stack, m->memo.v[index] - 1);
}

/* A container of the values above `height`. */
static enum qsv_status push_container(struct qsv_machine *m, enum qsv_pickle_kind kind,
                                      size_t height)
{
    uint32_t n = 0;
    enum qsv_status st =
        qsv_machine_add_node(m, (struct qsv_pickle_node){.kind = kind, .items = {0, 0, 0}}, &n);
    if (!st)
        st = qsv_machine_move_items(m, n, height);
    return st ? st : qsv_machine_list_push(m, &m->stack, n);
}

static enum qsv_status op_tuple(struct qsv_machine *m, const struct op *op)
{
    if (m->stack.n < qsv_machine_floor(m) + op->arg)
        return qsv_machine_fail(m, "takes a value from an empty stack");
    return push_container(m, QSV_PICKLE_TUPLE, m->stack.n - op->arg);
}

static enum qsv_status op_marked_container(struct qsv_machine *m, const struct op *op)
{
    size_t height = 0;
    enum qsv_status st = qsv_machine_pop_mark(m, &height);
    return st ? st : push_container(m, op->kind, height);
}

/* Items from `height` up go into the container below them. */
static enum qsv_status add_items(struct qsv_machine *m, const struct op *op, size_t height)
{
    if (height <= qsv_machine_floor(m))
        return qsv_machine_fail(m, "adds items to nothing");
    uint32_t target = m->stack.v[height - 1];
    enum qsv_pickle_kind kind = m->p->nodes[target].kind;
    if (kind != op->kind && kind != QSV_PICKLE_CALL)
        return qsv_machine_fail(m, "adds items to what is no container of them");
    if (op->kind == QSV_PICKLE_DICT && (m->stack.n - height) % 2)
        return qsv_machine_fail(m, "adds a key without a value");
    return qsv_machine_move_items(m, target, height);
}

static enum qsv_status op_add(struct qsv_machine *m, const struct op *op)
{
    if (m->stack.n < qsv_machine_floor(m) + op->arg)
        return qsv_machine_fail(m, "takes a value from an empty stack");
    return add_items(m, op, m->stack.n - op->arg);
}

static enum qsv_status op_add_marked(struct qsv_machine *m, const struct op *op)
{
    size_t height = 0;
    enum qsv_status st = qsv_machine_pop_mark(m, &height);
    return st ? st : add_items(m, op, height);
}

static enum qsv_status line(struct qsv_machine *m, uint32_t *out)
{
    size_t left = qsv_cursor_left(&m->c);
    const uint8_t *at = m->c.data + m->c.at, *end = left ? memchr(at, '\n', left) : NULL;
    if (!end)
        return ends_early(m);
    size_t n = (size_t)(end - at);
    qsv_cursor_take(&m->c, n + 1);
    return qsv_machine_add_node(
        m, (struct qsv_pickle_node){.kind = QSV_PICKLE_TEXT, .text = {at, n}}, out);
}

static enum qsv_status push_global(struct qsv_machine *m, uint32_t module, uint32_t name)
{
    return qsv_machine_push_node(
        m, (struct qsv_pickle_node){.kind = QSV_PICKLE_GLOBAL, .global = {module, name}});
}

static enum qsv_status op_global(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t module = 0, name = 0;
    enum qsv_status st = line(m, &module);
    if (!st)
        st = line(m, &name);
    return st ? st : push_global(m, module, name);
}

static enum qsv_status op_stack_global(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t module = 0, name = 0;
    enum qsv_status st = qsv_machine_pop(m, &name);
    if (!st)
        st = qsv_machine_pop(m, &module);
    if (!st &&
        (m->p->nodes[module].kind != QSV_PICKLE_TEXT || m->p->nodes[name].kind != QSV_PICKLE_TEXT))
        st = qsv_machine_fail(m, "names a class by something that is no text");
    return st ? st : push_global(m, module, name);
}

static enum qsv_status push_call(struct qsv_machine *m, uint32_t callee, uint32_t args)
{
    /* The one class whose objects are drawn as what they are: state dicts are of it. */
    if (qsv_pickle_is_global(m->p, callee, "collections", "OrderedDict") &&
        !m->p->nodes[args].items.count)
        return qsv_machine_push_node(
            m, (struct qsv_pickle_node){.kind = QSV_PICKLE_DICT, .items = {0, 0, 0}});
    return qsv_machine_push_node(
        m, (struct qsv_pickle_node){.kind = QSV_PICKLE_CALL, .call = {callee, args, false}});
}

/* REDUCE, NEWOBJ; NEWOBJ_EX takes keyword arguments too, which only an object that is never made
 * would need. */
static enum qsv_status op_call(struct qsv_machine *m, const struct op *op)
{
    uint32_t keywords = 0, args = 0, callee = 0;
    enum qsv_status st = op->arg == 3 ? qsv_machine_pop(m, &keywords) : QSV_OK;
    if (!st)
        st = qsv_machine_pop(m, &args);
    if (!st)
        st = qsv_machine_pop(m, &callee);
    if (!st && m->p->nodes[args].kind != QSV_PICKLE_TUPLE)
        st = qsv_machine_fail(m, "calls with arguments that are no tuple");
    return st ? st : push_call(m, callee, args);
}

static enum qsv_status op_build(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t given = 0, target = 0;
    enum qsv_status st = qsv_machine_pop(m, &given);
    if (!st)
        st = qsv_machine_top(m, &target);
    if (!st && m->p->nodes[target].kind == QSV_PICKLE_CALL)
        m->p->nodes[target].call.changed = true;
    return st;
}

static enum qsv_status op_persistent(struct qsv_machine *m, const struct op *op)
{
    (void)op;
    uint32_t id = 0;
    enum qsv_status st = qsv_machine_pop(m, &id);
    return st ? st
              : qsv_machine_push_node(
                    m, (struct qsv_pickle_node){.kind = QSV_PICKLE_PERSISTENT, .id = id});
}

static enum qsv_status op_refused(struct qsv_machine *m, const struct op *op)
{
    return qsv_fail(m->err, QSV_EINPUT, "pickle, byte %zu: opcode %s, which PyTorch does not write",
                    m->c.at - 1, op->name);
}

static const struct op ops[256] = {
    [0x80] = {op_proto, "PROTO", 0, 0},
    [0x95] = {op_frame, "FRAME", 0, 0},
    ['.'] = {op_stop, "STOP", 0, 0},

    ['N'] = {op_constant, "NONE", 0, QSV_PICKLE_NONE},
    [0x88] = {op_constant, "NEWTRUE", 1, QSV_PICKLE_BOOL},
    [0x89] = {op_constant, "NEWFALSE", 0, QSV_PICKLE_BOOL},
    ['K'] = {op_int, "BININT1", 1, 0},
    ['M'] = {op_int, "BININT2", 2, 0},
    ['J'] = {op_int, "BININT", 4, 0},
    [0x8a] = {op_long, "LONG1", 1, 0},
    [0x8b] = {op_long, "LONG4", 4, 0},
    ['G'] = {op_float, "BINFLOAT", 0, 0},
    [0x8c] = {op_text, "SHORT_BINUNICODE", 1, QSV_PICKLE_TEXT},
    ['X'] = {op_text, "BINUNICODE", 4, QSV_PICKLE_TEXT},
    [0x8d] = {op_text, "BINUNICODE8", 8, QSV_PICKLE_TEXT},
    ['U'] = {op_text, "SHORT_BINSTRING", 1, QSV_PICKLE_TEXT},
    ['T'] = {op_text, "BINSTRING", 4, QSV_PICKLE_TEXT},
    ['C'] = {op_text, "SHORT_BINBYTES", 1, QSV_PICKLE_BYTES},
    ['B'] = {op_text, "BINBYTES", 4, QSV_PICKLE_BYTES},
    [0x8e] = {op_text, "BINBYTES8", 8, QSV_PICKLE_BYTES},
    [0x96] = {op_text, "BYTEARRAY8", 8, QSV_PICKLE_BYTES},
    [0x82] = {op_extension, "EXT1", 1, 0},
    [0x83] = {op_extension, "EXT2", 2, 0},
    [0x84] = {op_extension, "EXT4", 4, 0},

    ['('] = {op_mark, "MARK", 0, 0},
    ['0'] = {op_pop, "POP", 0, 0},
    ['1'] = {op_pop_mark, "POP_MARK", 0, 0},
    ['2'] = {op_dup, "DUP", 0, 0},
    ['q'] = {op_put, "BINPUT", 1, 0},
    ['r'] = {op_put, "LONG_BINPUT", 4, 0},
    [0x94] = {op_memoize, "MEMOIZE", 0, 0},
    ['h'] = {op_get, "BINGET", 1, 0},
    ['j'] = {op_get, "LONG_BINGET", 4, 0},

    [')'] = {op_empty, "EMPTY_TUPLE", 0, QSV_PICKLE_TUPLE},
    [']'] = {op_empty, "EMPTY_LIST", 0, QSV_PICKLE_LIST},
    ['}'] = {op_empty, "EMPTY_DICT", 0, QSV_PICKLE_DICT},
    [0x8f] = {op_empty, "EMPTY_SET", 0, QSV_PICKLE_SET},
    [0x85] = {op_tuple, "TUPLE1", 1, 0},
    [0x86] = {op_tuple, "TUPLE2", 2, 0},
    [0x87] = {op_tuple, "TUPLE3", 3, 0},
    ['t'] = {op_marked_container, "TUPLE", 0, QSV_PICKLE_TUPLE},
    ['l'] = {op_marked_container, "LIST", 0, QSV_PICKLE_LIST},
    [0x91] = {op_marked_container, "FROZENSET", 0, QSV_PICKLE_SET},
    ['a'] = {op_add, "APPEND", 1, QSV_PICKLE_LIST},
    ['e'] = {op_add_marked, "APPENDS", 0, QSV_PICKLE_LIST},
    ['s'] = {op_add, "SETITEM", 2, QSV_PICKLE_DICT},
    ['u'] = {op_add_marked, "SETITEMS", 0, QSV_PICKLE_DICT},
    [0x90] = {op_add_marked, "ADDITEMS", 0, QSV_PICKLE_SET},

    ['c'] = {op_global, "GLOBAL", 0, 0},
    [0x93] = {op_stack_global, "STACK_GLOBAL", 0, 0},
    ['R'] = {op_call, "REDUCE", 2, 0},
    [0x81] = {op_call, "NEWOBJ", 2, 0},
    [0x92] = {op_call, "NEWOBJ_EX", 3, 0},
    ['b'] = {op_build, "BUILD", 0, 0},
    ['Q'] = {op_persistent, "BINPERSID", 0, 0},

    /* Protocols 0 and 1, and buffers beside the pickle. */
    ['I'] = {op_refused, "INT", 0, 0},
    ['L'] = {op_refused, "LONG", 0, 0},
    ['F'] = {op_refused, "FLOAT", 0, 0},
    ['S'] = {op_refused, "STRING", 0, 0},
    ['V'] = {op_refused, "UNICODE", 0, 0},
    ['d'] = {op_refused, "DICT", 0, 0},
    ['i'] = {op_refused, "INST", 0, 0},
    ['o'] = {op_refused, "OBJ", 0, 0},
    ['p'] = {op_refused, "PUT", 0, 0},
    ['g'] = {op_refused, "GET", 0, 0},
    ['P'] = {op_refused, "PERSID", 0, 0},
    [0x97] = {op_refused, "NEXT_BUFFER", 0, 0},
    [0x98] = {op_refused, "READONLY_BUFFER", 0, 0},
};

static enum qsv_status step(struct qsv_machine *m)
{
    uint8_t code = qsv_cursor_u8(&m->c);
    if (m->c.failed)
        return ends_early(m);
    const struct op *op = &ops[code];
    if (!op->run)
        return qsv_fail(m->err, QSV_EINPUT, "pickle, byte %zu: unknown opcode 0x%02x", m->c.at - 1,
                        code);
    enum qsv_status st = op->run(m, op);
    return !st && m->c.failed ? ends_early(m) : st;
}

enum qsv_status qsv_pickle_parse(struct qsv_pickle *out, const uint8_t *data, size_t bytes,
                                 struct qsv_error *err)
{
    struct qsv_machine m = {.p = out, .c = qsv_cursor_over(data, bytes), .err = err};
    *out = (struct qsv_pickle){0};
    enum qsv_status st = QSV_OK;
    if (bytes < 2 || data[0] != 0x80 || data[1] < 2 || data[1] > 5)
        st = qsv_machine_fail(&m, "does not begin as one of protocol 2 to 5");
    while (!st && !m.stopped)
        st = step(&m);
    qsv_machine_fini(&m);
    return st;
}
