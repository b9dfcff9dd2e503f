#!/bin/bash
# The program with what tests/extending/ adds: its lists name it, and a sweep uses all four at once.
. tests/lib.sh
. tests/mpi/sweep.sh

QSVIT=${QSVIT%/qsvit}/extended/qsvit
fashion=/usr/share/datasets/fashion-mnist/t10k

run "$QSVIT" help spec
for name in 'given, first' 'round, power' 'cifar100, pgm'; do
    holds "help spec names ${name#*, }" "$name"
done
run "$QSVIT" eval --help
holds 'help of --kind names pgm' 'cifar100, pgm,'

# The first 96 test images as PGM: behind their headers IDX files are the same bytes.
{ printf 'P5\n28 2688\n255\n'; zcat $fashion-images-idx3-ubyte.gz | tail -c +17 | head -c $((96 * 784)); } >"$TMP/images.pgm"
zcat $fashion-labels-idx1-ubyte.gz | tail -c +9 | head -c 96 >"$TMP/classes"
model=(eval -m models/sdtv2_fmnist_t4.h5 --limit 32)
run "$QSVIT" "${model[@]}" --images $fashion-images-idx3-ubyte.gz --labels $fashion-labels-idx1-ubyte.gz
same 'eval: IDX' 0 "$status"
idx=$(grep -i top-1 <<<"$out")
run "$QSVIT" "${model[@]}" --images "$TMP/images.pgm" --labels "$TMP/classes"
same 'eval: the same images as PGM' "0 $idx" "$status $(grep -i top-1 <<<"$out")"

cat >"$TMP/all.yaml" <<YAML
model: $PWD/models/sdtv2_fmnist_t4.h5
dataset: {format: pgm, images: images.pgm, labels: classes}
search: {strategy: first, granularity: stage, formats: [int8, int4, int2]}
quantizer: {method: power, affine: f32}
constraint: {max_top1_drop: 20}
shard_images: 32
ranks: 2
scheduler:
  launcher: hour
  launcher_options: [--allow-run-as-root, --oversubscribe]
run: all
YAML
run "$QSVIT" run "$TMP/all.yaml"
same 'a sweep by them' 0 "$status"
holds 'it selects' 'selected: '
run "$QSVIT" query "$TMP/all" --format csv
holds 'and its records are there' ',all int'
finish
