#!/bin/bash
# Killed with -9 at random moments, resumed by any number of ranks: what was recorded stays, and the
# end is the same. The seed is printed; QSV_TEST_SEED and QSV_TEST_KILLS choose others.
. tests/lib.sh
. tests/mpi/sweep.sh

seed=${QSV_TEST_SEED:-1} kills=${QSV_TEST_KILLS:-6}
RANDOM=$seed
echo "# seed $seed, $kills kills"

run "$QSVIT" run "$(ranks=1 granularity=layer sensitivity_images=64 spec whole)"
same 'the undisturbed one ends' 0 "$status"

# What is killed: everything, mpirun alone, or one rank, the coordinator too.
victims() { # pid of `qsvit run`
    local all mpirun ranks
    mapfile -t all < <(family "$1")
    mpirun=${all[1]:-$1}
    mapfile -t ranks < <(pgrep -P "$mpirun")
    case $((RANDOM % 3)) in
    0) echo "${all[@]}" ;;
    1) echo "$mpirun" ;;
    2) echo "${ranks[RANDOM % (${#ranks[@]} ? ${#ranks[@]} : 1)]:-$1}" ;;
    esac
}

equal() { # name
    run "$QSVIT" diff "$TMP/whole" "$TMP/killed"
    same "$1" 0 "$status"
    [ "$status" = 0 ] || printf '%s\n' "$out" "$err" | sed 's/^/# /'
}

file=$(granularity=layer sensitivity_images=64 spec killed) attempt=0 recorded=0 killed=0
for _ in $(seq "$kills"); do
    attempt=$((attempt + 1))
    "$QSVIT" run "$file" --ranks $((RANDOM % 4 + 1)) >"$TMP/log" 2>&1 &
    pid=$!
    wait_segments $pid "$TMP/killed" $attempt 1
    sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
    mapfile -t all < <(family $pid)
    # shellcheck disable=SC2046
    kill -9 $(victims $pid) 2>/dev/null
    wait $pid 2>/dev/null
    wait_gone "${all[@]}" || break
    found=$(sed -n 's/.*attempt [0-9]*, \([0-9]*\) records so far.*/\1/p' "$TMP/log")
    if [ "${found:-$recorded}" -lt "$recorded" ]; then
        fail "attempt $attempt finds what was recorded" "$found records, before there were $recorded"
    fi
    recorded=${found:-$recorded}
    if grep -q '^selected: ' "$TMP/log"; then # it came to its end: another one is killed then
        equal "ended after $attempt attempts, equal to the undisturbed one"
        rm -rf "$TMP/killed"
        attempt=0 recorded=0
    else
        killed=$((killed + 1))
    fi
done
same 'most kills came before the end' 1 $((2 * killed > kills))
echo "# $recorded records when the last of them began"
run "$QSVIT" run "$file"
same 'the last attempt ends' 0 "$status"
equal 'it is equal to the undisturbed one'
same 'nothing is left over' '' "$(find "$TMP/killed" -name '*.tmp' -o -name '*.damaged*')"
finish
