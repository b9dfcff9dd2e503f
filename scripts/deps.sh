#!/bin/sh
# Finds out which Debian packages are missing for a purpose, and installs them.
#
#   deps.sh PURPOSE...          installs what is missing (as root, or by sudo)
#   deps.sh --check PURPOSE...  only names what is missing; status 1 where something is
#
# Purposes: build, run (build, the default sweep's data, what reports draw with), test, fuzz, slurm, reference, report, bench, lint, package.
# Whether a package is missing is asked of what the build needs from it (pkg-config, a command, a file), never
# of dpkg, so that libraries from a cluster's modules count too.
set -eu

PATH=$PATH:/usr/sbin:/sbin # daemons, which are not on everybody's
fashion_mnist=/usr/share/datasets/fashion-mnist

# name of the package, purposes it serves, how to tell that it is there
packages() {
    cat <<TABLE
libc6-dev               build            header stdio.h
pkg-config              build            command pkg-config
libopenmpi-dev          build            mpi
openmpi-bin             build            command mpirun
libhdf5-dev             build            library hdf5
libyaml-dev             build            library yaml-0.1
libarchive-dev          build            library libarchive
zlib1g-dev              build            library zlib
libjansson-dev          build            library jansson
libxxhash-dev           build            library libxxhash
liblapacke-dev          build            library lapacke
libjpeg-dev             build            library libjpeg
libpng-dev              build            library libpng
libmatio-dev            build            library matio
libomp-dev              build            openmp ${CC:-cc}
dataset-fashion-mnist   run,test         file $fashion_mnist/t10k-images-idx3-ubyte.gz
libjs-vega              run,test         file /usr/share/javascript/vega/vega-interpreter.min.js
libcmocka-dev           test             library cmocka
groff-base              test             file /usr/share/groff/*/tmac/an.tmac
hdf5-tools              test             command h5diff
procps                  test             command pgrep
zsh                     test             command zsh
python3-minimal         test             file /usr/bin/python3
libclang-rt-dev         fuzz             fuzzer clang
slurm-wlm               slurm            slurm
munge                   slurm            command munged
libdnnl-dev             bench            header dnnl.h
nodejs                  report           command node
chromium                report           command chromium
chromium-driver         report           command chromedriver
python3-selenium        report           python selenium
python3-torch           reference,bench  python torch
python3-torchvision     reference        python torchvision
python3-pil             reference        python PIL
python3-h5py            reference        python h5py
python3-pandas          reference        python pandas
python3-matplotlib      reference        python matplotlib
libopenblas0-pthread    reference,bench  file /usr/lib/*/openblas-pthread/libopenblas.so.0
clang                   lint,fuzz        command clang
libomp-dev              lint,fuzz        openmp clang
clang-format            lint             command clang-format
cppcheck                lint             command cppcheck
shellcheck              lint,package     command shellcheck
debhelper               package          command dh
dpkg-dev                package          command dpkg-buildpackage
lintian                 package          command lintian
debootstrap             package          command debootstrap
TABLE
}

exists() { # a pattern that matches one file or none
    for path in $1; do
        [ -e "$path" ] && return 0
    done
    return 1
}

there() {
    case $1 in
    command) command -v "$2" >/dev/null 2>&1 ;;
    file) exists "$2" ;;
    fuzzer)
        echo 'int LLVMFuzzerTestOneInput(const void *p, unsigned long n) { return !p && n; }' |
            $2 -fsanitize=fuzzer,address -x c -o /dev/null - >/dev/null 2>&1
        ;;
    header) echo "#include <$2>" | ${CC:-cc} -E - >/dev/null 2>&1 ;;
    openmp) echo 'int main(void) { return 0; }' | $2 -fopenmp -x c -o /dev/null - >/dev/null 2>&1 ;;
    library) pkg-config --exists "$2" 2>/dev/null ;;
    mpi)
        # openmpi-bin alone has an mpicc that names folders which are not there.
        pkg-config --exists ompi-c 2>/dev/null || {
            # shellcheck disable=SC2086 # several words
            flags=$(mpicc --showme:compile 2>/dev/null) &&
                echo '#include <mpi.h>' | ${CC:-cc} $flags -E - >/dev/null 2>&1
        }
        ;;
    slurm) there command slurmctld && there command slurmd && there command sbatch ;;
    python)
        /usr/bin/python3 -c "import importlib.util as u, sys; sys.exit(u.find_spec('$2') is None)" \
            2>/dev/null
        ;;
    esac
}

serves() { # purposes of a package, purposes asked for
    for asked in $2; do
        case ",$1," in *",$asked,"*) return 0 ;; esac
    done
    return 1
}

missing() {
    packages | while read -r package purposes how what; do
        if serves "$purposes" "$1" && ! there "$how" "$what"; then
            printf '%s ' "$package"
        fi
    done
}

check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
case " $* " in
*' run '* | *' test '* | *' reference '*) set -- build "$@" ;;
esac
purposes=$*
wanted=$(missing "$purposes")
wanted=${wanted% }
[ -n "$wanted" ] || exit 0

if [ $check = yes ]; then
    echo "missing: $wanted" >&2
    exit 1
fi
# From here on word splitting is meant: $wanted is a list.
# shellcheck disable=SC2086
set -- $wanted
command="apt-get install --yes --no-install-recommends $wanted"
if ! command -v apt-get >/dev/null; then
    echo "missing, under the names that Debian has for them: $wanted" >&2
    echo "There is no apt-get here: install them by this system's own means." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } 2>/dev/null; then
    sudo=sudo
else
    echo "missing: $wanted" >&2
    echo "This is neither root nor has it sudo: have an administrator run" >&2
    echo "    apt-get update && $command" >&2
    exit 1
fi
echo "installing: $wanted"
$sudo apt-get update -qq || echo "apt-get update failed: trying with the lists there are" >&2
# No service needs to run, and in a container none could be started.
$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends -qq "$@"
wanted=$(missing "$purposes")
if [ -n "$wanted" ]; then
    echo "still missing after the installation: $wanted" >&2
    exit 1
fi
