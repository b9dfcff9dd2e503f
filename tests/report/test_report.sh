#!/bin/bash
# Reports of real runs, in a real browser and as SVG files. `make test-report` installs what it takes.
. tests/lib.sh
. tests/mpi/sweep.sh
PYTHON=${PYTHON:-/usr/bin/python3}

file=$(strategy=frontier bound=10 granularity=layer spec run)
sed -i 's/^  method: round/  method: compensated/' "$file"
run "$QSVIT" run "$file"
same 'a run' 0 "$status"
run "$QSVIT" run "$(strategy=uniform bound=10 spec uniform)"
same 'another' 0 "$status"

# A name that would be an element if it were not text.
name="<img src=x onerror=alert(1)> & 'run'"
mv "$TMP/run" "$TMP/$name"
"$QSVIT" query "$TMP/$name" --columns all --format json >"$TMP/trials.json"
expect 'a report' 0 "$QSVIT" report "$TMP/$name" "$TMP/uniform" -o "$TMP/report.html"
same 'nothing but the page is left' 'report.html' "$(cd "$TMP" && ls -d report.html*)"

# And names of layers: in the page's data, as if they were the model's.
same 'layers are named in it' yes "$(grep -q '"name":"downsample1_1' "$TMP/report.html" && echo yes)"
sed -i '/id="qsvit-data"/s/downsample1_1/\\u003cimg src=x onerror=alert(1)>/g' "$TMP/report.html"

while read -r line; do
    case $line in
    'ok - '*) pass "${line#ok - }" ;;
    'not ok - '*) fail "${line#not ok - }" ;;
    *) echo "$line" ;;
    esac
done < <("$PYTHON" tests/report/browser.py "$TMP/report.html" "$TMP/trials.json" "$name" 2>&1 ||
    echo 'not ok - the browser comes to its end')

expect 'SVG files' 0 "$QSVIT" report "$TMP/$name" "$TMP/uniform" --svg "$TMP/figures"
same 'one a figure and run, and one curve' \
    'bits costs firing forwards sensitivity curve uniform-bits uniform-costs uniform-firing uniform-forwards' \
    "$(cd "$TMP/figures" && find . -name '*.svg' | sed 's,^\./,,; s,^_img.*-,,; s,\.svg$,,' | LC_ALL=C sort |
        awk '/^(curve|uniform)/ { last = last " " $0; next } { first = first " " $0 } END { print substr(first, 2) last }')"
same 'nothing else is left' '' "$(find "$TMP/figures" -type f ! -name '*.svg')"
run "$PYTHON" - "$TMP/figures" <<'PY'
import pathlib, sys, xml.etree.ElementTree as tree
for path in pathlib.Path(sys.argv[1]).iterdir():
    root = tree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg", path
    assert sum(1 for e in root.iter() if e.tag.endswith("path")) > 2, path
    assert not any(e.tag.endswith("image") or e.tag.endswith("script") for e in root.iter()), path
PY
same 'they are whole' 0 "$status"
run env PATH="$TMP" "$QSVIT" report "$TMP/uniform" --svg "$TMP/none"
same 'without node it says what is missing' "1 yes" \
    "$status $(printf '%s' "$err" | grep -q 'nodejs' && echo yes)"

# While a run goes on the page is whole at any time, and at the end that of the finished run.
file=$(strategy=qsvit bound=10 granularity=layer ranks=2 sensitivity_images=96 spec live)
"$QSVIT" run "$file" >"$TMP/run.log" 2>&1 &
pid=$!
for _ in $(seq 200); do
    [ -e "$TMP/live/results.h5" ] && break
    sleep 0.05
done
expect 'a live report ends with the run' 0 \
    timeout 120 "$QSVIT" report "$TMP/live" --live --every 0.2 -o "$TMP/live.html"
wait $pid
same 'the run does not mind' 0 $?
same 'the last page is of the whole run' 'true false' \
    "$(grep -o '"complete":[a-z]*' "$TMP/live.html" | cut -d: -f2) $(grep -o '"live":[a-z]*' "$TMP/live.html" | cut -d: -f2)"
same 'no temporary file is left' '' "$(find "$TMP" -maxdepth 1 -name '*.tmp')"
finish
