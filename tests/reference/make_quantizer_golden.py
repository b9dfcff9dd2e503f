"""Golden codes for the quantizer "compensated": make_quantizer_golden.py tests/data/golden/compensated.h5

Random weights and second moments of inputs that fire together; what search_trial.py's `compensate` makes of them in f64 at
each format. A group a case: w f32 [rows][k], h f64 [k][k]; below it a group a format: codes i8 [rows][k], scale f64 [rows],
loss f64 = tr((w - scale codes) h (w - scale codes)^T).
"""
import os
import sys

import h5py
import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from search_trial import LADDER, compensate

FORMATS = {name: list(codes) for name, (_, codes) in LADDER.items()}
FORMATS.update(int5=list(range(-16, 16)), int6=list(range(-32, 32)), int8=list(range(-128, 128)))


def case(rng, rows, k):
    rate = rng.uniform(0.01, 0.5, k)
    x = (rng.uniform(size=(6 * k, k)) < rate * rng.uniform(0.3, 1.7, (6 * k, 1))).astype(np.float64)
    x *= rng.uniform(0.5, 1.5, k)  # no two inputs equally strong: the order of ties is nobody's
    return rng.normal(0, 0.1, (rows, k)).astype(np.float32), x.T @ x / len(x)


def main():
    rng = np.random.default_rng(5)
    with h5py.File(sys.argv[1], 'w') as f:
        for n, (rows, k) in enumerate([(3, 9), (8, 49), (5, 144)]):
            w, h = case(rng, rows, k)
            f[f'{n}/w'], f[f'{n}/h'] = w, h
            W, H = torch.from_numpy(w).double(), torch.from_numpy(h)
            for name, codes in FORMATS.items():
                q, s = compensate(W, H, torch.tensor(codes, dtype=torch.float64))
                s = s.float().double()  # scales are stored as f32
                e = W - q * s[:, None]
                f[f'{n}/{name}/codes'] = q.numpy().astype(np.int8)
                f[f'{n}/{name}/scale'] = s.numpy()
                f[f'{n}/{name}/loss'] = [float(((e @ H) * e).sum())]


if __name__ == '__main__':
    main()
