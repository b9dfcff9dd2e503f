#!/bin/bash
# qsvit eval from a shell.
. tests/lib.sh

model=tests/data/tiny.h5 images=tests/data/tiny_images.h5

expect 'a model is evaluated' 0 "$QSVIT" eval -m $model -d $images
holds 'top-1' 'top-1   85.62 % (137)'
holds 'images' 'images  160'
holds 'formats' '54 f32 layers'
expect 'the first images only' 0 "$QSVIT" eval -m $model -d $images --limit 7
holds 'as many' 'images  7'
expect 'more than there are' 0 "$QSVIT" eval -m $model --images $images --limit 1000
holds 'all there are' 'images  160'
expect 'firing rates' 0 "$QSVIT" eval -m $model -d $images --firing-rates
same 'one line a LIF' 35 "$(printf '%s\n' "$out" | grep -cE '^ +0\.[0-9]{6}  ')"

# What must be the same whatever the machine, spikes counted to six digits.
answers() {
    printf '%s\n' "$out" | grep -vE '^(model|speed)'
}

expect 'every layer in a format' 0 "$QSVIT" eval -m $model -d $images --format-all int4 \
    --firing-rates
holds 'in that format' '54 int4 layers'
int4=$(answers)
echo 'default: int4' >"$TMP/setting.yaml"
expect 'a setting file' 0 "$QSVIT" eval -m $model -d $images --setting "$TMP/setting.yaml" \
    --firing-rates
same 'gives the same' "$int4" "$(answers)"
expect 'another quantizer' 0 "$QSVIT" eval -m $model -d $images --format-all int4 --quantizer max
max=$(printf '%s\n' "$out" | grep loss)
same 'gives other answers' 1 "$([ "${int4#*"$max"}" = "$int4" ] && echo 1)"

"$QSVIT" quantize -m $model --format-all int4 -o "$TMP/int4.h5" >"$TMP/log"
expect 'a quantized model' 0 "$QSVIT" eval -m "$TMP/int4.h5" -d $images --firing-rates
same 'gives the same' "$int4" "$(answers)"
expect 'affines in half precision' 0 "$QSVIT" eval -m $model -d $images --format-all int4 \
    --affine f16 --firing-rates
half=$(answers)
same 'give other answers' 1 "$([ "$half" != "$int4" ] && echo 1)"
"$QSVIT" quantize -m $model --format-all int4 --affine f16 -o "$TMP/half.h5" >"$TMP/log"
expect 'a quantized model with them' 0 "$QSVIT" eval -m "$TMP/half.h5" -d $images --firing-rates
same 'gives the same' "$half" "$(answers)"
expect 'a network with nothing left' 0 "$QSVIT" eval -m $model -d $images --format-all none --firing-rates
holds 'says so' '54 none layers'
none=$(answers)
"$QSVIT" quantize -m $model --format-all none -o "$TMP/none.h5" >"$TMP/log"
expect 'as a quantized model' 0 "$QSVIT" eval -m "$TMP/none.h5" -d $images --firing-rates
same 'gives the same' "$none" "$(answers)"
refuse 'its formats cannot be chosen' 'is quantized already' \
    "$QSVIT" eval -m "$TMP/int4.h5" -d $images --format-all int8

for isa in scalar avx2; do
    run env QSV_ISA=$isa "$QSVIT" eval -m $model -d $images --format-all int4 --firing-rates
    [ "$status" = 2 ] && continue # this CPU does not have it
    same "$isa gives the same" "$int4" "$(answers)"
done

expect 'logits' 0 "$QSVIT" eval -m $model -d $images --logits "$TMP/logits.h5"
same 'are there' 1 "$([ "$(stat -c %s "$TMP/logits.h5")" -gt $((160 * 4 * 5)) ] && echo 1)"
expect 'a trace' 0 "$QSVIT" eval -m $model -d $images --limit 3 --trace "$TMP/trace.h5"
same 'is there' 1 "$([ -s "$TMP/trace.h5" ] && echo 1)"
same 'and nothing else is' '' "$(find "$TMP" -name '*.tmp')"

refuse 'no images' 'give --dataset' "$QSVIT" eval -m $model
refuse 'two data sets' 'give one of them' "$QSVIT" eval -m $model -d $images --images $images
refuse 'format and setting' 'exclude each other' \
    "$QSVIT" eval -m $model -d $images --format-all int4 --setting "$TMP/setting.yaml"
refuse 'an unknown format' "'int7' is none of f32" "$QSVIT" eval -m $model -d $images --format-all int7
refuse 'a missing model' 'missing.h5' "$QSVIT" eval -m "$TMP/missing.h5" -d $images
refuse 'a model that is none' 'tiny_images.h5' "$QSVIT" eval -m $images -d $images
refuse 'images that are none' 'tiny.h5' "$QSVIT" eval -m $model -d $model
head -c 9000 $images >"$TMP/cut.h5"
refuse 'images cut short' 'cut.h5' "$QSVIT" eval -m $model -d "$TMP/cut.h5"
run "$QSVIT" eval -m $model -d $images --logits "$TMP/int4.h5/logits.h5"
same 'logits that cannot be written' 1 "$status"
finish
