"""What the benchmarks' drivers share: running programs pinned to cores, and the table of ratios.

A ratio is a line of JSON in the file that --ratios names: what was measured against what, the ratio of medians, and the least that it should be.
"""
import json, os, statistics, subprocess

CORES = sorted(os.sched_getaffinity(0))


def cpu():
    """Name, and family: 25 is Zen 3 and 4, 26 Zen 5."""
    fields = {}
    for line in open('/proc/cpuinfo'):
        key, _, value = line.partition(':')
        fields.setdefault(key.strip(), value.strip())
    return fields.get('model name', 'unknown CPU'), int(fields.get('cpu family', 0))


def start(command, cores, threads, **more):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads))
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, cores), **more)


def finish(process, given=None):
    out, _ = process.communicate(given)
    if process.returncode:
        raise SystemExit(f'{process.args[0]}: status {process.returncode}')
    return out


def qsvit(program, *arguments, cores=CORES[:1]):
    """`qsvit bench` on these cores: what it prints in JSON."""
    return json.loads(finish(start([program, 'bench', *map(str, arguments), '--format', 'json'], cores, 1)))


median = statistics.median


class Ratios:
    def __init__(self, path):
        self.path = path

    def add(self, what, against, ratio, least, remark=''):
        row = dict(what=what, against=against, ratio=ratio, least=least, remark=remark)
        if self.path:
            with open(self.path, 'a') as f:
                f.write(json.dumps(row) + '\n')

    def skip(self, what, against, why):
        self.add(what, against, None, None, why)
