#!/bin/bash
# Ranks that hang: the sweep goes on without one, ends with the right status, in good time, and as
# if nothing had been. A rank that is stopped by SIGSTOP answers nothing, as one whose disk or node
# is gone.
. tests/lib.sh
. tests/mpi/sweep.sh

# name, timeout: as spec, with a timeout for workers
impatient() {
    local file
    file=$(spec "$1")
    echo "worker_timeout_s: $2" >>"$file"
    echo "$file"
}

# pid of qsvit, rank: that rank's process
rank_of() {
    local p
    for p in $(family "$1"); do
        grep -qz "^OMPI_COMM_WORLD_RANK=$2\$" "/proc/$p/environ" 2>/dev/null &&
            [ "$(readlink "/proc/$p/exe")" = "$(readlink -f "$QSVIT")" ] && echo "$p"
    done
}

# Starts the run and returns when it has recorded something in that attempt.
start() { # spec, run folder, attempt
    "$QSVIT" run "$1" >"$TMP/out" 2>"$TMP/log" &
    pid=$!
    wait_segments $pid "$2" "$3" 2
}

ended() {
    local began=$SECONDS
    wait $pid
    status=$?
    seconds=$((SECONDS - began))
}

# name, run: as the undisturbed one
equal() {
    run "$QSVIT" diff "$TMP/whole" "$TMP/$2"
    if [ "$status" = 0 ]; then
        pass "$1"
    else
        fail "$1" "$out" "$err"
    fi
}

run "$QSVIT" run "$(spec whole)"
same 'an undisturbed run' 0 "$status"

start "$(impatient hung 2)" "$TMP/hung" 1
kill -STOP "$(rank_of $pid 2)"
ended
same 'a hung worker: the sweep is completed' 0 "$status"
# The others may have done its task again and be through before its time is up.
named=$(grep -c '^rank 2 on .* was not heard from for 2 s; its work is given to others' "$TMP/log")
same 'a hung worker: it is named no more than once' '' "$([ "$named" -le 1 ] || echo "$named times")"
same 'a hung worker: it does not keep the run from ending' '' "$([ $seconds -lt 60 ] || echo "$seconds s")"
equal 'a hung worker: the result is the same' hung

start "$(impatient slow 2)" "$TMP/slow" 1
slow=$(rank_of $pid 1)
kill -STOP "$slow"
sleep 4
kill -CONT "$slow"
ended
same 'a worker that comes back: the sweep is completed' 0 "$status"
equal 'a worker that comes back: the result is the same' slow

start "$(impatient both 2)" "$TMP/both" 1
kill -STOP "$(rank_of $pid 1)" "$(rank_of $pid 2)"
ended
same 'no worker is left: the status is 75' 75 "$status"
same 'no worker is left: it says so' 'qsvit: no worker is left' "$(tail -n 1 "$TMP/log" | cut -c 1-24)"
run "$QSVIT" run "$TMP/both.yaml"
same 'no worker is left: the same command goes on' 0 "$status"
equal 'no worker is left: and ends the same' both

for signal in USR1 TERM; do
    start "$(spec "deaf$signal")" "$TMP/deaf$signal" 1
    kill -STOP "$(rank_of $pid 2)"
    kill -$signal $pid
    ended
    same "$signal, a worker does not answer: status 75" 75 "$status"
    same "$signal, a worker does not answer: within 10 s" '' "$([ $seconds -le 10 ] || echo "$seconds s")"
done
equal_after() {
    run "$QSVIT" run "$TMP/$1.yaml"
    same 'it goes on' 0 "$status"
    equal 'and ends the same' "$1"
}
equal_after deafTERM

start "$(spec coordinator)" "$TMP/coordinator" 1
kill -STOP "$(rank_of $pid 0)"
kill -TERM $pid
sleep 0.5
kill -TERM $pid
ended
same 'a second signal ends it even where the coordinator hangs' 75 "$status"
same 'at once' '' "$([ $seconds -le 6 ] || echo "$seconds s")"

# Started by the user's own mpirun, which passes USR1 on.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun --oversubscribe -np 3 "$QSVIT" run "$(spec own)" >"$TMP/out" 2>"$TMP/log" &
pid=$!
wait_segments $pid "$TMP/own" 1 2
kill -USR1 $pid
ended
same "mpirun that gets USR1 ends with 75" 75 "$status"
run "$QSVIT" run "$TMP/own.yaml"
equal 'and the run goes on without mpirun' own
finish
