"""Tokens of images and text as ranges from a lower to an upper bound.

A range covers everything that the documentation leaves open, so an example is over a limit only if even
its lower bound is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# The longest token of o200k_base, the encoding of gpt-4o and gpt-4.1: 128 spaces. The vocabulary is named in
# https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
LONGEST_TOKEN = 128
# Bytes of text up to which no tokenizer is used: with ten images they are below 65,536 tokens.
ASK_ABOVE = 16_384
# Tokens around the text of a message and of an example: three marks and the role, and the start of a
# reply (https://github.com/openai/openai-cookbook/blob/main/examples/Chat_finetuning_data_prep.ipynb).
AROUND_MESSAGE = 4
AROUND_EXAMPLE = 3

_PATCH = 32
_TILE = 512
_LONGEST_SIDE = 2048
_SHORTEST_SIDE = 768


# Lower and upper bound of a number of tokens.
Range = tuple[int, int]
# The facts about an example that depend on the model.
TOKEN_FACTS = frozenset(
    {"tokens_at_least", "tokens_at_most", "image_tokens_at_least", "image_tokens_at_most"}
)


def text_tokens(texts: Sequence[str]) -> Range:
    """Return the tokens of *texts*, one for each message, in the encoding o200k_base.

    A token has between one and LONGEST_TOKEN bytes. No token spans two words, except 194 tokens of
    source code that contain a line break followed by a slash.
    """
    text = "\n".join(texts)
    size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    if size > ASK_ABOVE:
        from pytest_vft.reading.tokenizer import count_tokens  # noqa: PLC0415 - 4 ms; for long texts only

        counted = count_tokens(texts)
        if counted is not None:
            return (counted, counted)
    return _text_range(text, size, len(texts))


def text_bounds(texts: Sequence[str]) -> Range:
    """Return the tokens of *texts* in an encoding without a tokenizer here: at least words, at most bytes."""
    text = "\n".join(texts)
    return _text_range(text, len(text.encode(errors="surrogatepass")), len(texts))


def _text_range(text: str, size: int, number: int) -> Range:
    """Return the bounds for *text* of *size* bytes, which joins a *number* of texts."""
    words = len(text.split()) - text.count("\n/")
    return (max(words, (size - number) // LONGEST_TOKEN), size)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileTokens:
    """Tokens of an image for a model that charges *base* tokens, and *tile* tokens for each tile.

    Source: https://developers.openai.com/api/docs/guides/images-vision, "Calculating costs".
    """

    base: int
    tile: int

    @property
    def low_detail(self) -> int:
        """Tokens of an image with detail low."""
        return self.base

    count_text = staticmethod(text_tokens)

    def count(self, width: int | None, height: int | None, detail: str) -> Range:
        """Return the tokens of an image of *width* by *height* pixels.

        With detail high, the image is scaled to fit a square of 2048 pixels, then to a shortest side
        of 768, and cut into tiles of 512. Whether smaller images are enlarged is not documented: the
        range covers both. With other details than low and high the model decides. An image of unknown
        size counts as at most 2048 x 768.
        """
        if detail == "low":
            return (self.base, self.base)
        if width is None or height is None:
            width, height, least = _LONGEST_SIDE, _SHORTEST_SIDE, 1
        else:
            least = _tiles(width, height)
        short, long = sorted((max(1, width), max(1, height)))
        most = 2 * -(-3 * long // (2 * short))  # 768 pixels are two tiles; the other side is in proportion
        at_least = self.base + least * self.tile if detail == "high" else self.base
        return (at_least, self.base + most * self.tile)


def _tiles(width: int, height: int) -> int:
    """Return the number of tiles of an image that is scaled down, never up."""
    short, long = sorted((width, height))
    # The smaller of two factors, as a fraction of integers, which is exact at the edge of a tile.
    to, of = (_SHORTEST_SIDE, short) if 8 * short > 3 * long else (_LONGEST_SIDE, long)
    if to < of:
        short, long = short * to // of, long * to // of
    return -(-max(1, short) // _TILE) * -(-max(1, long) // _TILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTokens:
    """Tokens of an image for a model that reads at most *budget* patches of *multiplier* tokens each.

    Source: https://developers.openai.com/api/docs/guides/images-vision, "Calculating costs".
    """

    multiplier: float
    budget: int

    @property
    def low_detail(self) -> None:
        """None: the tokens of detail low are not documented."""

    count_text = staticmethod(text_tokens)

    def count(self, width: int | None, height: int | None, detail: str) -> Range:  # noqa: ARG002 - as TileTokens
        """Return the tokens of an image of *width* by *height* pixels, whatever its *detail*.

        Whether a long image below the budget is first scaled to 2048 pixels, and how a multiple is
        rounded, is not documented: the range covers both.
        """
        if width is None or height is None:
            least, most = 1, self.budget
        else:
            long = max(width, height, _LONGEST_SIDE)
            whole = self.patches(width, height)
            fitted = self.patches(width * _LONGEST_SIDE // long, height * _LONGEST_SIDE // long)
            least, most = sorted((whole, fitted))
        return (math.floor(least * self.multiplier), math.ceil(most * self.multiplier))

    def patches(self, width: int, height: int) -> int:
        """Return the number of patches of 32 x 32 pixels that cover an image, scaled down to the budget."""
        width, height = max(1, width), max(1, height)
        number = -(-width // _PATCH) * -(-height // _PATCH)
        if number <= self.budget:
            return number
        shrink = math.sqrt(_PATCH**2 * self.budget / (width * height))
        across, down = width * shrink / _PATCH, height * shrink / _PATCH
        shrink *= min(max(1, math.floor(across)) / across, max(1, math.floor(down)) / down)
        number = -(-int(width * shrink) // _PATCH) * -(-int(height * shrink) // _PATCH)
        return min(max(1, number), self.budget)


class ImageTokens(Protocol):
    """Counts the tokens of images and texts for a model."""

    @property
    def low_detail(self) -> int | None:
        """Tokens of an image with detail low; None if they are not documented."""

    def count(self, width: int | None, height: int | None, detail: str) -> Range:
        """Return the tokens of an image of *width* by *height* pixels, None if the size is unknown."""

    def count_text(self, texts: Sequence[str], /) -> Range:
        """Return the tokens of *texts*, one for each message."""


def json_tokens(value: Any) -> int:
    """Return the maximum tokens of *value*, a JSON value of any depth: its bytes in compact JSON."""
    size = 0
    values = [value]
    for one in values:
        if isinstance(one, dict):
            size += 2 + 2 * len(one)
            values += [*one, *one.values()]
        elif isinstance(one, list):
            size += 2 + len(one)
            values += one
        elif isinstance(one, str):
            size += 2 + len(one.encode(errors="surrogatepass"))
        else:
            size += len(str(one))
    return size
