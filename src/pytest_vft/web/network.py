"""How a run uses the network: what options and the environment say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from pytest_vft.errors import UsageError
from pytest_vft.reading.remote import Fetcher, Watch
from pytest_vft.text import nearest

OFFLINE = "VFT_OFFLINE"
RESOLVE = "VFT_RESOLVE"

Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What may be asked, and whom: *instead* gives hosts an address and port to dial unchecked.

    *proxy* allows the proxies of the environment, *cache* says whether results are kept.
    """

    offline: bool = False
    allow_private: bool = False
    proxy: bool = False
    cache: bool = True
    instead: Mapping[str, Place] = field(default_factory=dict)


ONLINE = Network()


def read_network(
    *,
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    cache: bool = True,
) -> Network:
    """Return what the arguments and, where they say nothing, the environment ask for.

    Raises UsageError for a *proxy* other than "env", and for a VFT_RESOLVE that cannot be read.
    """
    if proxy not in (None, "env"):
        raise UsageError(f"proxy {proxy!r}: want env{nearest(proxy, ['env'])}, which uses HTTPS_PROXY")
    return Network(
        offline=os.environ.get(OFFLINE, "") not in ("", "0") if offline is None else offline,
        allow_private=allow_private,
        proxy=proxy == "env",
        cache=cache,
        instead=_instead(os.environ.get(RESOLVE, "")),
    )


def _instead(given: str) -> dict[str, Place]:
    """Return what VFT_RESOLVE says: HOST=ADDRESS:PORT, comma-separated."""
    instead = {}
    for text in filter(None, given.split(",")):
        host, _, place = text.strip().partition("=")
        address, _, port = place.rpartition(":")
        try:
            instead[host.lower()] = (str(ip_address(address.strip("[]"))), int(port))
        except ValueError:
            raise UsageError(f"{RESOLVE}: {text!r}: want HOST=ADDRESS:PORT") from None
    return instead


def fetcher(network: Network, *, folder: Path, most: int, full: bool, watch: Watch | None = None) -> Fetcher:
    """Return what fetches the first bytes of URLs, up to *most* with *full*; *folder* has the cache."""
    from importlib.metadata import version  # noqa: PLC0415 - 10 ms, for data with URLs only

    from pytest_vft.reading.sqlite import FOLDER  # noqa: PLC0415 - as above
    from pytest_vft.web.cache import UrlCache  # noqa: PLC0415 - as above
    from pytest_vft.web.fetching import WebFetcher  # noqa: PLC0415 - as above, 0.2 s

    setting = f"{version('pytest-vft')} {full} {most} {network}"
    cache = UrlCache(folder / FOLDER, setting) if network.cache else None
    return WebFetcher(most=most, full=full, network=network, cache=cache, watch=watch)


def idle_proxy() -> bool:
    """Return whether the environment names a proxy."""
    from urllib.request import getproxies_environment  # noqa: PLC0415 - 20 ms, when nothing else works

    return bool(getproxies_environment().keys() & {"http", "https", "all"})
