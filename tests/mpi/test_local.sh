#!/bin/bash
# `qsvit run` starts its ranks wherever it is: as root, with more ranks than cores, without ssh,
# network, room in /dev/shm or a temporary folder; and it ends as its user wants it to.
. tests/lib.sh

spec() { # name, further lines of YAML...
    local file=$TMP/$1.yaml
    cat >"$file" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
search:
  strategy: qsvit
  granularity: stage
  formats: [int8, int4, int2]
  sensitivity_images: 32
  candidates: 2
quantizer: {method: round, affine: f32}
constraint:
  max_top1_drop: ${bound:-30}
shard_images: 16
task_seconds: ${task_seconds:-0.2}
ranks: ${ranks:-3}
run: $TMP/$1
YAML
    echo "$file"
}

last() {
    printf '%s\n' "$out" | tail -n 1 | sed 's, [^ ]*/results.h5$,,'
}

run "$QSVIT" run "$(spec plain)"
same 'it runs' 0 "$status"
selected=$(last)
same 'the last line is for scripts' 'selected: weights saved' "${selected%% [0-9]*}"
same 'nothing but our own lines' '' "$(printf '%s\n' "$err" | grep -iE 'mca|pmix|mpirun|warning|---')"

# name, then a command that runs qsvit in some surroundings
surroundings() {
    local name=$1
    shift
    run "$@"
    if [ "$status" = 0 ]; then
        same "$name" "$selected" "$(last)"
        same "$name: quiet" '' "$(printf '%s\n' "$err" | grep -iE 'mca|pmix|mpirun|warning|---')"
    else
        fail "$name" "status $status" "$err"
    fi
}

ranks=8 surroundings 'more ranks than cores' "$QSVIT" run "$(ranks=8 spec many)"
surroundings 'one core' taskset -c 0 "$QSVIT" run "$(ranks=0 spec core)"
mkdir "$TMP/bin"
for tool in mpirun orted; do
    ln -s "$(command -v $tool)" "$TMP/bin/$tool"
done
surroundings 'without ssh' env "PATH=$TMP/bin" "$QSVIT" run "$(spec ssh)"
surroundings 'no temporary folder' env TMPDIR=/nonexistent "$QSVIT" run "$(spec tmpdir)"
surroundings "inside a batch system's allocation" env SLURM_JOB_ID=7 SLURM_JOBID=7 SLURM_NNODES=2 \
    SLURM_PROCID=0 'SLURM_NODELIST=node[1-2]' 'SLURM_JOB_NODELIST=node[1-2]' \
    'SLURM_TASKS_PER_NODE=4(x2)' "$QSVIT" run "$(spec slurm)"
if command -v ip >/dev/null && unshare -rn true 2>/dev/null; then
    surroundings 'without a network' \
        unshare -rn sh -c 'ip link set lo up && exec "$@"' - "$QSVIT" run "$(spec network)"
else
    echo '# not tried here, it takes namespaces and ip: without a network'
fi
if unshare -rm true 2>/dev/null; then
    surroundings 'a full /dev/shm' \
        unshare -rm sh -c 'mount -t tmpfs -o size=64k none /dev/shm && exec "$@"' - \
        "$QSVIT" run "$(spec shm)"
else
    echo '# not tried here, it takes namespaces: a full /dev/shm'
fi
surroundings 'under mpirun itself' env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    mpirun --oversubscribe -np 3 "$QSVIT" run "$(spec launched)"

printf 'a\nb\n' >"$TMP/input"
left=$({
    "$QSVIT" run "$(spec stdin)" >"$TMP/log" 2>&1
    cat
} <"$TMP/input")
same 'standard input is left alone' 'a
b' "$left"

run bash -c "'$QSVIT' run '$(spec full)' >/dev/full"
same 'a full disk is an error' 1 "$status"
same 'and is told' 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: .* written')"

sed 's/granularity/granluarity/' "$(spec wrong)" >"$TMP/wrong2.yaml"
refuse 'a wrong spec is told once' "did you mean 'granularity'" "$QSVIT" run "$TMP/wrong2.yaml"
run env QSV_MPIRUN=/nonexistent/mpirun "$QSVIT" run "$(spec nompi)"
same 'without mpirun it says so' 1 "$status"
same 'in one line' 1 "$(printf '%s\n' "$err" | wc -l)"

# As Open MPI's does at times, when a rank is killed while it connects.
printf '#!/bin/sh\nsleep 2\nexec tail -f /dev/null\n' >"$TMP/hung"
chmod +x "$TMP/hung"
run env QSV_MPIRUN="$TMP/hung" "$QSVIT" run "$(spec hung)"
same 'mpirun that hangs without ranks is given up' 75 "$status"
same 'and told of' 1 "$(printf '%s\n' "$err" | grep -c 'every rank was gone')"
finish
