#!/bin/bash
# The container's recipe without a container program: its sections are run in a fresh system of the
# same Debian. Takes root, and a mirror of Debian.
. tests/lib.sh
. tests/package/system.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION := //p' Makefile)
def=packaging/apptainer/qsvit.def

expect 'make dist' 0 make --no-print-directory "B=$TMP/dist" dist
fresh_system "$(sed -n 's/^From: debian:\([a-z]*\).*/\1/p' $def)"
cp "$TMP/dist/qsvit-$version.tar.gz" "$root/usr/src/qsvit.tar.gz"
for section in post test; do
    sed -n "/^%$section\$/,/^%/p" $def | grep -v '^%' >"$root/root/$section.sh"
    expect_inside "%$section runs" sh -e "/root/$section.sh"
done
finish
