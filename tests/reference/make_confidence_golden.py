"""Golden confidence sequences of a drop: make_confidence_golden.py tests/data/golden/confidence.h5

Every sum that the drop could be is put to the game of docs/search.md, "Looking early", by itself: values scaled to [0, 1],
conditional means as in section 5 of Waudby-Smith and Ramdas (arXiv 2010.09686), capital as a sum of logarithms, no search.
A group a case: x i8 [N] = 1 (only the baseline is right), -1 (only the trial), 0, in random order; alpha f64 [1]; looks u64 [n]: images
seen; low, high f64 [n]: points; limit f64 [m] points, verdict i8 [n][m]: 1 above, -1 at most, 0 open.
"""
import sys

import h5py
import numpy as np

EXCESS = 0.001 * 2.0 ** np.arange(8)


def capital(x, sums):
    """Largest capital so far against "the sum is at most k", for each k of sums [K], after 0 .. N images: [N + 1][K]."""
    n = len(x)
    y = (1 + x.astype(float)) / 2
    log_capital = np.zeros((len(EXCESS), len(sums)))
    best = np.zeros((n + 1, len(sums)))
    for t in range(n):
        left = n - t
        claimed = (sums - x[:t].sum(dtype=int) + left) / 2 / left  # mean of y among those left
        if t % 16 == 0:
            square = (1 / 4 + np.abs(x[:t]).sum(dtype=int)) / (1 + t)
            excess = EXCESS * n / left
            kelly = excess / (square + excess**2)  # for x; twice that for y
            bets = np.minimum(2 * kelly[:, None], 1 / 2 / np.where(claimed > 0, claimed, 1e9))
            start = left
        # Claims that are impossible by now have had it: their capital means nothing.
        log_capital += np.log(np.fmax(1 + bets * left / start * (y[t] - claimed), 1e-9))
        best[t + 1] = best[t]
        if (t + 1) % 16 == 0:
            best[t + 1] = np.maximum(best[t], np.exp(np.minimum(log_capital, 600)).mean(0))
    return best


def sequence(x, alpha, looks, limits):
    n = len(x)
    k = np.arange(-n, n + 1)
    up, down = capital(x, k), capital(-x, -k)  # "at most k", "at least k"
    low, high, verdict = [], [], []
    for t in looks:
        seen, left = int(x[:t].sum()), n - t
        possible = (k >= seen - left) & (k <= seen + left)
        # Where all that is possible was refuted (a case has that), the images left decide alone.
        can = k[possible]
        low.append(100 * np.append(can[up[t][possible] * alpha / 2 < 1], can[-1])[0] / n)
        high.append(100 * np.append(can[0], can[down[t][possible] * alpha / 2 < 1])[-1] / n)
        row = []
        for limit in limits:
            within = k[100 * k / n <= limit].max()
            at = n + within
            not_within = not possible[k <= within].any() or (possible[at] and up[t, at] * alpha >= 1)
            is_within = not possible[k > within].any() or (possible[at + 1] and down[t, at + 1] * alpha >= 1)
            row.append(int(not_within) - int(is_within))
        verdict.append(row)
    return low, high, verdict


def main():
    rng = np.random.default_rng(7)
    cases = [  # N, lost, won, alpha
        (1, 1, 0, 0.05), (40, 20, 5, 0.1), (333, 0, 0, 0.05), (500, 60, 20, 0.05), (700, 20, 300, 0.01), (400, 400, 0, 0.05),
        (2000, 64, 36, 0.05), (2000, 100, 20, 0.05)]
    limits = np.array([-50, -1, 0, 0.5, 1.5, 3, 10, 60])
    with h5py.File(sys.argv[1], 'w') as f:
        for i, (n, lost, won, alpha) in enumerate(cases):
            x = rng.permutation(np.repeat([1, -1, 0], [lost, won, n - lost - won])).astype(np.int8)
            looks = np.unique(np.append(np.arange(0, n, max(1, n // 25)), [n - 1, n])).astype(np.uint64)
            low, high, verdict = sequence(x, alpha, looks.astype(int), limits)
            g = f.create_group(str(i))
            for name, value in dict(x=x, looks=looks, low=low, high=high, limit=limits,
                                    verdict=np.array(verdict, np.int8)).items():
                g[name] = value
            g['alpha'] = [alpha]


if __name__ == '__main__':
    main()
