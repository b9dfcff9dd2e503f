#!/bin/bash
# Completions and man pages: they know every command and option that the help knows, and bash
# completes with them.
. tests/lib.sh

"$QSVIT" completion bash >"$TMP/qsvit.bash"
"$QSVIT" completion zsh >"$TMP/_qsvit"
expect 'man --write' 0 "$QSVIT" man --write "$TMP/man"
refuse 'another shell' 'expected bash or zsh' "$QSVIT" completion fish
refuse 'man of no command' "unknown command 'nonsense'" "$QSVIT" man nonsense
refuse 'man --write of one' 'leave out' "$QSVIT" man run --write "$TMP/x"

commands=$("$QSVIT" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
same 'there are commands' yes "$([ "$(printf '%s\n' "$commands" | wc -l)" -gt 20 ] && echo yes)"

# Answers of bash: what it offers for the last of the words.
cat >"$TMP/complete" <<'SCRIPT'
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_qsvit
printf '%s\n' "${COMPREPLY[@]}"
SCRIPT
complete() { # words...: what is offered, sorted, in one line
    (cd "$TMP/files" && bash -u "$TMP/complete" "$TMP/qsvit.bash" qsvit "$@" 2>&1) | sort | xargs
}
mkdir -p "$TMP/files/runs/mine" && touch "$TMP/files/mine.yaml" "$TMP/files/mine.h5" "$TMP/files/x.pth"

bad=''
for command in $commands; do
    # In the help an option begins its line; letters stand before names.
    names=$("$QSVIT" help "$command" | grep -oE '^  (-[a-z], |    )--[a-z0-9-]+' | grep -oE -- '-[a-z], |--[a-z0-9-]+' | tr -d ', ')
    offered=" $(complete "$command" -) "
    section=$(sed -n "/^    $command)\$/,/^        ;;/p" "$TMP/_qsvit")
    page=$TMP/man/qsvit-$command.1
    whole=$(sed 's/\\-/-/g' "$page")
    [ -n "$section" ] || bad="$bad zsh:$command"
    for name in $names; do
        case $offered in *" $name "*) ;; *) bad="$bad bash:$command:$name" ;; esac
        case $section in *"$name"[[=+]*) ;; *) bad="$bad zsh:$command:$name" ;; esac
        case $whole in *"$name"*) ;; *) bad="$bad man:$command:$name" ;; esac
    done
    groff -man -ww -b -Tutf8 "$page" >"$TMP/page.txt" 2>"$TMP/page.err"
    [ -s "$TMP/page.err" ] && bad="$bad groff:$command"
    grep -q "qsvit-$command - " "$TMP/page.txt" || bad="$bad name:$command"
    grep -q "qsvit.*-$command.*(1)" "$TMP/man/qsvit.1" || bad="$bad qsvit.1:$command"
done
same 'every command and option is in completions and man pages' '' "$bad"
same 'a page a command, and one for all' "$(printf '%s\n' "$commands" | wc -l)" \
    "$(find "$TMP/man" -name 'qsvit-*.1' | wc -l)"
"$QSVIT" man | cmp -s - "$TMP/man/qsvit.1"
same 'the page of all is what man prints' 0 $?

same 'bash: a command' 'import' "$(complete im)"
same 'bash: specs' 'mine.yaml' "$(complete run m)"
same 'bash: specs lie in folders, too' 'runs' "$(complete run r)"
same 'bash: choices' 'csv json table' "$(complete query runs/mine --format '')"
same 'bash: choices behind =' 'json' "$(complete query runs/mine --format = j)"
same 'bash: choices right behind =' 'csv json table' "$(complete query runs/mine --format =)"
same 'bash: a list goes on' 'int8,int6 int8,int5 int8,int4 int8,int3 int8,int2' \
    "$(complete bench --formats int8,i | tr ' ' '\n' | grep -v 'int8,int8' | sort -r | xargs)"
same 'bash: nothing for a number' '' "$(complete run mine.yaml --ranks '')"
same 'bash: files' 'mine.h5 mine.yaml' "$(complete eval -m mine)"
same 'bash: the second operand' 'runs' "$(complete diff runs/mine ru)"
same 'bash: no third' '' "$(complete diff runs/mine runs/mine ru)"
same 'bash: an option argument is no operand' 'mine.yaml' "$(complete run --ranks 4 min)"
same 'bash: topics' 'spec status submit' "$(complete help s | tr ' ' '\n' | grep -E '^(spec|status|submit)$' | xargs)"
same 'bash: a word' 'check' "$(complete dataset c)"
same 'bash: nothing of a command that is none' '' "$(complete nonsense x)"
expect 'bash -n' 0 bash -n "$TMP/qsvit.bash"

# Each spec of _arguments that zsh would be given, taken apart by zsh itself.
expect 'zsh -n' 0 zsh -n "$TMP/_qsvit"
cat >"$TMP/zsh" <<'SCRIPT'
_arguments() { print -rl -- "$@" }
_describe() { print -rl -- $names }
compdef() { }
. $1
words=(qsvit "${@:2}") CURRENT=$#words
_qsvit
SCRIPT
run zsh -f "$TMP/zsh" "$TMP/_qsvit" ''
holds 'zsh: commands' 'run:Runs a sweep, or goes on with one'
run zsh -f "$TMP/zsh" "$TMP/_qsvit" query ''
holds 'zsh: options' '--format=['
holds 'zsh: choices' ':(table csv json )'
holds 'zsh: operands' '1:RUN:_files'
finish
