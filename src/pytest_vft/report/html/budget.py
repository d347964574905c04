"""What a page may hold: numbers of cards and bytes of text, and each anchor once."""

from __future__ import annotations

from pytest_vft.text import safe

MOST_CARDS = 2_000
_ROOM = 3_000_000  # bytes of cards: what the budget of a page leaves for text
_MARKUP = 500  # bytes of a card, and of each of its sides, without texts


class CardBudget:
    """The room for cards on a page, and the anchors that are taken."""

    def __init__(self) -> None:
        self.cards_left = MOST_CARDS
        self._room = _ROOM
        self._anchors: set[str] = set()

    def takes(self, card: object, sides: int) -> bool:
        """Return whether there is room for *card*, a tuple of texts and tuples with *sides*; then take it."""
        self._room -= _MARKUP * (1 + sides) + _weight(card)
        if self._room < 0 or not self.cards_left:
            return False
        self.cards_left -= 1
        return True

    def claim(self, anchor: str) -> str:
        """Return *anchor* for the first element that claims it, and "" for all others."""
        if anchor in self._anchors:
            return ""
        self._anchors.add(anchor)
        return anchor


def _weight(value: object) -> int:
    """Return an upper bound of the bytes that the texts in *value* take on a page."""
    if isinstance(value, str):
        return len(safe(value, None).encode(errors="replace")) + 4 * sum(map(value.count, "&<>'\""))
    return sum(map(_weight, value)) if isinstance(value, tuple) else 0
