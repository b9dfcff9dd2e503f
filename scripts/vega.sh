#!/bin/sh
# Puts Vega together as one file, from the parts that Debian's libjs-vega installs:
#
#   vega.sh FOLDER > vega.js
#
# The file defines `vega` with what a report needs of it, in a browser and in node. The parts are UMD modules
# that ask for each other by name; those for maps, trees, forces and clouds of words are left out.
set -eu

folder=$1
notice=/usr/share/doc/libjs-vega/copyright
parts="util time format loader statistics scale canvas scenegraph dataflow expression selection event-selector
functions runtime view parser transforms view-transforms encode interpreter"

if [ -r $notice ]; then
    echo '/*'
    sed 's,\*/,* /,g; s/</(/g; s/>/)/g' $notice
    echo '*/'
fi
cat <<'JS'
const vega = (() => {
    const parts = {};
    const made = {};
    const require = (name) => {
        if (!made[name]) {
            made[name] = { exports: {} };
            parts[name](made[name].exports, made[name], require);
        }
        return made[name].exports;
    };
JS
for part in $parts; do
    # Asked for in the plural, installed in the singular.
    name=vega-$part
    [ "$part" = selection ] && name=vega-selections
    printf 'parts["%s"] = function (exports, module, require) {\n' "$name"
    grep -v '^//# sourceMappingURL=' "$folder/vega-$part.min.js"
    echo '};'
done
cat <<'JS'
    const transforms = ["vega-transforms", "vega-view-transforms", "vega-encode"].map(require);
    require("vega-util").extend(require("vega-dataflow").transforms, ...transforms);
    return {
        parse: require("vega-parser").parse,
        View: require("vega-view").View,
        expressionInterpreter: require("vega-interpreter").expressionInterpreter,
    };
})();
JS
