"""The key to an API is read in one place, and shown nowhere."""

from __future__ import annotations

import pytest

from pytest_vft.client import Credentials, make_client, read_credentials
from pytest_vft.errors import UsageError

KEY = "sk-secret-of-the-tests"


@pytest.mark.parametrize(
    ("given", "environ", "url"),
    [
        (None, {}, None),
        (None, {"OPENAI_BASE_URL": "http://a/v1"}, "http://a/v1"),
        ("http://b/v1", {"OPENAI_BASE_URL": "http://a/v1"}, "http://b/v1"),
    ],
)
def test_address_that_is_given_comes_first(
    given: str | None, environ: dict[str, str], url: str | None
) -> None:
    assert read_credentials(given, {"OPENAI_API_KEY": f" {KEY}\n", **environ}) == Credentials(url, KEY)


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": " "}])
def test_missing_key_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        read_credentials(None, environ)


@pytest.mark.parametrize(
    "key",
    [
        f"{KEY}\nX: y",
        f"{KEY}\x1b[31m",
        f"{KEY}\0",
        f"schlüssel-{KEY}",
        f"\ufeff{KEY}",
        f"{KEY}\x7f",
        *(f"{KEY}{end}" for end in "\x0b\x0c\x1f\x85\xa0\u2028\u3000"),
    ],
)
@pytest.mark.parametrize("azure", [None, "2025-01-01"])
def test_key_that_no_header_can_hold_is_refused_unseen(key: str, azure: str | None) -> None:
    name = "AZURE_OPENAI_API_KEY" if azure else "OPENAI_API_KEY"

    with pytest.raises(UsageError) as caught:
        read_credentials("http://a/v1", {name: key}, azure_version=azure)

    assert str(caught.value).startswith(f"{name} contains a control character or a character outside ASCII")
    assert KEY not in str(caught.value)


def test_server_that_only_a_file_names_gets_no_key() -> None:
    environ = {"OPENAI_API_KEY": KEY}

    with pytest.raises(UsageError, match=r"^vft\.toml names the server http://a/v1; a key is only sent to"):
        read_credentials("http://a/v1", environ, named_by="vft.toml")

    assert read_credentials("http://a/v1", environ, named_by="vft.toml", key_wanted=False).base_url
    confirmed = {**environ, "OPENAI_BASE_URL": "http://a/v1/"}
    assert read_credentials("http://a/v1", confirmed, named_by="vft.toml").key == KEY


def test_key_is_not_shown() -> None:
    credentials = Credentials("http://a/v1", KEY)

    assert KEY not in repr(credentials)
    assert credentials.masked(f"bad key {KEY}") == "bad key ***"


def test_client_has_key_address_and_options() -> None:
    client = make_client(Credentials("http://a/v1", KEY), timeout=3.0, max_retries=0)

    assert (client.api_key, str(client.base_url), client.timeout, client.max_retries) == (
        KEY,
        "http://a/v1/",
        3.0,
        0,
    )
