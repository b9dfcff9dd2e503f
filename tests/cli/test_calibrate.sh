#!/bin/bash
# calibrate, and quantize with what it wrote.
. tests/lib.sh

model=tests/data/tiny.h5 images=tests/data/tiny_images.h5

refuse 'nothing to write' 'nothing to write' "$QSVIT" calibrate -m $model -d $images
refuse 'nothing to run' 'or a SPEC' "$QSVIT" calibrate -o "$TMP/s.h5"
refuse 'spec and model' 'it excludes --model' "$QSVIT" calibrate cluster.yaml -m $model -o "$TMP/s.h5"
refuse 'no images' '0 images tell nothing' \
    "$QSVIT" calibrate -m $model -d $images --images 0 -o "$TMP/s.h5"
refuse 'unknown quantizer' 'none of max, mse, searched, compensated, gptq, round, did you mean compensated?' \
    "$QSVIT" calibrate -m $model -d $images -o "$TMP/s.h5" --quantizer compensate
cp $model "$TMP/copy.h5"
refuse 'onto its own input' 'is the input itself' \
    "$QSVIT" calibrate -m "$TMP/copy.h5" -d $images -o "$TMP/copy.h5"

expect 'calibrate' 0 "$QSVIT" calibrate -m $model -d $images --images 3 -o "$TMP/s.h5" \
    --bank "$TMP/b.h5"
holds 'it says what it has run' "layers' inputs on 3 images"
holds 'it says how many codes it has chosen' 'sets of codes by compensated'
expect 'once more' 0 "$QSVIT" calibrate -m $model -d $images --images 3 -o "$TMP/s2.h5"
cmp -s "$TMP/s.h5" "$TMP/s2.h5"
same 'the same bytes' 0 $?
cat >"$TMP/spec.yaml" <<SPEC
model: $PWD/$model
dataset:
  images: $PWD/$images
constraint:
  max_top1_drop: 50
SPEC
expect 'as a spec says' 0 "$QSVIT" calibrate "$TMP/spec.yaml" --images 3 -o "$TMP/s2.h5"
cmp -s "$TMP/s.h5" "$TMP/s2.h5"
same 'the same again' 0 $?

refuse 'no statistics' 'needs --stats' \
    "$QSVIT" quantize -m $model --format-all int2 --quantizer compensated -o "$TMP/q.h5"
refuse 'bank and quantizer' '--bank holds codes that were chosen already' "$QSVIT" quantize \
    -m $model --format-all int2 --bank "$TMP/b.h5" --quantizer compensated -o "$TMP/q.h5"
refuse 'statistics are no bank' 'not a bank file' \
    "$QSVIT" quantize -m $model --format-all int2 --bank "$TMP/s.h5" -o "$TMP/q.h5"
refuse 'a bank is no statistics' 'not a statistics file' "$QSVIT" quantize -m $model \
    --format-all int2 --quantizer gptq --stats "$TMP/b.h5" -o "$TMP/q.h5"
refuse 'another model' 'statistics of model' "$QSVIT" quantize -m tests/data/golden/kd_model.h5 \
    --format-all int2 --quantizer gptq --stats "$TMP/s.h5" -o "$TMP/q.h5"

for setting in OPENBLAS_NUM_THREADS=1 OPENBLAS_NUM_THREADS=3 QSV_ISA=scalar; do
    expect "$setting" 0 env $setting "$QSVIT" calibrate -m $model -d $images --images 3 \
        --bank "$TMP/b2.h5"
    cmp -s "$TMP/b.h5" "$TMP/b2.h5"
    same "$setting: the same codes" 0 $?
done

for format in int4 ternary binary; do
    expect "$format from statistics" 0 "$QSVIT" quantize -m $model --format-all $format \
        --quantizer compensated --stats "$TMP/s.h5" -o "$TMP/q1.h5"
    expect "$format from the bank" 0 "$QSVIT" quantize -m $model --format-all $format \
        --bank "$TMP/b.h5" -o "$TMP/q2.h5"
    cmp -s "$TMP/q1.h5" "$TMP/q2.h5"
    same "$format: the same network" 0 $?
    expect "$format rounded" 0 "$QSVIT" quantize -m $model --format-all $format -o "$TMP/q3.h5"
    cmp -s "$TMP/q1.h5" "$TMP/q3.h5"
    same "$format: not what rounding gives" 1 $?
    expect "$format runs" 0 "$QSVIT" eval -m "$TMP/q1.h5" -d $images
done

same 'no temporary files are left' '' "$(find "$TMP" -name '*.tmp')"
finish
