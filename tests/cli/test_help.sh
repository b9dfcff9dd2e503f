#!/bin/bash
# Help, man page and version; exit statuses; output that can't be written.
. tests/lib.sh

expect 'help' 0 "$QSVIT" help
commands=$(printf '%s\n' "$out" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
for command in init watch completion run compare submit logs cancel headway import inspect dataset pack calibrate quantize eval export query report status diff verify repair bench synth simulate \
    doctor help man version; do
    holds "help lists $command" "  $command "
done
out=$commands
same 'help lists nothing else' 30 "$(printf '%s\n' "$commands" | wc -l)"
for command in $commands; do
    expect "$command --help" 0 "$QSVIT" "$command" --help
    holds "$command --help begins with usage" "usage: qsvit $command"
    expect "help $command" 0 "$QSVIT" help "$command"
    refuse "$command --no-such-option" 'unknown option' "$QSVIT" "$command" --no-such-option
    [ "$command" = report ] || # which takes any number of runs
        refuse "$command a b c d" 'qsvit: '"$command"': ' "$QSVIT" "$command" a b c d
done
expect 'help spec' 0 "$QSVIT" help spec
holds 'help spec has the keys' 'constraint.max_top1_drop'

refuse 'unknown command' "unknown command 'frobnicate'" "$QSVIT" frobnicate
refuse 'misspelt command' "did you mean 'quantize'?" "$QSVIT" quantise
refuse 'misspelt option' "did you mean '--format'?" "$QSVIT" inspect x --fromat csv

expect 'version' 0 "$QSVIT" --version
same 'version is a number' yes "$([[ $out =~ ^qsvit\ [0-9]+\.[0-9]+\.[0-9]+ ]] && echo yes)"

expect 'man' 0 "$QSVIT" man
printf '%s\n' "$out" >"$TMP/qsvit.1"
expect 'groff has no complaint about the man page' 0 groff -man -ww -b -Tutf8 "$TMP/qsvit.1"
same 'no line of the man page is too long' '' \
    "$(groff -man -Tascii -P-c -P-b -P-u "$TMP/qsvit.1" | grep -E '^.{81}')"

run bash -c "'$QSVIT' man >/dev/full"
same 'a full disk is an error' 1 "$status"
same 'a full disk is named' 'qsvit: standard output: cannot write: No space left on device' "$err"
run bash -c "'$QSVIT' man >&-"
same 'a closed standard output is an error' 1 "$status"
run bash -c "'$QSVIT' nonsense 2>&-"
same 'a closed standard error keeps the status' 2 "$status"
finish
