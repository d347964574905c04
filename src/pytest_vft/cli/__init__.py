"""The `vft` command: parse the command line and run a command.

Exit codes: 0 success, 1 findings that fail the run, 2 usage or internal error, 130 Ctrl-C.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from pytest_vft.cli.output import INTERRUPTED, check_streams
from pytest_vft.cli.parser import parse
from pytest_vft.errors import VftError, describe_os_error
from pytest_vft.garbage import search_seldom
from pytest_vft.text import safe


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code."""
    # Searches for garbage find none in imports, and take a fifth of the time with many files. At exit, Python
    # searches all objects: a sixth of the time of a short run.
    search_seldom()
    atexit.register(gc.freeze)
    try:
        check_streams()
        command, arguments = parse(sys.argv[1:] if argv is None else argv)
        module, _, function = command.run.partition(":")
        run: Callable[[Any], int] = getattr(_imported(module), function)
        return run(arguments)
    except VftError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(describe_os_error(error))
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except MemoryError:
        return _fail("out of memory")
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means findings
        import traceback  # noqa: PLC0415 - for internal errors only

        traceback.print_exc()
        return _fail("internal error in vft; please report it with the lines above")


def _imported(module: str) -> ModuleType:
    """Return the *module*; what it consists of is never searched for garbage."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _fail(message: str, code: int = 2) -> int:
    with suppress(OSError):  # a full disk, for example; the exit code still tells
        print(f"vft: {safe(message, None)}", file=sys.stderr)
    return code
