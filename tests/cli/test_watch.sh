#!/bin/bash
# qsvit watch where standard output is no terminal: lines while a run goes on, and its end. What it
# draws on a terminal is tests/unit/runner/status/test_screen.c's.
. tests/lib.sh
. tests/mpi/sweep.sh

refuse 'no run' 'no such run' "$QSVIT" watch "$TMP/none"
refuse 'a wrong interval' 'expected seconds above 0' "$QSVIT" watch "$TMP/none" --interval -1

ranks=1 spec mine >/dev/null
"$QSVIT" run "$TMP/mine.yaml" >/dev/null 2>&1 &
sweep=$!
until [ -e "$TMP/mine/lock" ] || ! kill -0 $sweep 2>/dev/null; do sleep 0.01; done
run "$QSVIT" watch "$TMP/mine" --interval 0.05
wait $sweep
same 'it ends with the run' 0 "$status"
same 'it is silent on standard error' '' "$err"
same 'it tells that the run goes on' yes \
    "$(printf '%s\n' "$out" | grep -qE "^$TMP/mine: running" && echo yes)"
holds 'and how it has ended' "run        $TMP/mine: complete"
same 'no line stands there twice in a row' '' "$(printf '%s\n' "$out" | grep '^/' | uniq -d)"
same 'nothing but text' '' "$(printf '%s\n' "$out" | LC_ALL=C grep '[^ -~]')"

expect 'a finished run' 0 "$QSVIT" watch "$TMP/mine"
first=$out
holds 'its selection' 'selected   '
holds 'its curve' 'points of top-1 lost over bytes'
holds 'the selected network in it' '@'
holds 'what was decided' 'decided    '
same 'the curve shows the bound' yes "$(printf '%s\n' "$out" | grep -qE '^ +\|.*-----' && echo yes)"
run "$QSVIT" status "$TMP/mine"
same 'it tells what status tells' "$(printf '%s\n' "$out" | grep -oE '[0-9]+ trials, [0-9]+ records')" \
    "$(printf '%s\n' "$first" | grep -oE '[0-9]+ trials, [0-9]+ records')"
run env TERM=dumb script -qec "'$QSVIT' watch '$TMP/mine'" /dev/null
same 'a terminal that knows nothing gets lines' '' "$(printf '%s\n' "$out" | grep "$(printf '\033')")"
run bash -c "'$QSVIT' watch '$TMP/mine' >/dev/full"
same 'a full disk is an error' 1 "$status"
finish
