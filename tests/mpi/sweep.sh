# shellcheck shell=bash
# For tests that run sweeps: a spec that takes a second or two, in many small tasks.

spec() { # name, search lines..., then the file's name is printed
    local file=$TMP/$1.yaml
    cat >"$file" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
  count: 96
calibration:
  images: $PWD/tests/data/tiny_images.h5
  first: 96
search:
  strategy: ${strategy:-qsvit}
  granularity: ${granularity:-block}
  formats: [int8, int6, int4, int2]
  sensitivity_images: ${sensitivity_images:-32}
constraint:
  max_top1_drop: ${bound:-5}
quantizer:
  method: round
  scale: ${scale:-mse}
  affine: f32
shard_images: 8
task_seconds: 0.02
ranks: ${ranks:-3}
threads: ${threads:-1}
run: $TMP/$1
YAML
    echo "$file"
}

# A process and all that it started, by their ids.
family() { # pid
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do
        family "$child"
    done
}

# Until none of these processes is left; those of a launcher that was killed end by themselves.
wait_gone() { # pid...
    local pid
    for _ in $(seq 200); do
        for pid in "$@"; do
            if kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; then
                sleep 0.1
                continue 2
            fi
        done
        return 0
    done
    echo "# still there: $*"
    return 1
}

# The highest number in the names of an attempt's segments; those that were folded are gone again.
last_segment() { # run folder, attempt
    local last
    last=$(find "$1/segments" -name "$2-*.h5" 2>/dev/null | sed 's/.*-//; s/\.h5//' | sort -n | tail -n 1)
    echo "${last:-0}"
}

# Until a rank of that attempt has written that many segments, or the run's process has ended.
wait_segments() { # pid, run folder, attempt, how many
    while kill -0 "$1" 2>/dev/null && [ "$(last_segment "$2" "$3")" -lt "$4" ]; do
        sleep 0.02
    done
}
