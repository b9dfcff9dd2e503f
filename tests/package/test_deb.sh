#!/bin/bash
# The Debian package: built, looked at by lintian, and installed and run in a fresh system that has
# nothing but what Debian's smallest has. Takes root, and a mirror of Debian.
. tests/lib.sh
. tests/package/system.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION := //p' Makefile)

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

fresh_system "$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")"
cp "$package" "$root/root/qsvit.deb"
cp packaging/debian/tests/smoke "$root/root/smoke"
expect_inside 'it has lists of packages' apt-get update -qq
expect_inside 'it installs' apt-get install --yes --no-install-recommends -qq /root/qsvit.deb
expect_inside 'it passes its own test' /root/smoke
expect_inside 'it goes' apt-get purge --yes -qq qsvit
same 'and leaves nothing' '' \
    "$(find "$root/usr" "$root/etc" "$root/var/lib/dpkg/info" -name '*qsvit*' | head)"
finish
