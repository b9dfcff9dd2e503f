#!/bin/bash
# Disturbs a sweep of the tiny model in every way there is and lets it go on, again and again; each
# time that it comes to its end it must equal an undisturbed one. With 1 to 4 ranks: kill -9 of all,
# of mpirun or of one rank, at a random moment; death or failure of one of its writes (QSV_FAULT);
# a stop by a signal; and between the attempts, files that are cut or changed.
#
#     tests/mpi/soak.sh MINUTES       or KILLS=n tests/mpi/soak.sh
#
# SEED chooses the random numbers. Prints a line of counts at the end; every check is a test in TAP.
. tests/lib.sh
. tests/mpi/sweep.sh

minutes=${1:-0} most=${KILLS:-1000000000} seed=${SEED:-1}
RANDOM=$seed
[ "$minutes" = 0 ] && [ "$most" = 1000000000 ] && most=24
until=$((SECONDS + minutes * 60))
echo "# seed $seed"

kills=0 resumes=0 stops=0 write_failures=0 damages=0 ends=0 lost=0 again=0 differences=0
recorded=0 # records that are known to be on disk
waits='' # a damaged file that an attempt has yet to find: it may die before it gets there
is_new=1

run "$QSVIT" run "$(ranks=1 granularity=layer sensitivity_images=64 spec whole)"
same 'the undisturbed one ends' 0 "$status"
run "$QSVIT" verify "$TMP/whole"
same 'and is good' 0 "$status"
file=$(granularity=layer sensitivity_images=64 spec killed)
echo "flush_interval_s: 0.1" >>"$file"

# A number from 0 to $1 - 1; RANDOM has only 15 bits and must not be asked in a subshell.
pick() { # below
    number=$((RANDOM % $1))
}

wrong() { # what, log
    fail "$1" "$(tail -n 5 "$TMP/log")" "$out" "$err"
}

# Of one rank alone, or all that the launcher started.
victims() { # pid of `qsvit run`
    local mpirun ranks
    mapfile -t all < <(family "$1")
    mpirun=${all[1]:-$1}
    mapfile -t ranks < <(pgrep -P "$mpirun")
    pick 4
    case $number in
    0) chosen=("${all[@]}") ;;
    1) chosen=("$mpirun") ;;
    *)
        [ ${#ranks[@]} = 0 ] && ranks=("$1")
        pick ${#ranks[@]}
        chosen=("${ranks[number]}")
        ;;
    esac
}

start() { # ranks, fault
    if [ $is_new = 1 ]; then is_new=0; else resumes=$((resumes + 1)); fi
    QSV_FAULT=$2 "$QSVIT" run "$file" --ranks "$1" >"$TMP/log" 2>&1 </dev/null &
    pid=$!
}

ended() {
    wait $pid 2>/dev/null
    status=$?
}

# After 0 to 1.5 seconds, from its very start to its end.
a_moment_later() {
    pick 1500
    sleep "$(printf '%d.%03d' $((number / 1000)) $((number % 1000)))"
}

kill_it() {
    start "$1" ''
    a_moment_later
    victims $pid
    if kill -9 "${chosen[@]}" 2>/dev/null; then kills=$((kills + 1)); fi
    ended
    wait_gone "${all[@]}" || wrong 'every process ends'
}

# What mpirun makes of ranks that died is not looked at, but that nothing stays behind.
die_at_a_write() {
    pick 150
    start "$1" "any:$((number + 1)):kill"
    sleep 0.05
    mapfile -t all < <(family $pid)
    ended
    wait_gone "${all[@]}" || wrong 'every process ends'
    if [ $status != 0 ]; then kills=$((kills + 1)); fi
}

fail_a_write() {
    local errors=(ENOSPC EDQUOT EIO EROFS) plus=('' +)
    pick 150
    local n=$((number + 1))
    pick 4
    local error=${errors[number]}
    pick 2
    start "$1" "any:$n${plus[number]}:$error"
    ended
    case $status in
    0) ;; # not so many calls
    1)
        write_failures=$((write_failures + 1))
        grep -q '^qsvit: .*: .*\(No space\|quota\|Input/output\|Read-only\)' "$TMP/log" ||
            wrong "call $n failed with $error: it says so"
        ;;
    *) wrong "call $n failed with $error: status 1, found $status" ;;
    esac
}

stop_it() {
    start "$1" ''
    a_moment_later
    kill -TERM $pid 2>/dev/null
    ended
    case $status in
    0 | 75 | 143) stops=$((stops + 1)) ;; # 143: it was not listening yet
    *) wrong "asked to stop: status 75, found $status" ;;
    esac
}

# Everything on disk is good, and what was there before is still there.
check() {
    local found
    [ -d "$TMP/killed/segments" ] || return
    run "$QSVIT" verify "$TMP/killed"
    if [ "$status" = 0 ]; then
        waits=''
    elif [ "$(printf '%s\n' "$out" | sed -n 's/^DAMAGED \([^:]*\):.*/\1/p')" != "$waits" ]; then
        wrong 'what is on disk is good'
    fi
    found=$(printf '%s\n' "$out" | sed -n 's/^together: \([0-9]*\) .*/\1/p')
    if [ "${found:-$recorded}" -lt "$recorded" ]; then
        lost=$((lost + recorded - found))
        wrong "records: $found, there were $recorded"
    fi
    recorded=${found:-$recorded}
}

damage_a_file() {
    local files bytes path found
    mapfile -t files < <(find "$TMP/killed" -name '*.h5' | sort)
    [ ${#files[@]} != 0 ] && [ -z "$waits" ] || return
    pick ${#files[@]}
    path=${files[number]} bytes=$(stat -c %s "$path")
    damages=$((damages + 1))
    pick 2
    if [ $number = 0 ]; then
        truncate -s $(((RANDOM * 32768 + RANDOM) % bytes)) "$path"
    else
        printf '\377\0\252U' | dd of="$path" bs=1 seek=$(((RANDOM * 32768 + RANDOM) % bytes)) \
            conv=notrunc status=none
    fi
    run "$QSVIT" verify "$TMP/killed"
    # selected.h5 counts from when it was compared with the records.
    if [ "$status" != 0 ]; then
        waits=$path
    elif [ "${path##*/}" != selected.h5 ]; then
        wrong "damage to ${path##*/} is found"
    fi
    pick 2
    if [ $number = 0 ]; then
        run "$QSVIT" repair "$TMP/killed"
        same 'repair ends' 0 "$status"
        run "$QSVIT" verify "$TMP/killed"
        same 'what was repaired is good' 0 "$status"
        waits=''
    fi
    found=$(printf '%s\n' "$out" | sed -n 's/^together: \([0-9]*\) .*/\1/p')
    again=$((again + recorded - ${found:-0}))
    recorded=${found:-0}
}

compare() {
    ends=$((ends + 1))
    run "$QSVIT" diff "$TMP/whole" "$TMP/killed"
    if [ "$status" != 0 ]; then
        differences=$((differences + 1))
        wrong 'it equals the undisturbed one'
    fi
    run "$QSVIT" verify "$TMP/killed"
    [ "$status" = 0 ] || wrong 'it is good at its end'
}

begin_anew() {
    rm -rf "$TMP/killed"
    recorded=0 is_new=1 waits=''
}

while [ $kills -lt "$most" ] && { [ "$minutes" = 0 ] || [ $SECONDS -lt $until ]; }; do
    pick 4
    n_ranks=$((number + 1))
    pick 10
    case $number in
    [0-4]) kill_it $n_ranks ;;
    [5-6]) die_at_a_write $n_ranks ;;
    [7-8]) fail_a_write $n_ranks ;;
    9) stop_it $n_ranks ;;
    esac
    check
    if grep -q '^selected: ' "$TMP/log"; then
        compare
        begin_anew
        continue
    fi
    pick 10
    if [ $number = 0 ]; then damage_a_file; fi
done

start 3 ''
ended
same 'undisturbed it comes to its end' 0 "$status"
compare
# A process that dies while it takes the lock leaves a line of text behind.
same 'no temporary file is left' '' "$(find "$TMP/killed" -name '*.tmp' -not -name 'lock.*')"
same 'no record was lost' 0 $lost
same 'no run ended differently' 0 $differences
echo "# $kills kills, $resumes resumes, $stops stops, $write_failures failed writes, $damages damaged files," \
    "$ends ends, $again records evaluated again after damage, $lost records lost, $differences differences"
finish
