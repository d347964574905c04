"""What a URL says by itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pytest_vft.reading.addresses import Address, is_local_name, literal_address, why_not_public

_SECRETS = re.compile(
    r"(?<=[?&])((?:x-amz-|x-goog-)(?:signature|credential|security-token)|sig|signature|awsaccesskeyid"
    r"|googleaccessid|policy|key-pair-id|[\w-]*token|[\w-]*key|password)=[^&#]*",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=//)[^/?#]*@")


class Link(NamedTuple):
    """An http or https URL as it stands there, before anybody asks for it.

    *problem* says why nobody can ask; *public* is None for a name, which must be looked up first,
    and *because* says why its host is not public; *ends* is when its signature expires.
    """

    host: str | None = None
    problem: str | None = None
    public: bool | None = None
    because: str | None = None
    ends: datetime | None = None


def read_link(url: str) -> Link:
    """Return what *url*, of scheme http or https, says by itself."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return Link(problem=f"it is no URL: {error}")
    if not host:
        return Link(problem="it names no host")
    ends = _ends(parts.query)
    if "@" in parts.netloc:
        return Link(host, "it holds a user name or password, which are never sent", ends=ends)
    address = literal_address(host)
    if address is None:
        local = is_local_name(host)
        because = f"{host} is a name of a local network" if local else None
        return Link(host, public=False if local else None, because=because, ends=ends)
    kind = why_not_public(address)
    return Link(host, public=kind is None, because=kind and f"{_spelt(host, address)} is {kind}", ends=ends)


def _spelt(host: str, address: Address) -> str:
    shown = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    return shown if host == str(address) else f"{host} ({shown})"


def _ends(query: str) -> datetime | None:
    """Return when the signature in *query* expires.

    Amazon S3: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, Google:
    https://cloud.google.com/storage/docs/authentication/signatures, Azure:
    https://learn.microsoft.com/rest/api/storageservices/create-service-sas, and Expires of CloudFront
    and older signatures.
    """
    try:
        said = {key.lower(): value for key, value in parse_qsl(query, max_num_fields=100)}
        for vendor in ("x-amz", "x-goog"):
            if f"{vendor}-expires" in said:
                start = datetime.strptime(said[f"{vendor}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return start + timedelta(seconds=int(said[f"{vendor}-expires"]))
        if "se" in said and "sig" in said:
            end = datetime.fromisoformat(said["se"])
            return end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)
        if "expires" in said and "signature" in said:
            return datetime.fromtimestamp(int(said["expires"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        pass
    return None


def masked(url: str) -> str:
    """Return *url* without what would let its reader in: user names, signatures, tokens."""
    return _SECRETS.sub(r"\1=***", _USER.sub("***@", url))
