#!/bin/bash
# What reads the sources without compiling them: formatting, static analysis, shell scripts, and a
# few words that have no place in a finished file. Status 1 where anything is found.
set -u
cd "$(dirname "$0")/.." || exit
folders=(core jobs results schedulers runner tests)
mapfile -t sources < <(find "${folders[@]}" -name '*.[ch]' -not -path 'tests/reference/*' | sort)
mapfile -t scripts < <(find scripts schedulers runner packaging tests examples .ci -type f \( -name '*.sh' -o -path .ci/run -o -path '*/tests/smoke' \) | sort)
bad=0

complain() {
    echo "lint: $1" >&2
    bad=1
}

clang-format --dry-run -Werror "${sources[@]}" ||
    complain 'not formatted: clang-format -i the files above'

# Of cppcheck's styles those that find mistakes; the compilers know the rest better. What is left
# out takes short circuits (`st || !p`, `i < n && ...`), out-parameters and mmap's -1 for mistakes,
# or misses a header that the build makes.
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance --inline-suppr \
    --suppress=uninitvar --suppress=legacyUninitvar --suppress=arrayIndexThenCheck \
    --suppress=invalidFunctionArg --suppress=internalAstError:schedulers/batch_script.c \
    --suppress=internalAstError:runner/program/templates.c --suppress=internalAstError:runner/program/completion_bash.c \
    --suppress=internalAstError:runner/report/report_page.c \
    --library=posix -I. -j "$(nproc)" \
    -D__linux__ -D__x86_64__ core jobs results schedulers runner ||
    complain 'cppcheck has found something'

# Folders of runner/ include only those before them (docs/design.md).
before=
for folder in base transport coordinator inputs worker status doctor bench program pack search report forecast commands; do
    before="$before|$folder"
    grep -nE '#include "runner/' "runner/$folder"/*.[ch] | grep -vE "#include \"runner/(${before#|})/|_(yaml|sh)\.h\"" &&
        complain "runner/$folder/ includes a folder that comes after it, above"
done

shellcheck -x -S warning "${scripts[@]}" || complain 'shellcheck has found something'

grep -nE 'TODO|FIXME|XXX' "${sources[@]}" "${scripts[@]}" | grep -v 'XXXXXX' |
    grep -v '^scripts/lint.sh:' && complain 'unfinished places above'
grep -nP '[ \t]+$' "${sources[@]}" "${scripts[@]}" && complain 'blanks at the end of lines above'

[ $bad = 0 ] && echo 'lint: clean'
exit $bad
