"""Tokens of images and of text, each as a range: so many at least, so many at most.

A range is as wide as the documentation leaves it, so that what is over a limit at the least is over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# The longest token of o200k_base, which gpt-4o and gpt-4.1 read: 128 spaces. The file is named in
# https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
LONGEST_TOKEN = 128
# Bytes of text up to which nobody asks a tokenizer: with ten images they stay below 65,536 tokens.
ASK_ABOVE = 16_384
# What stands around the text of a message and of an example: three marks and the role, and the start
# of a reply (https://github.com/openai/openai-cookbook/blob/main/examples/Chat_finetuning_data_prep.ipynb).
AROUND_MESSAGE = 4
AROUND_EXAMPLE = 3

_PATCH = 32
_TILE = 512
_LONGEST_SIDE = 2048
_SHORTEST_SIDE = 768


# A number of tokens that is known within bounds: at least, at most.
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileTokens:
    """Tokens of an image for a model that sees it whole, for *base*, and in tiles, for *tile* each.

    Source: https://developers.openai.com/api/docs/guides/images-vision, "Calculating costs".
    """

    base: int
    tile: int

    @property
    def low_detail(self) -> int:
        """Tokens of any image at detail low."""
        return self.base

    def count(self, width: int | None, height: int | None, detail: str) -> Range:
        """Return the tokens of an image of *width* by *height* pixels.

        At detail high it is fitted into a square of 2048 pixels, scaled until its shortest side is
        768, and cut into tiles of 512. Whether a smaller one is enlarged is not said: the range holds
        both. With any other detail than low and high the model decides. One of unknown size counts as
        2048 x 768 at most.
        """
        if detail == "low":
            return (self.base, self.base)
        if width is None or height is None:
            width, height, least = _LONGEST_SIDE, _SHORTEST_SIDE, 1
        else:
            least = _tiles(width, height)
        short, long = sorted((max(1, width), max(1, height)))
        most = 2 * -(-3 * long // (2 * short))  # enlarged or not: 768 are two tiles, the rest in proportion
        at_least = self.base + least * self.tile if detail == "high" else self.base
        return (at_least, self.base + most * self.tile)


def _tiles(width: int, height: int) -> int:
    """Return the tiles of an image that is scaled down, never up."""
    short, long = sorted((width, height))
    # The smaller of two factors, as a fraction: whole numbers hit the edge of a tile exactly.
    to, of = (_SHORTEST_SIDE, short) if 8 * short > 3 * long else (_LONGEST_SIDE, long)
    if to < of:
        short, long = short * to // of, long * to // of
    return -(-max(1, short) // _TILE) * -(-max(1, long) // _TILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTokens:
    """Tokens of an image for a model that sees up to *budget* patches, each *multiplier* tokens.

    Source: https://developers.openai.com/api/docs/guides/images-vision, "Calculating costs".
    """

    multiplier: float
    budget: int

    @property
    def low_detail(self) -> None:
        """None: no price of detail low is documented."""

    def count(self, width: int | None, height: int | None, detail: str) -> Range:  # noqa: ARG002 - as above
        """Return the tokens of an image of *width* by *height* pixels, whatever its *detail*.

        Whether a long one under the budget is first fitted into 2048 pixels is not said, nor how a
        multiple is rounded: the range holds both.
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
        """Return the patches of 32 x 32 pixels that cover an image, which is shrunk to the budget."""
        width, height = max(1, width), max(1, height)
        number = -(-width // _PATCH) * -(-height // _PATCH)
        if number <= self.budget:
            return number
        shrink = math.sqrt(_PATCH**2 * self.budget / (width * height))
        across, down = width * shrink / _PATCH, height * shrink / _PATCH
        shrink *= min(max(1, math.floor(across)) / across, max(1, math.floor(down)) / down)
        number = -(-int(width * shrink) // _PATCH) * -(-int(height * shrink) // _PATCH)
        return min(max(1, number), self.budget)


ImageTokens = TileTokens | PatchTokens


def text_tokens(texts: Sequence[str]) -> Range:
    """Return the tokens of *texts*, one a message, for a model that reads o200k_base.

    A token holds one byte at least and LONGEST_TOKEN at most. Nor does any hold parts of two words,
    but for 194 that are found in code: they go on with a slash behind a line break.
    """
    text = "\n".join(texts)
    size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    if size > ASK_ABOVE:
        from pytest_vft.reading.tokenizer import count_tokens  # noqa: PLC0415 - 4 ms, for long texts only

        counted = count_tokens(texts)
        if counted is not None:
            return (counted, counted)
    words = len(text.split()) - text.count("\n/")
    return (max(words, (size - len(texts)) // LONGEST_TOKEN), size)


def json_tokens(value: Any) -> int:
    """Return the most tokens of *value*, a JSON value of any depth: its bytes, written compactly."""
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
