"""`vft --print-completion=SHELL`: a script that completes commands, options, files and names."""

from __future__ import annotations

import re

import shtab

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.cli.arguments import SHELLS, Parser, add_arguments
from pytest_vft.formats.registry import data_formats
from pytest_vft.model import SCOPES
from pytest_vft.options import COMMANDS, Argument, Option
from pytest_vft.runs.reference import SCHEMAS


def completion_script(shell: str) -> str:
    """Return the script for *shell*, one of SHELLS. Names are those of shipped rules and providers."""
    parser = Parser("vft", "")
    parser.add_argument("--version", action="store_true", help="print versions")
    parser.add_argument("--print-completion", choices=SHELLS, help="print the completion of a shell")
    commands = parser.add_subparsers()
    for command in COMMANDS:
        inner = commands.add_parser(command.name, description=command.help, help=command.help)
        for added, action in add_arguments(inner, command):
            action.choices = _names(added) or added.choices or None
            if action.choices is None and added.metavar in _PATHS:
                setattr(action, "complete", _PATHS[added.metavar])  # noqa: B010 - unknown to argparse's types
    script: str = shtab.complete(parser, shell)
    if shell == "bash":
        return script + _BASH
    if shell == "zsh":
        for_both = script.replace("#compdef vft", "#compdef vft pytest-vft", 1)
        return _ZSH_OPTION.sub(r"\1=\2", for_both)
    return script


# An option of zsh that takes a value: with "=" before its help, also after an equals sign.
_ZSH_OPTION = re.compile(r'(?m)^(  "\*?--[\w-]+)(\[(?:[^\]\\]|\\.)*\]:)')
# Bash cuts --provider=openai into three words; the script of shtab completes only --provider openai.
# Of a list of names, such as --select=a,b, the last one is completed.
_BASH = """
_vft() {
  local -a words=()
  local at cword=$COMP_CWORD
  for at in "${!COMP_WORDS[@]}"; do
    if [[ ${COMP_WORDS[at]} != "=" ]]; then
      words+=("${COMP_WORDS[at]}")
    elif ((at == COMP_CWORD)); then
      words+=("")
    elif ((at < COMP_CWORD)); then
      ((cword -= 1))
    fi
  done
  local word=${words[cword]} before=
  if [[ $word == *,* && ${words[cword - 1]} == --@(select|extend-select|ignore|provider|to) ]]; then
    before=${word%,*},
    words[cword]=${word##*,}
  fi
  COMP_WORDS=("${words[@]}")
  COMP_CWORD=$cword
  _shtab_vft "$@"
  COMPREPLY=("${COMPREPLY[@]/#/$before}")
}
complete -o bashdefault -F _vft vft pytest-vft
"""
_PATHS = {
    **dict.fromkeys(("FILE", "FILE:LINE", "FILE|JOB", "PATH"), shtab.FILE),
    "DIR": shtab.DIRECTORY,
}


def _names(added: Argument | Option) -> list[str]:
    """Return the names that are values of an argument or option; none if it has other values."""
    rules, providers, formats = sorted(shipped_rules()), sorted(provider_ids()), sorted(data_formats())
    if added.metavar == "RULES":
        return [*rules, *SCOPES]
    return {
        "subject": [*rules, *SCOPES, *providers],
        "schema": list(SCHEMAS),
        "provider": providers,
        "to": [*providers, *formats],
        "data-format": formats,
    }.get(added.name, [])
