"""Text on standard output, in colour on a terminal."""

from __future__ import annotations

import os
import sys

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


def text_width() -> int:
    """Return the columns of text on standard output: those of a terminal, within limits, or WIDTH."""
    try:
        # The variable overrides the terminal, as in shutil.get_terminal_size(), which is slow to import.
        columns = os.environ.get("COLUMNS", "")
        wide = int(columns) if columns.isdecimal() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # a pipe, or a stream without a file
        return WIDTH
    return min(max(wide, _NARROWEST), _WIDEST) if sys.stdout.isatty() and wide else WIDTH


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
    except BrokenPipeError:  # the reader, such as head or less, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
