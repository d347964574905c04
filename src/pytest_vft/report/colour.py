"""Colours for a terminal, laid over text that is complete without them."""

from __future__ import annotations

from rich.text import Text

# Findings are indented, so that no text from a dataset starts a line and takes a colour.
_STYLES = (
    (r"(?m)^error\b", "bold red"),
    (r"(?m)^warning\b", "bold yellow"),
    (r"(?m)^(?:ignored|note|not checked|help)\b", "cyan"),
    (r"(?m)^FAILED\b", "bold red"),
    (r"(?m)^PASSED\b", "bold green"),
    (r"(?m)^vft: .*$", "dim"),
    (r"(?m)^  do:", "green"),
)


def highlighted(text: str) -> Text:
    """Return *text* with its own words coloured; none of it is read as markup."""
    styled = Text(text)
    for pattern, style in _STYLES:
        styled.highlight_regex(pattern, style)
    return styled
