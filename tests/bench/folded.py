"""What integers all through a RepConv would cost: folded.py MODEL STATS RUN (what `qsvit calibrate -o STATS` wrote for the model, and a run with a bank)

Between a RepConv's layers stands a factor a channel (scale, norm, scale), so that its second 1x1 reads real numbers. Folded into the columns of that 1x1
before it is quantized, the chain would be integers. This quantizes every such layer both ways, by the same coordinate descent on the codes with the scale in closed
form, and prints output losses tr(dW H dW^T), H centred, as shares of tr(W H W^T): as it is, folded, and folded but for the nearest power of two of each factor, which
shifts would keep.
"""
import os, sys
import h5py, numpy as np

SUFFIX = 'body.2.1'  # a RepConv's second 1x1; its layers before are the two before it
FORMATS = {'int4': (5, range(-8, 8)), 'int2': (7, range(-2, 2)), 'ternary': (8, (-1, 0, 1)), 'binary': (9, (-1, 1))}
ROUNDS = 40


def read_tensors(file):
    data, tensors = file['data'][:].tobytes(), {}
    for t in file['tensors'][:]:
        shape = [int(t[f'shape{i}']) for i in range(t['rank'])]
        tensors[t['name'].decode()] = np.frombuffer(data, '<f4', int(np.prod(shape)), int(t['offset'])).reshape(shape).astype(float)
    return tensors


def read_moments(file, layer, k):
    """H of the inputs about their mean, from the lower triangle with a last row for the mean."""
    h = np.zeros((k + 1, k + 1))
    h[np.tril_indices(k + 1)] = file[f'moments/{layer}'][0]
    h += np.tril(h, -1).T
    h /= h[k, k]
    return h[:k, :k] - np.outer(h[k, :k], h[k, :k])


def nearest(codes, x):
    return codes[np.abs(x[..., None] - codes).argmin(-1)]


def descend(w, h, codes, s):
    q, before = nearest(codes, w / s[:, None]), np.inf
    for _ in range(ROUNDS):
        r = (w - s[:, None] * q) @ h
        for j in range(w.shape[1]):
            new = nearest(codes, q[:, j] + r[:, j] / h[j, j] / s)
            r -= np.outer(s * (new - q[:, j]), h[j])
            q[:, j] = new
        qh = q @ h
        size = (q * qh).sum(1)
        s = np.where(size > 0, (w * qh).sum(1) / np.maximum(size, 1e-300), s)
        s = np.where(np.abs(s) < 1e-12, 1e-12, s)
        e = w - s[:, None] * q
        loss = ((e @ h) * e).sum(1)
        if np.all(before - loss <= 1e-6 * loss):
            break
        before = loss
    return loss


def quantize(w, h, codes):
    codes = np.array(codes, float)
    h = h + 1e-9 * np.trace(h) / len(h) * np.eye(len(h))
    if len(codes) == 2:
        return descend(w, h, codes, np.abs(w).mean(1)).sum()
    largest = np.abs(w).max(1) / np.abs(codes).max()
    return np.min([descend(w, h, codes, sign * part * largest) for part in (0.3, 0.5, 0.7, 0.85, 1) for sign in (1, -1)], axis=0).sum()


def factors(tensors, bank, names, layer, format_code):
    """Of the inputs of the second 1x1: scale of the first, norm, scale of the depthwise layer."""
    entries, scales, channels = bank['entries'][:], bank['scales'][:], tensors[names[layer] + '.weight'].shape[1]
    norm = names[layer][:-len(SUFFIX)] + 'body.1.bn.'
    a = tensors[norm + 'weight'] / np.sqrt(tensors[norm + 'running_var'] + 1e-5)
    for l in (layer - 2, layer - 1):
        first = int(next(e for e in entries if e['layer'] == l and e['format'] == format_code)['first_scale'])
        a = a * scales[first:first + channels]
    return np.maximum(np.abs(a), 1e-9 * np.abs(a).max())


if __name__ == '__main__':
    run = sys.argv[3]
    model, stats, bank, results = (h5py.File(path) for path in (*sys.argv[1:3], os.path.join(run, 'bank.h5'), os.path.join(run, 'results.h5')))
    tensors = read_tensors(model)
    names = [n.decode() for n in results['layers']['name']]
    layers = [i for i, n in enumerate(names) if n.endswith(SUFFIX)]
    print('format    as it is   folded  (median ratio, worst)   but for powers of two  (median ratio)')
    for name, (code, codes) in FORMATS.items():
        rows = []
        for l in layers:
            w = tensors[names[l] + '.weight'].reshape(len(tensors[names[l] + '.weight']), -1)
            h, a = read_moments(stats, l, w.shape[1]), factors(tensors, bank, names, l, code)
            kept = a / 2.0 ** np.round(np.log2(a))
            rows.append([quantize(w * f, h / np.outer(f, f), codes) / np.trace(w @ h @ w.T) for f in (np.ones_like(a), a, kept)])
        plain, folded, shifted = np.array(rows).T
        print(f'{name:8s}  {plain.mean():8.5f} {folded.mean():8.5f}  ({np.median(folded / plain):.2f}, {np.max(folded / plain):.2f})'
              f'  {shifted.mean():18.5f}  ({np.median(shifted / plain):.2f})')
