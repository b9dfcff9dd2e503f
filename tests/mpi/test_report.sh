#!/bin/bash
# `qsvit report` of real runs, without a browser (tests/report has one): what is in the page, and misuse.
. tests/lib.sh
. tests/mpi/sweep.sh

# A stand-in for Vega, which may not be installed.
mkdir -p "$TMP/share/report"
echo 'const vega = {};' >"$TMP/share/report/vega.js"
export QSV_DATADIR=$TMP/share

run "$QSVIT" run "$(strategy=uniform ranks=1 spec run)"
same 'a run' 0 "$status"

refuse 'no run' 'RUN... is missing' "$QSVIT" report
refuse 'a folder that is no run' "$TMP/none" "$QSVIT" report "$TMP/none" -o "$TMP/r.html"
refuse 'nothing of several where one is none' "$TMP/none" \
    "$QSVIT" report "$TMP/run" "$TMP/none" -o "$TMP/r.html"
refuse 'another file' "$TMP/share/report/vega.js" "$QSVIT" report "$TMP/share/report/vega.js"
for every in 0 -1 1e9; do
    refuse "--every $every" 'expected 0.1 to 86400 seconds' \
        "$QSVIT" report "$TMP/run" --live "--every=$every"
done
same 'no page came of these' no "$([ -e "$TMP/r.html" ] && echo yes || echo no)"

expect 'a page' 0 "$QSVIT" report "$TMP/run" "$TMP/run/results.h5" -o "$TMP/r.html"
page=$(cat "$TMP/r.html")
data=${page#*id=\"qsvit-data\">}
data=${data%%</script>*}
same 'two runs are in it' 2 "$(grep -o '"run_id":' <<<"$data" | wc -l)"
same 'with the trials of both' $((2 * $("$QSVIT" query "$TMP/run" --format csv | tail -n +2 | wc -l))) \
    "$(grep -o '"setting":' <<<"$data" | wc -l)"
same 'why nothing is predicted' 2 "$(grep -o "\"curve_note\":\"nothing is predicted" <<<"$data" | wc -l)"
run "$QSVIT" query "$TMP/run" --where selected --columns trial,model_bytes --format csv
selected=$(tail -n 1 <<<"$out" | tr -d '\r')
same 'what is selected' yes "$(grep -q "\"selected\":\"${selected%,*}\"" <<<"$data" && echo yes)"
expect 'a finished run is written once' 0 timeout 60 "$QSVIT" report "$TMP/run" --live -o "$TMP/r.html"

mkdir "$TMP/<"
cp -r "$TMP/run" "$TMP/</script><b>"
expect 'a run of any name' 0 "$QSVIT" report "$TMP/</script><b>" -o "$TMP/r.html"
same 'which opens and ends nothing' 3 "$(grep -o '</script' "$TMP/r.html" | wc -l)"

run "$QSVIT" report "$TMP/run" -o "$TMP/none/r.html"
same 'a folder that is not there' "1 1" "$status $(printf '%s\n' "$err" | wc -l)"
run env QSV_DATADIR="$TMP" "$QSVIT" report "$TMP/run" -o "$TMP/r2.html"
same 'no Vega' "1 1 yes no" "$status $(printf '%s\n' "$err" | wc -l) \
$(grep -q 'report/vega.js is missing .*libjs-vega' <<<"$err" && echo yes) $([ -e "$TMP/r2.html" ] && echo yes || echo no)"
same 'no temporary file is left' '' "$(find "$TMP" -name '*.tmp')"
finish
