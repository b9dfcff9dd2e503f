#!/bin/bash
# The commonest mistakes: one line each, which says what to do about it.
. tests/lib.sh
root=$PWD
model=$root/models/sdtv2_fmnist_t4.h5
cd "$TMP" || exit

refuse 'no spec' 'qsvit init writes one' "$QSVIT" run
refuse 'a run that is not there' 'no such run; expected its folder' "$QSVIT" query none
refuse 'its status' 'no such run' "$QSVIT" status none
refuse 'its export' 'no such run' "$QSVIT" export none -o x.h5
refuse 'a model that is not there' 'qsvit import makes one from a checkpoint' "$QSVIT" inspect none.h5
echo 'PK, a checkpoint' >net.pth
refuse 'a checkpoint in place of a model' 'net.pth: not a model file; qsvit import makes one' \
    "$QSVIT" eval -m net.pth -d x
refuse 'a data set that Debian has' 'on Debian: apt-get install dataset-none-such' \
    "$QSVIT" eval -m "$model" -d /usr/share/datasets/none-such/images.gz --labels x
refuse 'a data set that nobody has' 'none.gz: cannot open: No such file or directory' \
    "$QSVIT" eval -m "$model" -d none.gz --labels x

printf '\0\0\10\3\0\0\0\2\0\0\0\34\0\0\0\34' >images && head -c 1568 /dev/zero >>images
printf '\0\0\10\1\0\0\0\3\1\2\3' >three
printf '\0\0\10\1\0\0\0\2\1\143' >wrong
refuse 'images without labels' 'labels: in a spec, --labels elsewhere' "$QSVIT" eval -m "$model" -d images
refuse 'labels of other images' 'holds 3 labels for the 2 images' \
    "$QSVIT" eval -m "$model" -d images --labels three
refuse 'labels that are no classes' 'holds label 99, the model has classes 0 to 9' \
    "$QSVIT" eval -m "$model" -d images --labels wrong
refuse 'images of another size' 'the model takes 56x56x1' \
    "$QSVIT" eval -m "$model" -d "$root/tests/data/tiny_images.h5"

spec() { # key, value: a spec that is right but for that
    cat >spec.yaml <<YAML
model: $root/tests/data/tiny.h5
dataset: {images: $root/tests/data/tiny_images.h5}
search:
  strategy: uniform
  granularity: stage
  formats: [int8]
constraint:
  max_top1_drop: 100
quantizer:
  method: round
  affine: f32
shard_images: 32
ranks: 1
run: mine
YAML
    sed -i "s|^\( *$1:\).*|\1 $2|" spec.yaml
}
near() { # key, value, what was meant
    spec "$1" "$2"
    refuse "spec: $1: $2" "did you mean '$3'?" "$QSVIT" run spec.yaml
}
near strategy unifrom uniform
near granularity stages stage
near formats '[itn8]' int8
near method rond round
near affine f61 f16
spec run mine
sed -i 's/^shard_images:/shard_imgaes:/' spec.yaml
refuse 'spec: a key' "did you mean 'shard_images'?" "$QSVIT" run spec.yaml
spec ranks 2
printf 'scheduler: {launcher: srn}\n' >>spec.yaml
refuse 'spec: a launcher' "did you mean 'srun'?" "$QSVIT" run spec.yaml
refuse 'an option: a choice' "did you mean 'json'?" "$QSVIT" query x --format jsno
refuse 'an option: a format' 'did you mean int4?' "$QSVIT" quantize -m "$model" --format-all itn4 -o x.h5
refuse 'an option: a quantizer' 'did you mean searched?' \
    "$QSVIT" quantize -m "$model" --format-all int4 --quantizer serched -o x.h5

spec ranks 2
run env QSV_MPIRUN=/nonexistent "$QSVIT" run spec.yaml
same 'no MPI: status' 1 "$status"
out=$err
holds 'no MPI' 'apt-get install openmpi-bin'

spec ranks 1
run "$QSVIT" run spec.yaml
same 'a run' 0 "$status"
spec shard_images 16
refuse 'a run of another identity' 'name another folder (run: in the spec, or --run)' "$QSVIT" run spec.yaml
printf 'nobody knows\n' >mine/lock
spec ranks 1
refuse 'a run that somebody holds' 'if none is, remove the file' "$QSVIT" run spec.yaml
finish
