"""Lines of text within a width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_vft.text import safe

MOST_SHOWN = 10
WIDTH = 80
# A message is printed beside its place, or below if the place has more columns than this.
_WIDEST_PLACE = 28


class Display(NamedTuple):
    """What a report for people shows, in lines of *width* columns unless a path or pointer is longer.

    At most *most_shown* findings for each rule are shown (0: all). With *quiet*, nothing but findings and
    the verdict is shown, and nothing of a run that passes. A page shows *images*, and *good_examples*
    examples without findings from each file.
    """

    most_shown: int = MOST_SHOWN
    width: int = WIDTH
    quiet: bool = False
    images: bool = True
    good_examples: int = 0


DEFAULT = Display()


def wrapped(text: str, first: str = "", rest: str = "  ", *, width: int = WIDTH) -> list[str]:
    """Return *text* as escaped lines, indented with *first* and *rest*.

    Each line is escaped by itself because it may start in the middle of a value.
    """
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [safe(line, None) for line in lines or [first.rstrip()]]


def findings_lines(texts: Sequence[tuple[str, str, str]], *, width: int = WIDTH) -> Iterator[str]:
    """Yield the lines of findings, each given as place, message and details, which follow the message."""
    widest = max((len(where) for where, _, _ in texts), default=0)
    wholes = [message + details for _, message, details in texts]
    beside = widest <= _WIDEST_PLACE or widest + 4 + max(map(len, wholes)) <= width
    indent = " " * (widest + 4 if beside else 4)
    for (where, message, details), whole in zip(texts, wholes, strict=True):
        first = f"  {where:<{widest}}  " if beside else indent
        if not beside:
            yield f"  {where}"
        if len(indent) + len(message) <= width < len(indent) + len(whole):
            yield first + safe(message, None)
            yield from wrapped(details.lstrip("; "), indent, indent, width=width)
        else:
            yield from wrapped(whole, first, indent, width=width)


def advice_lines(advice: str, *, width: int = WIDTH) -> list[str]:
    """Return the lines of *advice*, which follow its findings."""
    return wrapped(advice, "  do: ", "      ", width=width)


def remarked(title: str, remark: str, *, width: int = WIDTH) -> Iterator[str]:
    """Yield *title* with *remark* at the right margin, or below if there is no room."""
    if len(title) + 2 + len(remark) <= width:
        yield f"{title}{remark:>{width - len(title)}}" if remark else title
    else:
        yield title
        yield from wrapped(remark, "  ", "  ", width=width)
