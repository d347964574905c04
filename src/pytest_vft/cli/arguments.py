"""Arguments and options of a command, from its tables, for a parser of argparse."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pytest_vft.errors import UsageError
from pytest_vft.options import Argument, Command, Option, not_empty
from pytest_vft.reading.object_paths import is_object, is_url, without_password
from pytest_vft.text import either, nearest, safe

MOST_DIGITS = 18  # of a number; int() refuses thousands
# Without a width, argparse reads the width of the terminal per option, with a slow import.
_WIDTH = 78


# The shells that shtab writes completions for.
SHELLS = ("bash", "zsh", "fish", "tcsh")


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageErrors, without printing the usage."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        formatter = partial(argparse.RawDescriptionHelpFormatter, width=_WIDTH)
        super().__init__(
            prog=prog, description=description, formatter_class=formatter, allow_abbrev=False, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with *message* and the command that prints help."""
        flag = re.fullmatch("argument (--.+): ignored explicit argument .*", message)
        if flag:
            message = f"{flag[1]} does not take a value"
        raise UsageError(f"{message}; see '{self.prog} --help'")


def add_arguments(
    parser: argparse.ArgumentParser, command: Command
) -> list[tuple[Argument | Option, argparse.Action]]:
    """Add the arguments and options of *command* to *parser*, and return each with its action."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    added: list[tuple[Argument | Option, argparse.Action]] = [
        (argument, _add_argument(parser, argument)) for argument in command.arguments
    ]
    for option in command.options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        added.append((option, _add_option(groups[option.group], option)))
    return added


def _add_argument(parser: argparse.ArgumentParser, argument: Argument) -> argparse.Action:
    type_ = one_of(argument.choices) if argument.choices else str
    nargs = "*" if argument.many else "?" if argument.optional else None
    return parser.add_argument(
        argument.name, help=argument.help, metavar=argument.metavar, nargs=nargs, type=type_
    )


def _add_option(group: argparse._ArgumentGroup, option: Option) -> argparse.Action:
    settings = option.settings | {"help": option.help or argparse.SUPPRESS}
    types = {
        "path": _path if option.name == "out" else _local_path,
        "count": _count,
        "choice": one_of(option.choices),
    }
    if option.kind in types:
        settings["type"] = types[option.kind]
    return group.add_argument(f"--{option.name}", **settings)


def _path(text: str) -> Path:
    return Path(not_empty(text))


def _local_path(text: str) -> Path:
    """Return the path *text*. Raises ArgumentTypeError for a URL, which Path would make a folder s3: of."""
    if is_url(not_empty(text)):
        where = "is in object storage" if is_object(text) else "is a URL"
        raise argparse.ArgumentTypeError(
            f"{safe(without_password(text))}: {where}; expected a path on this machine"
        )
    return Path(text)


def one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that returns its text if it is one of *known*, and else raises ArgumentTypeError."""

    def read(text: str) -> str:
        if text not in known:
            hint = nearest(text, known)
            raise argparse.ArgumentTypeError(f"unknown {text!r}{hint}; expected {either(known)}")
        return text

    return read


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        most = 10**MOST_DIGITS - 1
        raise argparse.ArgumentTypeError(
            f"{safe(text)!r} is not valid; expected a whole number from 0 to {most:,}"
        )
    return int(text)
