"""One example for human eyes: nobody reads base64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_vft.reading.images import Picture
from pytest_vft.text import count, safe
from pytest_vft.viewing import View


def render_example(view: View) -> str:
    """Return the messages of *view* with pictures described, and what the rules say of it."""
    images = count(len(view.images), "image")
    lines = [f"{safe(view.path, None)}:{view.line}  {view.split}, {images}, {count(view.bytes, 'byte')}"]
    messages = view.example.get("messages") if isinstance(view.example, dict) else None
    if isinstance(messages, list):
        for index, message in enumerate(messages):
            lines += _message(view, index, message)
    else:
        lines.append("  " + safe(view.example if view.example is not None else view.start, 200))
    for finding in view.findings:
        at = f" ({finding.pointer})" if finding.pointer else ""
        lines.append(f"{finding.severity} {finding.rule}: {finding.message}{at}")
        lines.append(f"  do: {finding.advice}")
    return "\n".join(lines) + "\n"


def _message(view: View, index: int, message: object) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"message {index + 1}"
        yield "  " + safe(message)
        return
    weight = f" (weight {safe(message['weight'])})" if "weight" in message else ""
    yield safe(message.get("role", f"message {index + 1}")) + weight
    content = message.get("content")
    parts: Sequence[Any] = content if isinstance(content, list) else [content]
    for position, part in enumerate(parts):
        yield from _part(view, f"/messages/{index}/content/{position}", part)


def _part(view: View, pointer: str, part: object) -> Iterator[str]:
    if pointer in view.images:
        shown = view.images[pointer]
        yield f"  [image {shown.number}] {_picture(shown.picture, shown.url)}, detail {safe(shown.detail)}"
        return
    text = part.get("text", part) if isinstance(part, Mapping) else part
    if text is None:
        return
    for line in str(text).split("\n"):
        yield "  " + safe(line, None)


def _picture(picture: Picture | None, url: str) -> str:
    if picture is None:
        return safe(url)
    size = f" {picture.width}x{picture.height} {picture.mode}" if picture.openable else ""
    return f"{picture.format}{size}, {count(picture.bytes, 'byte')}"
