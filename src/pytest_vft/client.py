"""Credentials of a server, read from the environment, and the API client that uses them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_vft.errors import MissingKeyError, UsageError

if TYPE_CHECKING:
    import openai

MASK = "***"
_REDIRECT = 3  # hundreds of a status
_SHORTEST_SECRET = 8  # characters; a shorter key is a placeholder that ordinary words may contain
_BLANKS = " \t\r\n"  # what shells and files of secrets leave around a key


@dataclass(frozen=True, slots=True)
class Credentials:
    """Address and API key of a server; the repr does not contain the key.

    With *base_url* None the client uses its default. *azure_version* is the API version of an Azure
    resource, whose endpoint is *base_url*; it is None for any other server.
    """

    base_url: str | None
    key: str = field(repr=False)
    azure_version: str | None = None

    def masked(self, text: str) -> str:
        """Return *text* with the key masked: a server may send the key back."""
        return text.replace(self.key, MASK) if len(self.key) >= _SHORTEST_SECRET else text


def read_credentials(
    base_url: str | None,
    environ: Mapping[str, str],
    *,
    azure_version: str | None = None,
    key_wanted: bool = True,
    named_by: str | os.PathLike[str] | None = None,
) -> Credentials:
    """Return the credentials in *environ*, by the names that the openai package uses.

    *azure_version* is the API version of Azure, None for any other server. *named_by* is the file that
    names *base_url*, None if a person does: a server that only a file names receives no key.
    Raises UsageError for a missing or invalid address or an invalid key, and MissingKeyError for a
    missing key if *key_wanted*; otherwise a missing key is "".
    """
    prefix = "AZURE_OPENAI" if azure_version else "OPENAI"
    address = "AZURE_OPENAI_ENDPOINT" if azure_version else "OPENAI_BASE_URL"
    in_environment = environ.get(address, "").strip()
    if named_by is not None and key_wanted and str(base_url).rstrip("/") != in_environment.rstrip("/"):
        raise UsageError(
            f"{named_by} names the server {base_url}; a key is only sent to a provider's own address, or to "
            "one given with --base-url or in the environment"
        )
    base_url = base_url or in_environment or None
    if base_url is not None:
        _check(base_url)
    elif azure_version:
        raise UsageError(f"no endpoint: give --base-url=https://RESOURCE.openai.azure.com, or set {address}")
    key = environ.get(f"{prefix}_API_KEY", "").strip(_BLANKS)
    if not key and key_wanted:
        raise MissingKeyError(
            f"no API key: set {prefix}_API_KEY (to any value if the server does not require a key)"
        )
    _check_key(f"{prefix}_API_KEY", key)
    return Credentials(base_url, key, azure_version and environ.get("OPENAI_API_VERSION", azure_version))


def _check_key(name: str, key: str) -> None:
    """Raise UsageError, which does not show *key*, for a key that no header of HTTP can hold."""
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"{name} contains a control character or a character outside ASCII, which a key cannot have; "
            "set it again (the key is not shown)"
        )


def _check(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
    except ValueError as error:
        raise UsageError(f"base URL {base_url!r}: {error}") from None
    if parts.username is not None or parts.query:  # the address is printed, so it must not hold a secret
        raise UsageError("the base URL contains a user, a password or a query; set the key as a variable")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"base URL {base_url!r}: expected https://HOST/PATH")


def make_client(
    credentials: Credentials, before_request: Callable[[object], None] | None = None, **options: Any
) -> openai.OpenAI:
    """Return a client for the server of *credentials*; *options* are passed to openai.OpenAI.

    *before_request* is called before each request, also before retries.

    The client follows no redirects: they would send data to a server that nobody has named, and a request
    that creates something twice.
    """
    import openai  # noqa: PLC0415 - 0.6 s

    hooks = {"request": [before_request] if before_request else []}
    own = (
        None
        if "http_client" in options
        else openai.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks)
    )
    options = {"http_client": own, **options}
    key = credentials.key or "none"  # a plan sends nothing and needs no key
    client: openai.OpenAI
    if credentials.azure_version:
        client = openai.AzureOpenAI(
            azure_endpoint=str(credentials.base_url),
            api_version=credentials.azure_version,
            api_key=key,
            **options,
        )
    else:
        client = openai.OpenAI(base_url=credentials.base_url, api_key=key, **options)
    if own is not None:
        weakref.finalize(client, own.close)
    return client


def redirect_target(error: BaseException) -> str | None:
    """Return where the answer of the server redirects to, None if *error* is not about a redirect."""
    response = getattr(error, "response", None)  # of errors with a status
    if response is None or response.status_code // 100 != _REDIRECT:
        return None
    return str(response.headers.get("location", "no address"))
