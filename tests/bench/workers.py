"""A sweep of the default model with one worker and with two, in turns: workers.py QSVIT MODEL FOLDER [--ratios FILE] [--json] [--rounds N]

One format on every layer, so that nothing but evaluating counts; seconds from the first task's beginning to the last one's end. Runs go to FOLDER.
"""
import argparse, json, os, subprocess
from common import CORES, Ratios, median

DATA = '/usr/share/datasets/fashion-mnist'
SPEC = """model: {model}
dataset:
  images: {data}/t10k-images-idx3-ubyte.gz
  labels: {data}/t10k-labels-idx1-ubyte.gz
  count: 4096
search:
  strategy: uniform
  formats: [int4]
quantizer: {{method: round, affine: f32}}
constraint:
  max_top1_drop: 100
shard_images: 32
task_seconds: 0.5
run: {run}
"""


def sweep(program, model, folder, workers, turn):
    run = os.path.join(folder, f'{workers}-{turn}')
    with open(run + '.yaml', 'w') as f:
        f.write(SPEC.format(model=os.path.abspath(model), data=DATA, run=run))
    done = subprocess.run([program, 'run', run + '.yaml', '--ranks', str(workers + 1)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout)
    out = subprocess.run([program, 'simulate', run + '.yaml', '--run', run, '--ranks', str(workers + 1), '--format', 'json'], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)['recorded_s']


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('qsvit'); ap.add_argument('model'); ap.add_argument('folder'); ap.add_argument('--ratios'); ap.add_argument('--json', action='store_true')
    ap.add_argument('--rounds', type=int, default=3)
    a = ap.parse_args()
    ratios, what = Ratios(a.ratios), 'two workers, a sweep of the default model'
    if len(CORES) < 2:
        ratios.skip(what, 'one', 'there is one core')
    elif not os.path.exists(DATA):
        ratios.skip(what, 'one', 'dataset-fashion-mnist is not installed')
    else:
        turns = [[sweep(a.qsvit, a.model, a.folder, n, t) for n in (1, 2)] for t in range(a.rounds)]
        one, two = (median(t[i] for t in turns) for i in (0, 1))
        if a.json:
            print(json.dumps(dict(benchmark='workers', one_s=one, two_s=two)))
        else:
            print(f'a sweep of the default model: {one:.2f} s with one worker, {two:.2f} s with two')
        ratios.add(what, 'one', one / two, 1.9)
