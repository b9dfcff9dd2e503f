#!/bin/bash
# The first steps: qsvit alone says what to do next, qsvit init writes a spec.
. tests/lib.sh
model=$PWD/models/sdtv2_fmnist_t4.h5
root=$PWD
# As somebody calls it who has installed it: what it says to type begins with that.
PATH=$(dirname "$QSVIT"):$PATH
QSVIT=qsvit

# says NAME TEXT: qsvit alone, in this folder, says so, with the status of no command.
says() {
    run qsvit
    out=$err
    holds "$1" "$2"
    [ "$status" = 2 ] || fail "$1: status" "status $status, expected 2"
}
# shows NAME COMMAND: the guide or the last output names this as something to do.
shows() {
    holds "$1" "  $2 "
}

mkdir "$TMP/empty" && cd "$TMP/empty" || exit
says 'no spec: it is said' 'no spec of a sweep in this folder'
shows 'no spec: what writes one' 'qsvit init'
same 'no spec: nothing on standard output' '' "$(cat "$TMP/.out")"
same 'no spec: the last line says what was wrong with the command line' \
    'qsvit: no command given (qsvit help lists them)' "$(tail -n 1 "$TMP/.err")"
same 'no spec: no more than six' yes "$([ "$(wc -l <"$TMP/.err")" -le 6 ] && echo yes)"

for kind in '' --fmnist --cifar10 --imagenet; do
    name=$TMP/init${kind#-}.yaml
    # shellcheck disable=SC2086
    expect "init $kind" 0 "$QSVIT" init $kind -o "$name"
    holds "init $kind says what it wrote" "wrote $name"
    shows "init $kind says what is next" "qsvit run $name --dry-run"
    # Nothing but what the spec names can be wrong with it.
    run "$QSVIT" doctor -c "$name"
    same "init $kind: the parser takes it" "ok    spec" \
        "$(printf '%s\n' "$out" | grep -oE '^[a-zA-Z]+ +spec')"
    same "init $kind: every line but the model is the template's" 1 \
        "$(grep -vc '^model: ' <(grep -vxFf "$root/cluster.yaml" -f "$root/examples/cifar10.yaml" \
            -f "$root/examples/imagenet.yaml" "$name"; echo end))"
done
cmp -s "$TMP/init.yaml" "$TMP/init-fmnist.yaml"
same 'init alone is --fmnist' 0 $?
same 'the model that comes along is found' "model: $model" "$(grep '^model:' "$TMP/init.yaml")"
cmp -s "$TMP/init-cifar10.yaml" "$root/examples/cifar10.yaml"
same 'other templates are as they are' 0 $?

expect 'init in a folder' 0 "$QSVIT" init
before=$(cat cluster.yaml)
refuse 'init never writes over' 'cluster.yaml is there already' "$QSVIT" init --imagenet
same 'the file is as it was' "$before" "$(cat cluster.yaml)"
refuse 'init of two' 'expected one' "$QSVIT" init --fmnist --cifar10 -o x.yaml
run "$QSVIT" init -o no/such/folder.yaml
same 'init into no folder fails' 1 "$status"
ln -s nowhere link.yaml
run "$QSVIT" init -o link.yaml
same 'init through a dangling link is refused' 2 "$status"
same 'and makes nothing of it' no "$([ -e nowhere ] && echo yes || echo no)"
rm link.yaml
same 'no drafts are left' cluster.yaml "$(ls)"

if [ -e /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz ]; then
    expect 'what init writes can be run' 0 "$QSVIT" run --dry-run
fi

# Without the models beside the program.
mkdir -p "$TMP/alone/bin" && cp "$(command -v qsvit)" "$TMP/alone/bin/qsvit"
expect 'init without the model' 0 "$TMP/alone/bin/qsvit" init -o "$TMP/other.yaml"
shows 'says how to come by one' "$TMP/alone/bin/qsvit import CHECKPOINT -o $TMP/models/sdtv2_fmnist_t4.h5"
mkdir -p "$TMP/alone/share/qsvit" && touch "$TMP/alone/share/qsvit/sdtv2_fmnist_t4.h5"
expect 'init of an installed program' 0 "$TMP/alone/bin/qsvit" init -o "$TMP/installed.yaml"
same 'names the installed model' "model: $TMP/alone/share/qsvit/sdtv2_fmnist_t4.h5" \
    "$(grep '^model:' "$TMP/installed.yaml")"

# A sweep, from a spec without a run to its end.
mkdir "$TMP/sweep" && cd "$TMP/sweep" || exit
cat >mine.yaml <<YAML
model: $root/tests/data/tiny.h5
dataset:
  images: $root/tests/data/tiny_images.h5
  count: 96
search:
  strategy: uniform
  granularity: stage
  formats: [int8, int4]
constraint:
  max_top1_drop: 50
quantizer:
  method: round
  affine: f32
shard_images: 8
ranks: 1
run: runs/mine
YAML
sed -i 's,tiny_images.h5,no_images.h5,' mine.yaml
says 'a spec without its images' "Its images are missing: $root/tests/data/no_images.h5: cannot open"
sed -i 's,no_images.h5,tiny_images.h5,' mine.yaml
echo 'default: int4' >setting.yaml
says 'a spec of another name is found' 'mine.yaml: nothing is recorded in runs/mine yet'
shows 'what to try first' 'qsvit run mine.yaml --dry-run'
shows 'and then' 'qsvit run mine.yaml'
same 'a setting file is no spec' '' "$(grep setting "$TMP/.err")"

QSV_FAULT=rename:6+:kill "$QSVIT" run mine.yaml >/dev/null 2>&1
says 'a run that was killed' 'mine.yaml: its run runs/mine has stopped (killed)'
shows 'how it goes on' 'qsvit run mine.yaml'
run "$QSVIT" run mine.yaml
same 'it goes on' 0 "$status"
says 'a finished run' 'mine.yaml: its run runs/mine is finished.'
shows 'what to ask of it' 'qsvit query runs/mine --pareto'
shows 'what to take from it' 'qsvit export runs/mine -o small.h5'
sed -i 's/max_top1_drop: 50/max_top1_drop: 40/' mine.yaml
says 'a finished run of an older spec' 'the spec has changed since'
shows 'what goes on with it' 'qsvit run mine.yaml'

printf 'not a lock\n' >runs/mine/lock
says 'a run that is held' 'its run runs/mine goes on'
shows 'how to see it' 'qsvit watch runs/mine'
rm runs/mine/lock
printf 'broken' >runs/mine/results.h5
says 'a damaged run' "can't be read"
shows 'what names the damage' 'qsvit verify runs/mine'

cp mine.yaml cluster.yaml && echo 'runn: x' >>cluster.yaml
says 'a wrong cluster.yaml' "unknown key 'runn'"
shows 'where keys are' 'qsvit help spec'
rm cluster.yaml
for i in 1 2 3 4; do sed "s,^run:.*,run: runs/$i," mine.yaml >"copy$i.yaml"; done
says 'many specs' '2 more specs are here'
finish
