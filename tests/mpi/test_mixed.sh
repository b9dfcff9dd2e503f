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
finish
