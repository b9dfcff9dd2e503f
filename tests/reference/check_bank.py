"""Our statistics and bank against PyTorch: check_bank.py CKPT.pth STATS.h5 BANK.h5 IMAGES LABELS

IMAGES and LABELS are the IDX files that `qsvit calibrate` ran on, all images of which were taken. For every layer: the
losses of the bank's codes under PyTorch's H (f32 sums, so they agree to 1e-3), and the loss that search_trial.py's
`compensate` reaches with it, which must not be apart from ours.
"""
import os
import sys

import h5py
import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import search_trial as trial

FORMAT = {'int4': 5, 'int2': 7, 'ternary': 8, 'binary': 9}


def unpack(packed, fmt, n):
    if fmt == 'ternary':
        digits = packed[:, None].astype(np.int64) // 3 ** np.arange(5) % 3
        return digits.reshape(-1)[:n] - 1.0
    bits = {'int4': 4, 'int2': 2, 'binary': 1}[fmt]
    stream = np.unpackbits(packed, bitorder='little')[:n * bits].reshape(n, bits)
    v = (stream * 2 ** np.arange(bits)).sum(1).astype(np.float64)
    return {'int4': np.where(v > 7, v - 16, v), 'int2': 2 * v - 3, 'binary': 2 * v - 1}[fmt]


def loss_of(W, out, H):
    step, total = len(W) // len(H), 0.0
    for g, h in enumerate(H):
        e = (W - out)[g * step:(g + 1) * step]
        total += float(((e @ h) * e).sum())
    return total


def ours(bank, layer, fmt, shape):
    r = next(r for r in bank['entries'][:] if r['layer'] == layer and r['format'] == FORMAT[fmt])
    q = unpack(bank['codes'][int(r['offset']):int(r['offset'] + r['bytes'])], fmt, int(np.prod(shape))).reshape(shape)
    s = bank['scales'][int(r['first_scale']):int(r['first_scale']) + shape[0]].astype(np.float64)
    return torch.from_numpy(q * s[:, None]), float(r['loss'])


def main():
    ckpt, _, bank_path, images, _ = sys.argv[1:]
    trial.CK = torch.load(ckpt)
    bank = h5py.File(bank_path)
    pixels = np.frombuffer(open(images, 'rb').read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    model = trial.make()
    H = trial.statistics(model, pixels)
    names = [n.decode() if isinstance(n, bytes) else n for n in H]
    worst, apart, sums = 0.0, [], {f: [0.0, 0.0] for f in FORMAT}
    for i, name in enumerate(names):
        W = trial.layers(model)[name].weight.data.double().flatten(1)
        for fmt in FORMAT:
            out, stated = ours(bank, i, fmt, tuple(W.shape))
            under = loss_of(W, out, H[name])
            theirs = trial.bank_entry((trial.layers(model)[name].weight.data, H[name], fmt))[1]
            worst = max(worst, abs(under - stated) / (under + 1e-12))
            if abs(theirs - stated) > 0.02 * theirs + 1e-12:
                apart.append((name, fmt, stated, theirs))
            sums[fmt][0] += stated
            sums[fmt][1] += theirs
            if abs(under - stated) / (under + 1e-12) > 1e-3:
                print(f'{name} {fmt}: loss {stated:.6g}, under PyTorch\'s statistics {under:.6g}')
    print('sums of losses, ours and PyTorch\'s:', {f: tuple(round(x, 6) for x in s) for f, s in sums.items()})
    for a in apart[:20]:
        print('apart:', *a)
    print(f'{len(names)} layers: losses within {worst:.1e} of PyTorch\'s, {len(apart)} of {len(names) * len(FORMAT)} entries apart by 2 %')
    sys.exit(worst > 1e-3 or len(apart) > len(names) * len(FORMAT) // 50)


if __name__ == '__main__':
    main()
