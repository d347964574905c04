"""A line is parsed without its images, with the same result as with them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import orjson
import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.reading.lines import SHORTEST_LIFTED, Line, lift, parse_line

PAYLOAD = base64.b64encode(bytes(range(60))).decode()  # holds no slash: JSON may escape those
URL = f"data:image/png;base64,{PAYLOAD}"
TOKEN = re.compile(r"#[0-9a-f]{32}")


class Lifted:
    """What was lifted out of lines, by token."""

    def __init__(self) -> None:
        self.payloads: dict[str, str] = {}

    def take(self, payload: memoryview) -> bytes | None:
        try:
            pybase64.b64decode(payload, validate=True)
        except ValueError:
            return None
        token = b"#" + hashlib.md5(payload, usedforsecurity=False).hexdigest().encode()
        self.payloads[token.decode()] = bytes(payload).decode()
        return token

    def put_back(self, value: Any) -> Any:
        if isinstance(value, str):
            return TOKEN.sub(lambda token: self.payloads.get(token[0], token[0]), value)
        if isinstance(value, list):
            return [self.put_back(item) for item in value]
        if isinstance(value, dict):
            return {key: self.put_back(item) for key, item in value.items()}
        return value


def parse(raw: bytes) -> tuple[Line, list[str]]:
    """Return *raw* parsed, its payloads in their places again, and the payloads."""
    lifted = Lifted()
    line = parse_line(raw, lift(raw, lifted.take))
    return line._replace(value=lifted.put_back(line.value)), list(lifted.payloads.values())


def example(url: str, text: str = "What is this?") -> bytes:
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()


payloads = st.one_of(
    st.just(PAYLOAD),
    st.binary(min_size=45, max_size=90).map(lambda data: base64.b64encode(data).decode()),
    st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()),
    st.sampled_from(
        [PAYLOAD + "=", PAYLOAD[:-1], PAYLOAD + " ", "%" + PAYLOAD, PAYLOAD + "é", PAYLOAD + '"']
    ),
)
media_types = st.sampled_from(
    ["image/png", "", "IMAGE/jpg", 'a"b', "a\\b", "x" * 120, "text/plain;charset=utf-8"]
)
data_urls = st.builds("data:{};base64,{}".format, media_types, payloads)
texts = st.one_of(
    st.text(max_size=5),
    data_urls,
    st.builds('{}"url": "{}'.format, st.text(max_size=3), data_urls),
    st.builds('"url":"{}"{}'.format, data_urls, st.text(max_size=3)),
)
keys = st.sampled_from(["url", "image_url", 'my"url', "a"]) | texts
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
lines = st.builds(
    lambda value, ascii_only, separators, slash: (
        json.dumps(value, ensure_ascii=ascii_only, separators=separators).replace("/", slash).encode()
    ),
    values,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
    st.sampled_from(["/", r"\/", r"\u002f"]),
)


@given(lines)
@settings(deadline=None, max_examples=300)
def test_lifting_changes_nothing_but_payloads(raw: bytes) -> None:
    line, _ = parse(raw)

    assert line == Line(len(raw), orjson.loads(raw))


@given(lines, st.integers(0), st.integers(0, 4), st.binary(max_size=2))
@settings(deadline=None, max_examples=300)
def test_lifting_hides_no_damage(raw: bytes, place: int, length: int, instead: bytes) -> None:
    place %= len(raw)
    damaged = raw[:place] + instead + raw[place + length :]
    try:
        expected = orjson.loads(damaged)
    except orjson.JSONDecodeError:
        expected = None

    line, _ = parse(damaged)

    assert line.value == expected
    assert line.bytes == len(damaged.removesuffix(b"\n"))


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_no_bytes_raise(raw: bytes) -> None:
    line, taken = parse(raw)

    assert not taken
    assert [
        line.syntax == "JSON",
        line.blank,
        line.encoding_error is not None,
        line.syntax_error is not None,
    ].count(True) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"messages": []}',
        example("https://example.com/a.jpg"),
        example(URL[: -len(PAYLOAD)]),
        example(URL[: len(URL) - len(PAYLOAD) + SHORTEST_LIFTED - 1]),
        example("https://example.com/a.jpg", text=URL),
        example("https://example.com/a.jpg", text=f'"url": "{URL}"'),
        json.dumps({URL: 1, "key": URL, "list": ["url", URL]}).encode(),
        json.dumps({"url": "see " + URL}).encode(),
        json.dumps({"url": {"data:": URL}}).encode(),
        example(URL).replace(b"data:image/png", rb"data:image\/png"),
        example("data:" + "x" * 200 + URL[5:]),
        f'{{"url": "{URL}'.encode(),
    ],
)
def test_what_is_no_payload_stays(raw: bytes) -> None:
    lifted = Lifted()

    assert lift(raw, lifted.take) == raw
    assert not lifted.payloads


@pytest.mark.parametrize(
    "broken", [PAYLOAD + "=", PAYLOAD[:-1], PAYLOAD[:40] + "\n" + PAYLOAD, "!" + PAYLOAD]
)
def test_what_is_no_base64_stays(broken: str) -> None:
    raw = example("data:image/png;base64," + broken)

    assert lift(raw, Lifted().take) == raw


@pytest.mark.parametrize("colon", [":", ": ", " :", "\t:  "])
def test_payload_is_lifted(colon: str) -> None:
    raw = f'{{"image_url": {{"url"{colon}"{URL}"}}}}'.encode()
    lifted = Lifted()

    short = lift(raw, lifted.take)

    assert list(lifted.payloads.values()) == [PAYLOAD]
    assert short == raw.replace(PAYLOAD.encode(), next(iter(lifted.payloads)).encode())


def test_each_of_several_payloads_is_lifted() -> None:
    other = base64.b64encode(bytes(range(60, 120))).decode()
    raw = b"[" + b", ".join([example(URL), example(URL.replace(PAYLOAD, other)), example(URL)]) + b"]"

    line, taken = parse(raw)

    assert line.value == orjson.loads(raw)
    assert taken == [PAYLOAD, other]


def test_second_of_two_equal_keys_counts() -> None:
    raw = f'{{"url": "{URL}", "url": "b"}}'.encode()

    assert parse(raw)[0].value == {"url": "b"}


def test_payload_with_an_escaped_slash_is_read_as_written() -> None:
    payload = base64.b64encode(b"\xff" * 60).decode()
    raw = example("data:image/png;base64," + payload).replace(b"/", rb"\/")

    line, taken = parse(raw)

    assert line.value == orjson.loads(raw)
    assert not taken


@pytest.mark.parametrize("raw", [b"", b"   ", b"\t\r", b"\r"])
def test_white_space_is_blank(raw: bytes) -> None:
    line, _ = parse(raw)

    assert line == Line(len(raw), None, blank=True, syntax="none")
    assert line.syntax != "JSON"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": 1}\r', {"a": 1}),
        (b'  {"a": 1}  ', {"a": 1}),
        ('"a\u2028b\u2029c\u0085d"'.encode(), "a\u2028b\u2029c\u0085d"),
        (rb'"\u2028\ud83d\ude00\u0000"', "\u2028😀\0"),
        (b'"\x7f"', "\x7f"),
        (b"null", None),
        (b"1e300", 1e300),
        (b"18446744073709551615", 2**64 - 1),
        (b"[" * 200 + b"]" * 200, orjson.loads(b"[" * 200 + b"]" * 200)),
    ],
)
def test_odd_json_is_json(raw: bytes, value: object) -> None:
    line, _ = parse(raw)

    assert line.syntax == "JSON"
    assert line.value == value


@pytest.mark.parametrize(
    ("raw", "column"),
    [
        (b'{"a": NaN}', 7),
        (b'{"a": Infinity}', 7),
        (b'{"a": 1,}', 8),
        (b'{"a": 1} {"a": 2}', 10),
        (b"{'a': 1}", 2),
        (b'{"a": 1', 8),
        (b'"a\tb"', 3),
        (b'"a\x00b"', 3),
        (b'"a\rb"', 3),
        (b"\x00", 1),
        (b"\xef\xbb\xbf{}", 1),
        ('{"é☕😀": NaN}'.encode(), 9),
        (rb'"\ud800"', 2),
    ],
)
def test_column_is_where_json_ends(raw: bytes, column: int) -> None:
    line, _ = parse(raw)

    assert line.syntax != "JSON"
    assert line.syntax_error
    assert line.column == column


def test_column_is_that_of_the_line_as_written() -> None:
    raw = example(URL)[:-1] + b', "n": NaN}'

    line, taken = parse(raw)

    assert taken == [PAYLOAD]
    assert line.column == raw.index(b"NaN") + 1


@pytest.mark.parametrize("raw", [b"[" * 100_000 + b"]" * 100_000, b"9" * 5_000, b"1e999"])
def test_what_no_parser_takes_is_a_finding(raw: bytes) -> None:
    line, _ = parse(raw)

    assert line.syntax != "JSON"
    assert line.syntax_error


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'"caf\xe9"', "byte 5 is 0xe9"),
        ('"é"'.encode() + b"\xff", "byte 5 is 0xff"),
        (b'"\xed\xa0\x80"', "byte 2 is 0xed"),
        (b'"\xc0\xaf"', "byte 2 is 0xc0"),
        (b'"\xe2\x82"', "byte 2 is 0xe2"),
        (b"x" * 1999 + b"\x80", "byte 2,000 is 0x80"),
    ],
)
def test_first_byte_that_is_not_utf8_is_named(raw: bytes, error: str) -> None:
    line, _ = parse(raw)

    assert line == Line(len(raw), None, syntax="none", encoding_error=error)


def test_byte_is_counted_in_the_line_as_written() -> None:
    raw = example(URL) + b"\xe9"

    assert parse(raw)[0].encoding_error == f"byte {len(raw)} is 0xe9"
