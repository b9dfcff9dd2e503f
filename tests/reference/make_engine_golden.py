"""What the engine's unit tests expect: make_engine_golden.py FOLDER writes golden_<name>.pth and golden_<name>.h5 there.

For each of two small random networks and each of four formats: logits and the number of spikes of each LIF by PyTorch in f64, on
images where no membrane potential comes closer to its threshold than 2e-5, so that f32 must decide alike everywhere. Quantized
weights are rounded here, by `fit_scale` and `nearest` of search_trial.py. They lie in tests/data/golden/ as <name>.h5; <name>_model.h5 there are the imports:

    qsvit import golden_kd.pth -o kd_model.h5 --heads 2 --time-steps 3 --input 3x40x24 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
    qsvit import golden_grey.pth -o grey_model.h5 --heads 4 --time-steps 1 --input 1x32x32 --mean 0.485 --std 0.229
"""
import argparse, os, sys
import h5py, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_random
from sdtv2 import LIF
from search_trial import fit_scale, nearest

CODES = {'f32': None, 'int8': range(-128, 128), 'int4': range(-8, 8), 'int2': (-3, -1, 1, 3)}
NETS = {'kd': dict(embed=[4, 12, 20, 12], classes=5, in_ch=3, heads=2, T=3, kd=True, depths=(2, 1), size=40),
        'grey': dict(embed=[8, 8, 16, 36], classes=3, in_ch=1, heads=4, T=1, kd=False, depths=(1, 2), size=32)}
WIDTH = {'kd': 24, 'grey': 32}
IMAGES, MARGIN = 3, 2e-5


def quantized(m, fmt):
    """The state dict with every layer's weights rounded to the format."""
    state = {k: v.clone() for k, v in m.state_dict().items()}
    for n, l in m.named_modules():
        if CODES[fmt] and isinstance(l, (nn.Conv2d, nn.Conv1d, nn.Linear)):
            W = l.weight.data.double().flatten(1)
            codes = torch.tensor(list(CODES[fmt]), dtype=torch.float64)
            s = fit_scale(W, codes, torch.ones(W.shape[1], dtype=torch.float64)).float().double()
            state[n + '.weight'] = (nearest(W / s[:, None], codes) * s[:, None]).reshape(l.weight.shape)
    return state


def watch(m):
    """[(name, LIF)] whose forward notes spikes and the smallest distance of a potential from the threshold."""
    lifs = [(n, l) for n, l in m.named_modules() if isinstance(l, LIF)]
    for _, l in lifs:
        def forward(x, l=l):
            v, out, l.margin = torch.zeros_like(x[0]), [], np.inf
            for t in range(x.shape[0]):
                h = v + (x[t] - v) / 2
                s = (h >= l.v_th).to(x.dtype)
                d = (h - l.v_th).abs()
                l.margin = min(l.margin, float(d[d > 1e-12].min()) if (d > 1e-12).any() else np.inf)
                v = (1 - s) * h
                out.append(s)
            out = torch.stack(out)
            l.fired = int(out.sum())
            return out
        l.forward = forward
    return lifs


@torch.no_grad()
def main(folder):
    for name, a in NETS.items():
        a = argparse.Namespace(**a)
        m = make_random.make(a.embed, a.classes, a.in_ch, a.heads, a.T, a.kd, a.depths, a.size, 7, 8, 6)
        make_random.save(m, os.path.join(folder, f'golden_{name}.pth'), a)
        col = lambda v: torch.tensor(v[:a.in_ch], dtype=torch.float32).double().view(1, -1, 1, 1)
        pixels = make_random.random_images(400, a.in_ch, a.size, 3)[..., :WIDTH[name]]
        x = (pixels.double() / 255 - col(make_random.MEAN)) / col(make_random.STD)
        lifs = watch(m)
        states = {fmt: quantized(m, fmt) for fmt in CODES}
        with h5py.File(os.path.join(folder, f'golden_{name}.h5'), 'w') as f:
            f['lif_names'] = np.array([n for n, _ in lifs], dtype='S64')
            for fmt, state in states.items():
                m.double().load_state_dict(state)
                kept, logits, spikes = [], [], []
                for i in range(len(x)):
                    y = m(x[i:i + 1])[0].numpy()
                    if min(l.margin for _, l in lifs) > MARGIN:
                        kept.append(i); logits.append(y); spikes.append([l.fired for _, l in lifs])
                    if len(kept) == IMAGES:
                        break
                print(name, fmt, 'images', kept)
                g = f.create_group(fmt)
                g.create_dataset('images', data=pixels[kept].permute(0, 2, 3, 1).contiguous().numpy(), compression=9)
                g['logits'] = np.array(logits); g['spikes'] = np.array(spikes, dtype='u8')
                m.float().load_state_dict(states['f32'])


if __name__ == '__main__':
    main(sys.argv[1])
