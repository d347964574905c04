"""Parse the command line with the tables of commands and options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest_vft
from pytest_vft.errors import UsageError
from pytest_vft.options import COMMANDS, OPTIONS, RENAMED, Argument, Command, Option, not_empty
from pytest_vft.text import either, nearest, safe

MOST_DIGITS = 18  # of a number; int() refuses thousands
# Without a width, argparse reads the width of the terminal per option, with a slow import.
_WIDTH = 78


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageErrors, without printing the usage."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        formatter = partial(argparse.HelpFormatter, width=_WIDTH)
        super().__init__(
            prog=prog, description=description, formatter_class=formatter, allow_abbrev=False, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with *message* and the command that prints help."""
        flag = re.fullmatch("argument (--.+): ignored explicit argument .*", message)
        if flag:
            message = f"{flag[1]} does not take a value"
        raise UsageError(f"{message}; see '{self.prog} --help'")


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command of *argv* and its arguments. Raises UsageError, which suggests the nearest name."""
    parser = Parser("vft", "Check vision fine-tuning datasets before training on them.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    group = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)
    parsers = {c.name: group.add_parser(c.name, help=c.help, description=c.help) for c in COMMANDS}
    commands = {command.name: command for command in COMMANDS}
    name = next((text for text in argv if not text.startswith("-")), None)
    if name is None:
        parser.parse_args(argv)
        parser.error("no command given")
    if name not in commands:
        raise UsageError(f"unknown command {name!r}{nearest(name, commands)}; see 'vft --help'")
    command, inner = commands[name], parsers[name]
    for argument in command.arguments:
        _add_argument(inner, argument)
    for option in command.options:
        _add_option(inner, option)
    many = any(argument.many for argument in command.arguments)
    options, files = _cut(argv) if many else (argv, None)
    arguments, others = parser.parse_known_args(options)
    for text in others:
        given = text.partition("=")[0]
        if given.startswith("-"):
            inner.error(_unknown_option(command, given))
        if not many:
            inner.error(f"unexpected argument {text!r}")
        arguments.files.append(text)  # argparse does not take files after files and an option
    if many:
        arguments.explicit = files is not None
        arguments.files += files or ()
    return command, arguments


def _cut(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return the arguments before and after the first "--", after which all are files; None without one."""
    if "--" not in argv:
        return argv, None
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def _unknown_option(command: Command, given: str) -> str:
    """Return what is wrong with the option *given*, which *command* does not have."""
    for name, old, new in RENAMED:
        if (command.name, f"--{old}") == (name, given):
            return f"{given} is now --{new}"
    others = [other.name for other in COMMANDS if given in _option_names(other)]
    if others:
        return f"{given} is an option of vft {' and vft '.join(others)}, not of vft {command.name}"
    for option in OPTIONS:
        if option.pytest_name == given:
            name = f"--{option.name}"
            same = f"; here it is {name}" if name in _option_names(command) else ""
            return f"{given} is an option of pytest{same}"
    return f"unknown option {given}{nearest(given, ['--help', *_option_names(command)])}"


def _option_names(command: Command) -> list[str]:
    return [f"--{option.name}" for option in command.options]


def _add_argument(parser: argparse.ArgumentParser, argument: Argument) -> None:
    type_ = _one_of(argument.choices) if argument.choices else str
    nargs = "*" if argument.many else "?" if argument.optional else None
    parser.add_argument(argument.name, help=argument.help, metavar=argument.metavar, nargs=nargs, type=type_)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    settings = option.settings
    types = {"path": lambda text: Path(not_empty(text)), "count": _count, "choice": _one_of(option.choices)}
    if option.kind in types:
        settings["type"] = types[option.kind]
    parser.add_argument(f"--{option.name}", **settings)


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
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


class _Version(argparse.Action):
    """Prints the version; reading the version takes 20 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"vft {pytest_vft.__version__}")
        parser.exit()
