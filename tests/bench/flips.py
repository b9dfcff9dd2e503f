"""Would it pay to evaluate a trial by the spikes that differ from another's? flips.py QSVIT MODEL IMAGES LABELS [--run RUN] [--trial ID]... [--images N]

Runs pairs of settings, traces every spike and counts, behind the first layer in which the two differ (what lies before it the trie does once anyway):
- inputs of layers, image by image, that are equal: such a layer could be skipped;
- spikes that differ ("flips"), as a share of all neurons: integer sums could be corrected by adding and subtracting the weight rows of these alone;
- vectors of 64 positions x 6 channels in which any spike differs: what the look-up kernels would have to do again.
A setting is `whole`: int4 on every layer, or what RUN selected, with RUN's codes; then with one layer at another format, as trials near the end of a search are; then RUN's trials
ID. Step 1's are f32 with one layer at ternary: f32 sums can't be corrected, since the order of additions counts, but layers could be skipped.

Times follow from rates of docs/performance.md (RATES), one core: a layer in full against flips x outputs x taps additions, and what follows a sum in both. Reading and writing
the other trial's sums, and finding the flips, are left out: so what comes out is the most that could be gained.
"""
import argparse, json, os, subprocess, tempfile
import h5py
import numpy as np

FULL = {'conv3x3': 565e9, 'conv3x3s2': 498e9, 'conv1x1': 345e9, 'linear': 423e9, 'depthwise': 67e9, 'real1x1': 44e9, 'real_depthwise': 14e9, 'stem': 35e9}  # int4, MAC/s
ROWS = 46e9       # additions a second to int16 sums, a row of outputs a spike: twice the f32 kernel's, whose lanes are twice as wide
ROWS_DEPTH = 2e9  # of the f32 kernel: a spike's row is a window of one channel
AFTER = 11.2e9    # outputs a second through multiplier, shift and neuron
DEPTHS = (1, 2, 4, 8, 16, 32)


def readers(lif):
    """Names of the layers that read a LIF's spikes; none: the attention product does."""
    at, _, last = lif.rpartition('.')
    if last in ('q_lif', 'k_lif', 'v_lif'):
        return []
    if last == 'head_lif':
        return [f'{at}.{x}_conv.0.body.0' for x in 'qkv']
    if not at:
        return ['head', 'head_kd']
    name = {'attn_lif': 'proj_conv.0.body.0', 'encode_lif': 'encode_conv', 'fc1_lif': 'fc1_conv', 'fc2_lif': 'fc2_conv'}.get(last)
    return [f'{at}.{name}'] if name else [f'{at}.' + {'lif1': 'pwconv1', 'lif2': 'dwconv'}[last]] if at.endswith('.Conv') else [f'{at}.' + {'lif1': 'conv1', 'lif2': 'conv2'}[last]]


def kind(layer):
    out, cin, kh, _ = ([int(x) for x in layer['shape'].split('x')] + [1, 1])[:4]
    if layer['input'] == 'real':
        return 'stem' if kh == 7 else 'real_depthwise' if layer['groups'] > 1 else 'real1x1'
    if layer['groups'] > 1:
        return 'depthwise'
    linear = 'fc' in layer['layer'] or layer['layer'].startswith('head')
    return 'linear' if linear else 'conv1x1' if kh == 1 else 'conv3x3s2' if layer['stride'] > 1 else 'conv3x3'


def seconds(layer, flips):
    """An image and time step of a layer on spikes: in full, and by flips."""
    out, cin, kh, kw = ([int(x) for x in layer['shape'].split('x')] + [1, 1])[:4]
    outputs, k = layer['macs'] / (cin * kh * kw), kind(layer)
    rate = ROWS_DEPTH if k == 'depthwise' else ROWS
    return layer['macs'] / FULL[k], flips * layer['macs'] / rate + outputs / AFTER


def differences(a, b):
    """Of the spikes [N][T][C]... of two traces: share of images that are equal, of flips, of vectors with a flip."""
    d = a != b
    n, t, c = d.shape[:3]
    planes = d.reshape(n, t, c, -1).transpose(2, 1, 0, 3).reshape(c, -1)
    planes = np.pad(planes, ((0, -c % 6), (0, -planes.shape[1] % 64)))
    vectors = planes.reshape(planes.shape[0] // 6, 6, -1, 64).any(axis=(1, 3))
    return 1 - d.reshape(n, -1).any(axis=1).mean(), d.mean(), vectors.mean()


class Bench:
    def __init__(self, a, folder):
        self.a, self.folder, self.traces = a, folder, {}
        self.layers = json.loads(self.call('inspect', a.model, '--format', 'json'))['layers']
        self.number = {x['layer']: i for i, x in enumerate(self.layers)}

    def call(self, *words):
        return subprocess.run([self.a.qsvit, *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    def trace(self, formats):
        key = tuple(formats)
        if key in self.traces:
            return self.traces[key]
        setting, network, out = (os.path.join(self.folder, x) for x in ('setting.yaml', 'network.h5', f'{len(self.traces)}.h5'))
        with open(setting, 'w') as f:
            f.write('layers:\n' + ''.join(f'  {x["layer"]}: {y}\n' for x, y in zip(self.layers, formats)))
        bank = ['--bank', os.path.join(self.a.run, 'bank.h5'), '--affine', 'f16'] if self.a.run else []
        self.call('quantize', '-m', self.a.model, '--setting', setting, *bank, '-o', network)
        self.call('eval', '-m', network, '-d', self.a.data, '--labels', self.a.labels, '--limit', str(self.a.images), '--trace', out)
        self.traces[key] = h5py.File(out, 'r')['spikes']
        return self.traces[key]

    def formats(self, trial):
        """Of a recorded trial: what `query --setting` says."""
        given, default = {}, 'f32'
        for line in self.call('query', self.a.run, '--setting', trial).splitlines():
            key, _, value = line.partition(': ')
            if key == 'default':
                default = value
            elif line.startswith('  '):
                given[key.strip()] = value
        return [given.get(x['layer'], default) for x in self.layers]

    def compare(self, name, one, other, correctable):
        first = next(i for i, (x, y) in enumerate(zip(one, other)) if x != y)
        a, b = self.trace(one), self.trace(other)
        names = []
        a.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        rows = []  # of layers on spikes that the difference reaches (k and v do not read what q gave), in their order
        for lif in names:
            for layer in readers(lif):
                i = self.number.get(layer, -1)
                if i > first:
                    rows.append((i, *differences(a[lif][:], b[lif][:])))
        rows = sorted(r for r in rows if r[2] > 0)
        same = [one[i] == other[i] for i, *_ in rows]
        full, least, skipped, below = 0, 0, 0, 0
        for (i, equal, flips, _), s in zip(rows, same):
            whole, by_flips = seconds(self.layers[i], flips)
            full += whole
            skipped += equal * whole if s else 0
            below += whole if s and by_flips < whole else 0
            least += min(whole, by_flips) if s and correctable else whole
        reached, head, real = {i for i, *_ in rows}, 0, 0
        for i, x in enumerate(self.layers):  # real inputs come from the layer on spikes before them
            head = i if x['input'] == 'spikes' else head
            real += x['macs'] / FULL[kind(x)] if i > head and i > first and (head in reached or head <= first) else 0
        return dict(pair=name, reached=len(rows), equal=skipped / full, flips=[rows[d - 1][2] if d <= len(rows) else None for d in (*DEPTHS, len(rows))],
                    vectors=[rows[d - 1][3] if d <= len(rows) else None for d in (*DEPTHS, len(rows))], below=below / full if correctable else None,
                    spikes=full / least, all=(full + real) / (least + real))


def percent(x, width=6):
    return f'{"" if x is None else f"{100 * x:.1f}":>{width}}'


def show(r, shares):
    print(f'{r["pair"]:58} {r["reached"]:6} {percent(r["equal"], 7)} ' + ''.join(percent(x) for x in r[shares]) + f' {percent(r["below"], 7)} {r["spikes"]:7.2f} {r["all"]:6.2f}')


def main():
    ap = argparse.ArgumentParser()
    for x in ('qsvit', 'model', 'data', 'labels'):
        ap.add_argument(x)
    ap.add_argument('--run'); ap.add_argument('--trial', action='append', default=[]); ap.add_argument('--images', type=int, default=64); ap.add_argument('--json', action='store_true')
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(a, folder)
        f32 = ['f32'] * len(b.layers)
        whole = b.formats('best') if a.run else ['int4'] * len(b.layers)
        spiking = [i for i, x in enumerate(b.layers) if x['input'] == 'spikes']
        chosen = [spiking[len(spiking) * k // 20] for k in (1, 5, 10, 15, 18)]

        def but(formats, i):
            return [*formats[:i], 'ternary' if formats[i] not in ('ternary', 'binary') else 'int4', *formats[i + 1:]]
        pairs = [(f'step 1: {b.layers[i]["layer"]}', f32, but(f32, i), False) for i in chosen]
        pairs += [(f'whole: {b.layers[i]["layer"]}', whole, but(whole, i), True) for i in chosen]
        pairs += [(f'whole: trial {t}', whole, b.formats(t), True) for t in a.trial]
        pairs.append(('f32 and whole', f32, whole, False))
        found = [b.compare(*p) for p in pairs]
    if a.json:
        for r in found:
            print(json.dumps(dict(benchmark='flips', **r)))
        return
    for shares, what in (('flips', 'spikes that differ'), ('vectors', 'vectors that differ')):
        print(f'\n{what}, %, of layers on spikes that the difference reaches, by their order; {a.images} images')
        print(f'{"pair":58} {"layers":>6} {"equal %":>7} ' + ''.join(f'{d:>6}' for d in (*DEPTHS, 'last')) + f' {"below %":>7} {"spikes":>7} {"all":>6}')
        for r in found:
            show(r, shares)
    print('\nequal: of the time of layers on spikes, what falls to images whose input is equal; below: what falls to layers where flips cost less; spikes, all: how many times\n'
          'faster layers on spikes, and all, would be at most')


if __name__ == '__main__':
    main()
