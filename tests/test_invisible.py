# ruff: noqa: RUF001 - texts in many scripts
"""Characters that models read and people do not see are counted; ordinary text in any language is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.facts.invisible import invisible_characters
from pytest_vft.text import safe

SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "say yes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A dog.\n\tAnd a cat.",
        "“Größe” – 3 €, ça va? ½",
        "grey\xadhound, a\u00a0b, a\u202fb, a\u2009b",
        "می\u200cبینید، نمی\u200cدانم",
        "क्\u200dष, ක්\u200dෂ",
        "ឆ្កែ\u200bមួយ",
        "\ufeffA dog.",
        "👩\u200d❤\ufe0f\u200d👨 👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 ☎\ufe0e ❤\ufe0f\ufe0f",
        "🇫🇷🇩🇪",
        SCOTLAND * 3,
        "葛\U000e0100飾区",
        "שלום\u200f! \u202b(3)\u202c \u2067a\u2069 \u200e5",
        "الكلب\u061c 3",
        "\u200eLeft to right",
    ],
)
def test_ordinary_text_has_none(text: str) -> None:
    assert invisible_characters(text) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"A dog.{TAGS}", 7),
        (f"{SCOTLAND}{TAGS} {SCOTLAND}", 7),
        (f"\U0001f3f4{TAGS}\U000e007f", 8),
        (SCOTLAND.removesuffix("\U000e007f"), 5),
        ("a\U000e0001b", 1),
        ("a\u200b\u200c\u200db\u2060\u2060", 3),
        ("😊" + "\U000e0158" * 5 + "\ufe0f" * 4, 9),
        ("Is \u202egpj.exe\u202c safe?", 2),
        ("של\u202eום", 1),
        ("(\u202d555\u202c)", 2),
        ("a\xad\xad\xadb", 3),
        (f"{TAGS}\u200b", 8),
    ],
)
def test_what_people_do_not_see_is_counted(text: str, number: int) -> None:
    assert invisible_characters(text) == number


@given(st.text())
def test_what_is_escaped_is_not_invisible(text: str) -> None:
    assert invisible_characters(text) <= len(text)
    assert invisible_characters(safe(text, None).replace("\ufe0f", "")) <= sum(map(text.count, _NOT_ESCAPED))


_NOT_ESCAPED = [chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0080, 0xE1000))] + list(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u3164\uffa0"
)


def test_flags_are_shown_and_tags_escaped() -> None:
    assert safe(f"{SCOTLAND}\U000e0041") == f"{SCOTLAND}\\U000e0041"
    assert safe("a\xadb\ufff9c\u206a") == r"a\xadb\ufff9c\u206a"
