#!/bin/bash
# The Makefile: installation, what makes objects anew, and what is said where packages are missing.
. tests/lib.sh
make=(make --no-print-directory "B=$B")
# Make's own variables would reach the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL

expect 'make help' 0 "${make[@]}" help
for target in all run test unit asan fuzz test-reference test-package dist deb lint deps install uninstall clean; do
    holds "make help has $target" "  $target "
done

expect 'install' 0 "${make[@]}" install "DESTDIR=$TMP/root" PREFIX=/opt/qsvit
same 'what is installed' "bin/qsvit
share/bash-completion/completions/qsvit
share/man/man1/qsvit.1
share/qsvit/cluster.yaml
share/qsvit/report/vega.js
share/qsvit/sdtv2_fmnist_t4.h5
share/zsh/site-functions/_qsvit" \
    "$(cd "$TMP/root/opt/qsvit" && find . -type f ! -name 'qsvit-*.1' | sed 's,^./,,' | LC_ALL=C sort)"
same 'and a man page a command' "$("$QSVIT" help | grep -cE '^  [a-z]+ +[A-Z]')" \
    "$(find "$TMP/root/opt/qsvit/share/man/man1" -name 'qsvit-*.1' | wc -l)"
expect 'the installed program runs' 0 "$TMP/root/opt/qsvit/bin/qsvit" version
expect 'the installed model is one' 0 \
    "$TMP/root/opt/qsvit/bin/qsvit" inspect "$TMP/root/opt/qsvit/share/qsvit/sdtv2_fmnist_t4.h5"
same 'the installed spec names the installed model' \
    'model: /opt/qsvit/share/qsvit/sdtv2_fmnist_t4.h5' \
    "$(grep '^model:' "$TMP/root/opt/qsvit/share/qsvit/cluster.yaml")"
run "$QSVIT" man
same 'the installed man page is the program'"'"'s' "$out" \
    "$(cat "$TMP/root/opt/qsvit/share/man/man1/qsvit.1")"
expect 'uninstall' 0 "${make[@]}" uninstall "DESTDIR=$TMP/root" PREFIX=/opt/qsvit
same 'nothing is left' '' "$(find "$TMP/root" -type f)"

run "${make[@]}" all
same 'a second build has nothing to do' '' "$(printf '%s\n' "$out" | grep -E 'CC|AR|LINK')"

# pkg-config that knows nothing, as on a machine without the libraries.
run env PKG_CONFIG_LIBDIR="$TMP" "${make[@]}" "B=$TMP/build" all
same 'missing packages stop the build' 2 "$status"
out=$err
holds 'they are named' 'libhdf5-dev libyaml-dev libarchive-dev'
holds 'and what to do' 'make deps'
same 'before anything is compiled' '' "$(find "$TMP/build" -name '*.o' 2>/dev/null)"

# Stand-ins that note what they are called with, and install nothing.
mkdir "$TMP/bin"
printf '#!/bin/sh\necho "$@" >>"%s/calls"\n' "$TMP" >"$TMP/bin/apt-get"
printf '#!/bin/sh\n[ "$1" = -n ] || exec "$@"\n' >"$TMP/bin/sudo"
chmod +x "$TMP/bin/apt-get" "$TMP/bin/sudo"
bare=(env PKG_CONFIG_LIBDIR="$TMP" PATH="$TMP/bin:$PATH")
run "${bare[@]}" scripts/deps.sh build
same 'deps: what apt-get is told' "update -qq
install --yes --no-install-recommends -qq libhdf5-dev libyaml-dev libarchive-dev zlib1g-dev libjansson-dev libxxhash-dev liblapacke-dev libjpeg-dev libpng-dev libmatio-dev" \
    "$(cat "$TMP/calls")"
same 'deps: packages that are missing afterwards are an error' 1 "$status"
out=$err
holds 'deps: and named' 'still missing after the installation: libhdf5-dev'
printf '#!/bin/sh\necho -I/nonexistent\n' >"$TMP/bin/mpicc"
chmod +x "$TMP/bin/mpicc"
run "${bare[@]}" scripts/deps.sh --check build
out=$err
holds 'deps: an mpicc without its headers is no MPI' 'libopenmpi-dev'
rm "$TMP/bin/mpicc"
rm "$TMP/calls"
expect 'deps: nothing to do' 0 env PATH="$TMP/bin:$PATH" scripts/deps.sh build test
same 'deps: then apt-get is left alone' no "$([ -e "$TMP/calls" ] && echo yes || echo no)"

printf '#!/bin/sh\nexit 1\n' >"$TMP/bin/sudo"
printf '#!/bin/sh\necho 1000\n' >"$TMP/bin/id"
chmod +x "$TMP/bin/id"
run "${bare[@]}" scripts/deps.sh build
same 'deps without rights stops' 1 "$status"
out=$err
holds 'it names the packages' 'missing: libhdf5-dev libyaml-dev'
holds 'and the command' 'apt-get update && apt-get install --yes --no-install-recommends libhdf5-dev'
same 'and calls nothing' no "$([ -e "$TMP/calls" ] && echo yes || echo no)"
finish
