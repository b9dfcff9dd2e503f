# shellcheck shell=bash disable=SC2034
# For tests that fill a file system of their own; sourced first, because where an ordinary user may
# do so in a namespace the test begins anew there. Then $can_mount is 1 where a tmpfs can be mounted.
mounts() {
    local folder
    folder=$(mktemp -d) || return
    mount -t tmpfs -o size=64k none "$folder" 2>/dev/null && umount "$folder"
    local status=$?
    rmdir "$folder"
    return $status
}
can_mount=1
if ! mounts; then
    if [ -z "${QSV_TEST_MOUNTS:-}" ] && unshare -rm true 2>/dev/null; then
        QSV_TEST_MOUNTS=1 exec unshare -rm "$0"
    fi
    can_mount=0
fi
