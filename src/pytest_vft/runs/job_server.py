"""The server of a fine-tuning job: its address, its credentials and the connection to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_vft.catalogue.providers import Provider
from pytest_vft.client import Credentials, make_client, read_credentials
from pytest_vft.errors import UsageError
from pytest_vft.runs.settings import Settings
from pytest_vft.submission.plan import Endpoint

if TYPE_CHECKING:
    from pytest_vft.submission.server import RetryPolicy, Server


def other_server(settings: Settings, base_url: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the address of a server that may not be the provider's own, None for the provider's own.

    The address is *base_url* if given, else that of the configuration or of *environ*.
    """
    given = base_url or settings.config.submit.get("base_url")
    service = settings.provider.job_api
    if given or service is None or service.version is not None:  # each user of Azure has an address
        return given
    address = environ.get("OPENAI_BASE_URL", "").strip()
    return None if address in ("", service.base_url) else address


def is_own(base_url: str, provider: Provider) -> bool:
    """Return whether *base_url* is the address of the job API of *provider*, which a shipped file names."""
    own = provider.job_api.base_url if provider.job_api else None
    return own is not None and base_url.rstrip("/") == own.rstrip("/")


def credentials_for(
    endpoint: Endpoint, environ: Mapping[str, str], *, key_wanted: bool = True
) -> Credentials:
    """Return the credentials in *environ* for *endpoint*.

    Raises MissingKeyError without a key that is wanted, UsageError without a valid address: a client without
    an address would send the data and the key to OpenAI.
    """
    version = endpoint.azure_version
    found = read_credentials(
        endpoint.base_url,
        environ,
        azure_version=version,
        key_wanted=key_wanted,
        named_by=endpoint.named_by,
    )
    if found.base_url is None and endpoint.default is None:
        raise UsageError("the provider file names no server: give --base-url=https://HOST/v1")
    return found if found.base_url is not None else replace(found, base_url=endpoint.default)


def connect_to(credentials: Credentials, retry_policy: RetryPolicy | None = None) -> Server:
    """Return the server of *credentials*."""
    from pytest_vft.submission.server import RetryPolicy, Server  # noqa: PLC0415 - openai takes 0.6 s to import

    client = make_client(credentials, timeout=60.0)
    return Server(client=client, credentials=credentials, retry_policy=retry_policy or RetryPolicy())
