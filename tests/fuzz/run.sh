#!/bin/bash
# Runs fuzz targets that were built with libFuzzer, one after the other: run.sh FOLDER SECONDS
# [TARGET...], FOLDER being the build's. Prints how often each was called, and what has crashed it,
# hung or taken too much memory; then status 1. New inputs stay in FOLDER/corpus/, those of crashes
# in FOLDER/crashes/.
set -u
cd "$(dirname "$0")/../.." || exit

folder=$1 seconds=$2
shift 2
limits=(-rss_limit_mb=2560 -malloc_limit_mb=1200 -timeout=25)
bad=0
rm -rf "$folder/tmp" # files of targets that have crashed
mkdir -p "$folder/corpus" "$folder/crashes" "$folder/logs" "$folder/tmp"
TMPDIR=$(cd "$folder/tmp" && pwd)
export TMPDIR

figure() { # name of one of libFuzzer's final figures, of the log
    sed -n "s/^stat::$1: *//p" "$log"
}

fuzz() { # target
    local program=$folder/tests/fuzz/$1 log=$folder/logs/$1.log status
    [ -x "$program" ] || { echo "there is no target '$1'" >&2 && return 1; }
    mkdir -p "$folder/corpus/$1"
    nice "$program" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$folder/crashes/$1-" "$folder/corpus/$1" "tests/fuzz/corpus/$1" >"$log" 2>&1
    status=$?
    if [ $status = 0 ]; then
        printf '%-14s %12s calls %7s a second %6s MB\n' "$1" "$(figure number_of_executed_units)" \
            "$(figure average_exec_per_sec)" "$(figure peak_rss_mb)"
        return 0
    fi
    printf '%-14s %12s calls, CRASHED (status %d), see %s\n' "$1" \
        "$(figure number_of_executed_units)" $status "$log"
    grep -E '^(SUMMARY|artifact_prefix)|^==[0-9]+== *ERROR' "$log" | sed 's/^/    /'
    return 1
}

if [ $# = 0 ]; then
    targets=(tests/fuzz/targets/*.c)
    targets=("${targets[@]##*/}")
    set -- "${targets[@]%.c}"
fi
for target in "$@"; do
    fuzz "$target" || bad=1
done
exit $bad
