#!/bin/bash
# Runs test programs, cmocka's and shell scripts alike, and ends with a line for all of them:
#
#     214 passed, 0 failed
#
# A program says in TAP (testanything.org) what each of its tests gave. One that ends badly without
# having named a failed test, or has no test at all, counts as a failed one. A skipped test says
# why; where CI=true it is a failure, because nobody would read it. Output is kept in
# $B/logs/<program>.log. Status 1 where anything failed.
set -u
cd "$(dirname "$0")/.." || exit

export B=${B:-build} CMOCKA_MESSAGE_OUTPUT=TAP
limit_s=${TEST_LIMIT_S:-900}
passed=0 failed=0 skipped=0
mkdir -p "$B/logs"

count() {
    grep -cE "$1" "$log"
}

run_one() { # program
    local name started status ok bad skips
    name=${1#"$B"/}
    log=$B/logs/$(echo "$name" | tr / -).log
    started=$SECONDS
    timeout --kill-after=10 "$limit_s" "$1" >"$log" 2>&1 </dev/null
    status=$?
    skips=$(count '^(not )?ok [0-9]+.* # ?SKIP')
    ok=$(($(count '^ok ') - $(count '^ok [0-9]+.* # ?SKIP')))
    bad=$(($(count '^not ok ') - $(count '^not ok [0-9]+.* # ?SKIP')))
    if [ $bad = 0 ] && { [ $((ok + skips)) = 0 ] || [ $status != 0 ]; }; then
        bad=1
        [ $status = 124 ] && echo "# still running after $limit_s s" >>"$log"
        echo "# ended with status $status" >>"$log"
    fi
    if [ "$skips" != 0 ]; then
        grep -E '^(not )?ok [0-9]+.* # ?SKIP' "$log" | sed "s,^,SKIPPED $name: ,"
        [ "${CI:-}" = true ] && bad=$((bad + skips)) skips=0
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skips))
    if [ $bad = 0 ]; then
        printf '%-4s %-44s %4d tests %4d s\n' ok "$name" $((ok + skips)) $((SECONDS - started))
    else
        printf '%-4s %-44s %4d failed, see %s\n' FAIL "$name" $bad "$log"
        grep -vE '^ok ' "$log" | tail -n 40 | sed 's/^/     | /'
    fi
}

for program in "$@"; do
    run_one "$program"
done
[ $skipped = 0 ] || echo "$skipped skipped: see the lines that begin with SKIPPED"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
