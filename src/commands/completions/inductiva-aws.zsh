#compdef inductiva-aws
# Completions of inductiva-aws for zsh. The program knows the words:
# inductiva-aws completions --help

_inductiva-aws() {
    local -a candidates whole open
    local candidate
    candidates=("${(@f)$(command inductiva-aws complete-words zsh -- "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    for candidate in "${candidates[@]}"; do
        case ${candidate%%:*} in
            '') ;;
            # A folder, or an option whose value follows an equals sign, goes on.
            *[/=]) open+=("$candidate") ;;
            *) whole+=("$candidate") ;;
        esac
    done
    ((${#whole})) && _describe -V 'inductiva-aws' whole
    ((${#open})) && _describe -V 'inductiva-aws' open -S ''
}

if [[ ${funcstack[1]} == _inductiva-aws ]]; then
    _inductiva-aws "$@"
else
    compdef _inductiva-aws inductiva-aws
fi
