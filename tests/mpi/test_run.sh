#!/bin/bash
# A sweep gives the same whatever the number of ranks, stops when it is asked to, goes on where it
# was, and refuses what does not belong together.
. tests/lib.sh
. tests/mpi/sweep.sh

# name, run[, other]: it ended as the other one did, the first
equal() {
    run "$QSVIT" diff "$TMP/${3:-alone}" "$TMP/$2"
    if [ "$status" = 0 ]; then
        pass "$1"
    else
        fail "$1" "$out" "$err"
    fi
}

ranks=1 run "$QSVIT" run "$(ranks=1 spec alone)"
same 'one rank alone runs' 0 "$status"
selected=$(printf '%s\n' "$out" | tail -n 1 | sed 's/, [^,]*$//')
same 'it selects' 'selected: weights saved' "${selected%% [0-9]*}"
for n in 2 3 8; do
    run "$QSVIT" run "$(ranks=$n spec "ranks$n")"
    same "$n ranks run" 0 "$status"
    equal "$n ranks give the same" "ranks$n"
done

for name in greedy beam; do
    for n in 1 3; do
        run "$QSVIT" run "$(strategy=$name ranks=$n spec "$name$n")"
        same "$name runs on $n ranks" 0 "$status"
    done
    equal "$name gives the same on 3 ranks" "${name}3" "${name}1"
done

for n in 1 3; do
    run env -u OMP_NUM_THREADS "$QSVIT" run "$(ranks=$n threads=2 spec "threads$n")"
    same "$n ranks of two threads run" 0 "$status"
    same "$n ranks of two threads say so" 1 "$(printf '%s\n' "$err" | grep -c 'of 2 threads')"
    equal "$n ranks of two threads give the same" "threads$n"
done
run env OMP_NUM_THREADS=7 taskset -c 0 "$QSVIT" run "$(ranks=2 spec narrow)" --threads 3
same 'three threads on one core run' 0 "$status"
same 'a mask of fewer cores than threads is told' 1 \
    "$(printf '%s\n' "$err" | grep -c 'has 1 for 3; ')"
same 'OMP_NUM_THREADS is told to count for nothing' 1 \
    "$(printf '%s\n' "$err" | grep -c '^OMP_NUM_THREADS is 7, but')"
equal 'three threads on one core give the same' narrow

run "$QSVIT" run "$TMP/alone.yaml" --ranks 2
same 'a finished run can be run again' 0 "$status"
same 'nothing is evaluated again' '' "$(printf '%s\n' "$err" | grep 'images/s')"
equal 'and changes nothing' alone

for signal in TERM USR1 INT; do
    file=$(spec "stop$signal")
    # A shell's background job ignores INT unless told otherwise.
    env --default-signal=INT "$QSVIT" run "$file" >"$TMP/log" 2>&1 &
    pid=$!
    wait_segments $pid "$TMP/stop$signal" 1 3
    kill -$signal $pid
    wait $pid
    same "$signal stops it" 75 $?
    same "$signal: it says so, once" 1 "$(grep -c '^qsvit: stopped before the end' "$TMP/log")"
    same "$signal: it is no longer held" '' "$(ls "$TMP/stop$signal/lock" 2>/dev/null)"
    run "$QSVIT" run "$file" --ranks 2
    same "$signal: the same command goes on" 0 "$status"
    same "$signal: from what was recorded" 1 "$(printf '%s\n' "$err" | grep -cE 'attempt 2, [1-9][0-9]* records so far')"
    equal "$signal: and ends the same" "stop$signal"
done

# One rank is told and not the launcher, as by a batch system that signals processes.
file=$(spec worker)
"$QSVIT" run "$file" >"$TMP/log" 2>&1 &
pid=$!
wait_segments $pid "$TMP/worker" 1 3
ranks_of_run=$(for p in $(family $pid); do
    grep -qz '^OMPI_COMM_WORLD_RANK=2$' "/proc/$p/environ" 2>/dev/null && echo "$p"
done)
kill -TERM $ranks_of_run
wait $pid
same 'a worker that is told to stop stops the run' 75 $?
run "$QSVIT" run "$file"
equal 'which goes on' worker

file=$(spec held)
"$QSVIT" run "$file" >"$TMP/log" 2>&1 &
pid=$!
wait_segments $pid "$TMP/held" 1 2
run "$QSVIT" run "$file" --ranks 1
same 'a run that is going on is not for others' 2 "$status"
wait $pid
same 'and is not disturbed' 0 $?
equal 'and ends the same' held

refuse 'another quantizer is refused by name' 'quantizer' "$QSVIT" run "$(scale=max ranks=1 spec held)"
run "$QSVIT" run "$(scale=max spec held)"
same 'by many ranks too' 2 "$status"
same 'once' 1 "$(printf '%s\n' "$err" | grep -c quantizer)"
run "$QSVIT" run "$(scale=max spec held)" --fresh
same 'it may start over' 0 "$status"
run "$QSVIT" diff "$TMP/alone" "$TMP/held.old-1"
same 'what was there is kept' 0 "$status"

run "$QSVIT" run "$(bound=20 spec alone)" --ranks 2
same 'a changed bound goes on in the same run' 0 "$status"
same 'with what is recorded' 1 "$(printf '%s\n' "$err" | grep -c '^sensitivity: .*recorded already')"

cat >>"$(spec unmet)" <<YAML
pins:
  "*": int2
YAML
run "$QSVIT" run "$TMP/unmet.yaml"
same 'where nothing meets the constraint the status is 3' 3 "$status"
same 'the nearest is shown' 'nearest: weights saved' "$(printf '%s\n' "$out" | tail -n 1 | sed 's/ [0-9].*//')"
finish
