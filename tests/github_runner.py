"""Workflow commands, parsed from a log as by the runner of GitHub Actions.

After TryParseV2 and TryParse in
https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

REGISTERED = {
    *("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice"),
    *("remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"),
}
DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
OLD = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"}


class Command(NamedTuple):
    name: str
    properties: Mapping[str, str]
    data: str


def read_log(text: str) -> list[Command]:
    """Return the commands that the runner obeys when a step prints *text*."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [command for line in lines for command in _commands(line)]


def _commands(line: str) -> Iterator[Command]:
    _, start, rest = line.lstrip().partition("::")
    info, end, data = rest.partition("::")
    if line.lstrip().startswith("::") and end and _name(info) in REGISTERED:
        yield Command(_name(info), _properties(info.strip(), ",", PROPERTY), _unescape(data, DATA))
        return
    _, start, rest = line.partition("##[")
    info, end, data = rest.partition("]")
    if start and end and _name(info) in REGISTERED:
        yield Command(_name(info), _properties(info, ";", OLD), _unescape(data, OLD))


def _name(info: str) -> str:
    return info.partition(" ")[0].lower()


def _properties(info: str, separator: str, escapes: Mapping[str, str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in info.partition(" ")[2].split(separator)]
    return {key: _unescape(value, escapes) for key, _, value in pairs if key and value}


def _unescape(text: str, escapes: Mapping[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text
