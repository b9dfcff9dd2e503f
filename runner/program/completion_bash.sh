# shellcheck shell=bash disable=SC2154
# Completes the command line of qsvit in bash; written by: qsvit completion bash

_qsvit() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local options='' takes='' what='' head='' i n=0
    local -a operands=()
    COMPREPLY=()
    # "--format=ta" comes as three words.
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$_qsvit_commands" -- "$cur")
        return
    fi
    _qsvit_command "${COMP_WORDS[1]}" "$prev"
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -* | =) ;;
        *)
            [[ ${COMP_WORDS[i - 1]} == '=' || " $takes " == *" ${COMP_WORDS[i - 1]} "* ]] ||
                n=$((n + 1))
            ;;
        esac
    done
    if [[ -z $what && $cur == -* ]]; then
        what="word $options"
    elif [[ -z $what ]]; then
        what=${operands[n]-}
    fi
    case $what in
    word\ *) mapfile -t COMPREPLY < <(compgen -W "${what#word }" -- "$cur") ;;
    list\ *)
        [[ $cur != *,* ]] || head=${cur%,*},
        mapfile -t COMPREPLY < <(compgen -P "$head" -W "${what#list }" -- "${cur##*,}")
        ;;
    files)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    folders)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.h5' -- "$cur")
        ;;
    specs)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.yaml' -- "$cur")
        ;;
    esac
}
