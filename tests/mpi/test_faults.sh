#!/bin/bash
# Writes that fail under a whole run: by injection, on a file system that is really full, on one that
# is read-only. Each time one line says why, nothing recorded is lost, and the run goes on.
. tests/mpi/mounts.sh
. tests/lib.sh
. tests/mpi/sweep.sh
trap 'umount "$TMP/full" 2>/dev/null; rm -rf "$TMP"' EXIT

run "$QSVIT" run "$(ranks=1 spec whole)"
same 'an undisturbed run' 0 "$status"

# name, words: the last command ended with status 1 and one line of ours that says so.
told() {
    same "$1: status 1" 1 "$status"
    same "$1: one line" 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: ')"
    if ! printf '%s\n' "$err" | grep '^qsvit: ' | grep -q "$2"; then
        fail "$1: it says why" "$err"
    fi
}

goes_on() { # name, run
    run "$QSVIT" run "$TMP/$2.yaml"
    same "$1: it goes on" 0 "$status"
    run "$QSVIT" diff "$TMP/whole" "$TMP/$2"
    same "$1: to the same end" 0 "$status"
    same "$1: nothing is left over" '' "$(find "$TMP/$2" -name '*.tmp' -o -name '*.damaged*')"
}

count=0
fault() { # fault, ranks, words
    count=$((count + 1))
    local name=fault$count
    run env "QSV_FAULT=$1" "$QSVIT" run "$(ranks=$2 spec $name)"
    told "$1, $2 ranks" "$3"
    run "$QSVIT" verify "$TMP/$name"
    [ -e "$TMP/$name/results.h5" ] && same "$1, $2 ranks: what is there is good" 0 "$status"
    goes_on "$1, $2 ranks" $name
}

fault write:1 3 'No space left on device; make room'
fault fsync:4:EIO 3 'Input/output error'
fault rename:3:EDQUOT 3 'quota'
fault write:8+:ENOSPC 1 'No space left on device; make room'
fault open:30+:EROFS 4 'Read-only file system'

run env QSV_FAULT=write:x "$QSVIT" run "$TMP/whole.yaml"
same 'a fault that is none is refused' 2 "$status"

# The run's folder is a file system of its own, of so many bytes.
small_disk() { # run, size
    mkdir -p "$TMP/$1"
    mount -t tmpfs -o "size=$2" none "$TMP/$1"
}

if [ $can_mount = 1 ]; then
    file=$(spec full)
    small_disk full 400k
    run "$QSVIT" run "$file"
    told 'a full disk' 'full/.*No space left on device; make room'
    run "$QSVIT" verify "$TMP/full"
    same 'a full disk: what is there is good' 0 "$status"
    before=$(printf '%s\n' "$out" | sed -n 's/^together: \([0-9]*\) .*/\1/p')
    same 'a full disk: there is something' 1 $((${before:-0} > 0))
    run "$QSVIT" run "$file"
    told 'a disk that is still full' 'No space left on device'
    mount -o remount,size=32m "$TMP/full"
    goes_on 'after room was made' full
    mount -o remount,ro "$TMP/full"
    run "$QSVIT" run "$file"
    told 'a read-only file system' 'Read-only file system; choose a folder'
    run "$QSVIT" query "$TMP/full"
    same 'it can still be read' 0 "$status"
    run "$QSVIT" verify "$TMP/full"
    same 'and verified' 0 "$status"
    umount "$TMP/full"
else
    skip 'a full and a read-only file system' 'needs root or user namespaces, to mount a tmpfs'
fi
finish
