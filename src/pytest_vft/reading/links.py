"""What a URL itself contains, before any request."""

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
    """An http or https URL before any request.

    *problem* says why it cannot be requested; *public* is None for a name that must be resolved first;
    *expires* is the expiry of the signature.
    """

    host: str | None = None
    problem: str | None = None
    public: bool | None = None
    not_public_because: str | None = None
    expires: datetime | None = None


def read_link(url: str) -> Link:
    """Return what *url*, of scheme http or https, contains."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return Link(problem=f"it is not a URL: {error}")
    if not host:
        return Link(problem="it has no host")
    link = Link(host, expires=_expiry(parts.query))
    if "@" in parts.netloc:
        return link._replace(problem="it contains a user name or password, which are never sent")
    address = literal_address(host)
    if address is None:
        if is_local_name(host):
            return link._replace(public=False, not_public_because=f"{host} is a name of a local network")
        return link
    kind = why_not_public(address)
    because = kind and f"{_spelt(host, address)} is {kind}"
    return link._replace(public=kind is None, not_public_because=because)


def _spelt(host: str, address: Address) -> str:
    shown = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    return shown if host == str(address) else f"{host} ({shown})"


def _expiry(query: str) -> datetime | None:
    """Return when the signature in *query* expires, None without one.

    Amazon S3: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, Google:
    https://cloud.google.com/storage/docs/authentication/signatures, Azure:
    https://learn.microsoft.com/rest/api/storageservices/create-service-sas; CloudFront and older
    signatures use Expires.
    """
    try:
        fields = {key.lower(): value for key, value in parse_qsl(query, max_num_fields=100)}
        for vendor in ("x-amz", "x-goog"):
            if f"{vendor}-expires" in fields:
                start = datetime.strptime(fields[f"{vendor}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return start + timedelta(seconds=int(fields[f"{vendor}-expires"]))
        if "se" in fields and "sig" in fields:
            expiry = datetime.fromisoformat(fields["se"])
            return expiry.astimezone(UTC) if expiry.tzinfo else expiry.replace(tzinfo=UTC)
        if "expires" in fields and "signature" in fields:
            return datetime.fromtimestamp(int(fields["expires"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        pass
    return None


def masked(url: str) -> str:
    """Return *url* with secrets masked: user names, signatures, tokens."""
    return _SECRETS.sub(r"\1=***", _USER.sub("***@", url))
