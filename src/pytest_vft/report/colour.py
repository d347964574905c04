"""Colours of reports on a terminal."""

from __future__ import annotations

from rich.text import Text

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


def highlighted(text: str) -> Text:
    """Return *text* with headings and verdicts coloured; markup in *text* has no effect."""
    styled = Text(text)
    for pattern, style in _STYLES:
        styled.highlight_regex(pattern, style)
    return styled
