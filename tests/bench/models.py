"""Whole models beside PyTorch, on all cores: models.py QSVIT MODEL... [--ratios FILE] [--json] [--rounds N]

MODEL is NAME=FILE[=FORMAT:LEAST,...]: ratios to PyTorch f32 that are to be reached. Both sides first look for their best batch (PyTorch for its best layout and number
of threads, too), then take turns on random images. Two threads are measured against one in the same way.
"""
import argparse, json, os, subprocess, sys, time
from common import CORES, Ratios, cpu, median, qsvit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'reference'))
FORMATS = 'int4,f32'


class Torch:
    """The model in PyTorch with random weights: what it computes does not change how long it takes."""

    def __init__(self, model):
        import torch
        from sdtv2 import SDTv2
        self.torch = torch
        names = [l['layer'] for l in model['layers']]
        out = {l['layer']: int(l['shape'].split('x')[0]) for l in model['layers']}
        widths = [out[f'{d}.encode_conv'] for d in ('downsample1_2', 'downsample2', 'downsample3', 'downsample4')]
        depths = [sum(n.startswith(f'{b}.') and n.endswith('.mlp.fc1_conv') for n in names) for b in ('block3', 'block4')]
        torch.manual_seed(1)
        self.net = SDTv2(widths, model['classes'], model['input'][0], heads=model['heads'], T=model['time_steps'], kd='head_kd' in names,
                         depths=depths).init_firing().eval()
        self.shape = model['input']

    def use(self, batch, last, threads):
        layout = self.torch.channels_last if last else self.torch.contiguous_format
        self.torch.set_num_threads(threads)
        self.net = self.net.to(memory_format=layout)
        self.x = self.torch.randn(batch, *self.shape).to(memory_format=layout)
        self.setting = f'batch {batch}{", channels last" if last else ""}, {threads} thread{"s" * (threads > 1)}'

    def images_per_s(self, least_s=0.5):
        """At least one batch, as many as fill the time."""
        with self.torch.no_grad():
            began, n = time.monotonic(), 0
            while not n or time.monotonic() - began < least_s:
                self.net(self.x)
                n += self.x.shape[0]
            return n / (time.monotonic() - began)

    def choose(self, batches):
        """Sets what was fastest in a quick look."""
        found = []
        for batch in batches:
            for last in (False, True):
                for threads in sorted({1, len(CORES)}, reverse=True):
                    if threads == 1 and batch > batches[0]:
                        continue  # one thread is no match for all of them
                    self.use(batch, last, threads)
                    self.images_per_s(0)
                    found.append((max(self.images_per_s(0), self.images_per_s(0)), batch, last, threads))
        self.use(*max(found)[1:])


def ours(program, path, batch, threads, formats=FORMATS, cores=CORES):
    """images/s by format."""
    result = qsvit(program, '--model', path, '--formats', formats, '--threads', threads, '--batch', batch, '--rounds', 1, cores=cores)
    return {f['format']: f['images_per_s'] for f in result['formats']}


def best_batch(program, path, batches):
    n = len(CORES)
    return max(batches, key=lambda b: ours(program, path, b * n, n, 'int4')['int4'])


def import_torch():
    try:
        import torch  # noqa: F401
        return True
    except ImportError:
        return False


def measure(program, name, path, wanted, rounds, ratios):
    model = json.loads(subprocess.run([program, 'inspect', path, '--format', 'json'], check=True, stdout=subprocess.PIPE, text=True).stdout)
    large = model['input'][1] > 100
    peer, name = Torch(model) if import_torch() else None, f'{name}, T={model["time_steps"]}'
    batch = best_batch(program, path, (1, 2, 4) if large else (8, 16, 32))
    if peer:
        peer.choose((16, 64) if not large else (1, 4) if model['time_steps'] == 1 else (1, 2))
    samples, torch_samples = {}, []
    for _ in range(rounds):
        for fmt, rate in ours(program, path, batch * len(CORES), len(CORES)).items():
            samples.setdefault(fmt, []).append(rate)
        if peer:
            torch_samples.append(peer.images_per_s())
    row = dict(model=name, time_steps=model['time_steps'], cores=len(CORES), batch=batch, images_per_s={f: median(v) for f, v in samples.items()})
    if peer:
        row.update(torch_images_per_s=median(torch_samples), torch_setting=peer.setting)
    for fmt, least in wanted:
        what = f'{name}, all {fmt}, {len(CORES)} core{"s" * (len(CORES) > 1)}'
        if peer:
            ratios.add(what, 'PyTorch f32', row['images_per_s'][fmt] / row['torch_images_per_s'], least,
                       f'{row["images_per_s"][fmt]:.4g} and {row["torch_images_per_s"]:.4g} images/s, {peer.setting}')
        else:
            ratios.skip(what, 'PyTorch f32', 'python3-torch is not installed')
    return row


def scale(program, name, path, rounds, ratios):
    """Two threads against one."""
    if len(CORES) < 2:
        ratios.skip('two threads', 'one', 'there is one core')
        return
    one, two = [], []
    for _ in range(rounds):
        one.append(ours(program, path, 16, 1, 'int4', CORES[:1])['int4'])
        two.append(ours(program, path, 32, 2, 'int4', CORES[:2])['int4'])
    ratios.add(f'two threads, {name}, int4', 'one', median(two) / median(one), 1.9)


def parse(text):
    name, path, *wanted = text.split('=')
    return name, path, [(f, float(least)) for f, least in (w.split(':') for w in ','.join(wanted).split(',') if w)]


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('qsvit'); ap.add_argument('models', nargs='+'); ap.add_argument('--ratios'); ap.add_argument('--json', action='store_true')
    ap.add_argument('--rounds', type=int, default=5)
    a = ap.parse_args()
    ratios, models = Ratios(a.ratios), [parse(m) for m in a.models]
    if not a.json:
        print('{}, family {}, {} cores'.format(*cpu(), len(CORES)))
    for name, path, wanted in models:
        row = measure(a.qsvit, name, path, wanted, a.rounds, ratios)
        if a.json:
            print(json.dumps(row))
            continue
        print(f'{row["model"]}: ' + ', '.join(f'{f} {r:.4g}' for f, r in row['images_per_s'].items()) + f' images/s (batch {row["batch"]} a core)'
              + (f'; PyTorch f32 {row["torch_images_per_s"]:.4g} ({row["torch_setting"]})' if 'torch_setting' in row else '; PyTorch is not installed'))
    scale(a.qsvit, models[-1][0], models[-1][1], 3, ratios)
