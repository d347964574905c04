"""Text from data is never a command for a terminal, a log or a CI runner."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.text import LIMIT, Safe, count, fill, nearest, placeholders, safe

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What hostile text is made of, so that chance puts the pieces side by side.
PIECES = ["::", ":", "##[", "##vso[", "#", "[", "\x1b[31m", "\r", "\n", "\x9b", "\u2028", "\ud800", " "]

anything = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from([*PIECES, *sorted(BIDI)]) | st.text(max_size=3)).map("".join),
    st.lists(st.sampled_from([*PIECES, *sorted(BIDI)]) | st.just("x" * 55)).map("".join),
)


@pytest.mark.parametrize("text", ["", "A dog.", "Où est le café ☕?", "日本語", "a: b", "1 # [2]", "C::f"])
def test_harmless_text_stays(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    "text",
    ["👨\u200d👩\u200d👧", "❤\ufe0f\u200d🔥", "👩🏽\u200d🚀", "نمی\u200cشود", "क्\u200dष"],
)
def test_joiners_stay_where_they_join(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    "text",
    ["a\u200db", "👨\u200d", "\u200d👨", "👨\u200d\u200d👩", "👨\u200c👩", "م\u200c\u200cم", "a\u200c"],
)
def test_other_joiners_are_escaped(text: str) -> None:
    assert "\\u200" in safe(text)
    assert not {"\u200c", "\u200d"} & set(safe(text))


def test_text_at_the_limit_stays() -> None:
    assert safe("x" * LIMIT) == "x" * LIMIT


@given(anything)
@settings(deadline=None)
def test_nothing_is_left_to_obey(text: str) -> None:
    shown = safe(text)

    assert len(shown) <= LIMIT
    assert not [letter for letter in shown if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set(shown) & BIDI
    assert not re.search(r"##\w*\[", shown)
    assert not shown.lstrip().startswith("::")


@given(anything)
@settings(deadline=None)
def test_without_a_limit_nothing_is_lost(text: str) -> None:
    shown = safe(text, None)

    assert len(shown) >= len(text)
    assert not re.search(r"##\w*\[", shown)


@given(anything, st.integers(1, 20))
@settings(deadline=None)
def test_any_limit_holds(text: str, limit: int) -> None:
    assert len(safe(text, limit)) <= limit


@given(anything)
@settings(deadline=None)
def test_what_is_safe_needs_no_more_care(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\x0ab"),
        ("\x9b", r"\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("::error::x", r"\x3a:error::x"),
        ("  ::error::x", r"  \x3a:error::x"),
        ("a##[group]", r"a#\x23[group]"),
        ("###[x", r"##\x23[x"),
        ("##vso[task.complete]", r"#\x23vso[task.complete]"),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_template_is_filled_by_plain_substitution() -> None:
    template = "{bytes} of {max_bytes}: {bytes.__class__} {bytes!r} {} {{bytes}}"

    assert fill(template, {"bytes": 3, "max_bytes": 2}) == "3 of 2: {bytes.__class__} {bytes!r} {} {3}"


def test_values_are_not_filled_again() -> None:
    assert fill("{a} {b}", {"a": "{b}", "b": "{a}"}) == "{b} {a}"


def test_each_value_is_made_safe_and_short() -> None:
    assert fill("{a}|{b}", {"a": "\x1b", "b": "y" * 100}) == r"\x1b|" + "y" * 59 + "…"


def test_lists_are_listed() -> None:
    assert fill("{splits}", {"splits": ["train", "test"]}) == "train, test"
    assert fill("{splits}", {"splits": ["\x1b", "x" * 100]}).startswith(r"\x1b, xxx")


def test_text_of_our_own_stays_whole() -> None:
    words = Safe("w" * 200)

    assert fill("{faults}", {"faults": words}) == words


def test_placeholders_are_the_names_in_braces() -> None:
    assert placeholders("{a} of {max_b:image}, {a} {} { c } {d/10}") == {"a": "", "max_b": ":image"}
    assert placeholders("{d/100}") == {"d": "/100"}


@pytest.mark.parametrize(
    ("template", "value", "words"),
    [
        ("{bytes}", 1, "1"),
        ("{bytes}", 10_485_760, "10,485,760"),
        ("has {examples:example}", 1, "has 1 example"),
        ("has {examples:example}", 2_000, "has 2,000 examples"),
        ("has {entries:entry}", 0, "has 0 entries"),
        ("has {answers:different answer}", 3, "has 3 different answers"),
        ("{flag}", True, "true"),
        ("{bytes}", None, "unknown"),
        ("{bytes:byte}", None, "unknown"),
        ("{entropy/100} bits", None, "unknown bits"),
        ("{keys}", [], "none"),
        ("{entropy/100} bits", 112, "1.12 bits"),
        ("{entropy/100}", 123_450, "1,234.50"),
    ],
)
def test_values_are_written_in_words(template: str, value: object, words: str) -> None:
    (name,) = placeholders(template)

    assert fill(template, {name: value}) == words


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert not nearest("zzz", ["bytes", "format"])
    assert not nearest("bytes", [])


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("lint", ["check", "init", "eval"]),
        ("image/dark", ["image/large", "image/animated"]),
        ("image/blurry", ["image/too-large", "image/animated", "image"]),
        ("--fix", ["--seed", "--suffix", "--ids"]),
        ("id", ["identity"]),
        ("x" * 1_000, ["x" * 999]),
    ],
)
def test_nearest_is_silent_about_what_only_shares_a_scope_or_some_letters(
    name: str, known: list[str]
) -> None:
    assert not nearest(name, known)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("wieght", ["weight", "height"], "weight"),
        ("details", ["detail", "default"], "detail"),
        ("image/to-large", ["image/too-large", "image/too-small"], "image/too-large"),
        ("imag/too-large", ["image/too-small", "image/too-large"], "image/too-large"),
        ("--sel", ["--seed", "--select"], "--select"),
        ("imag", ["image/animated", "image"], "image"),
        ("JSON", ["sarif", "json"], "json"),
    ],
)
def test_nearest_names_what_has_few_wrong_letters(name: str, known: list[str], meant: str) -> None:
    assert nearest(name, known) == f" (did you mean {meant!r}?)"


def test_nearest_names_the_likely_intention() -> None:
    assert nearest("byts", ["format", "bytes", "mode"]) == " (did you mean 'bytes'?)"


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "line", "0 lines"),
        (1, "line", "1 line"),
        (2000, "line", "2,000 lines"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
    ],
)
def test_numbers_agree_with_their_nouns(number: int, noun: str, words: str) -> None:
    assert count(number, noun) == words
