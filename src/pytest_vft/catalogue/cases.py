"""The cases in rule files: lines with image tokens, and the files that they describe."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_vft.catalogue.files import read_toml
from pytest_vft.catalogue.image_tokens import ImageToken, encode, read_token
from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import RuleFileError
from pytest_vft.model import Split, Verdict
from pytest_vft.reading.image_store import content_key
from pytest_vft.reading.images import measure_image
from pytest_vft.reading.remote import Remote
from pytest_vft.text import count

# The time at which cases run, so that signatures expire relative to a fixed date.
CASE_TIME = datetime(2026, 1, 1, tzinfo=UTC)

_TOKEN = re.compile(r'\$image: ([^"]*)')
# Bounds of all images of a rule file, which a stranger may have written.
_MAX_FILE_PIXELS = 10_000_000
_MAX_FILE_BYTES = 64_000_000
_MAX_FILE_IMAGES = 1_000
_MOST_DRAWN = 8  # images that are kept for other cases


class CaseFile(NamedTuple):
    """One file of a case; *content* is None for a file that does not exist."""

    split: Split
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An example in a rule file, with the verdict that it must get.

    *message* is the expected message of a failing case; *layout* is what a dataset_info.json says of the
    files; *images* are the bytes of images by their paths in the folder of the files; *values* are limits
    and parameters that replace the default ones; *also* names other rules that the case inevitably fails;
    *fetched* maps URLs to what a request would find.
    """

    name: str
    verdict: Verdict
    message: str | None
    data_format: str
    layout: Mapping[str, str]
    files: Sequence[CaseFile]
    images: Mapping[str, bytes]
    values: Mapping[str, Any]
    also: Collection[str]
    fetched: Mapping[str, Remote]


def read_cases(rule: Rule) -> list[Case]:
    """Return the cases of *rule*. Raises RuleFileError for invalid image tokens and for too many images."""
    contents = read_toml(rule.path).get("cases", ())
    names = [f"{content['verdict']}-{number}" for number, content in enumerate(contents, 1)]
    images: list[ImageToken] = []
    for name, content in zip(names, contents, strict=True):
        with _naming(rule, name):
            images += map(read_token, _tokens(content))
    for problem in _excesses(images):
        raise RuleFileError(f"{rule.path}: {problem}")
    cases = []
    for name, content in zip(names, contents, strict=True):
        with _naming(rule, name):
            cases.append(_case(name, content))
    return cases


@contextmanager
def _naming(rule: Rule, case: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RuleFileError(f"{rule.path}: case {case}: {error}") from None


def _tokens(content: object) -> Iterator[str]:
    """Yield each image token in *content*, a case or any value in it."""
    if isinstance(content, str):
        yield from (token[1] for token in _TOKEN.finditer(content))
    elif isinstance(content, Mapping | list):
        for inner in content.values() if isinstance(content, Mapping) else content:
            yield from _tokens(inner)


def _excesses(images: Sequence[ImageToken]) -> Iterator[str]:
    """Yield a message for each bound of all *images* of a rule file that is exceeded."""
    for found, noun, most in (
        (len(images), "image", _MAX_FILE_IMAGES),
        (sum(image.pixels for image in images), "pixel", _MAX_FILE_PIXELS),
        (sum(image.bytes or 0 for image in images), "byte", _MAX_FILE_BYTES),
    ):
        if found > most:
            its = "has" if noun == "image" else "the images of its cases have"
            yield f"{its} {count(found, noun)}; expected at most {most:,}"


def _case(name: str, content: Mapping[str, Any]) -> Case:
    return Case(
        name=name,
        verdict=Verdict[content["verdict"].upper()],
        message=content.get("message"),
        data_format=content.get("data_format", "openai"),
        layout=content.get("layout", {}),
        files=[
            CaseFile(file.get("split", "train"), _bytes(file)) for file in content.get("files", [content])
        ],
        images={path: _image(found) for path, found in content.get("images", {}).items()},
        values={**content.get("params", {}), **content.get("limits", {})},
        also=content.get("also", ()),
        fetched={url: _remote(found) for url, found in content.get("fetched", {}).items()},
    )


def _bytes(file: Mapping[str, Any]) -> bytes | None:
    if file.get("missing"):
        return None
    if "base64" in file:
        return base64.b64decode(file["base64"], validate=True)
    lines: str = file["lines"]
    urls = {token: data_url(token) for token in set(_tokens(lines))}
    return _TOKEN.sub(lambda token: urls[token[1]], lines).encode()


def _image(found: str) -> bytes:
    """Return the bytes of the image that *found* describes, or *found* itself, which is not an image."""
    token = _TOKEN.fullmatch(found)
    return draw(token[1])[1] if token else found.encode()


def _remote(found: str | Mapping[str, Any]) -> Remote:
    """Return what a case describes as *found*: an image, a cause of failure, or a table with fields."""
    if isinstance(found, Mapping):
        fields = {"reachable": "cause" not in found, **found}
        if "image" in found:
            fetched = _remote(found["image"])
            fields |= {"image": fetched.image, "content": fetched.content}
        return Remote(**fields)
    token = _TOKEN.fullmatch(found)
    if token is None:
        return Remote(reachable=False, cause=found)
    _, data = draw(token[1])
    return Remote(reachable=True, image=measure_image(data, full=False), content=content_key(data))


def data_url(token: str) -> str:
    """Return the data URL of the image that *token* describes."""
    media_type, data = draw(token)
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@lru_cache(_MOST_DRAWN)
def draw(token: str) -> tuple[str, bytes]:
    """Return media type and bytes of the image that *token* describes.

    FORMAT WxH MODE [bytes=N] [cut=N] [tail=N] [frames=N] [exif=upright|rotated|gps] [as=MEDIA/TYPE]
    [shows=SCENE]: *bytes* pads the file to that size, *cut* removes bytes at its end, *tail* appends bytes.
    Raises ValueError, which names the invalid word.
    """
    image = read_token(token)
    return image.media_type, encode(image)
