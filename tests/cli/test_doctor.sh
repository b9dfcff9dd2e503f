#!/bin/bash
# qsvit doctor: what it says of a machine that is fine, and of ones that are not.
. tests/lib.sh

cat >"$TMP/fine.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
constraint:
  max_top1_drop: 5
run: $TMP/runs/fine
YAML
line() { # probe: its line
    printf '%s\n' "$out" | grep -E "^[a-zA-Z]+ +$1 "
}
word() { # probe: ok, warn or FAIL
    line "$1" | cut -d' ' -f1
}

run "$QSVIT" doctor -c "$TMP/fine.yaml"
same 'all is well: status 0' 0 "$status"
same 'nothing failed' '' "$(printf '%s\n' "$out" | grep FAIL)"
for probe in mpirun slurm cpu cores memory spec inputs folder; do
    same "$probe is looked at" 1 "$(line $probe | wc -l)"
done
same 'model and data set can be read' ok "$(word inputs)"
same 'nothing is left behind' 'fine.yaml' "$(ls "$TMP")"

run "$QSVIT" doctor
same 'without a spec: status 0' 0 "$status"
same 'without a spec it says so' warn "$(word spec)"

run env QSV_MPIRUN=/nonexistent/mpirun "$QSVIT" doctor
same 'no mpirun: status 1' 1 "$status"
same 'no mpirun is found' FAIL "$(word mpirun)"
holds 'and what to do is said' 'apt-get install openmpi-bin'

printf '#!/bin/sh\necho mpirun \\(Open MPI\\) 3.0.0\n' >"$TMP/mpirun"
chmod +x "$TMP/mpirun"
run env QSV_MPIRUN="$TMP/mpirun" "$QSVIT" doctor
same 'another Open MPI is a warning' warn "$(word mpirun)"

run env QSV_ISA=sse9 "$QSVIT" doctor
same 'an instruction set that is none' FAIL "$(word cpu)"

sed 's,tiny_images,no_images,' "$TMP/fine.yaml" >"$TMP/images.yaml"
run "$QSVIT" doctor -c "$TMP/images.yaml"
same 'a missing data set: status 1' 1 "$status"
same 'a missing data set is found' FAIL "$(word inputs)"
holds 'and named' 'no_images.h5'

sed 's,granularity,x,; $a runn: x' "$TMP/fine.yaml" >"$TMP/wrong.yaml"
run "$QSVIT" doctor -c "$TMP/wrong.yaml"
same 'a wrong spec is found' FAIL "$(word spec)"

# A PATH of our own, so that it does not matter what this machine has.
mkdir -p "$TMP/bin"
slurm() {
    run env PATH="$TMP/bin" QSV_MPIRUN="$(command -v mpirun)" "$QSVIT" doctor
}
script() { # name, lines of shell...
    printf '#!/bin/sh\n%s\n' "$2" >"$TMP/bin/$1"
    chmod +x "$TMP/bin/$1"
}
slurm
same 'no Slurm is no fault' ok "$(word slurm)"
script sbatch 'echo slurm-wlm 22.05.8'
slurm
same 'a Slurm without scontrol is a warning' warn "$(word slurm)"
script scontrol 'echo slurm-wlm 22.05.8'
script srun 'echo "MPI plugin types are..."; echo "	none"; echo "	pmix"'
slurm
same 'a Slurm with PMIx is fine' ok "$(word slurm)"
script srun 'echo "MPI plugin types are..."; echo "	none"; echo "	pmi2"'
slurm
same 'a Slurm without PMIx is a warning' warn "$(word slurm)"
script sbatch 'echo no controller >&2; exit 1'
slurm
same 'a Slurm that does not answer is a warning' warn "$(word slurm)"
holds 'in its own words' 'no controller'

if [ "$(id -u)" = 0 ] && unshare -rm true 2>/dev/null; then
    mkdir "$TMP/small"
    sed "s,^run: .*,run: $TMP/small/run," "$TMP/fine.yaml" >"$TMP/small.yaml"
    run unshare -rm sh -c "mount -t tmpfs -o size=1m none '$TMP/small' && '$QSVIT' doctor -c '$TMP/small.yaml'"
    same 'a folder without room is found' FAIL "$(word folder)"
    holds 'and what it lies on' 'tmpfs'
else
    skip 'a folder without room' 'it takes namespaces'
fi
finish
