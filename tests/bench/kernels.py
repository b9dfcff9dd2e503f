"""Layers of 31M by themselves beside oneDNN, on one core: kernels.py QSVIT PEER [--ratios FILE] [--json] [--turns N]

qsvit and the peer take turns; what counts is the median of the turns. PEER is what tests/bench/peer_onednn.c was compiled to; '' where oneDNN is not installed.
"""
import argparse, json, resource, time
from subprocess import PIPE
from common import CORES, Ratios, cpu, finish, median, qsvit, start

SPIKES = ['int8', 'int4', 'int2', 'ternary', 'binary']
FORMATS = SPIKES + ['f32']
CONV3, POINTWISE = ('conv3x3', 'conv3x3s2'), ('conv1x1', 'linear')
KINDS = ['conv3x3', 'conv3x3s2', 'conv1x1', 'linear', 'depthwise', 'real1x1', 'real_depthwise', 'stem']


def key(layer):
    return layer['layer'], layer['rate_asked']


def case(layer):
    """A line for the peer."""
    k, depthwise = layer['kernel'], 'depthwise' in layer['kind']
    how = 'matmul' if layer['kind'] == 'linear' else 'conv'
    shape = [layer['in'][0] if depthwise else 1, *layer['in'], *layer['out'], k, layer['stride'], k // 2, layer['frames'], layer['rate_asked']]
    return ' '.join([f'{layer["layer"]}@{layer["rate_asked"]}', how, *map(str, shape)])


def run_peer(peer, layers, rounds):
    cases = {key(l): case(l) for l in layers if l['kind'] in KINDS}
    out = finish(start([peer, str(rounds)], CORES[:1], 1, stdin=PIPE), '\n'.join(cases.values()) + '\n')
    result = {}
    for line in out.splitlines():
        r = json.loads(line)
        layer, rate = r['name'].rsplit('@', 1)
        result[(layer, float(rate)), r['type']] = r['seconds']
    return result


def total(layers, seconds):
    """Dense multiply-accumulates a second over layers, each as often as the model has it."""
    return sum(l['macs'] * l['frames'] * l['count'] for l in layers) / sum(seconds(l) * l['count'] for l in layers)


class Measured:
    def __init__(self, turns, rounds, program, peer, arguments):
        self.ours, self.peers, self.layers = {}, {}, {}
        began_s, began_cpu_s = time.monotonic(), self.cpu_s()
        for _ in range(turns):
            result = qsvit(program, '--kernels', '--formats', ','.join(FORMATS), '--rounds', rounds, *arguments)
            for l in result['layers']:
                self.layers[key(l), l['format']] = l
                self.ours.setdefault((key(l), l['format']), []).append(l['seconds'])
            once = [l for l in result['layers'] if l['format'] == FORMATS[0]]
            for k, seconds in (run_peer(peer, once, rounds) if peer else {}).items():
                self.peers.setdefault(k, []).append(seconds)
        self.had_core = (self.cpu_s() - began_cpu_s) / (time.monotonic() - began_s)
        self.machine = {k: result[k] for k in ('cpu', 'isa', 'model', 'time_steps', 'batch')}

    @staticmethod
    def cpu_s():
        """Of children that have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def pick(self, kinds, fmt, rate):
        return [l for (k, f), l in self.layers.items() if l['kind'] in kinds and f == fmt and l['rate_asked'] == rate]

    def seconds(self, l):
        return median(self.ours[key(l), l['format']])

    def peer_seconds(self, l, precision):
        return median(self.peers[key(l), precision])

    def compare(self, kinds, fmt, rate, precision):
        """G MAC/s of qsvit and of the peer over all layers of these kinds, and the ratio of the worst layer."""
        layers = self.pick(kinds, fmt, rate)
        if not layers:
            return None
        ours, theirs = total(layers, self.seconds), total(layers, lambda l: self.peer_seconds(l, precision))
        worst = min(layers, key=lambda l: self.peer_seconds(l, precision) / self.seconds(l))
        return ours / 1e9, theirs / 1e9, self.peer_seconds(worst, precision) / self.seconds(worst), worst['layer']

    def rates(self, kinds):
        return sorted({l['rate_asked'] for l in self.layers.values() if l['kind'] in kinds})


def number(value, width, digits):
    return f'{value:{width}.{digits}f}' if value else '-'.rjust(width)


def print_table(m):
    print('{cpu}, {isa}; {model}, T={time_steps}, batch {batch}; one core'.format(**m.machine)
          + (f', which the programs had for only {100 * m.had_core:.0f} % of the time' if m.had_core < 0.97 else ''))
    print(f'{"kind":<15} {"format":<8} {"rate":>5} {"G MAC/s":>8} {"oneDNN int8":>12} {"f32":>7} {"ratio to int8":>14} {"to f32":>7}  worst layer')
    for kind in KINDS:
        for fmt in FORMATS:
            for rate in m.rates((kind,)):
                ours, f32, worst, layer = m.compare((kind,), fmt, rate, 'f32')
                int8 = 0
                if rate:
                    _, int8, *of_int8 = m.compare((kind,), fmt, rate, 'int8')
                    worst, layer = (worst, layer) if fmt == 'f32' else of_int8
                print(f'{kind:<15} {fmt:<8} {number(100 * rate, 4, 0)}{"%" if rate else " "} {ours:8.1f} {number(int8, 12, 1)} {f32:7.1f} '
                      f'{number(int8 and ours / int8, 14, 2)} {ours / f32:7.2f}  {worst:.2f} {layer}')


def print_json(m):
    rows = []
    for kind in KINDS:
        for fmt in FORMATS:
            for rate in m.rates((kind,)):
                for precision in ('int8', 'f32') if rate else ('f32',):
                    ours, theirs, worst, layer = m.compare((kind,), fmt, rate, precision)
                    rows.append(dict(kind=kind, format=fmt, rate=rate, gmacs=ours, peer=f'oneDNN {precision}', peer_gmacs=theirs, ratio=ours / theirs,
                                     worst_ratio=worst, worst_layer=layer))
    print(json.dumps(dict(m.machine, benchmark='kernels beside oneDNN', had_core=m.had_core, rows=rows)))


def add_ratios(m, ratios):
    zen5 = cpu()[1] >= 26

    def least(kinds, formats, precision='int8'):
        """The lowest over rates and formats, with where it was."""
        found = []
        for fmt in formats:
            for rate in m.rates(kinds):
                ours, theirs, worst, layer = m.compare(kinds, fmt, rate, precision)
                found.append((ours / theirs, f'{fmt}{f" at {100 * rate:.0f} %" if rate else ""}; worst layer {worst:.2f}, {layer}'))
        return min(found)

    few = ['int2', 'ternary', 'binary']
    for what, kinds, formats, at_least in (('3x3 spike layers, int4', CONV3, ['int4'], 2.6 if zen5 else 3.0),
                                           ('3x3 spike layers, int2, ternary, binary', CONV3, few, 3.0 if zen5 else 3.6),
                                           ('1x1 and fully connected spike layers, int4 and less', POINTWISE, ['int4'] + few, 2.5),
                                           ('both, int8', CONV3 + POINTWISE, ['int8'], 1.5)):
        ratio, where = least(kinds, formats)
        ratios.add(what, 'oneDNN int8', ratio, at_least, 'lowest: ' + where)
    ratio, where = least(('real1x1',), FORMATS, 'f32')
    ratios.add('real-valued 1x1', 'oneDNN f32', ratio, 0.85, 'lowest: ' + where)


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('qsvit'); ap.add_argument('peer'); ap.add_argument('--ratios'); ap.add_argument('--json', action='store_true')
    ap.add_argument('--turns', type=int, default=3); ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--options', default='', help='more options for qsvit bench --kernels, as one argument')
    a = ap.parse_args()
    m, ratios = Measured(a.turns if a.peer else 1, a.rounds, a.qsvit, a.peer, a.options.split()), Ratios(a.ratios)
    if a.peer:
        print_json(m) if a.json else print_table(m)
        add_ratios(m, ratios)
    else:
        ratios.skip('layers of 31M', 'oneDNN', 'libdnnl-dev is not installed')
        for l in m.layers.values() if a.json else ():
            print(json.dumps(l))
