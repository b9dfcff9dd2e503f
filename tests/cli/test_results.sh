#!/bin/bash
# query, status, diff, export: what a run recorded, asked for from a shell.
. tests/lib.sh
images=tests/data/tiny_images.h5

cat >"$TMP/spec.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/$images
search:
  strategy: qsvit
  granularity: stage
  formats: [int8, int4, int2]
  sensitivity_images: 32
quantizer: {method: round, affine: f32}
constraint:
  max_top1_drop: 30
shard_images: 16
ranks: 1
run: $TMP/run
YAML
run "$QSVIT" run "$TMP/spec.yaml"
same 'a run' 0 "$status"

refuse 'query: no run' 'RUN is missing' "$QSVIT" query
refuse 'query: not a run' "$TMP/none" "$QSVIT" query "$TMP/none"
refuse 'query: a model file' 'tiny.h5' "$QSVIT" query tests/data/tiny.h5
refuse 'query: unknown column' "did you mean 'top1_drop'" \
    "$QSVIT" query "$TMP/run" --where 'top1_drp < 1'
refuse 'query: half an expression' '--where' "$QSVIT" query "$TMP/run" --where 'top1_drop <'
refuse 'query: unknown column to sort by' 'nothing' "$QSVIT" query "$TMP/run" --sort nothing
refuse 'query: unknown trial' 'ffffffffffffffff' \
    "$QSVIT" query "$TMP/run" --setting ffffffffffffffff
expect 'query' 0 "$QSVIT" query "$TMP/run"
holds 'query: the baseline is there' 'baseline'
expect 'query: csv' 0 "$QSVIT" query "$TMP/run" --format csv --columns trial,avg_bits,model_bytes
all=$(printf '%s\n' "$out" | tail -n +2 | wc -l)
expect 'query: --where' 0 \
    "$QSVIT" query "$TMP/run" --format csv --columns avg_bits --where 'avg_bits < 8'
some=$(printf '%s\n' "$out" | tail -n +2 | wc -l)
same '--where takes some and leaves some' yes \
    "$([ "$some" -gt 0 ] && [ "$some" -lt "$all" ] && echo yes)"
expect 'query: --sort, --limit' 0 \
    "$QSVIT" query "$TMP/run" --format csv --columns model_bytes --sort=-model_bytes --limit 3
same 'largest first' "$(printf '%s\n' "$out" | tail -n +2 | sort -rn)" \
    "$(printf '%s\n' "$out" | tail -n +2)"
same 'as many as asked for' 4 "$(printf '%s\n' "$out" | wc -l)"
expect 'query: --pareto' 0 "$QSVIT" query "$TMP/run" --pareto --format json
expect 'query: --columns help' 0 "$QSVIT" query "$TMP/run" --columns help
holds 'columns have units' 'bit/weight'
expect 'query: --sensitivity' 0 "$QSVIT" query "$TMP/run" --sensitivity --format csv
holds 'sensitivity of each stage' 'stage1,'
run bash -c "'$QSVIT' query '$TMP/run' >/dev/full"
same 'query: a full disk is an error' 1 "$status"

refuse 'export: no output' '--output OUT is missing' "$QSVIT" export "$TMP/run"
refuse 'export: name of the output' 'must end in .h5 or .safetensors' \
    "$QSVIT" export "$TMP/run" -o "$TMP/x"
refuse 'export: two trials' 'exclude each other' \
    "$QSVIT" export "$TMP/run" -o "$TMP/x.h5" --best --trial 1
refuse 'export: unknown trial' 'ffffffffffffffff' \
    "$QSVIT" export "$TMP/run" -o "$TMP/x.h5" --trial ffffffffffffffff
refuse 'export: another model' 'is not the model of' \
    "$QSVIT" export "$TMP/run" -o "$TMP/x.h5" -m models/sdtv2_fmnist_t4.h5
refuse 'export: onto the model' 'is the input itself' \
    "$QSVIT" export "$TMP/run" -o tests/data/../data/tiny.h5
expect 'export' 0 "$QSVIT" export "$TMP/run" -o "$TMP/best.h5"
cmp -s "$TMP/best.h5" "$TMP/run/selected.h5"
same 'export writes what the run wrote' 0 $?
"$QSVIT" query "$TMP/run" --setting best >"$TMP/setting.yaml"
expect 'the setting of a trial goes into quantize' 0 \
    "$QSVIT" quantize -m tests/data/tiny.h5 --setting "$TMP/setting.yaml" -o "$TMP/again.h5"
cmp -s "$TMP/best.h5" "$TMP/again.h5"
same 'quantize writes what export wrote' 0 $?
top1=$("$QSVIT" eval -m "$TMP/best.h5" -d $images | sed -n 's/^top-1 *\([0-9.]*\) .*/\1/p')
same 'eval of the exported network gives the top-1 of the trial' "$top1" \
    "$("$QSVIT" query "$TMP/run" --where selected --images judge --columns top1 --format csv |
        tail -n 1 | tr -d '\r' | xargs printf '%.2f')"
expect 'export to safetensors' 0 "$QSVIT" export "$TMP/run" -o "$TMP/best.safetensors"

expect 'status' 0 "$QSVIT" status "$TMP/run"
expect 'status: json' 0 "$QSVIT" status "$TMP/run" --format json
refuse 'status: not a run' "$TMP/none" "$QSVIT" status "$TMP/none"

cp -r "$TMP/run" "$TMP/copy"
expect 'diff of a run and its copy' 0 "$QSVIT" diff "$TMP/run" "$TMP/copy"
sed 's/max_top1_drop: 30/max_top1_drop: 60/' "$TMP/spec.yaml" | sed "s,^run:.*,run: $TMP/other," \
    >"$TMP/other.yaml"
run "$QSVIT" run "$TMP/other.yaml"
same 'another run' 0 "$status"
run "$QSVIT" diff "$TMP/run" "$TMP/other"
same 'diff of two runs: status 1' 1 "$status"
same 'diff: nothing on standard error' '' "$err"
holds 'diff: names what differs in the spec' 'max_top1_drop'
finish
