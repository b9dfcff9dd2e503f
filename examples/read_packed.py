#!/usr/bin/python3
"""A packed network's weights as floats, with numpy alone: read_packed.py SMALL.h5 [SMALL.safetensors]

Prints a line a layer: format, shape and what its codes are. With the safetensors export of the same network it compares the two: every weight
there is code x scale, and every multiplier here is that scale times the norms behind the layer. docs/formats.md describes the file.
"""
import json
import re
import sys

import h5py
import numpy as np

FORMATS = 'f32 f16 int8 int6 int5 int4 int3 int2 ternary binary none'.split()
BITS = {'int8': 8, 'int6': 6, 'int5': 5, 'int4': 4, 'int3': 3, 'int2': 2, 'binary': 1}


def unpack(raw, fmt, n):
    """The codes of n weights from a tensor's bytes."""
    if fmt == 'none':
        return np.zeros(n, np.int8)
    if fmt == 'ternary':  # five to a byte, the first one the lowest digit
        return (raw[:, None] // 3 ** np.arange(5) % 3).ravel()[:n].astype(np.int8) - 1
    bits = np.unpackbits(raw, bitorder='little')[:n * BITS[fmt]].reshape(n, BITS[fmt])
    stored = bits.astype(np.int16) @ (1 << np.arange(BITS[fmt]))
    if fmt == 'int2':
        return (2 * stored - 3).astype(np.int8)
    if fmt == 'binary':
        return (2 * stored - 1).astype(np.int8)
    return np.where(stored >= 1 << BITS[fmt] - 1, stored - (1 << BITS[fmt]), stored).astype(np.int8)


def read(path):
    """Tensors by name: integer codes as int8, everything else as f32; and the format of each."""
    tensors, formats = {}, {}
    with h5py.File(path, 'r') as f:
        rows, data = f['tensors'][:], f['data'][:]
    for r in rows:
        name, fmt = r['name'].decode(), FORMATS[r['format']]
        shape = [int(r[f'shape{i}']) for i in range(r['rank'])]
        raw = data[int(r['offset']):int(r['offset']) + int(r['bytes'])]
        if fmt == 'f32':
            values = raw.view('<f4')
        elif fmt == 'f16' or len(shape) == 1:  # multipliers and shifts have an exponent, as halves or as bytes
            exponent = int(r['exponent']) if 'exponent' in rows.dtype.names else 0
            values = np.ldexp(raw.view('<f2' if fmt == 'f16' else 'i1').astype('f4'), exponent)
        else:
            values = unpack(raw, fmt, int(np.prod(shape)))
        tensors[name], formats[name] = values.reshape(shape), fmt
    return tensors, formats


def float_weights(tensors, layer):
    """What the sums of a layer are weighted with: codes, times its multiplier where one is stored."""
    w = tensors[layer + '.weight'].astype('f4')
    m = tensors.get(layer + '.multiplier')
    return w if m is None else w * m.reshape([-1] + [1] * (w.ndim - 1))


# ---- the comparison with a safetensors export ----

def read_safetensors(path):
    raw = open(path, 'rb').read()
    n = int.from_bytes(raw[:8], 'little')
    head = json.loads(raw[8:8 + n])
    return {k: np.frombuffer(raw[8 + n:], '<f4', int(np.prod(t['shape'])), t['data_offsets'][0]).reshape(t['shape'])
            for k, t in head.items() if k != '__metadata__'}


def norms_behind(layer):
    """Names of the norms that follow an SDTv2 layer before any neuron."""
    if layer.endswith('body.0'):
        return [layer[:-1] + '1.bn']
    if layer.endswith('body.2.1'):
        return [layer[:-1] + '2', re.sub(r'0\.body\.2\.1$', '1', layer)]
    if layer.endswith('dwconv') or layer.endswith('body.2.0') or layer.startswith('head'):
        return []
    return [re.sub(r'(pw)?conv(\d)$', r'bn\2', layer) if layer[-1].isdigit() else re.sub('conv$', 'bn', layer)]


def scales(export, codes, layer):
    """A channel's weight / code where the code is largest, and how far any weight is from code x scale, as a part of it."""
    w, c = (x.reshape(len(codes), -1).astype('f8') for x in (export[layer + '.weight'], codes))
    at = np.abs(c).argmax(1)[:, None]
    largest = np.take_along_axis(c, at, 1)
    scale = np.take_along_axis(w, at, 1) / np.where(largest, largest, 1)
    return scale[:, 0], np.max(np.abs(w - c * scale) / np.maximum(np.abs(w), 1e-30), initial=0)


def factor(export, tensors, layer):
    """What the layer's multiplier must be: its scale, the norms behind it and, of a depthwise one, what its chain has not applied before it."""
    f, worst = scales(export, tensors[layer + '.weight'], layer)
    for norm in norms_behind(layer):
        f = f * export[norm + '.weight'] / np.sqrt(export[norm + '.running_var'].astype('f8') + 1e-5)
    if layer.endswith('body.2.0'):
        before, off = factor(export, tensors, layer[:-3] + '0')
        f, worst = f * before, max(worst, off)
    return f, worst


def compare(tensors, formats, export):
    off_weight = off_multiplier = 0
    for layer in [k[:-7] for k in tensors if k.endswith('.weight') and formats[k] not in ('f32', 'f16')]:
        expected, off = factor(export, tensors, layer)
        off_weight = max(off_weight, off)
        m = tensors.get(layer + '.multiplier')
        if m is not None and expected.any():  # a channel of zeros does not tell its scale
            known = expected != 0
            # halves have 11 bits, bytes 7 bits of the vector's largest
            allowed = 2 ** -7 * np.abs(expected).max() if formats[layer + '.multiplier'] == 'int8' else 2 ** -11 * np.abs(expected)
            off_multiplier = max(off_multiplier, np.max((np.abs(m - expected) / np.where(known, allowed, 1))[known]))
    print(f'weights are code x scale within {off_weight:.1e} of themselves, multipliers scale x norms within {off_multiplier:.2f} of what rounding allows')
    return off_weight < 3e-7 and off_multiplier < 1.001  # f32 rounding


def main(path, export=None):
    tensors, formats = read(path)
    layers = [k[:-7] for k in tensors if k.endswith('.weight')]
    for layer in layers:
        w = float_weights(tensors, layer)
        print(f'{formats[layer + ".weight"]:8}{str(list(w.shape)):20}|w| up to {np.abs(w).max(initial=0):<10.4g}{layer}')
    print(f'{len(layers)} layers, {sum(tensors[k + ".weight"].size for k in layers)} weights')
    return 0 if export is None or compare(tensors, formats, read_safetensors(export)) else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) in (2, 3) else __doc__.splitlines()[0])
