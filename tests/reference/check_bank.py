"""Our statistics and bank against PyTorch: check_bank.py CKPT.pth BANK.h5 IMAGES N

BANK.h5 is what `qsvit calibrate --images N` made of IMAGES (IDX, gzip). For every layer: the loss of the bank's codes under
PyTorch's H, which is summed in f32 and sees a spike more or less, so that they agree to 5e-3; and the loss that
search_trial.py's `compensate` reaches with it: apart only where inputs are tied and taken in another order.
"""
import gzip
import os
import sys

import h5py
import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import search_trial as trial

FORMAT = {'int4': 5, 'ternary': 8}


def unpack(packed, fmt, n):
    if fmt == 'ternary':
        digits = packed[:, None].astype(np.int64) // 3 ** np.arange(5) % 3
        return digits.reshape(-1)[:n] - 1.0
    stream = np.unpackbits(packed, bitorder='little')[:n * 4].reshape(n, 4)
    v = (stream * 2 ** np.arange(4)).sum(1).astype(np.float64)
    return np.where(v > 7, v - 16, v)


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
    ckpt, bank_path, images, n = sys.argv[1:]
    trial.CK = torch.load(ckpt)
    bank = h5py.File(bank_path)
    pixels = np.frombuffer(gzip.open(images).read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    pixels = pixels[len(pixels) * np.arange(int(n)) // int(n)]
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
            if abs(under - stated) / (under + 1e-12) > 5e-3:
                print(f'{name} {fmt}: loss {stated:.6g}, under PyTorch\'s statistics {under:.6g}')
    print('sums of losses, ours and PyTorch\'s:', {f: tuple(round(x, 6) for x in s) for f, s in sums.items()})
    for a in apart[:20]:
        print('apart:', *a)
    print(f'{len(names)} layers: losses within {worst:.1e} of PyTorch\'s, {len(apart)} of {len(names) * len(FORMAT)} entries apart by 2 %')
    sys.exit(worst > 5e-3 or len(apart) > len(names) * len(FORMAT) // 20)


if __name__ == '__main__':
    main()
