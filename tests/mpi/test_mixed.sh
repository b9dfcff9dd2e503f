#!/bin/bash
# Ranks that don't match: other CPU types give the same records, other programs are refused by name.
. tests/lib.sh
. tests/mpi/sweep.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# spec, program of rank 2...: two ranks of the usual program, and one of that
mixed() {
    local file=$1
    shift
    run mpirun -q --oversubscribe -np 2 "$QSVIT" run "$file" : -np 1 "$@" run "$file"
}

run "$QSVIT" run "$(spec one)"
same 'ranks of one kind' 0 "$status"
for isa in scalar avx2; do
    if ! QSV_ISA=$isa "$QSVIT" eval -m tests/data/tiny.h5 -d tests/data/tiny_images.h5 --limit 1 \
        >/dev/null 2>&1; then
        skip "a rank with $isa" "this CPU has none"
        continue
    fi
    mixed "$(spec $isa)" env QSV_ISA=$isa "$QSVIT"
    same "a rank with $isa works with the others" 0 "$status"
    run "$QSVIT" diff "$TMP/one" "$TMP/$isa"
    same "a rank with $isa gives the same records" 0 "$status"
done

cp "$QSVIT" "$TMP/other"
echo >>"$TMP/other" # behind all that is loaded, but another file
mixed "$(spec build)" "$TMP/other"
same 'another build is refused' 2 "$status"
same 'by its rank' 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: rank 2 on .* runs another build of qsvit')"
same 'before anything is written' '' "$(ls "$TMP/build" 2>/dev/null)"

file=$(spec spec)
sed 's/max_top1_drop: 5/max_top1_drop: 6/' "$file" >"$TMP/other.yaml"
run mpirun -q --oversubscribe -np 2 "$QSVIT" run "$file" : -np 1 "$QSVIT" run "$TMP/other.yaml"
same 'another spec is refused' 2 "$status"
same 'by its rank too' 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: rank 2 on .* reads another spec')"

# Images that lie in another place on every host, under the same name.
"$QSVIT" synth -o "$TMP/m.h5" --widths 8,16,24,32 --size 64 --classes 3 --time-steps 1 --depths 1,1 --heads 4 >"$TMP/log"
for host in a b c; do
    mkdir "$TMP/$host"
    cp -r tests/data/images "$TMP/$host/val"
done
cp "$TMP/a/val/n01440764/grey.JPEG" "$TMP/b/val/n01440764/chroma_420.JPEG" # the first
mv "$TMP/c/val/n01440764/odd.JPEG" "$TMP/c/val/n02099601"

images() { # name, the host of rank 2
    cat >"$TMP/$1.yaml" <<YAML
model: $TMP/m.h5
dataset: {images: val, resize: 73, crop: 64}
search: {strategy: uniform, formats: [int8]}
quantizer: {method: ${method:-round}}
constraint: {max_top1_drop: 100, margin: 0, reserve: 0}
shard_images: 4
ranks: 3
run: $TMP/$1
YAML
    run mpirun -q --oversubscribe -np 2 "$QSVIT" run "$TMP/$1.yaml" --paths-from "$TMP/a" : \
        -np 1 "$QSVIT" run "$TMP/$1.yaml" --paths-from "$TMP/$2"
}
for host in b c; do
    images "host$host" $host
    same "other images are refused ($host)" 2 "$status"
    same 'by their rank' 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: rank 2 on .* dataset (the judging images)')"
done
# Codes and records of a rank that has not read all images have their fingerprint.
method=compensated images all a
same 'one rank reads all images for all' 0 "$status"
run "$QSVIT" run "$TMP/all.yaml" --paths-from "$TMP/a" --ranks 1 --run "$TMP/one_rank"
run "$QSVIT" diff "$TMP/all" "$TMP/one_rank"
same 'and their records are those of one rank alone' 0 "$status"
finish
