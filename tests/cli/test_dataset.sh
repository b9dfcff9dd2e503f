#!/bin/bash
# Data sets of image files from a shell: qsvit dataset check, and eval on them.
. tests/lib.sh

images=tests/data/images

expect 'class folders' 0 "$QSVIT" dataset check $images
same 'are counted and named' "images       19 of 3x224x224
classes      3 of 0 to 2, 6 to 7 images each
           0 n01440764, 6 images
           1 n02099601, 6 images
           2 n03445777, 7 images" "$(grep -v fingerprint <<<"$out")"
standard=$(grep fingerprint <<<"$out")
expect 'another transform' 0 "$QSVIT" dataset check $images --resize 73 --crop 64 --interpolation bilinear
holds 'has another size' '19 of 3x64x64'
same 'and another fingerprint' 1 "$([ "$standard" != "$(grep fingerprint <<<"$out")" ] && echo 1)"

tar -cf "$TMP/val.tar" -C $images .
expect 'the same in an archive' 0 "$QSVIT" dataset check "$TMP/val.tar"
same 'has the same fingerprint' "$standard" "$(grep fingerprint <<<"$out")"

# As ImageNet's validation images lie in their archive: no class folders, classes from elsewhere.
mkdir "$TMP/flat"
number=0
for file in "$images"/*/*; do
    number=$((number + 1))
    cp "$file" "$TMP/flat/$(printf 'ILSVRC2012_val_%08d.JPEG' $number)"
    printf 'ILSVRC2012_val_%08d,%s 1 2 3 4\n' $number "$(basename "$(dirname "$file")")"
done >"$TMP/lines"
(echo ImageId,PredictionString && tac "$TMP/lines") >"$TMP/LOC_val_solution.csv"
tar -cf "$TMP/flat.tar" -C "$TMP/flat" .
for kind in flat flat.tar; do
    expect "$kind with Kaggle's labels" 0 "$QSVIT" dataset check "$TMP/$kind" --labels "$TMP/LOC_val_solution.csv"
    same 'is the same data set' "$standard" "$(grep fingerprint <<<"$out")"
    holds 'names classes' '2 n03445777, 7 images'
done
refuse 'images without classes' 'lies in no class folder, and no labels are given' "$QSVIT" dataset check "$TMP/flat"

cp -r $images "$TMP/damaged"
truncate -s 700 "$TMP/damaged/n02099601/small.JPEG"
echo text >"$TMP/damaged/n03445777/grey.png"
run "$QSVIT" dataset check "$TMP/damaged"
same 'images that cannot be read: status' 2 "$status"
same 'each is named' "unreadable   $TMP/damaged/n02099601/small.JPEG: is a JPEG file that ends too early
unreadable   $TMP/damaged/n03445777/grey.png: is neither JPEG nor PNG: its first bytes are 74 65 78 74 0a" \
    "$(grep unreadable <<<"$out")"
same 'and counted' "qsvit: $TMP/damaged: 2 of 19 images can't be read" "$err"

refuse 'a crop larger than the image' 'images resized to 100 and cropped to 224' "$QSVIT" dataset check $images --resize 100
refuse 'another action' "unknown action 'look'" "$QSVIT" dataset look $images

# A network of three classes on them, from a folder and from an archive.
"$QSVIT" synth -o "$TMP/m.h5" --widths 8,16,24,32 --size 64 --classes 3 --time-steps 1 --depths 1,1 --heads 4 >"$TMP/log"
how=(--resize 73 --crop 64)
expect 'eval on a folder' 0 "$QSVIT" eval -m "$TMP/m.h5" -d $images "${how[@]}"
holds 'all images' 'images  19'
folder=$(grep -E '^(top|loss)' <<<"$out")
expect 'eval on an archive' 0 "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/flat.tar" --labels "$TMP/LOC_val_solution.csv" "${how[@]}"
same 'gives the same' "$folder" "$(grep -E '^(top|loss)' <<<"$out")"

# Classes in another order than the model's: each label is one too high.
mnist=/usr/share/datasets/fashion-mnist
gunzip -c $mnist/t10k-labels-idx1-ubyte.gz >"$TMP/labels"
(head -c 8 "$TMP/labels" && tail -c +9 "$TMP/labels" | tr '\000-\011' '\001-\011\000') >"$TMP/shifted"
default=(-m models/sdtv2_fmnist_t4.h5 -d "$mnist/t10k-images-idx3-ubyte.gz" --limit 64)
expect 'classes in their order' 0 "$QSVIT" eval "${default[@]}" --labels "$TMP/labels"
run "$QSVIT" eval "${default[@]}" --labels "$TMP/shifted"
same 'another order of classes is no failure' 0 "$status"
same 'but warned of' 'qsvit: warning: the network as it is answers' "${err% [0-9.]* % of 64 images right, no better than chance (10.00 % for 10 classes)*}"
run "$QSVIT" eval "${default[@]}" --labels "$TMP/shifted" --format-all binary
same 'not where it may be the formats' '' "$err"
cat >"$TMP/spec.yaml" <<YAML
model: $PWD/models/sdtv2_fmnist_t4.h5
dataset: {images: $mnist/t10k-images-idx3-ubyte.gz, labels: $TMP/shifted, count: 64}
search: {strategy: uniform, formats: [int8]}
quantizer: {method: round}
constraint: {max_top1_drop: 100, margin: 0, reserve: 0}
shard_images: 32
ranks: 1
run: $TMP/run
YAML
run "$QSVIT" run "$TMP/spec.yaml"
same 'a run of it' 0 "$status"
same 'warns once' 1 "$(grep -c '^warning: the network as it is .* no better than chance .* qsvit dataset check' <<<"$err")"
holds 'and says how long it waited for images' 'workers waited'
expect 'its status' 0 "$QSVIT" status "$TMP/run"
holds 'says so too' 'images     workers waited'
sed "s,$TMP/shifted,$TMP/labels," "$TMP/spec.yaml" >"$TMP/good.yaml"
run "$QSVIT" run "$TMP/good.yaml" --run "$TMP/good"
same 'a run of classes in their order warns of nothing' "0 0" "$status $(grep -c chance <<<"$err")"

refuse 'images of another size than the model' 'images are 224x224x3' "$QSVIT" eval -m "$TMP/m.h5" -d $images
refuse 'a damaged image ends it by name' 'n02099601/small.JPEG: is a JPEG file that ends too early' \
    "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/damaged" "${how[@]}"

expect 'pack' 0 "$QSVIT" pack "$TMP/flat.tar" --labels "$TMP/LOC_val_solution.csv" "${how[@]}" -o "$TMP/packed.h5"
same 'says what it has written' "$TMP/packed.h5: 19 images of 3x64x64" "$out"
expect 'eval on a packed data set' 0 "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/packed.h5"
same 'gives the same' "$folder" "$(grep -E '^(top|loss)' <<<"$out")"
refuse 'a damaged image is not packed' 'n02099601/small.JPEG: is a JPEG file that ends too early' \
    "$QSVIT" pack "$TMP/damaged" "${how[@]}" -o "$TMP/none.h5"
same 'and nothing is left' '' "$(find "$TMP" -name "none*")"

cat >"$TMP/spec.yaml" <<YAML
model: m.h5
dataset: {images: flat.tar, labels: LOC_val_solution.csv, resize: 73, crop: 64}
constraint: {max_top1_drop: 50}
search: {strategy: uniform, formats: [int4]}
YAML
expect 'a spec names the transform' 0 "$QSVIT" run "$TMP/spec.yaml" --dry-run
holds 'the images' '19 images of 3x64x64'

finish
