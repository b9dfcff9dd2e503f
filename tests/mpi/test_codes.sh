#!/bin/bash
# A sweep whose codes stand on statistics of images: the ranks make them in parts, once, and whatever
# the ranks, kills and resumes, the run ends the same.
. tests/lib.sh
. tests/mpi/sweep.sh

images=${images:-32}

frontier() { # name; ranks, images and formats are taken from the environment
    local file=$TMP/$1.yaml
    cat >"$file" <<YAML
model: $PWD/tests/data/tiny.h5
dataset:
  images: $PWD/tests/data/tiny_images.h5
  count: 96
calibration:
  images: $PWD/tests/data/tiny_images.h5
  first: 96
quantizer: {method: searched, affine: f16, images: $images}
search:
  strategy: frontier
  formats: [${formats:-int4, int3, int2, ternary, binary}]
  sensitivity_images: 32
  candidates: 4
  max_rounds: 2
constraint:
  max_top1_drop: 5
shard_images: 8
task_seconds: 0.02
ranks: ${ranks:-3}
threads: 1
run: $TMP/$1
YAML
    echo "$file"
}

# What of the bank is in a run's folder.
banks() { # run
    (cd "$TMP/$1" && echo bank*)
}

# name, run: it ended as the first one did
equal() {
    run "$QSVIT" diff "$TMP/alone" "$TMP/$2"
    if [ "$status" = 0 ]; then
        pass "$1"
    else
        fail "$1" "$out" "$err"
    fi
}

run "$QSVIT" run "$(ranks=1 frontier alone)"
same 'one rank alone runs' 0 "$status"
same 'it makes a bank' 'bank.h5' "$(banks alone)"
same 'and says so' 1 "$(printf '%s\n' "$err" | grep -c 'bank: keep: codes of 54 layers by searched')"
for n in 2 3 8; do
    run "$QSVIT" run "$(ranks=$n frontier "ranks$n")"
    same "$n ranks run" 0 "$status"
    equal "$n ranks give the same" "ranks$n"
    same "$n ranks leave no parts" 'bank.h5' "$(banks "ranks$n")"
done

before=$(md5sum <"$TMP/alone/bank.h5")
run "$QSVIT" run "$TMP/alone.yaml" --ranks 2
same 'a finished run can be run again' 0 "$status"
same 'its codes stay as they are' "$before" "$(md5sum <"$TMP/alone/bank.h5")"
equal 'and so does what it selects' alone

# Everything dies while there are some parts and no whole.
parts() { # run
    find "$TMP/$1/bank" -name 'part-*.h5' 2>/dev/null | wc -l
}
for try in 1 2 3 4 5 6; do
    name=killed$try
    file=$(ranks=2 frontier $name)
    "$QSVIT" run "$file" >"$TMP/log" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(parts "$name")" = 0 ] && [ ! -f "$TMP/$name/bank.h5" ]; do
        sleep 0.005
    done
    all=$(family $pid)
    # shellcheck disable=SC2086
    kill -9 $all 2>/dev/null
    wait $pid 2>/dev/null
    # shellcheck disable=SC2086
    wait_gone $all
    [ ! -f "$TMP/$name/bank.h5" ] && [ "$(parts "$name")" -gt 0 ] && break
done
if [ -f "$TMP/$name/bank.h5" ]; then
    skip 'killed while the bank is made' 'too quick'
else
    pass 'killed while the bank is made'
    echo "# with $(parts "$name") parts"
    run "$QSVIT" run "$file" --ranks 3
    same 'it goes on' 0 "$status"
    equal 'and ends the same' "$name"
    same 'without what was left behind' 'bank.h5' "$(banks "$name")"
fi

# One rank dies at a write of a part, at the link that puts it in place, at the whole's.
file=$(ranks=1 frontier dies)
for fault in write:2 rename:3 rename:5 any:40 any:60; do
    { QSV_FAULT=$fault:kill "$QSVIT" run "$file" >"$TMP/log" 2>&1; } 2>/dev/null
    same "$fault: it dies" 137 $?
done
run "$QSVIT" run "$file"
same 'killed at its writes it goes on' 0 "$status"
equal 'and ends as the others' dies

# What is stored answers as what was measured.
run "$QSVIT" export "$TMP/alone" --best -o "$TMP/best.h5"
same 'the selected network is exported' 0 "$status"
run "$QSVIT" export "$TMP/alone/results.h5" --best -o "$TMP/again.h5"
same 'by the name of its results, too' 0 "$status"
first=
for name in best again alone/selected; do
    run "$QSVIT" eval -m "$TMP/$name.h5" -d tests/data/tiny_images.h5 --limit 96 \
        --logits "$TMP/logits.h5" --firing-rates
    same "$name.h5 is evaluated" 0 "$status"
    answers=$(printf '%s\n' "$out" | grep -vE '^(model|speed)' && md5sum <"$TMP/logits.h5")
    same "$name.h5 answers as the others" "${first:=$answers}" "$answers"
done

refuse 'a resume by other images is refused' 'quantizer' "$QSVIT" run "$(images=48 ranks=1 frontier ranks2)"
run "$QSVIT" run "$(images=48 frontier ranks2)"
same 'by many ranks too' 2 "$status"
same 'once' 1 "$(printf '%s\n' "$err" | grep -c quantizer)"

file=$(frontier ranks3)
size=$(stat -c %s "$TMP/ranks3/bank.h5")
cp "$TMP/ranks3/bank.h5" "$TMP/whole.h5"
truncate -s $((size / 2)) "$TMP/ranks3/bank.h5"
run "$QSVIT" run "$file"
same 'a bank that is cut off is refused' 2 "$status"
same 'by its name, once' 1 "$(printf '%s\n' "$err" | grep -c "$TMP/ranks3/bank.h5: ")"
run "$QSVIT" export "$TMP/ranks3" --best -o "$TMP/none.h5"
same 'and by export' "2 1" "$status $(printf '%s\n' "$err" | grep -c "$TMP/ranks3/bank.h5: ")"
cp "$TMP/whole.h5" "$TMP/ranks3/bank.h5"
printf 'x' | dd of="$TMP/ranks3/bank.h5" bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
run "$QSVIT" run "$file" --ranks 1
same 'a changed byte is found' "2 1" "$status $(printf '%s\n' "$err" | grep -c "$TMP/ranks3/bank.h5: ")"
cp "$TMP/whole.h5" "$TMP/ranks3/bank.h5"
run "$QSVIT" run "$file"
equal 'with the bank as it was it goes on' ranks3

run "$QSVIT" run "$(formats='int6, int4, int3, int2, ternary, binary' frontier ranks8)"
same 'a format that is added is computed' 0 "$status"
same 'for that, codes are made' 1 "$(printf '%s\n' "$err" | grep -c '^bank: keep')"
finish
