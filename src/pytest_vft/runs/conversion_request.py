"""What is to be converted, for whom and where to, as options state it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.select import listed
from pytest_vft.converting.plan import Images
from pytest_vft.errors import UsageError
from pytest_vft.formats.detection import detect_format
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Source
from pytest_vft.outputs.aside import DropLimit, drop_limit
from pytest_vft.runs.conversion_target import IMAGES, ConversionTarget, find_target, provider_of
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.text import either, nearest, safe


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """The files to convert, with their data formats, and what convert() takes beside them."""

    settings: Settings
    sources: Sequence[Source]
    target: ConversionTarget
    out: Path
    images: Images | None
    allowed: frozenset[str]
    limit: DropLimit
    force: bool
    options: Mapping[str, Any]


def read_request(options: Mapping[str, Any], paths: Sequence[str]) -> ConversionRequest:
    """Return the request that *options*, named as in options.py with _ for -, state for the files at *paths*.

    Raises UsageError or ConfigError for invalid ones.
    """
    to, out = options.get("to"), options.get("out")
    if not to or not out:
        raise UsageError("expected --to=NAME and --out=DIR: for whom files are written, and where to")
    settings = read_settings({**options, "provider": provider_of(to), "data_format": None})
    sources = find_sources(
        settings.config,
        paths,
        data=options.get("data") or (),
        validation=options.get("validation_data") or (),
        test=options.get("test_data") or (),
    )
    if not sources:
        raise UsageError("no files: give some, or list them under [tool.vft.data] (vft.toml: [data])")
    stated = read_settings(options).data_format
    target = find_target(to, settings, options.get("image_prefix") or "", options.get("bucket_owner"))
    target.check_bucket()
    return ConversionRequest(
        settings=settings,
        sources=[_with_format(source, stated) for source in sources],
        target=target,
        out=Path(out),
        images=read_images_option(options.get("images")),
        allowed=_allowed(options.get("allow_loss") or ()),
        limit=drop_limit(drop=bool(options.get("drop")), most=options.get("max_dropped")),
        force=bool(options.get("force")),
        options=options,
    )


def _with_format(source: Source, stated: str | None) -> Source:
    found = detect_format(source.path, (stated,) if stated else ())
    return source._replace(data_format=found.name, layout=found.layout)


def read_images_option(given: Any) -> Images | None:
    """Return *given*, a way to pass images or None. Raises UsageError for another value."""
    for mode in IMAGES:
        if given in (None, mode):
            return None if given is None else mode
    raise UsageError(f"images is {given!r}{nearest(str(given), IMAGES)}; expected {either(IMAGES)}")


def _allowed(given: str | Sequence[str]) -> frozenset[str]:
    kinds = listed(given)
    for kind in kinds:
        if kind not in TRAINING_LOSSES:
            known = either(TRAINING_LOSSES)
            raise UsageError(f"--allow-loss={safe(kind)}{nearest(kind, TRAINING_LOSSES)}; expected {known}")
    return frozenset(kinds)
