#!/bin/bash
# The Debian package: built, looked at by lintian, and installed and run in a fresh system that has
# nothing but what Debian's smallest has. Takes root, and a mirror of Debian.
. tests/lib.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION := //p' Makefile)
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

run make --no-print-directory "B=$B" deb
same 'make deb' 0 "$status"
package=$(find "$B/deb" -name "qsvit_$version-1_*.deb" | head -n 1)
same 'there is a package' yes "$([ -s "$package" ] && echo yes)"
same 'it depends on what it is linked with' '' \
    "$(for library in libhdf5 libyaml libarchive libjansson libopenmpi libmatio libxxhash; do
        dpkg-deb -f "$package" Depends | grep -q "$library" || echo "$library"
    done)"

run lintian --fail-on error,warning "$package"
same 'lintian has neither error nor warning' 0 "$status"
[ "$status" = 0 ] || printf '%s\n' "$out" "$err" | sed 's/^/# /'

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
run debootstrap --variant=minbase "$release" "$root" "$mirror"
same 'a fresh system' 0 "$status"
mount -t proc proc "$root/proc" 2>/dev/null
mkdir -p "$root/dev/shm" && mount -t tmpfs -o size=256m none "$root/dev/shm" 2>/dev/null
cp "$package" "$root/root/qsvit.deb"
cp packaging/debian/tests/smoke "$root/root/smoke"
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        chroot "$root" "$@"
}
run inside apt-get update -qq
run inside apt-get install --yes --no-install-recommends -qq /root/qsvit.deb
same 'it installs' 0 "$status"
[ "$status" = 0 ] || printf '%s\n' "$err" | tail -n 20 | sed 's/^/# /'
run inside /root/smoke
same 'it passes its own test' 0 "$status"
[ "$status" = 0 ] || printf '%s\n' "$out" "$err" | tail -n 40 | sed 's/^/# /'
run inside apt-get purge --yes -qq qsvit
same 'it goes' 0 "$status"
same 'and leaves nothing' '' "$(find "$root/usr" "$root/etc" "$root/var/lib/dpkg/info" -name '*qsvit*' | head)"
finish
