"""What a URL itself contains, before any request."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import pybase64

from pytest_vft.reading.addresses import Address, is_local_name, literal_address, why_not_public

_SECRETS = re.compile(
    r"(?<=[?&])((?:x-amz-|x-goog-)(?:signature|credential|security-token)|sig|signature|awsaccesskeyid"
    r"|googleaccessid|policy|key-pair-id|hm|oh|[\w-]*token|[\w-]*key|password)=[^&#]*",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=//)[^/?#]*@")
# Control characters and delimiters of a URL (https://url.spec.whatwg.org/#forbidden-domain-code-point).
_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
# Hosts that sign URLs with a hexadecimal time: the key of the time and that of the signature.
_HEX_EXPIRIES = (
    (re.compile(r"(cdn|media)\.discordapp\.(com|net)"), "ex", "hm"),
    (re.compile(r"(.+\.)?(fbcdn\.net|cdninstagram\.com)"), "oe", "oh"),
)
_CLOUDFRONT = str.maketrans("-_~", "+=/")
_BYTES = ("b'", 'b"')
_LATE_SCHEME = re.compile(r"""([\s"'<(\[\ufeff\u200b]+)(data|https?):""", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"www\.|//[\w-]+\.", re.IGNORECASE)
_BARE_BASE64 = re.compile(r"/9j/|iVBORw0KGgo|UklGR|R0lGOD")  # JPEG, PNG, WEBP, GIF


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

    def has_expired(self, now: datetime) -> bool:
        """Return whether the signature expired before *now*."""
        return self.expires is not None and self.expires <= now


def read_link(url: str) -> Link:
    """Return what *url*, of scheme http or https, contains."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return Link(problem=f"it is not a URL: {error}")
    if not host:
        return Link(problem="it has no host")
    link = Link(host, expires=_expiry(host, parts.query))
    if "@" in parts.netloc:
        return link._replace(problem="it contains a user name or password, which are never sent")
    address = literal_address(host)
    if address is None:
        if is_local_name(host):
            return link._replace(public=False, not_public_because=f"{host} is a name of a local network")
        odd = _NOT_IN_HOSTS.search(unquote(host))
        return link._replace(problem=f"its host contains {odd[0]!r}") if odd else link
    kind = why_not_public(address)
    because = kind and f"{_spelt(host, address)} is {kind}"
    return link._replace(public=kind is None, not_public_because=because)


def _spelt(host: str, address: Address) -> str:
    shown = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    return shown if host == str(address) else f"{host} ({shown})"


def _expiry(host: str, query: str) -> datetime | None:
    """Return when the signature in *query*, of a URL of *host*, expires; None without one.

    Amazon S3: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, Google:
    https://cloud.google.com/storage/docs/authentication/signatures, Azure:
    https://learn.microsoft.com/rest/api/storageservices/create-service-sas, Discord:
    https://docs.discord.com/developers/reference#signed-attachment-cdn-urls; the CDN of Facebook and
    Instagram signs in the same way with oe and oh. These keys are short, and mean other things elsewhere.
    CloudFront and older signatures use Expires, or a policy:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html
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
            return _time(int(fields["expires"]))
        if "policy" in fields and "signature" in fields and "key-pair-id" in fields:
            return _time(_policy_expiry(fields["policy"]))
        for hosts, expires, signature in _HEX_EXPIRIES:
            if expires in fields and signature in fields and hosts.fullmatch(host):
                return _time(int(fields[expires], 16))
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        pass
    return None


def _policy_expiry(policy: str) -> int:
    """Return the time of the end in a custom policy of CloudFront, base64 with three other characters."""
    statement = orjson.loads(pybase64.b64decode(policy.translate(_CLOUDFRONT)))["Statement"][0]
    return int(statement["Condition"]["DateLessThan"]["AWS:EpochTime"])


def _time(seconds: int) -> datetime:
    """Return the time *seconds* after 1970. Raises ValueError or OverflowError for what is no expiry."""
    if seconds <= 0:
        raise ValueError(seconds)
    return datetime.fromtimestamp(seconds, UTC)


def unsigned(url: str) -> str:
    """Return *url* without its query if that is a signature, which differs each time a URL is signed."""
    parts = urlsplit(url)
    return parts._replace(query="").geturl() if _expiry(parts.hostname or "", parts.query) else url


def masked(url: str) -> str:
    """Return *url* with secrets masked: user names, signatures, tokens."""
    return _SECRETS.sub(r"\1=***", _USER.sub("***@", url))


def without_scheme(url: str) -> str:
    """Return a description of *url*, which does not start with a scheme."""
    if not url.strip():
        return "empty"
    late = _LATE_SCHEME.match(url)
    if late:
        cure = "white space (remove it)" if late[1].isspace() else repr(late[1])
        return f"{late[2].lower()}: after {cure}"
    if url.startswith(_BYTES):
        return "Python's b'...' (convert bytes with .decode())"
    if _WEB_ADDRESS.match(url):
        return "a web address without https:"
    return "bare base64" if _BARE_BASE64.match(url) else "a path"
