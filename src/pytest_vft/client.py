"""The one door to a provider's API: where it stands, the key, and the client that speaks to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_vft.errors import MissingKeyError

if TYPE_CHECKING:
    import openai

KEY = "OPENAI_API_KEY"
BASE_URL = "OPENAI_BASE_URL"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where an API stands (None: OpenAI's own address) and the key to it, which is never shown."""

    base_url: str | None
    key: str = field(repr=False)

    def masked(self, text: str) -> str:
        """Return *text*, such as what a server said, without the key."""
        return text.replace(self.key, "***")


def read_credentials(base_url: str | None, environ: Mapping[str, str]) -> Credentials:
    """Return what *environ* says of the API at *base_url*, else at its own OPENAI_BASE_URL.

    Raises MissingKeyError when it holds no OPENAI_API_KEY.
    """
    key = environ.get(KEY, "").strip()
    if not key:
        raise MissingKeyError(
            f"no API key: set {KEY} (any value, for a server of your own that asks for none)"
        )
    return Credentials(base_url or environ.get(BASE_URL) or None, key)


def make_client(credentials: Credentials, **options: Any) -> openai.OpenAI:
    """Return a client of OpenAI's library; *options* are its own: timeout, max_retries ..."""
    import openai  # noqa: PLC0415 - 0.6 s, for those who call an API only

    return openai.OpenAI(api_key=credentials.key, base_url=credentials.base_url, **options)
