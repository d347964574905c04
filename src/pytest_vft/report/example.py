"""One example as text, with images described instead of base64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from pytest_vft.formats.base import Chat, KeyPath, Message
from pytest_vft.model import Finding, Split
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.links import masked
from pytest_vft.report.layout import advice_lines, findings_lines, wrapped
from pytest_vft.text import count, safe

_LONGEST_LINE = 2_000  # characters of a line of text; an image pasted into a text is longer
_LONGEST_VALUE = 200  # characters of any other value


class ShownImage(NamedTuple):
    """An image of an example at the JSON pointer *pointer*; *data* is None if the file does not hold it.

    *has_detail* says that the data format has a detail for each image.
    """

    number: int
    pointer: str
    reference: str
    detail: Any
    data: bytes | None
    measured: ImageMeasurements | None
    has_detail: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """One line of a file as a chat, or one *element* of an array, counted from 0.

    *start* is how the line begins, *places* are JSON pointers to the messages, *images* are keyed by their
    path in the chat, and *has_wider_rules* says that there
    are rules on files and on the dataset, which are not judged.
    """

    path: str
    line: int
    split: Split
    bytes: int
    start: str
    chat: Chat
    places: Sequence[str]
    images: Mapping[KeyPath, ShownImage]
    findings: tuple[Finding, ...]
    has_wider_rules: bool
    element: int | None = None


def render_example(view: ExampleView) -> str:
    """Return the messages and findings of *view* as text; text from the data never starts a line."""
    images = count(len(view.images), "image")
    element = "" if view.element is None else f" (#{view.element})"
    lines = [
        f"{safe(view.path, None)}:{view.line}{element}  {view.split}, {images}, {count(view.bytes, 'byte')}"
    ]
    chat = view.chat
    whole = chat.unsound.get(("messages",))
    unsound: Mapping[int, Any] = dict(enumerate(whole)) if isinstance(whole, list) else chat.unsound_messages
    sound = {message.position: message for message in chat.messages}
    for position in range(len(view.places) or len(unsound)):
        message = sound.get(position)
        lines += _message(view, message) if message else _unsound(view, position, unsound.get(position))
    if not chat.total and not unsound:
        lines.append("  " + safe(view.start, _LONGEST_VALUE))
    for (severity, rule), findings in groupby(view.findings, lambda one: (one.severity, one.rule)):
        lines += ["", f"{severity} {rule}", *_findings(view, list(findings))]
    lines += ["", *([] if view.findings else ["no findings"]), *_not_judged(view)]
    return "\n".join(lines) + "\n"


def _not_judged(view: ExampleView) -> Iterator[str]:
    urls = sum(image.reference[:4].lower() == "http" for image in view.images.values())
    parts = ["rules on files and the dataset"] if view.has_wider_rules else []
    if urls:
        parts.append(f"{count(urls, 'image')} behind {'a URL' if urls == 1 else 'URLs'}, not fetched")
    if parts:
        yield from wrapped(f"not judged: {'; '.join(parts)} (vft check judges them)")


def _findings(view: ExampleView, findings: Sequence[Finding]) -> Iterator[str]:
    images = {image.pointer: f" (image {image.number})" for image in view.images.values()}
    yield from findings_lines(
        [
            (safe(one.pointer, None) or f"line {one.line}", one.message, images.get(one.pointer, ""))
            for one in findings
        ]
    )
    yield from advice_lines(findings[0].advice)


def _message(view: ExampleView, message: Message) -> Iterator[str]:
    source = message.source
    yield _heading(view, message.position, source)
    here = ("messages", message.position, "content")
    unsound = {path[3]: part for path, part in view.chat.unsound.items() if path[:3] == here}
    texts = iter(message.texts)
    for number in range(len(message.texts) + len(message.images) + len(unsound)):
        if (*here, number) in view.images:
            yield f"  {_described(view.images[*here, number])}"
        elif number in unsound:
            yield from _value(unsound[number])
        else:
            yield from _value(next(texts))
    calls = source.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        yield from _call(call.get("function") if isinstance(call, dict) else call)
    yield from _call(source.get("function_call"))


def _unsound(view: ExampleView, position: int, message: object) -> Iterator[str]:
    """Yield the lines of a message that is not in the chat because its structure is invalid."""
    if not isinstance(message, dict):
        yield _place(view, position)
        yield "  " + safe(message, _LONGEST_VALUE)
        return
    yield _heading(view, position, message)
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        yield from _value(part)


def _place(view: ExampleView, position: int) -> str:
    """Return the JSON pointer of a message; in an unsound list of messages no message has a place."""
    return safe(view.places[position], None) if view.places else f"/messages/{position}"


def _heading(view: ExampleView, position: int, message: Mapping[str, Any]) -> str:
    weight = f" (weight {safe(message['weight'])})" if "weight" in message else ""
    return f"{_place(view, position)}  {safe(message.get('role', 'no role'))}{weight}"


def _value(part: object) -> Iterator[str]:
    """Yield the lines of a text, or the value of another part."""
    text = part.get("text", part.get("refusal", part)) if isinstance(part, Mapping) else part
    if isinstance(text, str):
        yield from ("  " + safe(line, _LONGEST_LINE) for line in text.split("\n"))
    elif text is not None:
        yield "  " + safe(text, _LONGEST_VALUE)


def _call(function: object) -> Iterator[str]:
    if isinstance(function, Mapping):
        yield f"  calls {safe(function.get('name'))}({safe(function.get('arguments'), _LONGEST_LINE)})"
    elif function is not None:
        yield f"  calls {safe(function)}"


def _described(image: ShownImage) -> str:
    """Return format, size and detail of *image* as text."""
    measured = image.measured
    if measured is None:
        described = safe(masked(image.reference), _LONGEST_VALUE) or "empty URL"
    else:
        mode = f" {measured.mode}" if measured.mode else ""
        size = f" {measured.width}x{measured.height}{mode}" if measured.openable else ""
        frames = f", {measured.frames} frames" if (measured.frames or 1) > 1 else ""
        turned = f", EXIF orientation {measured.orientation}" if (measured.orientation or 1) > 1 else ""
        described = f"{measured.format}{size}, {count(measured.bytes, 'byte')}{frames}{turned}"
    detail = f", detail {safe(image.detail)}" if image.has_detail else ""
    return f"[image {image.number}] {described}{detail}"
