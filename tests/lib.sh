# shellcheck shell=bash disable=SC2034
# For shell tests: a few words that run commands and say in TAP what came of them. A test starts
# with
#
#     . tests/lib.sh
#
# in the top folder of the project, has $QSVIT (the program) and $TMP (an empty folder that is
# removed at the end), and ends with `finish`.
set -u

B=${B:-build}
case $B in
/*) QSVIT=$B/qsvit ;;
*) QSVIT=$PWD/$B/qsvit ;;
esac
TMP=$(mktemp -d "${TMPDIR:-/tmp}/qsvit-test.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
trap 'exit 130' INT TERM
tests=0 bad_tests=0

pass() { # name
    tests=$((tests + 1))
    echo "ok $tests - $1"
}

fail() { # name, what went wrong...
    tests=$((tests + 1)) bad_tests=$((bad_tests + 1))
    echo "not ok $tests - $1"
    shift
    printf '%s\n' "$@" | sed 's/^/# /'
}

skip() { # name, reason
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP $2"
}

# Runs a command; its output is then in $out and $err, its status in $status.
run() {
    "$@" >"$TMP/.out" 2>"$TMP/.err" </dev/null
    status=$?
    # Bytes that are no text are not for comparing: a NUL would make the shell complain.
    out=$(tr -d '\0' <"$TMP/.out") err=$(tr -d '\0' <"$TMP/.err")
}

# expect NAME STATUS COMMAND...: it ends with that status, and where that is 0, is silent on stderr.
expect() {
    local name=$1 want=$2
    shift 2
    run "$@"
    if [ "$status" != "$want" ]; then
        fail "$name" "status $status, expected $want: $*" "$err"
    elif [ "$status" = 0 ] && [ -n "$err" ]; then
        fail "$name" "not silent: $*" "$err"
    else
        pass "$name"
    fi
}

# refuse NAME TEXT COMMAND...: status 2, nothing on stdout, and one line on stderr that holds TEXT.
refuse() {
    local name=$1 text=$2
    shift 2
    run "$@"
    if [ "$status" != 2 ] || [ -n "$out" ] || [ "$(printf '%s\n' "$err" | wc -l)" != 1 ]; then
        fail "$name" "status $status, expected 2 and one line: $*" "$err"
    elif [ "${err#*"$text"}" = "$err" ]; then
        fail "$name" "expected '$text' in: $err"
    else
        pass "$name"
    fi
}

# holds NAME TEXT: the last command's stdout holds TEXT.
holds() {
    if [ "${out#*"$2"}" = "$out" ]; then
        fail "$1" "expected '$2' in:" "$out"
    else
        pass "$1"
    fi
}

# same NAME A B: two words are equal.
same() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1" "'$2' is not '$3'"
    fi
}

finish() {
    echo "1..$tests"
    [ $bad_tests = 0 ]
    exit
}
