"""Images of rows, opened as trainers open them: by load_image of transformers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_KEYS = ("image", "url", "path", "base64", "image_url")


class ImageOpener:
    """Opens images, and counts them in *opened*, which is None for a reader without *counts* or transformers.

    URLs are not fetched, and files outside *roots* and the folder of the data not opened: *unopened* counts
    both.
    """

    def __init__(self, roots: Sequence[str], *, counts: bool = True) -> None:
        self._roots = roots
        self.opened = 0 if counts and find_spec("transformers") else None
        self.unopened = 0

    def of_columns(self, row: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the images in the columns images and image of *row*."""
        images = row.get("images")
        yield from images if isinstance(images, list) else filter(None, [images])
        yield from filter(None, [row.get("image")])

    def of_messages(self, row: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the images in the parts of the messages of *row*."""
        messages = row.get("messages") or row.get("prompt") or ()
        for message in messages if isinstance(messages, list) else ():
            content = message.get("content") if isinstance(message, Mapping) else None
            for part in content if isinstance(content, list) else ():
                if isinstance(part, Mapping):
                    yield from _of_part(part)

    def open(self, image: Any, beside: str) -> None:
        """Open *image*, a text, bytes or an image, of the data at the path *beside*.

        Raises whatever the library raises for what it cannot open.
        """
        if isinstance(image, str) and image.startswith(("http://", "https://")):
            self.unopened += 1
            return
        if isinstance(image, str) and len(image) < 4096 and not image.startswith("data:"):  # noqa: PLR2004 - a path
            folder = os.path.dirname(os.path.abspath(beside))  # noqa: PTH100, PTH120 - a path as the user wrote it
            path = os.path.realpath(os.path.join(folder, image))  # noqa: PTH118 - as above
            roots = map(os.path.realpath, (folder, *self._roots))
            if not any(Path(path).is_relative_to(root) for root in roots):
                self.unopened += 1
                return
            image = path
        if self.opened is not None:
            from transformers.image_utils import load_image  # type: ignore[import-not-found]  # noqa: PLC0415 - for --with-loader only

            load_image(image)
            self.opened += 1


def _of_part(part: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the image of a content part, wherever its format has it."""
    if part.get("type") not in ("image", "image_url"):
        return
    for key in _KEYS:
        value = part.get(key)
        value = value.get("url") if isinstance(value, Mapping) else value
        if value:
            yield value
            return
