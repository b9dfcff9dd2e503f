#!/bin/bash
# Holds the engine to PyTorch, layer by layer and spike by spike (check_trace.py), on the default model and on random ones of other widths,
# depths, time steps, channels and heads, and on a published size; its answers to PyTorch's logits; its quantized files to themselves; and runs examples/*.py.
# `make test-reference` runs it and installs what it needs.
. tests/lib.sh

PYTHON=${PYTHON:-/usr/bin/python3}
ref=tests/reference
fashion=/usr/share/datasets/fashion-mnist/t10k
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

need() { # name, command...: a step that later ones stand on
    local name=$1
    shift
    run "$@"
    [ "$status" = 0 ] && return
    fail "$name" "status $status: $*" "$out" "$err"
    finish
    exit 1
}

# check NAME MODEL CKPT QUANTIZE-OPTIONS DATASET-OPTIONS...: 8 images through the engine quantized so, every spike judged.
check() {
    local name=$1 model=$2 ckpt=$3 how
    read -ra how <<<"$4"
    shift 4
    need "$name: quantize" "$QSVIT" quantize -m "$model" "${how[@]}" -o "$TMP/q.h5"
    need "$name: dequantize" "$QSVIT" quantize -m "$model" "${how[@]}" -o "$TMP/q.safetensors"
    need "$name: trace" "$QSVIT" eval -m "$TMP/q.h5" "$@" --limit 8 --trace "$TMP/trace.h5"
    run "$PYTHON" $ref/check_trace.py "$ckpt" "$TMP/trace.h5" --weights "$TMP/q.safetensors"
    if [ "$status" = 0 ]; then
        pass "$name: $(tail -n 1 <<<"$out")"
    else
        fail "$name" "$out" "$err"
    fi
}

# random NAME HEADS TIME-STEPS CHANNELS SIZE MAKE-RANDOM-OPTIONS...: import of such a checkpoint, and every format judged.
random() {
    local name=$1 heads=$2 steps=$3 channels=$4 size=$5 mean=0.485,0.456,0.406 std=0.229,0.224,0.225
    shift 5
    need "$name: checkpoint" "$PYTHON" $ref/make_random.py "$TMP/r.pth" --heads "$heads" --T "$steps" --in-ch "$channels" --size "$size" "$@"
    need "$name: images" "$PYTHON" -c "
import sys; sys.path.insert(0, '$ref')
import h5py; from make_random import random_images
f = h5py.File('$TMP/r_images.h5', 'w'); f['images'] = random_images(8, $channels, $size, 99).numpy().transpose(0, 2, 3, 1); f['labels'] = [0] * 8"
    need "$name: import" "$QSVIT" import "$TMP/r.pth" -o "$TMP/r.h5" --heads "$heads" --time-steps "$steps" \
        --input "${channels}x${size}x$size" --mean "$(cut -d, -f-"$channels" <<<$mean)" --std "$(cut -d, -f-"$channels" <<<$std)"
    for format in f32 int8 int4 int2; do
        check "$name, $format" "$TMP/r.h5" "$TMP/r.pth" "--format-all $format" -d "$TMP/r_images.h5"
    done
}

fmnist=(--images "$fashion-images-idx3-ubyte.gz" --labels "$fashion-labels-idx1-ubyte.gz")
default=models/sdtv2_fmnist_t4.h5
need "default model's tensors" "$QSVIT" quantize -m $default --format-all f32 -o "$TMP/default.safetensors"
need "default model's checkpoint" "$PYTHON" $ref/make_checkpoint.py $default "$TMP/default.safetensors" "$TMP/default.pth"
for format in f32 int8 int4 int2 none; do
    check "default model, $format" $default "$TMP/default.pth" "--format-all $format" "${fmnist[@]}"
done
cat >"$TMP/left_out.yaml" <<'EOF'
default: int4
layers: # at the beginning of a chain, inside, at its end, between neurons, and all of a chain
  ConvBlock1_1.0.Conv.dwconv: none
  ConvBlock1_1.0.conv2: none
  ConvBlock2_2.0.Conv.pwconv2: none
  block3.0.attn.k_conv.0.body.0: none
  block3.1.attn.v_conv.0.body.2.0: none
  block3.2.attn.proj_conv.*: none
  block3.3.attn.q_conv.0.body.2.1: none
  block3.*.mlp.fc2_conv: none
EOF
need "a bank with corrections" "$QSVIT" calibrate -m $default -d $fashion-images-idx3-ubyte.gz --labels $fashion-labels-idx1-ubyte.gz --images 64 \
    --quantizer searched --bank "$TMP/searched.h5"
check "default model, layers left out" $default "$TMP/default.pth" "--setting $TMP/left_out.yaml --bank $TMP/searched.h5" "${fmnist[@]}"
need "a bank" "$QSVIT" calibrate -m $default -d $fashion-images-idx3-ubyte.gz --labels $fashion-labels-idx1-ubyte.gz --images 64 --bank "$TMP/bank.h5"
run "$PYTHON" $ref/check_bank.py "$TMP/default.pth" "$TMP/bank.h5" $fashion-images-idx3-ubyte.gz 64
if [ "$status" = 0 ]; then
    pass "codes of the default model: $(tail -n 1 <<<"$out")"
else
    fail "codes of the default model" "$out" "$err"
fi
random "one time step, two channels, deep ends" 2 1 2 64 --embed 12 20 36 44 --classes 11 --depths 1 3 --seed 5
random "distillation head, three channels" 4 2 3 48 --embed 16 24 40 56 --classes 7 --depths 2 1 --kd --seed 6
random "in the published files' manner" 8 3 1 40 --embed 8 16 32 40 --classes 5 --depths 3 2 --published --seed 7

# ImageNet's transform: every pixel of photographs' sizes within 1 of torchvision's, 99 % equal.
need "image files" "$PYTHON" $ref/make_images.py "$TMP/photos"
need "torchvision's pixels" "$PYTHON" $ref/preprocess.py "$TMP/photos" "$TMP/theirs.h5"
need "our pixels" "$QSVIT" pack "$TMP/photos" -o "$TMP/ours.h5"
run "$PYTHON" -c "
import h5py, numpy as np
a, b = (h5py.File(f'$TMP/{f}.h5') for f in ('ours', 'theirs'))
off = np.abs(a['images'][:].astype(int) - b['images'][:])
print(f'{100 * (off == 0).mean():.2f} % of the pixels of {len(off)} images equal, largest difference {off.max()}')
exit(not ((a['labels'][:] == b['labels'][:]).all() and off.max() <= 1 and (off == 0).mean() >= 0.99))"
if [ "$status" = 0 ]; then
    pass "ImageNet's transform: $out"
else
    fail "ImageNet's transform" "$out" "$err"
fi

# A published size as a published file: import, and every spike in f32 and int4. full_size.py alone does all sizes.
run "$PYTHON" $ref/full_size.py --models 31M --time-steps 1 --heads 1
if [ "$status" = 0 ]; then
    pass "31M at 224x224, f32 and int4"
    sed 's/^/# /' <<<"$out"
else
    fail "31M at 224x224, f32 and int4" "$out" "$err"
fi

need "PyTorch's answers" "$PYTHON" $ref/make_golden.py "$TMP/default.pth" "$TMP/golden.h5" --images 256 \
    --idx $fashion-images-idx3-ubyte.gz $fashion-labels-idx1-ubyte.gz
need "our answers" "$QSVIT" eval -m $default "${fmnist[@]}" --limit 256 --logits "$TMP/logits.h5"
run "$PYTHON" -c "
import h5py, numpy as np
g, ours = h5py.File('$TMP/golden.h5'), h5py.File('$TMP/logits.h5')['logits'][:]
f32, f64 = g['logits'][:], g['logits_f64'][:]
firm = np.abs(f32 - f64).max(1) < 1e-3
near = np.abs(ours - f64).max(1) < 1e-3
print(f'{int((near & firm).sum())} of {int(firm.sum())} images within 1e-3')
exit(not (near & firm).sum() >= 0.97 * firm.sum())"
if [ "$status" = 0 ]; then
    pass "logits of the default model: $out"
else
    fail "logits of the default model" "$out" "$err"
fi

# What examples/*.py do with a small run and its exports, and that they notice what does not belong together.
cat >"$TMP/example.yaml" <<EOF
model: $PWD/$default
dataset: {images: $fashion-images-idx3-ubyte.gz, labels: $fashion-labels-idx1-ubyte.gz, first: 1000, count: 600}
calibration: {images: $fashion-images-idx3-ubyte.gz, labels: $fashion-labels-idx1-ubyte.gz, count: 256}
search: {granularity: stage, formats: [int8, int4, int3, int2, ternary]}
quantizer: {method: compensated, images: 64}
constraint: {max_top1_drop: 5}
ranks: 1
run: example
EOF
example() { # name, status, script with arguments: what it says is in $out
    run "$PYTHON" "${@:3}"
    if [ "$status" = "$2" ]; then
        pass "$1"
    else
        fail "$1" "status $status, expected $2: ${*:3}" "$out" "$err"
    fi
}
need "a run" "$QSVIT" run "$TMP/example.yaml"
need "its network" "$QSVIT" export "$TMP/example" -o "$TMP/small.h5"
need "its network, for PyTorch" "$QSVIT" export "$TMP/example" -o "$TMP/small.safetensors"
example "read_run.py" 0 examples/read_run.py "$TMP/example" --csv
theirs=$(cut -d, -f2,5 <<<"$out" | tail -n +2 | sort) marked=$(grep '^\*' <<<"$out" | cut -d, -f2)
run "$QSVIT" query "$TMP/example" --format csv --columns trial,model_bytes
same "read_run.py: the trials of qsvit query" "$(tail -n +2 <<<"${out//$'\r'/}" | sort)" "$theirs"
run "$QSVIT" query "$TMP/example" --format csv --columns trial --where selected
same "read_run.py: the selected one is marked" "$(tail -n 1 <<<"${out//$'\r'/}")" "$marked"
example "read_run.py: as a table" 0 examples/read_run.py "$TMP/example"
holds "read_run.py: with the baseline" baseline
example "check_export.py" 0 examples/check_export.py "$TMP/example" "$TMP/small.safetensors" $fashion-images-idx3-ubyte.gz --first 1000 --images 200
echo "# $out"
# With f32 multipliers no image may differ that rounding does not move.
sed "s,^model:.*,model: $PWD/tests/data/tiny.h5,; s,^dataset:.*,dataset: {images: $PWD/tests/data/tiny_images.h5},; /^calibration:/d
    s,^quantizer:.*,quantizer: {method: round\, affine: f32},; s,^constraint:.*,constraint: {max_top1_drop: 60},; s,^search: {,search: {strategy: uniform\, ,; s,^run:.*,run: tiny," \
    "$TMP/example.yaml" >"$TMP/tiny.yaml"
need "a tiny run" "$QSVIT" run "$TMP/tiny.yaml"
need "its network, for PyTorch" "$QSVIT" export "$TMP/tiny" -o "$TMP/tiny.safetensors"
example "check_export.py: f32 multipliers, HDF5 images" 0 examples/check_export.py "$TMP/tiny" "$TMP/tiny.safetensors" tests/data/tiny_images.h5
echo "# $out"
example "check_export.py: other images" 1 examples/check_export.py "$TMP/example" "$TMP/small.safetensors" $fashion-images-idx3-ubyte.gz --images 100
need "another network" "$QSVIT" quantize -m $default --format-all binary -o "$TMP/other.safetensors"
example "check_export.py: another network" 1 examples/check_export.py "$TMP/example" "$TMP/other.safetensors" $fashion-images-idx3-ubyte.gz --first 1000 --images 200
example "draw_curve.py" 0 examples/draw_curve.py "$TMP/example" "$TMP/curve.png"
same "draw_curve.py: a PNG file" PNG "$(head -c 4 "$TMP/curve.png" | tail -c 3)"
example "draw_curve.py: SVG" 0 examples/draw_curve.py "$TMP/example" "$TMP/curve.svg"
same "draw_curve.py: an SVG file" 1 "$(grep -c '</svg>' "$TMP/curve.svg")"
example "read_packed.py" 0 examples/read_packed.py "$TMP/small.h5" "$TMP/small.safetensors"
echo "# $(tail -n 1 <<<"$out")"
example "read_packed.py: another network" 1 examples/read_packed.py "$TMP/small.h5" "$TMP/other.safetensors"
for how in "--format-all "{int8,int6,int5,int4,int3,int2,ternary,binary,none} "--setting $TMP/left_out.yaml"; do
    for affine in f32 f16; do
        read -ra words <<<"$how --affine $affine"
        need "quantize $how" "$QSVIT" quantize -m $default "${words[@]}" -o "$TMP/q.h5"
        need "quantize $how" "$QSVIT" quantize -m $default "${words[@]}" -o "$TMP/q.safetensors"
        example "read_packed.py: ${how##*[ /]}, $affine multipliers" 0 examples/read_packed.py "$TMP/q.h5" "$TMP/q.safetensors"
    done
done
finish
