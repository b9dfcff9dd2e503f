#!/bin/bash
# A network of a published size (15M at 224x224) on photographs, from JPEG files to the exported network: pack, a sweep, query,
# export, eval. Pixels are held to Pillow's (tests/reference/preprocess.py).
. tests/lib.sh

images=tests/data/imagenet-sample/val
golden=tests/data/golden/imagenet_sample.h5

expect 'pack' 0 "$QSVIT" pack $images -o "$TMP/packed.h5"
holds 'packs every image' '12 images of 3x224x224'
run h5diff --delta=1 "$TMP/packed.h5" $golden /images
same 'every pixel is within 1 of Pillow' 0 "$status"
run h5diff --report "$TMP/packed.h5" $golden /images
differ=$(sed -n 's/^\([0-9]*\) differences found$/\1/p' <<<"$out")
same 'and 99 in 100 are equal' 1 $((${differ:-0} * 100 <= 12 * 224 * 224 * 3))
run h5diff "$TMP/packed.h5" $golden /labels
same 'classes are those of the folders' 0 "$status"

expect 'a model of full size' 0 "$QSVIT" synth -o "$TMP/m.h5" --widths 64,128,256,360 --time-steps 1
for set in packed.h5 val; do
    cat >"$TMP/$set.yaml" <<YAML
model: m.h5
dataset: {images: $set}
search: {strategy: qsvit, granularity: stage, formats: [int4, int2], candidates: 2, max_rounds: 1}
quantizer: {method: round}
constraint: {max_top1_drop: 100}
shard_images: 3
ranks: 3
run: run-$set
YAML
done
ln -s "$PWD/$images" "$TMP/val"

run "$QSVIT" run "$TMP/packed.h5.yaml"
same 'a sweep' 0 "$status"
holds 'selects' 'selected: weights saved'
folder=$TMP/run-packed.h5
expect 'status' 0 "$QSVIT" status "$folder"
holds 'says what a rank took' 'memory     a rank took up to'
columns=trial,n_images,top1,top5,loss
expect 'query' 0 "$QSVIT" query "$folder" --where selected --columns $columns --format csv
IFS=, read -r _ n_images top1 top5 loss <<<"$(sed -n 2p <<<"$out" | tr -d '\r')"
same 'has measured it on all images' 12 "$n_images"

expect 'export' 0 "$QSVIT" export "$folder" -o "$TMP/small.h5"
expect 'eval of what was exported' 0 "$QSVIT" eval -m "$TMP/small.h5" -d "$TMP/packed.h5"
same 'gives what the run measured' "$(printf '%.2f %.2f %.5f' "$top1" "$top5" "$loss")" \
    "$(sed -nE 's/^(top-1|top-5|loss) +([0-9.]+).*/\2/p' <<<"$out" | xargs printf '%.2f %.2f %.5f')"
answers=$(grep -E '^(top|loss)' <<<"$out")
expect 'eval from the files' 0 "$QSVIT" eval -m "$TMP/small.h5" -d $images
same 'gives the same' "$answers" "$(grep -E '^(top|loss)' <<<"$out")"
expect 'inspect' 0 "$QSVIT" inspect "$TMP/small.h5"

expect 'a dry run on the files' 0 "$QSVIT" run "$TMP/val.yaml" --dry-run
holds 'plans the steps' 'sensitivity'
finish
