#!/bin/bash
# The source archive: the same bytes twice, what is committed and nothing else, and it builds
# without git into a program that knows its version and commit.
. tests/lib.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION := //p' Makefile)
name=qsvit-$version

expect 'make dist' 0 make --no-print-directory "B=$TMP/one" dist
git -c safe.directory='*' clone --quiet --no-local . "$TMP/clone" 2>/dev/null
run make --no-print-directory -C "$TMP/clone" "B=$TMP/two" dist
cmp "$TMP/one/$name.tar.gz" "$TMP/two/$name.tar.gz" >/dev/null
same 'another clone gives the same bytes' 0 $?
same 'it holds what is committed' "$(git -c safe.directory='*' ls-tree -r --name-only HEAD | LC_ALL=C sort)" \
    "$(tar tf "$TMP/one/$name.tar.gz" | sed "s,^$name/,,; /\/\$/d; /^\$/d" | LC_ALL=C sort)"

tar xf "$TMP/one/$name.tar.gz" -C "$TMP" && cd "$TMP/$name" || exit
run env GIT_DIR=/nonexistent make --no-print-directory -j"$(nproc)" all
same 'it builds' 0 "$status"
run build/qsvit version
same 'it knows its version and commit' \
    "qsvit $version ($(git -C "$TMP/clone" rev-parse HEAD | cut -c 1-7))" "$out"
run make --no-print-directory "B=$TMP/three" dist
same 'an archive of an archive is refused' 2 "$status"
expect 'it has the network' 0 build/qsvit inspect models/sdtv2_fmnist_t4.h5
. tests/mpi/sweep.sh
QSVIT=$PWD/build/qsvit
strategy=uniform granularity=stage ranks=2 spec mine >/dev/null
run "$QSVIT" run "$TMP/mine.yaml"
same 'it sweeps' 0 "$status"
expect 'it installs' 0 make --no-print-directory install "DESTDIR=$TMP/root" PREFIX=/usr
expect 'what it installs runs' 0 "$TMP/root/usr/bin/qsvit" version
finish
