#!/bin/bash
# simulate: a run simulated with its own answers takes the path that it took.
. tests/lib.sh

# Of two strategies: one asks what the losses of codes are.
for strategy in qsvit frontier; do
    cat >"$TMP/$strategy.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
  count: 96
calibration:
  images: $PWD/tests/data/tiny_images.h5
  first: 96
search:
  strategy: $strategy
  granularity: block
  formats: [int8, int4, ternary]
  sensitivity_images: 32
quantizer:
  method: searched
constraint:
  max_top1_drop: 10
shard_images: 16
run: $TMP/$strategy
YAML
    run "$QSVIT" run --ranks 1 "$TMP/$strategy.yaml"
    same "$strategy: a run" 0 "$status"
    recorded=$(printf '%s\n' "$out" | sed -n 's/.*results.h5 (\([0-9]*\) records).*/\1/p')
    expect "$strategy: simulated" 0 "$QSVIT" simulate "$TMP/$strategy.yaml" --run "$TMP/$strategy" \
        --ranks 2 --format json
    simulated=$(printf '%s\n' "$out" | sed -n 's/^ *"records": \([0-9]*\),*/\1/p')
    same "$strategy: as many records as the run" "$recorded" "$simulated"
    expect "$strategy: results named by their file" 0 "$QSVIT" simulate "$TMP/$strategy.yaml" \
        --run "$TMP/$strategy/results.h5" --ranks 2 --format json
    same "$strategy: as many records again" "$recorded" \
        "$(printf '%s\n' "$out" | sed -n 's/^ *"records": \([0-9]*\),*/\1/p')"
done

refuse 'simulate: no run' "$TMP/none" "$QSVIT" simulate "$TMP/qsvit.yaml" --run "$TMP/none" --ranks 2
refuse 'simulate: one rank' 'expected 2 or more' "$QSVIT" simulate "$TMP/qsvit.yaml" --ranks 1
refuse 'simulate: an attempt that was not' 'attempt 7 has no records' \
    "$QSVIT" simulate "$TMP/qsvit.yaml" --run "$TMP/qsvit" --ranks 2 --attempt 7
finish
