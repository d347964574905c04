"""Network settings of a run, from options and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from pytest_vft.errors import UsageError
from pytest_vft.text import nearest

OFFLINE = "VFT_OFFLINE"
RESOLVE = "VFT_RESOLVE"

_ON = ("1", "true", "yes", "on")
_OFF = ("", "0", "false", "no", "off")

HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Network settings; *overrides* maps hosts to an address and port that are used without checks.

    *proxy* allows the proxies of the environment; *cache* enables the cache of results.
    """

    offline: bool = False
    allow_private: bool = False
    proxy: bool = False
    cache: bool = True
    overrides: Mapping[str, HostPort] = field(default_factory=dict)


ONLINE = Network()


def read_network(
    *,
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    cache: bool = True,
) -> Network:
    """Return network settings, with VFT_OFFLINE for *offline* None. Raises UsageError for invalid values."""
    if proxy not in (None, "env"):
        raise UsageError(f"proxy {proxy!r}: expected env{nearest(proxy, ['env'])}, which uses HTTPS_PROXY")
    return Network(
        offline=_switch(OFFLINE) if offline is None else offline,
        allow_private=allow_private,
        proxy=proxy == "env",
        cache=cache,
        overrides=_overrides(os.environ.get(RESOLVE, "")),
    )


def _switch(name: str) -> bool:
    """Return whether the environment variable *name* is on. Raises UsageError for an unclear value."""
    value = os.environ.get(name, "").strip().lower()
    if value not in _ON and value not in _OFF:
        raise UsageError(f"{name} is {value!r}; expected 1 or 0")
    return value in _ON


def _overrides(given: str) -> dict[str, HostPort]:
    """Return the overrides of VFT_RESOLVE: HOST=ADDRESS:PORT, comma-separated."""
    overrides = {}
    for text in filter(None, given.split(",")):
        host, _, place = text.strip().partition("=")
        address, _, port = place.rpartition(":")
        try:
            overrides[host.lower()] = (str(ip_address(address.strip("[]"))), _port(port))
        except ValueError:
            raise UsageError(f"{RESOLVE}: {text!r}: expected HOST=ADDRESS:PORT") from None
    return overrides


def _port(text: str) -> int:
    if not 0 < int(text) < 2**16:
        raise ValueError(text)
    return int(text)


def idle_proxy() -> bool:
    """Return whether the environment names a proxy."""
    from urllib.request import getproxies_environment  # noqa: PLC0415 - 20 ms, for a hint after failures

    return bool(getproxies_environment().keys() & {"http", "https", "all"})
