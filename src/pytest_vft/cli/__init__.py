"""The `vft` command; each of its commands is a function in a module here.

Exit codes: 0 clean, 1 findings that fail the run, 2 usage or internal error.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from pytest_vft.cli.parser import parse
from pytest_vft.errors import VftError
from pytest_vft.text import safe


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code."""
    # When it ends Python looks for circles of garbage in all that there is: a sixth of a short run.
    atexit.register(gc.freeze)
    try:
        command, arguments = parse(sys.argv[1:] if argv is None else argv)
        module, _, function = command.run.partition(":")
        run: Callable[[Any], int] = getattr(import_module(module), function)
        return run(arguments)
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
