"""Prints the ratios that the drivers wrote, one line each: ratios.py FILE LOAD

LOAD is the load average before they began: on a machine that others use the figures say little.
"""
import json, sys
from common import cpu


def main(path, load):
    rows = [json.loads(line) for line in open(path)]
    if not rows:
        return
    name, family = cpu()
    print(f'\nRatios on {name}, family {family} (medians of interleaved runs)')
    if load > 0.5:
        print(f'The load average was {load:.2f} at the beginning: others computed, too, and no figure is to be trusted.')
    width = max(len(r['what']) for r in rows)
    against = max(len(r['against']) for r in rows)
    print(f'{"what":<{width}}  {"against":<{against}}  measured  at least')
    for r in rows:
        if r['ratio'] is None:
            print(f'{r["what"]:<{width}}  {r["against"]:<{against}}  skipped: {r["remark"]}')
            continue
        verdict = 'reached' if r['ratio'] >= r['least'] else 'MISSED'
        remark = f' ({r["remark"]})' if r['remark'] else ''
        print(f'{r["what"]:<{width}}  {r["against"]:<{against}}  {r["ratio"]:8.2f}  {r["least"]:8.2f}  {verdict}{remark}')


if __name__ == '__main__':
    main(sys.argv[1], float(sys.argv[2]))
