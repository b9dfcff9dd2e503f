#!/bin/bash
# import, inspect and quantize, on checkpoints and models of a few kilobytes.
. tests/lib.sh
model=tests/data/tiny.h5

# What inspect says of a model in JSON: a value by its key, of the model or of its first layer.
value() { # file, key
    "$QSVIT" inspect "$1" --format json | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},*$/\1/p" |
        head -n 1
}

refuse 'import: no checkpoint' 'CKPT is missing' "$QSVIT" import
refuse 'import: no output' '--output MODEL.h5 is missing' "$QSVIT" import x.pth
refuse 'import: missing file' "$TMP/none.pth" "$QSVIT" import "$TMP/none.pth" -o "$TMP/m.h5"
refuse 'import: a folder' 'not a regular file' "$QSVIT" import "$TMP" -o "$TMP/m.h5"
refuse 'import: not a checkpoint' 'cluster.yaml' "$QSVIT" import cluster.yaml -o "$TMP/m.h5"
refuse 'import: a model file' "$model" "$QSVIT" import $model -o "$TMP/m.h5"
for shape in 3x224 3x224x224x1 3x0x224 0x1x1 x -3x2x2 3x224x224x 17x8x8 1x99999x1 ' 3x1x1'; do
    refuse "import: --input '$shape'" 'option --input' \
        "$QSVIT" import x.pth -o "$TMP/m.h5" --input "$shape"
done
for mean in 0.5 0.5,0.5 1,2,3,4 a,b,c '1,2,3,' nan,1,1; do
    refuse "import: --mean '$mean'" 'option --mean' \
        "$QSVIT" import x.pth -o "$TMP/m.h5" --mean "$mean"
done
refuse 'import: --std of 0' 'option --std' "$QSVIT" import x.pth -o "$TMP/m.h5" --std 1,0,1
refuse 'import: --heads 0' 'option --heads' "$QSVIT" import x.pth -o "$TMP/m.h5" --heads 0
refuse 'import: one channel has no default mean' 'option --mean is needed' \
    "$QSVIT" import x.pth -o "$TMP/m.h5" --input 1x28x28
same 'import: nothing was written' '' "$(ls "$TMP")"

refuse 'inspect: not a model' 'cluster.yaml' "$QSVIT" inspect cluster.yaml
refuse 'inspect: an HDF5 file that is no model' 'tiny_images.h5' \
    "$QSVIT" inspect tests/data/tiny_images.h5
expect 'inspect' 0 "$QSVIT" inspect $model
holds 'inspect: options' 'T=2'
holds 'inspect: totals' 'bytes stored'
layers=$(printf '%s\n' "$out" | grep -cE '^[^ ]+ +[0-9]+x')
expect 'inspect --format csv' 0 "$QSVIT" inspect $model --format csv
same 'inspect: a line of CSV for each layer' $((layers + 1)) "$(printf '%s\n' "$out" | wc -l)"
same 'inspect: the CSV is rectangular' 1 \
    "$(printf '%s\n' "$out" | awk -F, '{ print NF }' | sort -u | wc -l)"
expect 'inspect --format json' 0 "$QSVIT" inspect $model --format json
same 'inspect: a JSON object for each layer' "$layers" \
    "$(printf '%s\n' "$out" | grep -c '"share_percent"')"
weights=$("$QSVIT" inspect $model --format csv | awk -F, 'NR > 1 { n += $5 } END { print n }')
same 'inspect: the weights add up' "$weights" \
    "$("$QSVIT" inspect $model | sed -n 's/.* LIFs, \([0-9]*\) weights/\1/p')"

refuse 'quantize: no formats' 'no formats' "$QSVIT" quantize -m $model -o "$TMP/q.h5"
refuse 'quantize: unknown format' 'did you mean int4?' \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --format-all int44
refuse 'quantize: both' 'exclude each other' \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --format-all int4 --setting x
refuse 'quantize: name of the output' 'must end in .h5 or .safetensors' \
    "$QSVIT" quantize -m $model -o "$TMP/q.pth" --format-all int4
refuse 'quantize: quantizer' 'none of max, mse, searched, compensated, gptq, round' \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --format-all int4 --quantizer best
refuse 'quantize: missing setting file' "$TMP/none.yaml" \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --setting "$TMP/none.yaml"
printf 'default: int4\nlayers:\n  no_such_layer: int2\n' >"$TMP/bad.yaml"
refuse 'quantize: a pattern that matches nothing' 'bad.yaml:3' \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --setting "$TMP/bad.yaml"
cp $model "$TMP/copy.h5"
refuse 'quantize: onto its own input' 'is the input itself' \
    "$QSVIT" quantize -m "$TMP/copy.h5" -o "$TMP/./copy.h5" --format-all int4
cmp -s $model "$TMP/copy.h5"
same 'quantize: the input is as it was' 0 $?
run "$QSVIT" quantize -m $model -o "$TMP/none/q.h5" --format-all int4
same 'quantize: into a folder that is not there' 1 "$status"

last=$(stat -c %s $model)
for format in f16 int8 int4 int2 binary none; do
    expect "quantize --format-all $format" 0 \
        "$QSVIT" quantize -m $model -o "$TMP/$format.h5" --format-all $format
    bytes=$(value "$TMP/$format.h5" bytes)
    same "$format: takes less than the one before" yes "$([ "$bytes" -lt "$last" ] && echo yes)"
    holds "$format: says what it takes" " $bytes bytes"
    same "$format: on disk at most 32 KiB more" yes \
        "$([ "$(stat -c %s "$TMP/$format.h5")" -le $((bytes + 32768)) ] && echo yes)"
    same "$format: is the format of the layers" $format "$(value "$TMP/$format.h5" format)"
    last=$bytes
done
sleep 1
"$QSVIT" quantize -m $model -o "$TMP/later.h5" --format-all int4 >/dev/null
cmp -s "$TMP/int4.h5" "$TMP/later.h5"
same 'the same contents are the same bytes, whenever they are written' 0 $?
refuse 'quantize: a quantized model' 'is quantized already' \
    "$QSVIT" quantize -m "$TMP/int8.h5" -o "$TMP/q.h5" --format-all int4

expect 'quantize --affine f16' 0 \
    "$QSVIT" quantize -m $model -o "$TMP/half.h5" --format-all int4 --affine f16
half=$(value "$TMP/half.h5" bytes)
holds 'affine f16: says what it takes' " $half bytes"
same 'affine f16: takes less' yes "$([ "$half" -lt "$(value "$TMP/int4.h5" bytes)" ] && echo yes)"
expect 'inspect: halves' 0 "$QSVIT" inspect "$TMP/half.h5"
holds 'inspect: says so' 'multipliers and shifts as f16'
expect 'inspect: floats' 0 "$QSVIT" inspect "$TMP/int4.h5"
holds 'inspect: says that too' 'multipliers and shifts as f32'
same 'inspect: in JSON' f16 "$(value "$TMP/half.h5" affine)"
"$QSVIT" quantize -m $model -o "$TMP/f32.h5" --format-all f32 >/dev/null
"$QSVIT" quantize -m $model -o "$TMP/half_f32.h5" --format-all f32 --affine f16 >/dev/null
cmp -s "$TMP/f32.h5" "$TMP/half_f32.h5"
same 'affine f16: all f32 is the source model' 0 $?
refuse 'quantize: affine' 'f32' \
    "$QSVIT" quantize -m $model -o "$TMP/q.h5" --format-all int4 --affine int4

first=$(value $model layer)
printf 'default: int4\nlayers:\n  "*": int3\n  %s: int8\n' "$first" >"$TMP/setting.yaml"
expect 'quantize --setting' 0 \
    "$QSVIT" quantize -m $model -o "$TMP/set.h5" --setting "$TMP/setting.yaml"
same 'setting: the last match wins' int8 "$(value "$TMP/set.h5" format)"
same 'setting: all others as the pattern says' $((layers - 1)) \
    "$("$QSVIT" inspect "$TMP/set.h5" --format csv | cut -d, -f7 | grep -c '^int3$')"

# Back through PyTorch's format: int8 weights are multiples of a scale, so that rounding them once
# more by the largest magnitude changes nothing.
expect 'quantize to safetensors' 0 \
    "$QSVIT" quantize -m $model -o "$TMP/a.safetensors" --format-all int8 --quantizer max
input=$("$QSVIT" inspect $model | sed -n 's/.*input \([0-9x]*\),.*/\1/p')
heads=$(value $model heads) steps=$(value $model time_steps)
expect 'import of what quantize wrote' 0 "$QSVIT" import "$TMP/a.safetensors" -o "$TMP/a.h5" \
    --input "$input" --heads "$heads" --time-steps "$steps" --mean 0.485 --std 0.229
same 'it has the same weights' "$weights" "$(value "$TMP/a.h5" weights)"
expect 'quantize it again' 0 \
    "$QSVIT" quantize -m "$TMP/a.h5" -o "$TMP/b.safetensors" --format-all int8 --quantizer max
cmp -s "$TMP/a.safetensors" "$TMP/b.safetensors"
same 'nothing has changed' 0 $?

same 'no temporary files are left' '' "$(find "$TMP" -name '*.tmp')"
finish
