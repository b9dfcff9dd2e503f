#!/bin/bash
# What a finished run says of other bounds: the predicted curve, a setting for a bound, and that
# setting certified in the same run.
. tests/lib.sh
. tests/mpi/sweep.sh

# Lines of one kind in a CSV of the curve.
count() { # kind
    printf '%s\n' "$out" | grep -c "^$1,"
}

file=$(strategy=frontier bound=10 spec alone)
sed -i 's/^  method: round/  method: compensated/' "$file"
run "$QSVIT" run "$file"
same 'a run' 0 "$status"

refuse '--predicted without --pareto' '--predicted goes with --pareto' \
    "$QSVIT" query "$TMP/alone" --predicted
refuse '--predicted of chosen columns' "--columns and --predicted don't go together" \
    "$QSVIT" query "$TMP/alone" --pareto --predicted --columns top1
refuse '--predicted and --bound' "--bound and --predicted don't go together" \
    "$QSVIT" query "$TMP/alone" --pareto --predicted --bound 3
refuse 'one point' '--points 1: expected 2 or more' \
    "$QSVIT" query "$TMP/alone" --pareto --predicted --points 1
for bound in x '' -1 101 nan; do
    refuse "--bound '$bound'" 'expected percentage points from 0 to 100' \
        "$QSVIT" query "$TMP/alone" "--bound=$bound"
done
refuse '-o without --bound' '--output goes with --bound' \
    "$QSVIT" query "$TMP/alone" -o "$TMP/s.yaml"

expect 'measured points' 0 "$QSVIT" query "$TMP/alone" --pareto --format csv
measured=$(printf '%s\n' "$out" | tail -n +2 | wc -l)
expect 'the curve' 0 "$QSVIT" query "$TMP/alone" --pareto --predicted --format csv --points 6
same 'has all measured points' "$measured" "$(count measured)"
same 'and some predicted ones' yes \
    "$([ "$(count predicted)" -ge 2 ] && [ "$(count predicted)" -le 6 ] && echo yes)"
same 'by rising bytes' "$(printf '%s\n' "$out" | tail -n +2 | cut -d, -f4 | sort -n)" \
    "$(printf '%s\n' "$out" | tail -n +2 | cut -d, -f4)"
expect 'as a table' 0 "$QSVIT" query "$TMP/alone" --pareto --predicted
holds 'with units' 'nats'
expect 'as JSON' 0 "$QSVIT" query "$TMP/alone" --pareto --predicted --format json
holds 'with kinds' '"kind": "predicted"'
expect 'of the results alone' 0 \
    "$QSVIT" query "$TMP/alone/results.h5" --pareto --predicted --format csv --points 6

# Where it can't be, measured points remain, and one line says why.
fallback() { # name, words of the line, arguments...
    local name=$1 words=$2
    shift 2
    run "$QSVIT" query "$@" --pareto --predicted --format csv
    same "$name: measured points remain" "0 0" "$status $(count predicted)"
    same "$name: one line says why" "1 1" \
        "$(printf '%s\n' "$err" | wc -l) $(printf '%s\n' "$err" | grep -c "nothing is predicted: .*$words")"
}
cp -r "$TMP/alone" "$TMP/copy"
rm "$TMP/copy/bank.h5"
fallback 'no bank' 'bank.h5' "$TMP/copy"
fallback 'another model' 'is not the model' "$TMP/alone" -m models/sdtv2_fmnist_t4.h5
fallback 'no model' "$TMP/none.h5" "$TMP/alone" -m "$TMP/none.h5"
refuse 'no bank: no setting' 'bank.h5' "$QSVIT" query "$TMP/copy" --bound 3
run "$QSVIT" run "$(ranks=1 bound=5 spec other)"
fallback 'another strategy' "no search by 'frontier'" "$TMP/other"

expect 'the setting for a bound' 0 "$QSVIT" query "$TMP/alone" --bound 20
setting=$out
expect 'into a file' 0 \
    "$QSVIT" query "$TMP/alone" --bound 20 -o "$TMP/s.yaml" --format csv
same 'which is the same' "$setting" "$(cat "$TMP/s.yaml")"
bytes=$(printf '%s\n' "$out" | tail -n 1 | cut -d, -f4)
expect 'quantize takes it' 0 \
    "$QSVIT" quantize -m tests/data/tiny.h5 --setting "$TMP/s.yaml" --bank "$TMP/alone/bank.h5" \
    -o "$TMP/s.h5"

refuse 'given what?' 'search.setting is missing' "$QSVIT" run "$(strategy=given bound=5 spec nothing)"
# In the same run: the setting is measured with the baseline, and nothing else.
sed "s,strategy: frontier,strategy: given\n  setting: s.yaml," "$file" |
    sed 's/max_top1_drop: .*/max_top1_drop: 100/' >"$TMP/given.yaml"
cp -r "$TMP/alone" "$TMP/alone1"
run "$QSVIT" run "$TMP/given.yaml" --ranks 3
same 'it is certified on 3 ranks' 0 "$status"
before=$("$QSVIT" query "$TMP/alone1" --format csv --columns number | wc -l)
after=$("$QSVIT" query "$TMP/alone" --format csv --columns number | wc -l)
same 'at most one more is evaluated' yes "$([ $((after - before)) -le 1 ] && echo yes)"
expect 'what is selected' 0 \
    "$QSVIT" query "$TMP/alone" --where selected --images judge --format csv \
    --columns model_bytes,n_images
same 'is as large as foretold, on all judging images' "$bytes,96" \
    "$(printf '%s\n' "$out" | tail -n 1 | tr -d '\r')"
cmp -s "$TMP/s.h5" "$TMP/alone/selected.h5"
same 'exported as quantize writes it' 0 $?
sed -i "s,^run:.*,run: $TMP/alone1," "$TMP/given.yaml"
run "$QSVIT" run "$TMP/given.yaml" --ranks 1
same 'it is certified on 1 rank' 0 "$status"
run "$QSVIT" diff "$TMP/alone" "$TMP/alone1"
same 'which gives the same' 0 "$status"
expect 'the curve is still that of the search' 0 \
    "$QSVIT" query "$TMP/alone" --pareto --predicted --format csv
same 'with predicted points' yes "$([ "$(count predicted)" -ge 2 ] && echo yes)"
finish
