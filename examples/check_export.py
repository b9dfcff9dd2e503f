#!/usr/bin/python3
"""Does PyTorch answer as the run recorded? check_export.py RUN EXPORT.safetensors IMAGES [--first N] [--images N]

Loads what `qsvit export RUN -o EXPORT.safetensors` wrote into the PyTorch reference (tests/reference/sdtv2.py), runs it on the run's judging images
and compares, image by image, who is right with what results.h5 has of the selected setting. IMAGES: the images' IDX file (.gz or not) or an HDF5
file with `images`, such as `qsvit pack` makes of JPEG and PNG; --first: `dataset.first` of the spec; --images: only so many, which the run's order of images has first.

A membrane potential that sits on its threshold falls either way by rounding, and then an image's answer may change. On how many images that
happens is seen by running PyTorch twice, in f32 and in f64: on so many the two may differ. Where the run's multipliers are rounded
(`quantizer.affine`), which puts more potentials there, one image in twenty more. Exit status 1 where more do.
"""
import argparse
import gzip
import pathlib
import sys

import h5py
import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests' / 'reference'))
from check_trace import read_safetensors
from sdtv2 import SDTv2


def build(tensors, model):
    """The network: sizes by the tensors, what they don't say by the attributes of the run's model file."""
    depth = lambda block: 1 + max(int(k.split('.')[1]) for k in tensors if k.startswith(block + '.'))
    embed = [len(tensors[f'{d}.encode_conv.weight']) for d in ('downsample1_2', 'downsample2', 'downsample3', 'downsample4')]
    net = SDTv2(embed, int(model['classes']), int(model['input_channels']), heads=int(model['heads']), T=int(model['time_steps']),
                kd='head_kd.weight' in tensors, depths=(depth('block3'), depth('block4')))
    missing = [k for k in net.load_state_dict(tensors, strict=False).missing_keys if not k.endswith('num_batches_tracked')]
    if missing:
        sys.exit(f'the export lacks {missing[0]}')
    return net.eval()


def read_images(path):
    if h5py.is_hdf5(path):
        return h5py.File(path, 'r')['images']
    raw = (gzip.open if path.endswith('.gz') else open)(path, 'rb').read()
    dims = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], 'big') for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims + [1] * (4 - raw[3]))


def prepare(pixels, model):
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).double() / 255
    if x.shape[-1] != int(model['input_width']):  # half the size: every pixel twice
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode='nearest')
    column = lambda v: torch.tensor(np.asarray(v, float)).view(1, -1, 1, 1)
    return (x - column(model['mean'])) / column(model['std'])


def recorded(run):
    """Numbers, classes and right answers (True or False) of the judging images by the selected setting; the model's attributes."""
    with h5py.File(pathlib.Path(run) / 'results.h5', 'r') as f:
        selected = np.flatnonzero(f['trials']['is_selected'])
        if len(selected) != 1:
            sys.exit(f'{run}: has selected nothing')
        judging = f['baseline']['set'] == 0
        right = np.unpackbits(f['correct_bits'][selected[0]], bitorder='little')[:len(judging)].astype(bool)
        path = f.attrs['model']
        rows = f['baseline'][:][judging]
    with h5py.File(path.decode() if isinstance(path, bytes) else path, 'r') as f:
        return rows['image'].astype(int), rows['label'].astype(int), right[judging], dict(f.attrs)


def has_rounded_multipliers(run):
    with h5py.File(pathlib.Path(run) / 'selected.h5', 'r') as f:
        rows = f['tensors'][:]
    return any(r['format'] != 0 and r['name'].endswith(b'.multiplier') for r in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run'), parser.add_argument('export'), parser.add_argument('images')
    parser.add_argument('--first', type=int, default=0), parser.add_argument('--images', type=int, dest='n')
    a = parser.parse_args()
    numbers, labels, right, model = recorded(a.run)
    numbers, labels, right = (v[:a.n] for v in (numbers, labels, right))
    net, images = build(read_safetensors(a.export), model), read_images(a.images)
    logits = {torch.float32: [], torch.float64: []}
    with torch.no_grad():
        for at in range(0, len(numbers), 50):
            x = prepare(np.stack([images[a.first + n] for n in numbers[at:at + 50]]), model)
            for dtype in logits:
                logits[dtype].append(net.to(dtype)(x.to(dtype)).double().numpy())
    f32, f64 = (np.concatenate(v) for v in logits.values())
    ours = f32.argmax(1) == labels
    moved = int((ours != (f64.argmax(1) == labels)).sum())
    differ = int((ours != right).sum())
    print(f'{len(labels)} images: top-1 {100 * ours.mean():.2f} % by PyTorch, {100 * right.mean():.2f} % recorded; '
          f'{differ} images right in one alone; {moved} in f32 or f64 alone')
    return 0 if differ <= moved + (len(labels) // 20 if has_rounded_multipliers(a.run) else 0) else 1


if __name__ == '__main__':
    sys.exit(main())
