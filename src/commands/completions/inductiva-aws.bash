# Completions of inductiva-aws for bash. The program knows the words:
# inductiva-aws completions --help

_inductiva_aws() {
    local words=() word before= candidate
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        # bash takes these for the ends of words; here they are parts of them.
        if [[ ($word == [=:]* || $before == *[=:]) && ${#words[@]} -gt 1 ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        before=$word
    done
    word=${words[${#words[@]} - 1]}
    # What bash keeps of the word: it replaces the rest.
    local kept=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while IFS= read -r candidate; do
        candidate=${candidate#"$kept"}
        # Within quotes, a blank is a blank already.
        [[ $word == *[\"\']* ]] || printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
    done < <(command inductiva-aws complete-words bash -- "${words[@]}" 2>/dev/null)
    # A folder, or an option whose value follows an equals sign, goes on.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -o nosort -F _inductiva_aws inductiva-aws 2>/dev/null ||
    complete -F _inductiva_aws inductiva-aws
