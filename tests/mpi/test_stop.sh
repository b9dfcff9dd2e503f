#!/bin/bash
# A run that is asked to stop, loses a rank, or is killed whole; and what is said each time.
. tests/lib.sh

spec() { # name
    cat >"$TMP/$1.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
search:
  strategy: qsvit
  formats: [int8, int6, int5, int4, int3, int2]
  sensitivity_images: 0
quantizer: {method: round, affine: f32}
constraint:
  max_top1_drop: 10
shard_images: 8
task_seconds: 0.02
ranks: 3
run: $TMP/$1
YAML
    echo "$TMP/$1.yaml"
}

records() {
    find "$TMP/$1/segments" -name '*.h5' 2>/dev/null | wc -l
}

# Starts the run and returns when it has recorded more than it had.
start() { # name
    local before tries=0
    before=$(records "$1")
    "$QSVIT" run "$TMP/$1.yaml" >"$TMP/out" 2>"$TMP/err" </dev/null &
    pid=$!
    while [ "$(records "$1")" -le "$before" ] && [ $tries -lt 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

ended() {
    wait $pid
    status=$?
    out=$(cat "$TMP/out") err=$(tail -n 1 "$TMP/err")
}

children() {
    tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

# By rank; qsvit's only child is mpirun.
ranks_of() {
    children "$(children $pid)"
}

spec whole >/dev/null
run "$QSVIT" run "$TMP/whole.yaml"
same 'an undisturbed run' 0 "$status"
whole=$(printf '%s\n' "$out" | tail -n 1 | sed 's, [^ ]*$,,')

spec torn >/dev/null
start torn
kill -TERM $pid
ended
same 'asked to stop: status 75' 75 "$status"
same 'asked to stop: says so' 'qsvit: stopped before the end; the same command goes on' "$err"

start torn
kill -KILL "$(ranks_of | tail -n 1)"
ended
same 'a killed worker: status 75' 75 "$status"
same 'a killed worker: says so, and that it goes on' 'qsvit: a rank was ended by signal 9 (Killed);' \
    "${err%% what*}"

start torn
kill -KILL "$(ranks_of | head -n 1)"
ended
same 'a killed coordinator: status 75' 75 "$status"

start torn
kill -SEGV "$(ranks_of | tail -n 1)"
ended
same 'a crashed worker: status 1' 1 "$status"

start torn
left=$(ranks_of)
kill -KILL $pid
wait $pid 2>/dev/null
tries=0
for rank in $left; do
    while [ -d "/proc/$rank" ] && [ $tries -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
done
same 'killed from above: the ranks end too' '' "$(for r in $left; do ls -d "/proc/$r" 2>/dev/null; done)"

run "$QSVIT" run "$TMP/torn.yaml"
same 'it goes on to the end' 0 "$status"
same 'and selects the same' "$whole" "$(printf '%s\n' "$out" | tail -n 1 | sed 's, [^ ]*$,,')"
finish
