#!/bin/sh
# Writes a source archive of the last commit: the same bytes from any clone. What is not committed
# is not in it.
#
#   dist.sh NAME ARCHIVE    NAME/... in ARCHIVE, a .tar.gz
set -eu
name=$1 archive=$2
cd "$(dirname "$0")/.."
if [ ! -e .git ]; then
    echo 'make dist takes a git work tree: this one is unpacked from an archive already' >&2
    exit 1
fi
git="git -c safe.directory=* -c tar.umask=0022 -c core.abbrev=40"
[ -z "$($git status --porcelain --untracked-files=no)" ] ||
    echo 'make dist: changes that are not committed are left out' >&2
$git archive --format=tar --prefix="$name/" HEAD >"$archive.tar.tmp"
gzip -n -9 <"$archive.tar.tmp" >"$archive.tmp"
rm "$archive.tar.tmp"
mv "$archive.tmp" "$archive"
