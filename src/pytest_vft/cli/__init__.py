"""The `vft` command; each of its commands is a module here.

Exit codes: 0 clean, 1 findings that fail the run, 2 usage or internal error.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import re
import sys
from collections.abc import Callable, Sequence

from pytest_vft.cli import check, evaluate, rules, show, submit
from pytest_vft.cli.parser import Commands, Parser
from pytest_vft.errors import UsageError, VftError
from pytest_vft.text import nearest, safe


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code."""
    # When it ends Python looks for circles of garbage in all that there is: a sixth of a short run.
    atexit.register(gc.freeze)
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except VftError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return _fail("interrupted")
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means findings
        import traceback  # noqa: PLC0415 - not needed, we hope

        traceback.print_exc()
        return _fail("this is a fault of vft itself; please report it with the lines above")


def _fail(message: str) -> int:
    print(f"vft: {safe(message, None)}", file=sys.stderr)
    return 2


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments in *argv*. Raises UsageError, which names the nearest of what is unknown."""
    parser = Parser(
        prog="vft",
        description="Tell whether a vision fine-tuning dataset is fit to be trained on.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = Commands(parser)
    for module in (check, show, rules, submit, evaluate):
        module.add(commands)
    name = next((text for text in argv if not text.startswith("-")), None)
    if name is not None and name not in commands.parsers:
        raise UsageError(f"no command {name!r}{nearest(name, commands.parsers)}; see 'vft --help'")
    arguments, others = parser.parse_known_args(argv)
    for text in others:
        command = commands.parsers[arguments.name]
        option = text.partition("=")[0]
        if option.startswith("-"):
            options = re.findall(r"--[\w-]+", command.format_usage())
            command.error(f"no option {option}{nearest(option, options)}")
        if "files" not in arguments:
            command.error(f"{text!r} is one too many")
        arguments.files.append(text)  # argparse leaves files out that stand behind files and an option
    return arguments


class _Version(argparse.Action):
    """Reads the version only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import pytest_vft  # noqa: PLC0415 - reading metadata takes 20 ms

        print(f"vft {pytest_vft.__version__}")
        parser.exit()
