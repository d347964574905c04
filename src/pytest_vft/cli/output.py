"""Text on standard output, in colour on a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_vft.errors import UsageError

# Findings are indented, so text from a dataset never starts a line and is never coloured.
_STYLES = (
    (r"(?m)^error\b", "bold red"),
    (r"(?m)^warning\b", "bold yellow"),
    (r"(?m)^(?:ignored|note|not checked|help)\b", "cyan"),
    (r"(?m)^FAILED\b", "bold red"),
    (r"(?m)^PASSED\b", "bold green"),
    (r"(?m)^vft: .*$", "dim"),
    (r"(?m)^  do:", "green"),
)


def check_streams() -> None:
    """Open the null device in place of closed standard streams, whose descriptors other files would get.

    Raises UsageError if standard output is closed.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))
    if "stdout" in closed:
        raise UsageError("standard output is closed")


def print_text(text: str) -> None:
    """Print *text*, in colour on a terminal; markup in *text* has no effect."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only
            from rich.text import Text  # noqa: PLC0415 - as above

            styled = Text(text)
            for pattern, style in _STYLES:
                styled.highlight_regex(pattern, style)
            Console(highlight=False).print(styled, end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes again at exit
        if not isinstance(error, BrokenPipeError):  # the reader, such as head or less, has exited
            raise
