"""Makes the checkpoints of this folder: python3 make.py [FOLDER] (default: its own). Needs PyTorch; made with 1.13.

The same bytes at each run (but for legacy.pth, whose storages are named by their addresses). What the tests expect of them is stated there as numbers.
"""
import argparse, collections, json, os, shutil, struct, sys, tempfile, zipfile
import torch

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(FOLDER, name)


def save(name, value, **options):
    """Under its name, which PyTorch also writes into the archive."""
    torch.save(value, path(name), **options)


def ramp(*shape):
    """0, 1/8, 2/8 ... in row-major order: exact in every type."""
    n = 1
    for s in shape:
        n *= s
    return (torch.arange(n, dtype=torch.float64) / 8).reshape(shape)


def weights():
    return collections.OrderedDict([
        ('conv.weight', ramp(2, 3, 2, 2).float()),
        ('conv.bias', torch.tensor([-1.5, 2.25])),
        ('norm.num_batches_tracked', torch.tensor(3)),
        ('threshold', torch.tensor(0.5)),
    ])


class System:
    """What a hostile checkpoint holds: unpickled by Python, it runs a command."""

    def __reduce__(self):
        return os.system, ('touch executed',)


class Builder:
    """Runs a command when its state is set."""

    def __reduce__(self):
        return collections.OrderedDict, (), {'state': System()}


class Coded:
    """A weight of a kind that only its own library can rebuild."""

    def __reduce__(self):
        return make_coded, (ramp(3).float(), 4)


def make_coded(values, bits):
    return values


def published():
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(ramp(2, 3))
        model.bias.copy_(torch.tensor([4.0, -0.25]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.ones(1, 3)).sum().backward()
    state = model.state_dict()  # an OrderedDict that also carries the modules' versions as an attribute
    for k in state:
        state[k] = state[k].clone()
    optimizer.step()
    return {'model': state, 'optimizer': optimizer.state_dict(), 'epoch': 199,
            'scaler': {'scale': 65536.0, 'growth_factor': 2.0, '_growth_tracker': 7},
            'args': argparse.Namespace(lr=1e-3, model='metaspikformer', device='cuda', blr=None),
            'max_accuracy': 2 ** 70}


def views():
    base = ramp(3, 4).float()
    return {'transposed': base.t(), 'column': base[:, 1], 'rows': base[1:], 'every_other': base[::2, ::3],
            'repeated': torch.tensor([1.0, 2.0]).reshape(2, 1).expand(2, 3), 'empty': torch.empty(0, 4)}


def itself():
    value = {'weight': ramp(2).float()}
    value['again'] = value
    loop = []
    loop.append((loop, value))
    value['loop'] = loop
    return value


def with_entries(name, source, entries):
    """A copy of an archive with further entries, as newer versions of PyTorch write them."""
    folder = source[:-len('.pth')]
    with zipfile.ZipFile(path(source)) as old, zipfile.ZipFile(path(name), 'w') as new:
        for info in old.infolist():
            new.writestr(info, old.read(info))
        for entry, data in entries.items():
            new.writestr(zipfile.ZipInfo(f'{folder}/{entry}'), data)


def with_other_folder(name, folder, value):
    with tempfile.TemporaryDirectory() as temporary:
        saved = os.path.join(temporary, folder + '.pth')
        torch.save(value, saved)
        shutil.copyfile(saved, path(name))


def safetensors(name, header, data):
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path(name), 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


def main():
    save('plain.pth', weights())
    save('published.pth', published())
    save('types.pth', {'f16': ramp(5).half(), 'bf16': ramp(5).bfloat16(), 'f64': ramp(5),
                       'i8': torch.ones(2, dtype=torch.int8), 'flags': torch.ones(2, dtype=torch.bool)})
    save('views.pth', views())
    save('prefix.pth', {'module.' + k: v for k, v in weights().items()})
    save('state_dict.pth', {'best': {'a': ramp(1), 'b': ramp(1)}, 'state_dict': {'weight': ramp(3).float()}})
    save('deep.pth', {'info': {'mean': ramp(3)}, 'nets': {'teacher': {'x': ramp(1)}, 'student': {'a': ramp(2), 'b': ramp(1)}}})
    save('parameters.pth', {'weight': torch.nn.Parameter(ramp(2).float())})
    save('protocol4.pth', {'model': weights(), 'args': argparse.Namespace(tags={'a'}, blob=b'xyz')}, pickle_protocol=4)
    save('unknown.pth', {'weight': Coded(), 'bias': ramp(2).float()})
    save('hostile.pth', {'model': {'weight': ramp(2).float(), 'bias': System()}, 'args': System(), 'built': Builder()})
    save('itself.pth', itself())
    save('no_tensors.pth', {'epoch': 3})
    save('legacy.pth', weights(), _use_new_zipfile_serialization=False)
    with_entries('newer.pth', 'plain.pth', {'byteorder': 'little', '.format_version': '1', '.data/serialization_id': '07'})
    with_entries('big_endian.pth', 'plain.pth', {'byteorder': 'big'})
    with_entries('script.pth', 'plain.pth', {'constants.pkl': b'\x80\x02).'})
    with_other_folder('cyrillic.pth', 'модель', {'weight': ramp(2).float()})
    for name in 'published', 'protocol4':
        with zipfile.ZipFile(path(name + '.pth')) as z, open(path(name + '.pkl'), 'wb') as f:
            f.write(z.read(name + '/data.pkl'))
    values = {'F32': (ramp(2, 3).float(), 'f.weight'), 'F16': (ramp(3).half(), 'h'), 'BF16': (ramp(3).bfloat16().view(torch.int16), 'b'),
              'F64': (ramp(2), 'd'), 'I64': (torch.tensor([7]), 'count')}
    header, data = {'__metadata__': {'format': 'pt'}}, b''
    for dtype, (v, name) in values.items():
        raw = v.numpy().tobytes()
        header[name] = {'dtype': dtype, 'shape': list(v.shape), 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    safetensors('types.safetensors', header, data)


main()
