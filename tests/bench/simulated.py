"""qsvit simulate beside the runs that it learns from: simulated.py QSVIT FOLDER [--json] [--rounds N]

Sweeps of the tiny network (seconds, in small tasks, so that what is not computing shows) and of the default model, by one worker and by two in turns. Each is forecast
from its own task times by several seeds: how far they lie apart is what tasks of one run differ by. Runs go to FOLDER.
"""
import argparse, json, os, subprocess
from common import CORES, median

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '../..'))
DATA = '/usr/share/datasets/fashion-mnist'
TINY = f"""model: {TOP}/tests/data/tiny.h5
dataset:
  images: {TOP}/tests/data/tiny_images.h5
  count: 96
calibration:
  images: {TOP}/tests/data/tiny_images.h5
  first: 96
search:
  strategy: qsvit
  formats: [int6, int4, int3, int2]
  sensitivity_images: 64
quantizer: {method: round, affine: f32}
constraint:
  max_top1_drop: 3
shard_images: 16
task_seconds: 0.1
"""
DEFAULT = f"""model: {TOP}/models/sdtv2_fmnist_t4.h5
dataset:
  images: {DATA}/t10k-images-idx3-ubyte.gz
  labels: {DATA}/t10k-labels-idx1-ubyte.gz
  count: 512
calibration:
  images: {DATA}/train-images-idx3-ubyte.gz
  labels: {DATA}/train-labels-idx1-ubyte.gz
  first: 20000
  count: 1024
search:
  strategy: frontier
  formats: [int4, int3, int2, ternary, binary]
  sensitivity_images: 128
  decision_images: 256
quantizer:
  method: searched
  affine: f32
  images: 256
constraint:
  max_top1_drop: 1.5
shard_images: 32
task_seconds: 1
"""
SEEDS = range(1, 10)


def run(program, spec, folder, workers):
    """Seconds from the first task to the last, and those of forecasts."""
    with open(folder + '.yaml', 'w') as f:
        f.write(spec + f'run: {folder}\n')
    ranks = ['--ranks', str(workers + 1)]
    done = subprocess.run([program, 'run', folder + '.yaml', *ranks], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout)
    forecasts = [json.loads(subprocess.run([program, 'simulate', folder + '.yaml', '--run', folder, *ranks, '--seed', str(s), '--format', 'json'], check=True,
                                           stdout=subprocess.PIPE, text=True).stdout) for s in SEEDS]
    return forecasts[0]['recorded_s'], [f['forecast_of_records_s'] for f in forecasts]


def compare(program, name, spec, folder, rounds, as_json):
    for turn in range(rounds):
        for workers in (1, 2)[:len(CORES)]:
            took, forecasts = run(program, spec, os.path.join(folder, f'{name.split()[0]}-{workers}-{turn}'), workers)
            off = sorted(100 * (f / took - 1) for f in forecasts)
            if as_json:
                print(json.dumps(dict(benchmark='simulated', model=name, workers=workers, run_s=took, simulated_s=median(forecasts), off_percent=median(off),
                                      off_least=off[0], off_most=off[-1])))
            else:
                print(f'{name}, {workers} worker{"s" * (workers > 1)}: a run of {took:.2f} s, simulated {median(forecasts):.2f} s, {median(off):+.1f} % '
                      f'({off[0]:+.1f} to {off[-1]:+.1f} % by {len(off)} seeds)', flush=True)


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('qsvit'); ap.add_argument('folder'); ap.add_argument('--json', action='store_true'); ap.add_argument('--rounds', type=int, default=3)
    a = ap.parse_args()
    folder = os.path.abspath(a.folder)
    compare(a.qsvit, 'tiny network', TINY, folder, a.rounds, a.json)
    if os.path.exists(DATA):
        compare(a.qsvit, 'default model', DEFAULT, folder, 1, a.json)
    else:
        print('the default model beside its simulation: skipped, dataset-fashion-mnist is not installed')
