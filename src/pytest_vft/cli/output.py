"""Text on standard output, in colour on a terminal."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

from pytest_vft.errors import UsageError
from pytest_vft.report.layout import WIDTH

INTERRUPTED = 130  # the exit code after Ctrl-C, as in shells: 128 and the number of the signal
_NARROWEST, _WIDEST = 60, 120  # columns of text on a terminal

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
        null = Path(os.devnull).open("r" if name == "stdin" else "w")  # noqa: SIM115 - until the process ends
        atexit.register(null.close)
        setattr(sys, name, null)
    if "stdout" in closed:
        raise UsageError("standard output is closed")


def text_width() -> int:
    """Return the columns of text on standard output: those of a terminal, within limits, or WIDTH."""
    try:
        # The variable overrides the terminal, as in shutil.get_terminal_size(), which is slow to import.
        columns = os.environ.get("COLUMNS", "")
        wide = int(columns) if columns.isdecimal() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # a pipe, or a stream without a file
        return WIDTH
    return min(max(wide, _NARROWEST), _WIDEST) if sys.stdout.isatty() and wide else WIDTH


def _wants_colour() -> bool:
    """Return whether standard output has colours (https://no-color.org, https://force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return _forces_colour() or sys.stdout.isatty()


def _forces_colour() -> bool:
    return bool(os.environ.get("FORCE_COLOR"))


def print_text(text: str, *, styled: bool = True) -> None:
    """Print *text*, in colour on a terminal if *styled*; markup in *text* has no effect."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if styled and _wants_colour():
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only
            from rich.text import Text  # noqa: PLC0415 - as above

            document = Text(text)
            for pattern, style in _STYLES:
                document.highlight_regex(pattern, style)
            console = Console(
                highlight=False, force_terminal=True, color_system="standard" if _forces_colour() else "auto"
            )
            console.print(document, end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes again at exit
        if not isinstance(error, BrokenPipeError):  # the reader, such as head or less, has exited
            error.filename = "standard output"
            raise
