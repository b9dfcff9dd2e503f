#!/usr/bin/python3
"""What accuracy costs what memory: draw_curve.py RUN OUT.png

Draws the top-1 drop of every setting of a run against the bytes of its model, with 95 % intervals, the settings that nothing measured beats in both
(the Pareto front) joined by a line, and the selected one. Compared are settings measured on every image of one set, the one on which more of
them are: judging or deciding. OUT may end in .png, .svg or .pdf.
"""
import sys

import matplotlib

matplotlib.use('Agg')  # draws without a display
import matplotlib.pyplot as plt

from read_run import read_trials


def pareto(trials):
    """Of trials sorted by bytes: those with a smaller drop than all that are cheaper."""
    return trials[trials.top1_drop < trials.top1_drop.cummin().shift(fill_value=float('inf'))]


def main(run, out):
    trials = read_trials(run)
    chosen = trials[trials.is_selected.astype(bool)]
    trials = trials[trials.all_images.astype(bool)]
    images = 'judge' if (trials.images == 'judge').mean() >= 0.5 else 'decide'
    trials = trials[trials.images == images]
    front = pareto(trials)
    fig, ax = plt.subplots(figsize=(7, 4.5), layout='constrained')
    errors = [trials.top1_drop - trials.drop_low, trials.drop_high - trials.top1_drop]
    ax.errorbar(trials.model_bytes / 1e3, trials.top1_drop, yerr=errors, fmt='o', color='0.6', ms=4, lw=0.8, label='measured')
    ax.plot(front.model_bytes / 1e3, front.top1_drop, 'o-', ms=5, label='Pareto front')
    ax.plot(chosen.model_bytes / 1e3, chosen.top1_drop, '*', ms=14, label='selected')
    ax.set(xscale='log', xlabel='model, kB', ylabel='top-1 drop, points', title=f'{run}, {trials.n_images.max():,} images ({images})')
    ax.legend()
    fig.savefig(out)
    print(f'{out}: {len(trials)} settings, {len(front)} of them on the front')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    main(*sys.argv[1:])
