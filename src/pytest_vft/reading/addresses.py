"""Public and other addresses, in any spelling that a client accepts."""

from __future__ import annotations

import re
import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from stringprep import in_table_b1
from urllib.parse import unquote

Address = IPv4Address | IPv6Address

# Spellings of an IPv4 address that the system's resolver accepts: 127.1, 0x7f000001, 0177.0.0.1, 2130706433.
_ODD_IPV4 = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}")

# Names of the local machine or network: RFC 6761, RFC 6762, RFC 8375, and .internal
# (https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en).
_LOCAL_NAMES = re.compile(r"(.+\.)?(localhost|local|internal|home\.arpa)")

# All allocated unicast addresses of IPv6 (https://www.iana.org/assignments/ipv6-unicast-address-assignments).
_UNICAST = ip_network("2000::/3")

# Networks that ipaddress.is_global calls global, at least in one supported version of Python
# (https://www.iana.org/assignments/iana-ipv6-special-registry, read on 2026-11-21).
_NOT_PUBLIC = tuple(
    (ip_network(network), word)
    for network, word in (
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("192.0.0.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("64:ff9b::/96", "a NAT64 address"),
        ("64:ff9b:1::/48", "a NAT64 address"),
        ("2002::/16", "a 6to4 address"),
        ("2001::/32", "a Teredo address"),
        ("fec0::/10", "site-local"),
        ("3fff::/20", "reserved"),
    )
)


def plain_host(host: str) -> str:
    """Return *host* as a client or proxy may read it: decoded, normalised and in lower case.

    Percent-encoded, full-width and circled characters become plain ones, ignorable characters are removed
    (RFC 3454, table B.1), and NUL ends the name, as in C.
    """
    decoded, _, _ = unquote(host).partition("\0")
    if not decoded.isascii():
        kept = "".join(letter for letter in decoded if not in_table_b1(letter))
        decoded = unicodedata.normalize("NFKC", kept).replace("。", ".")
    return decoded.rstrip(".").lower()


def literal_address(host: str) -> Address | None:
    """Return the address that *host* spells, None for a name.

    Spellings include octal and hexadecimal numbers, and fewer than four numbers.
    """
    plain = plain_host(host)
    try:
        return ip_address(plain)
    except ValueError:
        pass
    if not _ODD_IPV4.fullmatch(plain):
        return None
    try:
        return IPv4Address(socket.inet_aton(plain))
    except (OSError, ValueError):
        return None


def is_local_name(host: str) -> bool:
    """Return whether *host* is a name that the public DNS never resolves."""
    return _LOCAL_NAMES.fullmatch(plain_host(host)) is not None


def why_not_public(address: Address) -> str | None:  # noqa: PLR0911 - one return for each kind
    """Return the kind of *address* ("loopback", "private" ...), None if it is public."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return why_not_public(address.ipv4_mapped) or "an IPv4-mapped address"
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    for network, word in _NOT_PUBLIC:
        if address in network:
            return word
    if not address.is_global:
        return "private" if address.is_private else "reserved"
    if address.version == 6 and address not in _UNICAST:  # noqa: PLR2004 - IPv6
        return "reserved"
    return None
