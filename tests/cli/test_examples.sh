#!/bin/bash
# The specs under examples/ and the default one, each with small models and data in the places that it names: everything in them is
# checked, and the plan of its sweep is printed.
. tests/lib.sh

# place EXAMPLE SYNTH-OPTIONS...: a copy of the spec in a folder of its own, and the model that it names.
place() {
    local name=$1 model
    shift
    mkdir "$TMP/$name"
    # Of ImageNet's many images there are a few.
    sed -E 's/^  (count|sensitivity_images|decision_images|selection_images): [0-9]+/  \1: 0/' "examples/$name.yaml" >"$TMP/$name/$name.yaml"
    model=$(sed -n 's/^model: //p' "examples/$name.yaml")
    expect "$name: a model" 0 "$QSVIT" synth -o "$TMP/$name/$model" --widths 8,16,24,32 --depths 1,1 --heads 4 --time-steps 1 "$@"
}

# plan EXAMPLE TEXT...: a dry run says these, and leaves nothing behind.
plan() {
    local name=$1 text
    shift
    expect "$name: dry run" 0 "$QSVIT" run "$TMP/$name/$name.yaml" --dry-run
    for text in "$@" 'measured on this machine just now' 'Trials, their order and times are a forecast' \
        'by a model, not measured' 'core-hours'; do
        holds "$name: $text" "$text"
    done
    same "$name: step 1 is planned" 1 "$(grep -cE '^ +sensitivity +[1-9]' <<<"$out")"
    same "$name: nothing is written" '' "$(ls -d "$TMP/$name"/runs 2>/dev/null)"
}

place imagenet --size 224 --classes 1000
# As many as the small development kit knows classes of.
truth=$(tar -xzOf tests/data/devkit.tar.gz --wildcards '*ground_truth.txt' | grep -c .)
mkdir "$TMP/flat"
number=0
for file in tests/data/imagenet-sample/val/*/*; do
    number=$((number + 1))
    [ $number -gt "$truth" ] || cp "$file" "$TMP/flat/$(printf 'ILSVRC2012_val_%08d.JPEG' $number)"
done
tar -cf "$TMP/imagenet/ILSVRC2012_img_val.tar" -C "$TMP/flat" .
cp tests/data/devkit.tar.gz "$TMP/imagenet/ILSVRC2012_devkit_t12.tar.gz"
cp -r tests/data/imagenet-sample/val "$TMP/imagenet/imagenet_calibration"
plan imagenet 'images of 3x224x224' 'deciding   12 images' '512, of which one coordinates; on 16 nodes by srun; each computes with 2 threads' \
    'a node of 32 ranks'

place cifar10 --size 32 --classes 10
mkdir "$TMP/cifar10/cifar-10-batches-bin"
for batch in test_batch data_batch_5; do # a label and 3 x 32 x 32 bytes an image
    for label in 0 1 2 3 4 5 6 7 8 9; do
        printf "\\x0$label"
        head -c 3072 /dev/zero | tr '\0' $label
    done >"$TMP/cifar10/cifar-10-batches-bin/$batch.bin"
done
plan cifar10 'judging    10 images of 3x32x32' 'deciding   10 images'

mkdir "$TMP/default"
sed "s,^model: ,model: $PWD/,; s,^run: ,run: $TMP/default/," cluster.yaml >"$TMP/default/default.yaml"
plan default '138 layers' 'judging    10000 images of 1x28x28 (doubled)' 'deciding   11264 images' 'choosing codes by the statistics'

refuse 'a dry run of a model that is not there' 'sdtv2_cifar10.h5' "$QSVIT" run examples/cifar10.yaml --dry-run
finish
