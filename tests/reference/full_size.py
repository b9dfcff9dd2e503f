#!/usr/bin/python3
"""Published sizes of SDTv2 through import and engine: full_size.py [--models 15M,31M,55M] [--time-steps 1,4] [--heads 1,2] [--formats f32,int4]

For every combination a checkpoint as make_random.py --published --momenta writes it (optimizer's state, scaler and arguments beside the
weights), 3x224x224, 1000 classes, heads: 2 with a distillation head. `qsvit import` reads it, every spike of every neuron is judged by
check_trace.py on --images images in each format. Logits of networks of this size can't be compared: a potential that lies on the
threshold falls either way, in PyTorch's own f32 and f64 too.

Prints a table, a line for each combination and format as soon as it is known; exit 1 where a spike is wrong or something fails.
$B/qsvit (build/qsvit) is the program, $TMPDIR (/tmp) takes up to 4 GB. All twelve take less than an hour on two cores.
"""
import argparse, os, re, subprocess, sys, tempfile
HERE = os.path.dirname(os.path.abspath(__file__))

WIDTHS = {'15M': [64, 128, 256, 360], '31M': [96, 192, 384, 480], '55M': [128, 256, 512, 640]}
SIZE, CLASSES = 224, 1000
QSVIT = os.path.join(os.environ.get('B', 'build'), 'qsvit')
COLUMNS = ('model', 'T', 'heads', 'format', 'checkpoint', 'import', 'its peak', 'eval peak', 'spikes', 'wrong', 'on threshold', 'logits off')
UNITS = ('', '', '', '', 'MB', 'cpu s', 'MiB', 'MiB', '', '', '', '')


# By a process of its own: what this one takes would count as what its children took.
MAKE_IMAGES = """
import sys; sys.path.insert(0, sys.argv[1])
import h5py; from make_random import random_images
n, size = map(int, sys.argv[3:])
with h5py.File(sys.argv[2], 'w') as f:
    f['images'] = random_images(n, 3, size, 99).numpy().transpose(0, 2, 3, 1)
    f['labels'] = [0] * n
"""


class Failed(Exception):
    pass


def call(*command):
    """Runs a command: its output, processor seconds, and the most memory that it took, MB."""
    with tempfile.TemporaryFile('w+') as out:
        child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    return child.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def need(*command):
    status, text, seconds, peak = call(*command)
    if status:
        raise Failed(f'status {status}: {" ".join(map(str, command))}\n{text}')
    return text, seconds, peak


def make_checkpoint(path, model, steps, heads, images):
    need(sys.executable, os.path.join(HERE, 'make_random.py'), path, '--embed', *WIDTHS[model], '--T', steps, '--size', SIZE, '--classes', CLASSES,
         '--batch', 2, '--batches', 2, '--published', '--momenta', *(['--kd'] if heads == 2 else []))
    need(sys.executable, '-c', MAKE_IMAGES, HERE, images, ARGS.images, SIZE)


def judge(model, checkpoint, images, fmt, folder):
    """Spikes, wrong ones, those on the threshold, how far logits are off, and the engine's peak."""
    q, dequantized, trace = (os.path.join(folder, f) for f in ('q.h5', 'q.safetensors', 'trace.h5'))
    for out in (q, dequantized):
        need(QSVIT, 'quantize', '-m', model, '--format-all', fmt, '-o', out)
    _, _, peak = need(QSVIT, 'eval', '-m', q, '-d', images, '--trace', trace)
    status, text, _, _ = call(sys.executable, os.path.join(HERE, 'check_trace.py'), checkpoint, trace, '--weights', dequantized)
    found = re.search(r'(\d+) spikes: (\d+) wrong, (\d+) on the threshold .* logits off by (\S+)', text)
    for f in (q, dequantized, trace):
        os.remove(f)
    if not found or (status and int(found[2]) == 0 and float(found[4]) <= 1e-4):
        raise Failed(f'check_trace.py, status {status}\n{text}')
    if status:
        print(text, file=sys.stderr)
    return *found.groups(), peak, status == 0


def show(row):
    print('  '.join(f'{c:>{max(len(h), 8)}}' for c, h in zip(row, COLUMNS)), flush=True)


def try_one(name, steps, heads):
    good = True
    with tempfile.TemporaryDirectory(prefix='qsvit-full-') as folder:
        checkpoint, model, images = (os.path.join(folder, f) for f in ('c.pth', 'm.h5', 'images.h5'))
        make_checkpoint(checkpoint, name, steps, heads, images)
        _, seconds, peak = need(QSVIT, 'import', checkpoint, '-o', model, '--time-steps', steps)
        size = os.path.getsize(checkpoint) / 1e6
        for fmt in ARGS.formats.split(','):
            spikes, wrong, near, off, eval_peak, ok = judge(model, checkpoint, images, fmt, folder)
            show((name, steps, heads, fmt, f'{size:.0f}', f'{seconds:.1f}', f'{peak:.0f}', f'{eval_peak:.0f}', spikes, wrong, near, off))
            good = good and ok
    return good


def main():
    good = True
    show(COLUMNS)
    show(UNITS)
    for name in ARGS.models.split(','):
        for steps in map(int, ARGS.time_steps.split(',')):
            for heads in map(int, ARGS.heads.split(',')):
                try:
                    good = try_one(name, steps, heads) and good
                except Failed as why:
                    print(f'{name}, T={steps}, heads {heads}: {why}', file=sys.stderr, flush=True)
                    good = False
    return 0 if good else 1


if __name__ == '__main__':
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--models', default='15M,31M,55M'); ap.add_argument('--time-steps', default='1,4'); ap.add_argument('--heads', default='1,2')
    ap.add_argument('--formats', default='f32,int4'); ap.add_argument('--images', type=int, default=1)
    ARGS = ap.parse_args()
    sys.exit(main())
