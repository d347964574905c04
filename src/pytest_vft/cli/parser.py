"""Parse the command line with the tables of commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pytest_vft.cli.arguments import SHELLS, Parser, add_arguments, one_of
from pytest_vft.cli.help import command_table, epilog, overview, usage
from pytest_vft.errors import UsageError
from pytest_vft.options import COMMANDS, OPTIONS, RENAMED, Command
from pytest_vft.text import enumerated, nearest


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command of *argv* and its arguments. Raises UsageError, which suggests the nearest name.

    Without arguments, the commands are printed, and the program ends with 2.
    """
    parser = Parser(
        "vft",
        overview(),
        usage="vft [--help] [--version] [--print-completion=SHELL] COMMAND ...",
        epilog=epilog(),
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print versions: vft, and what measures images"
    )
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        type=one_of(SHELLS),
        metavar="SHELL",
        help=f"print the completion of a shell: {', '.join(SHELLS)}",
    )
    group = parser.add_subparsers(
        dest="name", prog="vft", metavar="COMMAND", help=argparse.SUPPRESS, required=True
    )
    if not argv:
        parser.exit(2, f"{command_table()}\n")
    commands = {command.name: command for command in COMMANDS}
    parsers = {name: group.add_parser(name, description=commands[name].help) for name in commands}
    name = next((text for text in argv if not text.startswith("-")), None)
    if name is None or argv[0] == "--print-completion":  # its value, after a space, is no command
        parser.parse_args(argv)
        parser.error("no command given")
    if name not in commands:
        raise UsageError(f"unknown command {name!r}{nearest(name, commands)}; see 'vft --help'")
    command, inner = commands[name], parsers[name]
    inner.usage, inner.epilog = usage(command), epilog(command.examples)
    add_arguments(inner, command)
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
    others = [f"vft {other.name}" for other in COMMANDS if given in _option_names(other)]
    if others:
        return f"{given} is an option of {enumerated(others, 'and')}, not of vft {command.name}"
    for option in OPTIONS:
        if option.pytest_name == given:
            name = f"--{option.name}"
            same = f"; here it is {name}" if name in _option_names(command) else ""
            return f"{given} is an option of pytest{same}"
    return f"unknown option {given}{nearest(given, ['--help', *_option_names(command)])}"


def _option_names(command: Command) -> list[str]:
    return [f"--{option.name}" for option in command.options]


class _Version(argparse.Action):
    """Prints the versions; reading them takes 60 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from pytest_vft.cli.versions import render_versions  # noqa: PLC0415 - as above

        print(render_versions(), end="")
        parser.exit()


class _Completion(argparse.Action):
    """Prints a script that completes commands, options and names in a shell."""

    def __call__(self, parser: argparse.ArgumentParser, _: object, values: Any, *__: object) -> None:
        from pytest_vft.cli.completion import completion_script  # noqa: PLC0415 - for this option only

        print(completion_script(values))
        parser.exit()
