"""What each shell runs to ask us, and how it is answered: a candidate a line.

Shells differ in what they take for a word, so bash hands over its raw line, and quoting is done on our side; zsh
and fish know their words and quote by themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_BASH = """\
_speedpix_pipe() {
    local IFS=$'\\n'
    COMPREPLY=($(command "${COMP_WORDS[0]}" __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    case "${COMPREPLY[0]}" in
        */|*=) [[ ${#COMPREPLY[@]} -eq 1 ]] && compopt -o nospace ;;
    esac
}
complete -F _speedpix_pipe speedpix-pipe
"""

_ZSH = """\
#compdef speedpix-pipe
_speedpix_pipe() {
    local line
    local -a open whole shown_open shown_whole
    for line in "${(@f)$(command "${words[1]}" __complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        if [[ ${line%%$'\\t'*} == *[/=] ]]; then
            open+=("${line%%$'\\t'*}"); shown_open+=("${line//$'\\t'/  }")
        else
            whole+=("${line%%$'\\t'*}"); shown_whole+=("${line//$'\\t'/  }")
        fi
    done
    (( $#whole )) && compadd -l -d shown_whole -a whole
    (( $#open )) && compadd -S '' -l -d shown_open -a open
}
compdef _speedpix_pipe speedpix-pipe
"""

_FISH = """\
function __speedpix_pipe
    set -l words (commandline -opc) (commandline -ct)
    command $words[1] __complete fish $words[2..-1] 2>/dev/null
end
complete -c speedpix-pipe -f -a '(__speedpix_pipe)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def words_of(shell: str, given: Sequence[str]) -> list[str]:
    """The words after the program's name; the last one is being completed."""
    if shell != "bash":
        return list(given)
    return _split(given[1])[1:]


def answer(shell: str, given: Sequence[str], word: str, candidates: Sequence[tuple[str, str]]) -> list[str]:
    """The lines that the shell reads: candidates with their descriptions, in its own form."""
    if shell != "bash":
        return [f"{text}\t{' '.join(about.split())}" if about else text for text, about in candidates]
    # bash replaces only what follows the last of its break signs, quoted as it must stand on the line
    breaks = "".join(sign for sign in given[0] if sign not in " \t\n\"'\\")
    cut = max((word.rfind(sign) + 1 for sign in breaks), default=0)
    return [_quoted(text[cut:]) for text, _ in candidates]


def _quoted(text: str) -> str:
    """As bash itself would escape it, so that a completed word can be typed on."""
    return "".join(sign if sign.isalnum() or sign in "@%+=:,./-_~" else f"\\{sign}" for sign in text)


def _split(line: str) -> list[str]:
    """The words of a line that is still being typed: a quote may be open, and the last word may be empty."""
    for ending in ("", "'", '"', "\\"):
        try:
            words = shlex.split(line + ending)
        except ValueError:
            continue
        return [*words, ""] if line[-1:].isspace() and not line.endswith("\\ ") and not ending else words
    return [""]
