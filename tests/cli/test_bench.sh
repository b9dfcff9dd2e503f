#!/bin/bash
# synth, and bench of layers, models and tries: what they refuse and what they print. Never how long
# anything took.
. tests/lib.sh
model=tests/data/tiny.h5
small=('--widths' '8,16,24,32' '--depths' '1,1' --heads 2 --classes 5 --size 32 --time-steps 2)

refuse 'synth: no output' '--output MODEL.h5 is missing' "$QSVIT" synth
for widths in 8,16,24 8,16,24,32,40 8,16,24,x 8,,24,32 '' -8,16,24,32 8.5,16,24,32 ' 8,16,24,32'; do
    refuse "synth: --widths '$widths'" 'option --widths' \
        "$QSVIT" synth --widths "$widths" -o "$TMP/m.h5"
done
refuse 'synth: an odd first width' 'it must be even' "$QSVIT" synth --widths 9,16,24,32 -o "$TMP/m.h5"
refuse 'synth: heads that do not divide' '8 attention heads do not divide' \
    "$QSVIT" synth --widths 8,16,24,36 -o "$TMP/m.h5"
refuse 'synth: --depths' 'option --depths' "$QSVIT" synth --depths 6 -o "$TMP/m.h5"
refuse 'synth: --rate 0' 'firing rate 0' "$QSVIT" synth "${small[@]}" --rate 0 -o "$TMP/m.h5"
refuse 'synth: --size 0' 'option --size' "$QSVIT" synth "${small[@]}" --size 0 -o "$TMP/m.h5"
refuse 'synth: --classes 0' 'option --classes' "$QSVIT" synth "${small[@]}" --classes 0 -o "$TMP/m.h5"
same 'synth: nothing was written' '' "$(ls "$TMP")"

expect 'synth' 0 "$QSVIT" synth "${small[@]}" --kd --seed 3 -o "$TMP/a.h5"
holds 'synth: says what it made' '55 layers'
holds 'synth: says what rates it reached' 'firing rates of'
holds 'synth: names what fires otherwise' "block3.0.attn.k_lif fires at"
expect 'synth again' 0 "$QSVIT" synth "${small[@]}" --kd --seed 3 -o "$TMP/b.h5"
cmp -s "$TMP/a.h5" "$TMP/b.h5"
same 'synth: the same seed, the same bytes' 0 $?
expect 'inspect what synth made' 0 "$QSVIT" inspect "$TMP/a.h5"
holds 'synth: the options are in the file' '2 heads, T=2, input 3x32x32, 5 classes'
holds 'synth: the distillation head' 'head_kd'
expect 'quantize what synth made' 0 "$QSVIT" quantize -m "$TMP/a.h5" --format-all int4 -o "$TMP/q.h5"

refuse 'bench: both' 'exclude each other' "$QSVIT" bench --kernels --trie --model $model
refuse 'bench: a trie of nothing' 'give --model' "$QSVIT" bench --trie
refuse 'bench: --only without --kernels' 'goes with --kernels' \
    "$QSVIT" bench --model $model --only stem
refuse 'bench: no such format' "'int44' is none of" \
    "$QSVIT" bench --kernels --model $model --formats int4,int44
refuse 'bench: no formats' 'no format' "$QSVIT" bench --model $model --formats ''
refuse 'bench: a model that is not there' none.h5 "$QSVIT" bench --model "$TMP/none.h5"
refuse 'bench: a quantized model' 'quantized' "$QSVIT" bench --model "$TMP/q.h5"
refuse 'bench: --threads 0' 'option --threads' "$QSVIT" bench --model $model --threads 0
for rates in 0 100 -5 5,x nan; do
    refuse "bench: --rates $rates" 'option --rates' \
        "$QSVIT" bench --kernels --model $model --rates $rates
done
refuse 'bench: --only' "did you mean 'conv1x1'?" "$QSVIT" bench --kernels --model $model --only conv1x

count() { # pattern
    printf '%s\n' "$out" | grep -c "$1"
}

quick=(--rounds 1 --batch 2 --model "$model")
expect 'bench --kernels' 0 "$QSVIT" bench --kernels "${quick[@]}" --formats int4,f32 --rates 10
for kind in stem conv3x3 conv3x3s2 conv1x1 linear depthwise real1x1 real_depthwise attention lif; do
    same "bench --kernels: $kind is there" yes "$(printf '%s\n' "$out" | grep -qE "^$kind  " && echo yes)"
done
holds 'bench --kernels: names the CPU' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
expect 'bench --kernels of one kind' 0 \
    "$QSVIT" bench --kernels "${quick[@]}" --formats int4,int2 --rates 10,20 --only depthwise --format json
same 'bench --kernels: a row for each shape, format and rate' $((3 * 2 * 2)) "$(count '"layer":')"
same 'bench --kernels: of that kind alone' "$(count '"kind":')" "$(count '"kind": "depthwise"')"
for field in cpu isa time_steps batch rounds; do
    holds "bench --kernels: JSON has $field" "\"$field\": "
done
same 'bench --kernels: QSV_ISA decides' 1 "$(QSV_ISA=scalar "$QSVIT" bench --kernels "${quick[@]}" \
    --formats int4 --rates 10 --only stem --format json | grep -c '"isa": "scalar"')"

expect 'bench --model' 0 "$QSVIT" bench "${quick[@]}" --formats int4,f32 --threads 2
same 'bench --model: images a second of each format' 2 "$(count '^\(int4\|f32\): [0-9.e+]* images/s')"
same 'bench --model: a profile of each format' 2 "$(count '^  real_depthwise  *[0-9]')"
expect 'bench --model as JSON' 0 "$QSVIT" bench "${quick[@]}" --formats int4,int2,f32 --format json
same 'bench --model: every format' 3 "$(count '"images_per_s":')"
same 'bench --model: every kind of each' 36 "$(count '"share":')"
expect 'bench --trie' 0 "$QSVIT" bench --trie "${quick[@]}" --formats int4 --format json
layers=$("$QSVIT" inspect $model --format csv | tail -n +2 | wc -l)
holds 'bench --trie: networks' "\"networks\": $((layers + 1)),"
holds 'bench --trie: forwards asked for' "\"layer_forwards_asked\": $(((layers + 1) * layers * 2)),"
holds 'bench --trie: forwards done' \
    "\"layer_forwards_done\": $(((layers + layers * (layers + 1) / 2) * 2))"
expect 'bench of the coordinator' 0 "$QSVIT" bench --tasks 10 --workers 2
holds 'bench of the coordinator: tasks' '200 tasks in'
same 'no temporary files are left' '' "$(find "$TMP" -name '*.tmp')"
finish
