#!/bin/bash
# The container's recipe without a container program: its sections are run in a fresh system of the
# same Debian. Takes root, and a mirror of Debian.
. tests/lib.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION := //p' Makefile)
def=packaging/apptainer/qsvit.def
release=$(sed -n 's/^From: debian:\([a-z]*\).*/\1/p' $def)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
root=$TMP/system

if [ "$(id -u)" != 0 ]; then
    skip 'a fresh system' 'it takes root'
    finish
fi
leave() {
    umount -l "$root/proc" "$root/dev/shm" 2>/dev/null
    rm -rf --one-file-system "$TMP"
}
trap leave EXIT
expect 'make dist' 0 make --no-print-directory "B=$TMP/dist" dist
run debootstrap --variant=minbase "$release" "$root" "$mirror"
same 'a fresh system' 0 "$status"
mount -t proc proc "$root/proc" 2>/dev/null
mkdir -p "$root/dev/shm" && mount -t tmpfs -o size=256m none "$root/dev/shm" 2>/dev/null
cp "$TMP/dist/qsvit-$version.tar.gz" "$root/usr/src/qsvit.tar.gz"
for section in post test; do
    sed -n "/^%$section\$/,/^%/p" $def | grep -v '^%' >"$root/root/$section.sh"
    run env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        chroot "$root" sh -e "/root/$section.sh"
    same "%$section runs" 0 "$status"
    [ "$status" = 0 ] || printf '%s\n' "$out" "$err" | tail -n 30 | sed 's/^/# /'
done
finish
