"""The parser of the command line, made of the tables of commands and options; its errors are UsageErrors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest_vft
from pytest_vft.errors import UsageError
from pytest_vft.options import COMMANDS, Argument, Command, Option
from pytest_vft.text import nearest

# Without it argparse asks for the terminal's at each option, by a module that loads three compressors.
_WIDTH = 78


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, without the usage."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        formatter = partial(argparse.HelpFormatter, width=_WIDTH)
        super().__init__(
            prog=prog, description=description, formatter_class=formatter, allow_abbrev=False, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with *message* and where help is."""
        raise UsageError(f"{message}; see '{self.prog} --help'")


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command that *argv* names and its arguments.

    Raises UsageError, which names the nearest of what is unknown.
    """
    parser = Parser("vft", "Tell whether a vision fine-tuning dataset is fit to be trained on.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    group = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)
    parsers = {c.name: group.add_parser(c.name, help=c.help, description=c.help) for c in COMMANDS}
    commands = {command.name: command for command in COMMANDS}
    name = next((text for text in argv if not text.startswith("-")), None)
    if name is None:
        parser.parse_args(argv)
        parser.error("no command is given")
    if name not in commands:
        raise UsageError(f"no command {name!r}{nearest(name, commands)}; see 'vft --help'")
    command, inner = commands[name], parsers[name]
    for argument in command.arguments:
        _add_argument(inner, argument)
    for option in command.options:
        _add_option(inner, option)
    arguments, others = parser.parse_known_args(argv)
    for text in others:
        given = text.partition("=")[0]
        if given.startswith("-"):
            known = ["--help", *(f"--{option.name}" for option in command.options)]
            inner.error(f"no option {given}{nearest(given, known)}")
        if "files" not in arguments:
            inner.error(f"{text!r} is one too many")
        arguments.files.append(text)  # argparse leaves files out that stand behind files and an option
    return command, arguments


def _add_argument(parser: argparse.ArgumentParser, argument: Argument) -> None:
    settings: dict[str, Any] = {"metavar": argument.metavar, "nargs": "*" if argument.many else None}
    if argument.choices:
        settings["type"] = _one_of(argument.choices)
    parser.add_argument(argument.name, help=argument.help, **settings)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    settings = option.settings
    if option.kind == "path":
        settings["type"] = Path
    elif option.kind == "count":
        settings["type"] = _count
    elif option.kind == "choice":
        settings["type"] = _one_of(option.choices)
    parser.add_argument(f"--{option.name}", **settings)


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"no {text!r}{nearest(text, known)}, want {' or '.join(known)}")
        return text

    return read


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it is {text!r}, want a number; 0 means all")
    return int(text)


class _Version(argparse.Action):
    """Reads the version only when it is asked for: that takes 20 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"vft {pytest_vft.__version__}")
        parser.exit()
