#!/usr/bin/env bash
# What `make bench` runs. BENCH names a part, or several; all by default:
#
#   kernels      layers of 31M by themselves, beside oneDNN's
#   models       whole models on all cores, beside PyTorch; two threads and two workers
#   trie         a sensitivity sweep, its trials together and each alone
#   coordinator  tasks a second, within a process and over MPI, and qsvit simulate beside real runs
#   flips        only where it is named: spikes that differ between trials, and what that could save
#
# A peer that is not installed is named as skipped (scripts/deps.sh bench installs them). At the end
# the ratios stand together. JSON=1 prints lines of JSON.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
qsvit=$B/qsvit
format=${JSON:+json}
format=${format:-table}
json=()
[ -z "${JSON:-}" ] || json=(--json)
python=${PYTHON:-/usr/bin/python3} # Debian's, which finds Debian's PyTorch
default_model=models/sdtv2_fmnist_t4.h5
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ratios=$tmp/ratios
read -r load _ </proc/loadavg
export PYTHONDONTWRITEBYTECODE=1
: >"$ratios"

bench_kernels() {
    local peer=$B/bench/peer_onednn
    [ -x "$peer" ] || peer=
    "$python" tests/bench/kernels.py "$qsvit" "$peer" --ratios "$ratios" "${json[@]}"
}

# A model of full size with random weights, made once for each number of time steps.
full_size() { # time steps
    local model=$B/bench/31m_t$1.h5
    mkdir -p "$B/bench"
    [ -f "$model" ] || "$qsvit" synth --time-steps "$1" -o "$model" >&2
    echo "$model"
}

bench_models() {
    local wanted=int4:5,f32:2 one four
    one=$(full_size 1)
    four=$(full_size 4)
    "$python" tests/bench/models.py "$qsvit" "31M=$one=$wanted" "31M=$four=$wanted" \
        "default model=$default_model=int4:12" --ratios "$ratios" "${json[@]}"
    mkdir "$tmp/workers"
    "$python" tests/bench/workers.py "$qsvit" $default_model "$tmp/workers" --ratios "$ratios" \
        "${json[@]}"
}

bench_trie() {
    "$python" tests/bench/trie.py "$qsvit" $default_model --ratios "$ratios" "${json[@]}"
}

bench_coordinator() {
    "$qsvit" bench --format "$format"
    "$qsvit" bench --workers 10240 --tasks 1000000 --format "$format"
    for ranks in 2 4 8; do
        "$qsvit" bench --ranks "$ranks" --tasks 20000 --format "$format"
    done
    mkdir "$tmp/simulated"
    "$python" tests/bench/simulated.py "$qsvit" "$tmp/simulated" "${json[@]}"
}

bench_flips() {
    local images=/usr/share/datasets/fashion-mnist
    if [ ! -d $images ]; then
        echo 'flips: skipped, dataset-fashion-mnist is not installed'
        return
    fi
    "$python" tests/bench/flips.py "$qsvit" $default_model $images/t10k-images-idx3-ubyte.gz \
        $images/t10k-labels-idx1-ubyte.gz "${json[@]}"
}

for part in ${BENCH:-kernels models trie coordinator}; do
    case $part in
    kernels | models | trie | coordinator | flips) "bench_$part" ;;
    *)
        echo "BENCH=$part is none of kernels, models, trie, coordinator, flips" >&2
        exit 2
        ;;
    esac
done
if [ -n "${JSON:-}" ]; then
    cat "$ratios"
else
    "$python" tests/bench/ratios.py "$ratios" "$load"
fi
