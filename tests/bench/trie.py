"""A sensitivity sweep at layer granularity, its trials together and each alone: trie.py QSVIT MODEL [--ratios FILE] [--json]"""
import argparse, json
from common import Ratios, qsvit

if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('qsvit'); ap.add_argument('model'); ap.add_argument('--ratios'); ap.add_argument('--json', action='store_true')
    ap.add_argument('--batch', type=int, default=8); ap.add_argument('--rounds', type=int, default=3)
    a = ap.parse_args()
    t = qsvit(a.qsvit, '--trie', '--model', a.model, '--batch', a.batch, '--rounds', a.rounds)
    if a.json:
        print(json.dumps(t))
    else:
        print('{networks} networks of {model} on {images} images: {together_s:.2f} s together, {alone_s:.2f} s each alone; '
              '{layer_forwards_asked} layer forwards asked for, {layer_forwards_done} done'.format(**t))
    Ratios(a.ratios).add('sensitivity sweep, trials together', 'each alone', t['ratio'], 2.2,
                         f'{t["layer_forwards_asked"] / t["layer_forwards_done"]:.2f} times fewer layer forwards')
