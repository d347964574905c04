"""Text on standard output, in colour on a terminal."""

from __future__ import annotations

import os
import sys


def print_text(text: str) -> None:
    """Print *text*, in colour on a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

            from pytest_vft.report.colour import highlighted  # noqa: PLC0415 - it imports rich

            Console(highlight=False).print(highlighted(text), end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
