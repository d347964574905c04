"""Facts that are read from a URL alone."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.reading.links import masked, read_link, unsigned

END = datetime(2026, 1, 1, 1, tzinfo=UTC)
POLICY = b64encode(
    json.dumps(
        {"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": int(END.timestamp())}}}]}
    ).encode(),
).decode()


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=a",
        "x-amz-expires=3600&x-amz-date=20260101T000000Z",
        "X-Goog-Date=20260101T000000Z&X-Goog-Expires=3600",
        "sv=2024&se=2026-01-01T01%3A00%3A00Z&sig=a",
        "se=2026-01-01T02:00%2B01:00&sig=a",
        "Expires=1767229200&Signature=a&Key-Pair-Id=b",
        f"Policy={POLICY.replace('=', '_')}&Signature=a&Key-Pair-Id=b",
    ],
)
def test_signatures_say_when_they_end(query: str) -> None:
    assert read_link(f"https://example.com/a.jpg?{query}").expires == END


@pytest.mark.parametrize(
    ("host", "query"),
    [
        ("cdn.discordapp.com", "ex=6955c710&is=695474b0&hm=a"),
        ("media.discordapp.net", "ex=6955c710&is=695474b0&hm=a"),
        ("scontent.xx.fbcdn.net", "oh=00_Af&oe=6955C710"),
        ("scontent.cdninstagram.com", "oh=00_Af&oe=6955C710"),
    ],
)
def test_short_keys_are_an_expiry_on_their_hosts_only(host: str, query: str) -> None:
    assert read_link(f"https://{host}/a.jpg?{query}").expires == END
    assert read_link(f"https://{host}.example.com/a.jpg?{query}").expires is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "se=2026-01-01",
        "Expires=1767229200",
        "ex=6955c710",
        "oe=6955C710",
        "oe=later&oh=a",
        "ex=-1&hm=" + "f" * 5000,
        "ex=" + "f" * 5000 + "&hm=a",
        "Expires=never&Signature=a",
        "Policy=e30_&Signature=a&Key-Pair-Id=b",
        "Policy=W10_&Signature=a&Key-Pair-Id=b",
        "Policy=a&Signature=a&Key-Pair-Id=b",
        "X-Amz-Expires=3600",
        "X-Amz-Date=20260101T000000Z&X-Amz-Expires=" + "9" * 30,
        "Expires=" + "9" * 5000 + "&Signature=a",
        "X-Amz-Date=2026&X-Amz-Expires=3600",
        "&".join(f"a{number}=1" for number in range(200)),
    ],
)
def test_other_queries_never_end(query: str) -> None:
    assert read_link(f"https://example.com/a.jpg?{query}").expires is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://[::1", "it is not a URL: Invalid IPv6 URL"),
        ("http://example.com:99999/", "it is not a URL: Port out of range 0-65535"),
        ("https:///a.jpg", "it has no host"),
        ("https:a.jpg", "it has no host"),
        ("https://ann@example.com/", "it contains a user name or password, which are never sent"),
        ("https://exam%00ple.com/", r"its host contains '\x00'"),
        ("https://exam%2Fple.com/", "its host contains '/'"),
        ("https://%256cocalhost.example/", "its host contains '%'"),
        ("https://exam ple.com/", "its host contains ' '"),
    ],
)
def test_what_nobody_can_ask(url: str, problem: str) -> None:
    assert read_link(url).problem == problem


def test_a_signature_expires_at_its_time() -> None:
    link = read_link("https://cdn.discordapp.com/attachments/1/2/a.png?ex=6955c710&is=695474b0&hm=a")

    assert not link.has_expired(END - timedelta(seconds=1))
    assert link.has_expired(END)
    assert not read_link("https://example.com/a.jpg").has_expired(END)


@given(st.text().map("http://".__add__))
def test_no_url_is_too_odd(url: str) -> None:
    read_link(url)


def test_signatures_of_one_url_do_not_make_several() -> None:
    signed = "https://example.com/a.jpg?se=2026-01-01T01%3A00%3A00Z&sig=a"

    assert unsigned(signed) == unsigned(signed.replace("sig=a", "sig=b")) == "https://example.com/a.jpg"
    assert unsigned("https://example.com/image?id=5") == "https://example.com/image?id=5"


def test_secrets_are_masked() -> None:
    url = "https://ann:pw@example.com/a@b.jpg?w=1&X-Amz-Signature=S1&X-Amz-Credential=S2&sig=S3&token=S4&hm=S5#x"

    assert masked(url) == (
        "https://***@example.com/a@b.jpg"
        "?w=1&X-Amz-Signature=***&X-Amz-Credential=***&sig=***&token=***&hm=***#x"
    )
