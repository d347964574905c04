"""What the commands share: a parser whose errors are ours, kinds of options, and printing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

from pytest_vft.errors import UsageError
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


class Commands:
    """The commands of *parser*, their own parsers by name."""

    def __init__(self, parser: Parser) -> None:
        self._commands = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)

    @property
    def parsers(self) -> Mapping[str, Parser]:
        """The parser of each command."""
        return self._commands.choices

    def add(self, name: str, what: str, run: Callable[[argparse.Namespace], int]) -> Parser:
        """Return the parser of a new command *name*, which is done by *run*."""
        parser: Parser = self._commands.add_parser(name, help=what, description=what)
        parser.set_defaults(command=run)
        return parser


def one_of(*known: str) -> dict[str, Any]:
    """Return the settings of an option that has one of *known* for its value."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"no {text!r}{nearest(text, known)}, want {' or '.join(known)}")
        return text

    return {"type": read, "metavar": "|".join(known)}


def number(text: str) -> int:
    """Return the number that the value of an option is."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it is {text!r}, want a number; 0 means all")
    return int(text)


def print_text(text: str) -> None:
    """Print *text*, in colour on a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

            from pytest_vft.report.colour import highlighted  # noqa: PLC0415 - as above

            Console(highlight=False).print(highlighted(text), end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
