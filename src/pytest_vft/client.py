"""A server's address and the key to it, read in this one place, and the client made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_vft.errors import MissingKeyError, UsageError

if TYPE_CHECKING:
    import openai

MASK = "***"
_SHORTEST_SECRET = 8  # characters; a shorter key is a placeholder that stands in ordinary words


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where requests go, and the key that they carry; its repr leaves the key out.

    *base_url* None is the client's own; *azure_version* is the API version of an Azure resource,
    whose endpoint *base_url* then is, and None for any other server.
    """

    base_url: str | None
    key: str = field(repr=False)
    azure_version: str | None = None

    def masked(self, text: str) -> str:
        """Return *text* without the key: a server may send it back."""
        return text.replace(self.key, MASK) if len(self.key) >= _SHORTEST_SECRET else text


def read_credentials(
    base_url: str | None,
    environ: Mapping[str, str],
    *,
    azure_version: str | None = None,
    key_wanted: bool = True,
) -> Credentials:
    """Return the credentials in *environ*, by the names that the openai package uses.

    *azure_version* is the API version to speak to Azure with, None for any other server.
    Raises UsageError for an address that is missing or cannot be used, MissingKeyError without a key
    if *key_wanted*; else it is empty.
    """
    prefix = "AZURE_OPENAI" if azure_version else "OPENAI"
    address = "AZURE_OPENAI_ENDPOINT" if azure_version else "OPENAI_BASE_URL"
    base_url = base_url or environ.get(address, "").strip() or None
    if base_url is not None:
        _check(base_url)
    elif azure_version:
        raise UsageError(f"no endpoint: give --base-url=https://RESOURCE.openai.azure.com, or set {address}")
    key = environ.get(f"{prefix}_API_KEY", "").strip()
    if not key and key_wanted:
        raise MissingKeyError(
            f"no API key: set {prefix}_API_KEY (any value, for a server that asks for none)"
        )
    return Credentials(base_url, key, azure_version and environ.get("OPENAI_API_VERSION", azure_version))


def _check(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
    except ValueError as error:
        raise UsageError(f"base URL {base_url!r}: {error}") from None
    if parts.username is not None or parts.query:  # it is printed, so no secret may stand in it
        raise UsageError("the base URL holds a user, a password or a query; the key has its own variable")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"base URL {base_url!r}: want https://HOST/PATH")


def make_client(credentials: Credentials, **options: Any) -> openai.OpenAI:
    """Return a client of the server that *credentials* name; *options* are those of openai.OpenAI."""
    import openai  # noqa: PLC0415 - 0.6 s

    key = credentials.key or "none"  # a plan has none, and sends nothing
    if credentials.azure_version:
        return openai.AzureOpenAI(
            azure_endpoint=str(credentials.base_url),
            api_version=credentials.azure_version,
            api_key=key,
            **options,
        )
    return openai.OpenAI(base_url=credentials.base_url, api_key=key, **options)
