#!/bin/bash
# Recipes for packages say what the Makefile and scripts/deps.sh say: libraries, version, targets.
. tests/lib.sh
version=$(sed -n 's/^VERSION := //p' Makefile)
libraries=$(sed -n 's/^LIBRARIES := //p' Makefile | tr ' ' '\n' | sort)
same 'the Makefile has libraries' yes "$([ "$(printf '%s\n' "$libraries" | wc -l)" -ge 10 ] && echo yes)"

# pkg-config's name, Debian's package, Spack's package.
names() {
    cat <<TABLE
hdf5 libhdf5-dev hdf5
jansson libjansson-dev jansson
lapacke liblapacke-dev netlib-lapack+lapacke
libarchive libarchive-dev libarchive
libjpeg libjpeg-dev libjpeg-turbo
libpng libpng-dev libpng
libxxhash libxxhash-dev xxhash
matio libmatio-dev matio
yaml-0.1 libyaml-dev libyaml
zlib zlib1g-dev zlib-api
TABLE
}
same 'this table has the libraries of the Makefile' "$libraries" "$(names | cut -d' ' -f1 | sort)"

debian=$(sed -n '/^Build-Depends:/,/^[A-Z].*:/p' packaging/debian/control |
    sed 's/^Build-Depends://; /^[A-Z]/d' | tr -d ' ,' | grep -v '^debhelper' | sort)
same 'Debian: what is needed to build' \
    "$( (names | cut -d' ' -f2; printf '%s\n' libopenmpi-dev openmpi-bin pkg-config) | sort)" "$debian"
for package in $debian; do
    grep -qE "^$package +build" scripts/deps.sh || fail "$package is none of deps.sh"
done
same 'Debian: rules are a Makefile that make reads' 0 "$(make -n -f packaging/debian/rules --dry-run \
    override_dh_auto_test >/dev/null 2>&1; echo $?)"

# Spack's words are stood in for, so that its recipe can be read by Python alone.
cat >"$TMP/read.py" <<'PYTHON'
import re, sys, types
depends, versions = [], []
module = types.ModuleType("spack.package")
module.MakefilePackage = type("MakefilePackage", (), {"prefix": "/opt/qsvit"})
module.depends_on = lambda spec, type=None: depends.append(spec)
module.version = lambda v, **more: versions.append(v)
module.license = lambda name: None
module.run_after = lambda phase: lambda f: f
module.on_package_attributes = lambda **more: lambda f: f
sys.modules["spack"] = types.ModuleType("spack")
sys.modules["spack.package"] = module
scope = {}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), scope)
package = scope["Qsvit"]()
print("versions", *versions)
print("depends", *sorted(re.split("@", d)[0] for d in depends))
print("install", *package.install_targets)
print("build", *package.build_targets)
PYTHON
expect 'Spack: the recipe is Python' 0 /usr/bin/python3 "$TMP/read.py" packaging/spack/package.py
holds 'Spack: the version' "versions $version"
same 'Spack: what it depends on' \
    "depends $( (names | cut -d' ' -f3; printf '%s\n' c gmake pkgconfig openmpi) | LC_ALL=C sort | xargs)" \
    "$(printf '%s\n' "$out" | grep ^depends)"
for target in $(printf '%s\n' "$out" | sed -n 's/^\(build\|install\) //p'); do
    case $target in
    *=*) ;;
    *) grep -q "^$target:" Makefile || fail "Spack: $target is no target" ;;
    esac
done

def=packaging/apptainer/qsvit.def
same 'Apptainer: the version' 2 "$(grep -c "qsvit-$version.tar.gz" $def)"
section() { # name
    sed -n "/^%$1\$/,/^%/p" $def | grep -v '^%' | sed 's/^    //'
}
for name in post runscript test; do
    section $name >"$TMP/$name.sh"
    same "Apptainer: %$name is shell" 0 "$([ -s "$TMP/$name.sh" ] && sh -n "$TMP/$name.sh" && echo 0)"
done
holds_in() { # name, text, file
    out=$(cat "$3") && holds "$1" "$2"
}
holds_in 'Apptainer: dependencies come from deps.sh' 'scripts/deps.sh build run' "$TMP/post.sh"
if command -v shellcheck >/dev/null; then
    for name in post runscript test; do
        expect "Apptainer: shellcheck of %$name" 0 shellcheck -s sh "$TMP/$name.sh"
    done
    expect "Debian: shellcheck of its test" 0 shellcheck packaging/debian/tests/smoke
fi
finish
