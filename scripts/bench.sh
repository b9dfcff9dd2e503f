#!/usr/bin/env bash
# What `make bench` runs: how many tasks a second the coordinator hands out, within a process and
# over MPI ranks, more of them than cores; and how far qsvit simulate is off real runs with 1 and 2
# workers. JSON=1 prints lines of JSON.
set -eu
cd "$(dirname "$0")/.."
qsvit=${B:-build}/qsvit
format=${JSON:+json}
format=${format:-table}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$qsvit" bench --format "$format"
"$qsvit" bench --workers 10240 --tasks 1000000 --format "$format"
for ranks in 2 4 8; do
    "$qsvit" bench --ranks "$ranks" --tasks 20000 --format "$format"
done

# A sweep of the tiny network: seconds, in small tasks, so that what is not computing shows.
for workers in 1 2; do
    ranks=$((workers + 1))
    cat >"$tmp/$workers.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
  count: 96
calibration:
  images: $PWD/tests/data/tiny_images.h5
  first: 96
search:
  granularity: layer
  sensitivity_images: 64
constraint:
  max_top1_drop: 3
shard_images: 16
task_seconds: 0.1
run: $tmp/$workers
YAML
    "$qsvit" run "$tmp/$workers.yaml" --ranks "$ranks" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
    "$qsvit" simulate "$tmp/$workers.yaml" --run "$tmp/$workers" --ranks "$ranks" --format json >"$tmp/json"
    python3 - "$tmp/json" "$workers" "$format" <<'PY'
import json, sys
f, workers = json.load(open(sys.argv[1])), int(sys.argv[2])
real, forecast = f["recorded_s"], f["forecast_of_records_s"]
off = 100 * (forecast / real - 1)
if sys.argv[3] == "json":
    print(json.dumps({"workers": workers, "run_s": real, "simulated_s": forecast, "off_percent": off}))
else:
    print(f"simulated beside a run, {workers} worker{'s' * (workers > 1)}: "
          f"{forecast:.2f} s, it took {real:.2f} s, {off:+.1f}%")
PY
done
