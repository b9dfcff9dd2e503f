"""A model file's network as the checkpoint that check_trace.py reads: make_checkpoint.py MODEL.h5 TENSORS.safetensors OUT.pth

TENSORS is `qsvit quantize -m MODEL.h5 --format-all f32 -o TENSORS.safetensors`; widths and depths are read from the tensors' shapes, the rest
from the model file's attributes.
"""
import os, sys
import h5py, torch
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_trace import read_safetensors


def main(model, tensors, out):
    a, t = dict(h5py.File(model).attrs), read_safetensors(tensors)
    depth = lambda block: 1 + max(int(k.split('.')[1]) for k in t if k.startswith(block + '.'))
    embed = [t[f'{d}.encode_conv.weight'].shape[0] for d in ('downsample1_2', 'downsample2', 'downsample3', 'downsample4')]
    for k in list(t):
        if k.endswith('.running_var'):
            t[k.replace('running_var', 'num_batches_tracked')] = torch.tensor(0)
    number = lambda name: int(a[name])
    torch.save({'model': t, 'embed': embed, 'T': number('time_steps'), 'size': number('input_height'), 'classes': number('classes'),
                'in_ch': number('input_channels'), 'heads': number('heads'), 'kd': 'head_kd.weight' in t,
                'depths': (depth('block3'), depth('block4')), 'mean': [float(v) for v in a['mean']], 'std': [float(v) for v in a['std']]}, out)


if __name__ == '__main__':
    main(*sys.argv[1:])
