"""One example for human eyes: nobody reads base64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from pytest_vft.model import Finding, Split
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.links import masked
from pytest_vft.report.text import advice_lines, findings_lines
from pytest_vft.text import count, safe

_LONGEST_LINE = 2_000  # of text; an image pasted into one is longer
_LONGEST_VALUE = 200  # of anything that is not text


class ShownImage(NamedTuple):
    """An image of an example; *data* is None when it is not in the file."""

    number: int
    url: str
    detail: str
    data: bytes | None
    image: ImageMeasurements | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """One line: *example* is its JSON value (None when it has none), *start* how it begins.

    *images* are keyed by the JSON pointers of their parts.
    """

    path: str
    line: int
    split: Split
    bytes: int
    start: str
    example: Any
    images: Mapping[str, ShownImage]
    findings: tuple[Finding, ...]


def render_example(view: ExampleView) -> str:
    """Return the messages of *view* with images described, and what the rules say of it.

    Nothing from the data starts a line.
    """
    images = count(len(view.images), "image")
    lines = [f"{safe(view.path, None)}:{view.line}  {view.split}, {images}, {count(view.bytes, 'byte')}"]
    messages = view.example.get("messages") if isinstance(view.example, dict) else None
    if isinstance(messages, list):
        for index, message in enumerate(messages):
            lines += _message(view, index, message)
    else:
        lines.append("  " + safe(view.start, _LONGEST_VALUE))
    for (severity, rule), findings in groupby(view.findings, lambda one: (one.severity, one.rule)):
        lines += ["", f"{severity} {rule}", *_findings(view, list(findings))]
    lines += [] if view.findings else ["", "no findings"]
    return "\n".join(lines) + "\n"


def _findings(view: ExampleView, findings: Sequence[Finding]) -> Iterator[str]:
    yield from findings_lines([_finding(view, finding) for finding in findings])
    yield from advice_lines(findings[0].advice)


def _finding(view: ExampleView, finding: Finding) -> tuple[str, str, str]:
    image = view.images.get(finding.pointer)
    where = safe(finding.pointer, None) or f"line {finding.line}"
    return where, finding.message, f"image {image.number}" if image else ""


def _message(view: ExampleView, index: int, message: object) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"/messages/{index}"
        yield "  " + safe(message, _LONGEST_VALUE)
        return
    weight = f" (weight {safe(message['weight'])})" if "weight" in message else ""
    yield f"/messages/{index}  {safe(message.get('role', 'no role'))}{weight}"
    content = message.get("content")
    parts: Sequence[Any] = content if isinstance(content, list) else [content]
    for position, part in enumerate(parts):
        yield from _part(view, f"/messages/{index}/content/{position}", part)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        yield from _call(call.get("function") if isinstance(call, dict) else call)
    yield from _call(message.get("function_call"))


def _part(view: ExampleView, pointer: str, part: object) -> Iterator[str]:
    if pointer in view.images:
        shown = view.images[pointer]
        yield f"  [image {shown.number}] {_described(shown.image, shown.url)}, detail {safe(shown.detail)}"
        return
    text = part.get("text", part.get("refusal", part)) if isinstance(part, Mapping) else part
    if isinstance(text, str):
        for line in text.split("\n"):
            yield "  " + safe(line, _LONGEST_LINE)
    elif text is not None:
        yield "  " + safe(text, _LONGEST_VALUE)


def _call(function: object) -> Iterator[str]:
    if isinstance(function, Mapping):
        yield f"  calls {safe(function.get('name'))}({safe(function.get('arguments'), _LONGEST_LINE)})"
    elif function is not None:
        yield f"  calls {safe(function)}"


def _described(image: ImageMeasurements | None, url: str) -> str:
    if image is None:
        return safe(masked(url), _LONGEST_VALUE) or "empty URL"
    mode = f" {image.mode}" if image.mode else ""
    size = f" {image.width}x{image.height}{mode}" if image.openable else ""
    frames = f", {image.frames} frames" if (image.frames or 1) > 1 else ""
    turned = f", EXIF orientation {image.orientation}" if (image.orientation or 1) > 1 else ""
    return f"{image.format}{size}, {count(image.bytes, 'byte')}{frames}{turned}"
