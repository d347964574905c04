"""Text from rule and provider files as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_vft.writing import write_text

# What Markdown, or GitHub's Markdown, reads as something other than text.
_MARKUP = re.compile(
    r"""
      <(?=[A-Za-z/!?])                # HTML, and an address in brackets
    | (?<=\])[(:\[]                   # a link or an image
    | :(?=//) | (?<=www)\. | @        # an address without brackets
    | \\(?=[\W_])                     # an escape
    | &(?=\#?\w+;)                    # a character by its name or number
    | [`*~$]                          # code, emphasis, a deletion, a formula
    | (?<![^\W_])_ | _(?![^\W_])      # emphasis, which does not start or end within a word
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What Markdown does not read as a paragraph if a text starts with it.
_BLOCK = re.compile(r"\d*(?=[#>+*=~|.)-])")
_ADDRESS = re.compile(r"https?://[^\s<>]+")


def plain(text: str) -> str:
    """Return *text*, which a rule or provider file contains, so that Markdown shows it as it is."""
    return _MARKUP.sub(lambda match: "".join(f"\\{character}" for character in match[0]), text)


def paragraph(text: str) -> str:
    """Return *text* as a paragraph, even if it starts as a list or a heading does."""
    return _BLOCK.sub(r"\g<0>\\", plain(text), count=1) if _BLOCK.match(text) else plain(text)


def address(source: str, otherwise: Callable[[str], str] = plain) -> str:
    """Return *source* as a link if it is an address."""
    return f"<{source}>" if _ADDRESS.fullmatch(source) else otherwise(source)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_texts(texts: Mapping[Path, str]) -> list[Path]:
    """Write *texts* to their paths; return the paths."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return list(texts)
