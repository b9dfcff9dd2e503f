# shellcheck shell=bash disable=SC2154
# For tests that need a system with nothing but what Debian's smallest has: takes root, and a mirror
# of Debian. $root is its folder; it goes when the test ends.
root=$TMP/system

leave_system() {
    umount -l "$root/proc" "$root/dev/shm" 2>/dev/null
    rm -rf --one-file-system "$TMP"
}

fresh_system() { # release
    if [ "$(id -u)" != 0 ]; then
        skip 'a fresh system' 'it takes root'
        finish
    fi
    trap leave_system EXIT
    run debootstrap --variant=minbase "$1" "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    same 'a fresh system' 0 "$status"
    mkdir -p "$root/dev/shm"
    mount -t proc proc "$root/proc" 2>/dev/null
    # MPI's ranks meet there.
    mount -t tmpfs -o size=256m none "$root/dev/shm" 2>/dev/null
}

inside() { # command...
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        chroot "$root" "$@"
}

# expect_inside NAME COMMAND...: status 0, else the end of what it said is shown.
expect_inside() {
    local name=$1
    shift
    run inside "$@"
    same "$name" 0 "$status"
    [ "$status" = 0 ] || printf '%s\n' "$out" "$err" | tail -n 40 | sed 's/^/# /'
}
