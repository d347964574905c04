"""The data formats of files, and the providers that go with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from pytest_vft.catalogue.providers import default_provider
from pytest_vft.errors import UsageError
from pytest_vft.formats.dataset_info import read_dataset_info
from pytest_vft.formats.detection import detect_format
from pytest_vft.model import Source
from pytest_vft.runs.settings import Settings
from pytest_vft.text import either


def with_data_formats(settings: Settings) -> Iterator[Settings]:
    """Yield *settings* once for each provider, with the data formats of the files for that provider.

    The first lines of each file are read. A stated provider decides which formats a file may have.
    Raises UsageError if that provider does not read the data format that *settings* state.
    """
    among = formats_among(settings)
    groups: dict[str, list[Source]] = {}
    read = cache(read_dataset_info)  # of the folders of the files
    provider_of = cache(default_provider) if settings.by_data_format else lambda _: ""
    for source in settings.sources:
        found = detect_format(source.path, among, read)
        placed = Source(
            source.path, source.split, found.name, source.split_from_name, found.layout, found.columns
        )
        groups.setdefault(provider_of(found.name), []).append(placed)
    if not groups:
        yield settings
    for sources in groups.values():
        yield replace(settings, sources=tuple(sources))


def formats_among(settings: Settings) -> Sequence[str]:
    """Return the data formats that a file of *settings* may have; none if it may have any.

    Raises UsageError if the provider does not read the data format that *settings* state.
    """
    known = () if settings.by_data_format else settings.provider.data_formats
    if settings.data_format and known and settings.data_format not in known:
        raise UsageError(
            f"data format {settings.data_format}: {settings.provider.name} does not read it; "
            f"expected {either(known)}"
        )
    return (settings.data_format,) if settings.data_format else known
