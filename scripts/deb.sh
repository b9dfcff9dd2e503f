#!/bin/sh
# Builds a Debian package out of a source archive, with packaging/debian of that archive.
#
#   deb.sh VERSION ARCHIVE FOLDER    FOLDER/qsvit_VERSION-1_*.deb
#
# DEBFULLNAME and DEBEMAIL, where they are set, say who answers for it.
set -eu
version=$1 archive=$(realpath "$2") folder=$3
source=qsvit-$version
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
cp "$archive" "qsvit_$version.orig.tar.gz"
tar xf "$archive"
cd "$source"
cp -r packaging/debian debian
[ -z "${DEBEMAIL:-}" ] ||
    sed -i "s/^Maintainer: .*/Maintainer: ${DEBFULLNAME:-qsvit maintainers} <$DEBEMAIL>/" debian/control
maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
# The archive's files are as old as its commit.
when=$(date -uRr Makefile)
cat >debian/changelog <<END
qsvit ($version-1) unstable; urgency=medium

  * Version $version; CHANGELOG.md has what is in it.

 -- $maintainer  $when
END
dpkg-buildpackage --no-sign --build=source,binary >../build.log 2>&1 || {
    tail -n 40 ../build.log >&2
    echo "the whole log: $folder/build.log" >&2
    exit 1
}
