"""What is to be built of a table, for whom and where to, as options state it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pytest_vft.building import Detail
from pytest_vft.converting.plan import Images
from pytest_vft.encoding import check_encoding
from pytest_vft.errors import UsageError
from pytest_vft.model import SPLITS, Split
from pytest_vft.naming import option
from pytest_vft.outputs.aside import DropLimit, drop_limit
from pytest_vft.regular_files import read_text
from pytest_vft.runs.conversion_request import read_images_option
from pytest_vft.runs.conversion_target import ConversionTarget, find_target, provider_of
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.tables.groups import Shares
from pytest_vft.text import either, nearest, safe

DEFAULT_TARGET = "openai"
_ROLES = ("question", "answer", "image", "id", "by", "stratify")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """How rows become examples; *columns* has the texts of the options that name columns."""

    settings: Settings
    target: ConversionTarget
    out: Path
    columns: Mapping[str, str]
    shares: Shares
    images: Images | None
    limit: DropLimit
    force: bool
    few_shot: int
    system: str | None
    detail: Detail | None
    quality: int | None
    near: bool
    options: Mapping[str, Any]

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have a share."""
        return tuple(split for split, share in zip(SPLITS, self.shares.of, strict=True) if share)


def read_build_request(options: Mapping[str, Any]) -> BuildRequest:
    """Return the request that *options*, named as in options.py with _ for -, state.

    Raises UsageError or ConfigError for invalid ones.
    """
    to, out = options.get("to") or DEFAULT_TARGET, options.get("out")
    if not out:
        raise UsageError("expected --out=DIR: where files are written")
    settings = read_settings({**options, "provider": provider_of(to), "data_format": None})
    target = find_target(to, settings, options.get("image_prefix") or "", options.get("bucket_owner"))
    target.check_bucket()
    quality = options.get("quality")
    if quality is not None:
        check_encoding(None, quality)
    shares = _read_shares(options.get("split"))
    few_shot = options.get("few_shot") or 0
    if few_shot < 0:
        raise UsageError(f"{option('few-shot')} is {few_shot}; expected at least 0")
    exact = bool(options.get("exact") or options.get("stratify"))
    return BuildRequest(
        settings=settings,
        target=target,
        out=Path(out),
        columns={role: options[role] for role in _ROLES if options.get(role) is not None},
        shares=Shares(shares, exact, options.get("seed") or 0),
        images=read_images_option(options.get("images")),
        limit=drop_limit(drop=bool(options.get("drop")), most=options.get("max_dropped")),
        force=bool(options.get("force")),
        few_shot=few_shot,
        system=_read_system(options.get("system")),
        detail=_read_detail(options.get("detail")),
        quality=quality,
        near=bool(options.get("near")),
        options=options,
    )


def _read_shares(given: str | Sequence[float] | None) -> tuple[float, float, float]:
    """Return the shares of train, validation and test: *given* as in 80/10/10, or all of train."""
    if given is None:
        return 1.0, 0.0, 0.0
    text = "/".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    problem = f"{option('split')} is {safe(text)!r}; expected numbers as in 80/10/10, or 90/10 without test"
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        raise UsageError(problem) from None
    if not (
        1 < len(numbers) <= len(SPLITS) and all(0 <= one < float("inf") for one in numbers) and numbers[0]
    ):
        raise UsageError(problem)
    train, validation, test = (*numbers, 0.0, 0.0)[: len(SPLITS)]
    whole = train + validation + test
    return train / whole, validation / whole, test / whole


def _read_system(text: str | None) -> str | None:
    """Return *text* or, if it is @FILE, the text of the file without the line break at its end."""
    if text is None or not text.startswith("@"):
        return text
    try:
        return read_text(text[1:]).removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{option('system')}: {text[1:]}: {reason}") from None


def _read_detail(given: Any) -> Detail | None:
    known = get_args(Detail)
    if given is not None and given not in known:
        raise UsageError(f"detail is {given!r}{nearest(str(given), known)}; expected {either(known)}")
    return given  # type: ignore[no-any-return]  # one of the literals
