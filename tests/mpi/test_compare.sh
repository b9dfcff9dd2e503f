#!/bin/bash
# Strategies x quantizers as one table: a sweep each, nothing twice, the same after a stop and in any
# order.
. tests/lib.sh
. tests/mpi/sweep.sh

# What does not depend on the machine's speed: all columns but the last.
figures() {
    printf '%s\n' "$1" | sed 's/,[^,]*$//'
}

file=$(ranks=1 spec one)
run "$QSVIT" compare "$file" --strategies frontier,uniform --quantizers round,compensated --format csv
same 'a comparison runs' 0 "$status"
table=$out
same 'it has a row a strategy and quantizer' \
    'strategy,quantizer frontier,round uniform,round frontier,compensated uniform,compensated' \
    "$(printf '%s\n' "$table" | cut -d, -f1,2 | tr '\n' ' ' | sed 's/ $//')"
same 'a quantizer has one folder' 'compensated round' \
    "$(find "$TMP/one-compare" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//')"
figures=avg_bits,model_bytes,model_saved,top1_drop,drop_low,drop_high
run "$QSVIT" query "$TMP/one-compare/round" --where selected --columns "$figures" --format csv
same 'a row has the figures of what was selected' "$(printf '%s\n' "$out" | tail -n 1 | tr -d '\r')" \
    "$(printf '%s\n' "$table" | grep '^uniform,round' | cut -d, -f4-9)"
same 'uniform asks for the deciding and all judging images in eight formats and f32' 1280 \
    "$(printf '%s\n' "$table" | grep '^uniform,round' | cut -d, -f11)"

expect 'a finished comparison runs nothing' 0 \
    "$QSVIT" compare "$file" --strategies frontier,uniform --quantizers round,compensated --format csv
same 'and prints the same' "$table" "$out"
expect 'its columns for people' 0 "$QSVIT" compare "$file" --strategies uniform --quantizers round
holds 'they have units' 'bit/weight'
expect 'as JSON' 0 "$QSVIT" compare "$file" --strategies uniform --quantizers round --format json
holds 'JSON has names' '"strategy": "uniform"'

run "$QSVIT" compare "$(ranks=1 spec two)" --strategies uniform,frontier --quantizers round --format csv
same 'another order runs' 0 "$status"
same 'and gives the same figures' \
    "$(figures "$table" | grep ',round,' | sort)" "$(figures "$out" | grep ',round,' | sort)"

file=$(ranks=3 spec stopped)
"$QSVIT" compare "$file" --strategies frontier,uniform --quantizers round --format csv >"$TMP/log" 2>&1 &
pid=$!
wait_segments $pid "$TMP/stopped-compare/round" 1 3
kill -TERM $pid
wait $pid
same 'a request to stop stops it' 75 $?
run "$QSVIT" compare "$file" --strategies frontier,uniform --quantizers round --format csv --ranks 2
same 'the same command goes on' 0 "$status"
same 'and ends with the same figures' "$(figures "$table" | grep ',round,')" \
    "$(figures "$out" | grep ',round,')"

refuse 'a strategy that is not known' "--strategies: found 'frontir', expected one or more of: " \
    "$QSVIT" compare "$file" --strategies frontir
refuse 'it has a neighbour' "did you mean 'frontier'?" "$QSVIT" compare "$file" --strategies frontir
refuse 'a quantizer that is not known' "--quantizers: found 'best', expected" \
    "$QSVIT" compare "$file" --quantizers round,best
refuse 'a name twice' "--strategies: 'uniform' is there twice" \
    "$QSVIT" compare "$file" --strategies uniform,uniform
refuse 'no name' "--strategies: found ''" "$QSVIT" compare "$file" --strategies uniform,
run "$QSVIT" compare "$(ranks=1 bound=60 spec loose)" --strategies uniform --quantizers round --format csv
same 'a loose bound' 0 "$status"
table=$out
run "$QSVIT" query "$TMP/loose-compare/round" --where selected --columns "$figures" --format csv
same 'another setting has its own figures' "$(printf '%s\n' "$out" | tail -n 1 | tr -d '\r')" \
    "$(printf '%s\n' "$table" | tail -n 1 | cut -d, -f4-9)"

refuse 'a folder of other records' 'the quantizer' \
    "$QSVIT" compare "$(scale=max spec one)" --strategies uniform --quantizers round
sed -i 's/^model:.*/model: nowhere.h5/' "$(spec bad)"
run "$QSVIT" compare "$TMP/bad.yaml" --strategies frontier --quantizers round
same 'a sweep that cannot run ends it' 2 "$status"
same 'which sweep is told' 1 "$(printf '%s\n' "$err" | grep -c 'frontier with round codes: the sweep ended')"
finish
