#!/bin/bash
# Packing a data set: the same file whatever the number of ranks and however often it is disturbed;
# damaged images and chunks; several files that are one data set; a full disk.
. tests/mpi/mounts.sh
. tests/lib.sh
. tests/mpi/sweep.sh
trap 'umount "$TMP/full" 2>/dev/null; rm -rf "$TMP"' EXIT

# 1064 images in three class folders: nine parts.
for class in tests/data/images/*; do
    mkdir -p "$TMP/val/${class##*/}"
    for file in "$class"/*; do
        for i in $(seq 56); do
            cp "$file" "$TMP/val/${class##*/}/$i-${file##*/}"
        done
    done
done
how=(--resize 48 --crop 40)
pack() { # output, words...
    local output=$1
    shift
    run "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/$output" "$@"
}
nothing_left() { # name, output
    same "$1: nothing is left over" '' "$(find "$TMP" -maxdepth 1 -name "$2.*")"
}

pack one.h5 --ranks 1
same 'one rank' 0 "$status"
same 'says what it has written' "$TMP/one.h5: 1064 images of 3x40x40" "$out"
nothing_left 'one rank' one.h5
for ranks in 2 3 8; do
    pack some.h5 --ranks $ranks
    same "$ranks ranks" 0 "$status"
    same "$ranks ranks: the same file" '' "$(cmp "$TMP/one.h5" "$TMP/some.h5" 2>&1)"
    nothing_left "$ranks ranks" some.h5
    rm "$TMP/some.h5"
done
fingerprint() { # images
    "$QSVIT" dataset check "$TMP/$1" | grep fingerprint
}
whole=$(fingerprint one.h5)

# A rank is killed in the middle of a write; then all of them with what has started them, a little
# later each time.
for n in 2 3; do
    run env QSV_FAULT=write:$n:kill "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/killed.h5" --ranks 3
    same "a rank killed in write $n" 75 "$status"
done
for part in 3 5 7; do
    "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/killed.h5" --ranks 3 >"$TMP/log" 2>&1 &
    pid=$!
    while [ ! -e "$TMP/killed.h5.parts/part-00000$part" ] && kill -0 $pid 2>/dev/null; do
        sleep 0.005
    done
    mapfile -t all < <(family $pid)
    kill -KILL "${all[@]}" 2>/dev/null
    wait_gone "${all[@]}"
    wait $pid 2>/dev/null
done
pack killed.h5 --ranks 3
same 'killed, and gone on with' 0 "$status"
same 'to the same file' '' "$(cmp "$TMP/one.h5" "$TMP/killed.h5" 2>&1)"
nothing_left 'killed' killed.h5

# What was done is not done again. The first two writes are of the lock and the plan.
run env QSV_FAULT=write:6:kill "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/again.h5" --ranks 1
done_before=$(find "$TMP/again.h5.parts" -name 'part-??????' -printf '%f %T@\n' | sort)
same 'killed in a write: parts are there' 3 "$(grep -c . <<<"$done_before")"
run "$QSVIT" pack "$TMP/val" --resize 48 --crop 41 -o "$TMP/again.h5" --ranks 1
same 'unfinished work of another transform: status' 2 "$status"
same 'unfinished work of another transform: it says so' 1 \
    "$(grep -c "again.h5.parts: unfinished work on other images: .* 1064 images of 3x40x40, 1 file, asked for .* 3x41x41, 1 file; --fresh removes it" <<<"$err")"
same 'nothing of it is lost' "$done_before" \
    "$(find "$TMP/again.h5.parts" -name 'part-??????' -printf '%f %T@\n' | sort)"
run env QSV_FAULT=rename:7:EIO "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/again.h5" --ranks 1
same 'a file that cannot be renamed: status' 1 "$status"
same 'parts made before are still those' "$done_before" \
    "$(find "$TMP/again.h5.parts" -name 'part-00000[012]' -printf '%f %T@\n' | sort)"
pack again.h5
same 'gone on with' 0 "$status"
same 'to the same file' '' "$(cmp "$TMP/one.h5" "$TMP/again.h5" 2>&1)"
nothing_left 'disturbed' again.h5

# A part that is damaged while it waits is made anew.
run env QSV_FAULT=write:6:kill "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/bit.h5" --ranks 1
printf 'x' | dd of="$TMP/bit.h5.parts/part-000001" bs=1 seek=5000 conv=notrunc 2>/dev/null
pack bit.h5 --ranks 1
same 'a damaged part: status' 1 "$status"
same 'a damaged part: it says so' 1 "$(grep -c 'part-000001: is damaged, and was removed' <<<"$err")"
pack bit.h5 --ranks 1
same 'it is made anew' '0 ' "$status $(cmp "$TMP/one.h5" "$TMP/bit.h5" 2>&1)"

# Images of the usual size, so that it does not come to its end before it is stopped. Without job
# control a shell's background jobs ignore INT.
set -m
for signal in INT TERM USR1; do
    "$QSVIT" pack "$TMP/val" -o "$TMP/stopped.h5" --ranks 3 >"$TMP/log" 2>&1 &
    pid=$!
    for _ in $(seq 500); do
        [ -e "$TMP/stopped.h5.parts/part-000001" ] && break
        sleep 0.005
    done
    kill -$signal $pid
    wait $pid
    same "$signal: status" 75 $?
    same "$signal: it says so" 1 "$(grep -c 'stopped.h5: stopped after . of 9 parts of 1064 images; the same command goes on' "$TMP/log")"
    same "$signal: what is done stays" 1 "$([ -e "$TMP/stopped.h5.parts/part-000001" ] && echo 1)"
    rm -rf "$TMP/stopped.h5.parts"
done
set +m

# Several files that are one data set.
pack four.h5 --shards 4 --ranks 3
same 'four files' 0 "$status"
same 'says what it has written' "$TMP/four.h5: 1064 images of 3x40x40 in 4 files" "$out"
same 'are called so' 'four.0000-of-0004.h5 four.0001-of-0004.h5 four.0002-of-0004.h5 four.0003-of-0004.h5' \
    "$(cd "$TMP" && echo four.*)"
for file in four.0000-of-0004.h5 four.0003-of-0004.h5; do
    same "$file stands for all" "$whole" "$(fingerprint $file)"
done
mkdir "$TMP/first"
mv "$TMP"/four.* "$TMP/first"
run env QSV_FAULT=write:7:kill "$QSVIT" pack "$TMP/val" "${how[@]}" -o "$TMP/four.h5" --ranks 1 --shards 4
same 'killed: the first file is there' 'four.0000-of-0004.h5' "$(cd "$TMP" && echo four.0*)"
same 'and its parts are gone' 0 "$(find "$TMP/four.h5.parts" -name 'part-00000[012]' | wc -l)"
refuse 'a file too few' "four.0001-of-0004.h5: is missing, one of the files of a data set" \
    "$QSVIT" dataset check "$TMP/four.0000-of-0004.h5"
pack four.h5 --shards 4 --ranks 3
for file in "$TMP"/first/*; do
    same "killed, and gone on with: ${file##*/}" '' "$(cmp "$file" "$TMP/${file##*/}" 2>&1)"
done
cp "$TMP/four.0001-of-0004.h5" "$TMP/four.0002-of-0004.h5"
refuse 'a file twice' 'four.0002-of-0004.h5: is file 1 of 4 of a data set by what it says, but not by its name' \
    "$QSVIT" dataset check "$TMP/four.0000-of-0004.h5"
run "$QSVIT" pack "$TMP/val" --resize 50 --crop 40 -o "$TMP/other.h5" --shards 4 --ranks 1
cp "$TMP/other.0002-of-0004.h5" "$TMP/four.0002-of-0004.h5"
refuse 'a file of another data set' 'four.0002-of-0004.h5: holds images of data set' \
    "$QSVIT" dataset check "$TMP/four.0000-of-0004.h5"
cp "$TMP/first/four.0000-of-0004.h5" "$TMP/renamed.h5"
refuse 'a file that was renamed' 'renamed.h5: is file 0 of 4 of a data set by what it says' \
    "$QSVIT" dataset check "$TMP/renamed.h5"
run "$QSVIT" pack "$TMP/first/four.0001-of-0004.h5" -o "$TMP/joined.h5" --ranks 2
same 'packed again, into one' "$whole" "$(fingerprint joined.h5)"

# Damaged images: by name, the first of them whatever the ranks; or left out.
cp -r "$TMP/val" "$TMP/damaged"
truncate -s 700 "$TMP/damaged/n02099601/20-small.JPEG"
echo text >"$TMP/damaged/n03445777/7-grey.png"
for ranks in 1 3 8; do
    refuse "a damaged image, $ranks ranks" "$TMP/damaged/n02099601/20-small.JPEG: is a JPEG file that ends too early" \
        "$QSVIT" pack "$TMP/damaged" "${how[@]}" -o "$TMP/skip.h5" --ranks $ranks
done
for ranks in 3 1; do
    rm -f "$TMP/skip.h5"
    run "$QSVIT" pack "$TMP/damaged" "${how[@]}" -o "$TMP/skip.h5" --ranks $ranks --on-error skip
    same "skipped, $ranks ranks" "0 skipped $TMP/damaged/n02099601/20-small.JPEG: is a JPEG file that ends too early
skipped $TMP/damaged/n03445777/7-grey.png: is neither JPEG nor PNG: its first bytes are 74 65 78 74 0a
$TMP/skip.h5: 1062 images of 3x40x40, 2 skipped" "$status $out"
    cp "$TMP/skip.h5" "$TMP/skip$ranks.h5"
done
same 'the same file' '' "$(cmp "$TMP/skip1.h5" "$TMP/skip3.h5" 2>&1)"
rm "$TMP/damaged/n02099601/20-small.JPEG" "$TMP/damaged/n03445777/7-grey.png"
run "$QSVIT" pack "$TMP/damaged" "${how[@]}" -o "$TMP/without.h5" --ranks 3
same 'as if they were not there' "$(fingerprint without.h5)" "$(fingerprint skip.h5)"

# Left out where they are measured as well, the same on every rank.
cp -r tests/data/images "$TMP/few"
truncate -s 700 "$TMP/few/n02099601/small.JPEG"
few=(--resize 73 --crop 64)
"$QSVIT" synth -o "$TMP/m.h5" --widths 8,16,24,32 --size 64 --classes 3 --time-steps 1 --depths 1,1 --heads 4 >"$TMP/log"
refuse 'eval names a damaged image' 'n02099601/small.JPEG: is a JPEG file that ends too early' \
    "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/few" "${few[@]}"
expect 'eval leaves it out' 0 "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/few" "${few[@]}" --on-error skip
holds 'and says so' 'images  18
skipped n02099601/small.JPEG'
figures=$(grep -E '^(top|loss)' <<<"$out")
run "$QSVIT" pack "$TMP/few" "${few[@]}" -o "$TMP/few.h5" --ranks 1 --on-error skip
run "$QSVIT" eval -m "$TMP/m.h5" -d "$TMP/few.h5"
same 'packed: gives the same' "$figures" "$(grep -E '^(top|loss)' <<<"$out")"
for ranks in 1 3; do
    cat >"$TMP/skip$ranks.yaml" <<YAML
model: m.h5
dataset: {images: few, resize: 73, crop: 64, on_error: skip}
constraint: {max_top1_drop: 100}
search: {strategy: uniform, formats: [int4]}
quantizer: {method: round}
shard_images: 4
ranks: $ranks
run: skip$ranks
YAML
    run "$QSVIT" run "$TMP/skip$ranks.yaml"
    same "a sweep leaves it out, $ranks ranks" 0 "$status"
    holds "and says so, $ranks ranks" 'skipped         1 judging images, 0 deciding ones'
done
expect 'all ranks leave out the same' 0 "$QSVIT" diff "$TMP/skip1" "$TMP/skip3"

# One wrong bit in a packed image: which, by number and name.
"$QSVIT" pack tests/data/images "${how[@]}" -o "$TMP/bad.h5" --ranks 1 >"$TMP/log"
middle=$(($(stat -c %s "$TMP/bad.h5") / 2))
byte=$(od -An -tu1 -j $middle -N 1 "$TMP/bad.h5")
printf "\\$(printf %o $((byte ^ 4)))" | dd of="$TMP/bad.h5" bs=1 seek=$middle conv=notrunc 2>/dev/null
refuse 'a damaged chunk' "$TMP/bad.h5: image 9 'n02099601/tall.JPEG' of dataset 'images' cannot be read: damaged or cut off" \
    "$QSVIT" dataset check "$TMP/bad.h5"

full() { # name, words
    same "$1: status" 1 "$status"
    same "$1: one line says so" 1 "$(printf '%s\n' "$err" | grep -c '^qsvit: .*No space left on device')"
}
if [ $can_mount = 1 ]; then
    mkdir "$TMP/full"
    mount -t tmpfs -o size=2m none "$TMP/full"
    pack full/val.h5 --ranks 3
    full 'a disk that is full'
    same 'what was done stays' 1 "$([ -e "$TMP/full/val.h5.parts/part-000001" ] && echo 1)"
    mount -o remount,size=6m "$TMP/full"
    pack full/val.h5 --ranks 3
    full 'a disk with room for the parts alone'
    same 'no file is there' '' "$(find "$TMP/full" -name '*.h5' -o -name '*.tmp')"
    mount -o remount,size=32m "$TMP/full"
    pack full/val.h5 --ranks 3
    same 'with room it goes on' 0 "$status"
    same 'to the same file' '' "$(cmp "$TMP/one.h5" "$TMP/full/val.h5" 2>&1)"
    same 'nothing is left over' val.h5 "$(ls "$TMP/full")"
    umount "$TMP/full"
else
    skip 'a full disk' 'needs root or user namespaces, to mount a tmpfs'
fi
finish
