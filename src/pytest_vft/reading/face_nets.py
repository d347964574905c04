"""Nets that find faces: how each is recognised, what it sees, and how its outputs are read.

onnxruntime runs them. It is imported, with the numpy that it needs, when the first net is opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from PIL import Image

from pytest_vft.reading.views import LONGEST_SIDE

# Sizes of inputs or outputs by their names; None or a name for a side that may have any size.
Shapes = Mapping[str, Sequence[int | str | None]]

_STEP, _LARGEST = 32, 1_280  # pixels: the coarsest stride of the nets, and a bound of memory
_INPUT, _STRIDE = "input.1", 4  # of CenterFace; pixels of a cell
_CENTERFACE = {"537": 1, "538": 2, "539": 2, "540": 10}  # outputs and their channels
_STRIDES = (8, 16, 32)  # of YuNet
_YUNET = {"cls": 1, "obj": 1, "bbox": 4}  # outputs for each stride, and the values of a cell
_MOST_LENGTH = 10.0  # of the logarithm of a side

EXPECTED = (
    "expected CenterFace (input input.1 with 3 channels; outputs 537, 538, 539 and 540) or YuNet (one input "
    "with 3 channels; outputs cls_N, obj_N and bbox_N for N of 8, 16 and 32)"
)


class Face(NamedTuple):
    """The most likely face: its score, from 0 to 1, and its sides: left, top, right, bottom, in shares."""

    score: float
    box: tuple[float, float, float, float]


class Net(Protocol):
    """A kind of net. It sees an image of *side* by *side* pixels."""

    @property
    def side(self) -> int:
        """The sides of its input in pixels."""

    @property
    def threshold(self) -> float:
        """The score of the net from which an image counts as one with a face."""

    def find(self, session: Any, image: Image.Image) -> tuple[float, tuple[float, float, float, float]]:
        """Return the highest score of *image* and its box, left, top, width and height in pixels."""


@dataclass(frozen=True, slots=True)
class CenterFace:
    """https://github.com/Star-Clouds/CenterFace: a heat map of centres, with sizes and offsets (MIT)."""

    side: int = LONGEST_SIDE
    threshold: float = 0.60

    def find(self, session: Any, image: Image.Image) -> tuple[float, tuple[float, float, float, float]]:
        """See Net; colours are red, green and blue from 0 to 255."""
        heat, sizes, offsets, _ = session.run(list(_CENTERFACE), {_INPUT: _array(image)})
        row, column = divmod(int(heat[0, 0].argmax()), heat.shape[3])
        down, right = (float(offsets[0, axis, row, column]) for axis in (0, 1))
        height, width = (_length(_STRIDE, sizes[0, axis, row, column]) for axis in (0, 1))
        left = _STRIDE * (column + right + 0.5) - width / 2
        top = _STRIDE * (row + down + 0.5) - height / 2
        return float(heat[0, 0, row, column]), (left, top, width, height)


@dataclass(frozen=True, slots=True)
class YuNet:
    """https://github.com/ShiqiYu/libfacedetection.train: a score and a box for each cell of three grids."""

    side: int = LONGEST_SIDE
    threshold: float = 0.80

    def find(self, session: Any, image: Image.Image) -> tuple[float, tuple[float, float, float, float]]:
        """See Net; colours are blue, green and red from 0 to 255."""
        names = [f"{name}_{stride}" for stride in _STRIDES for name in _YUNET]
        found = iter(session.run(names, {session.get_inputs()[0].name: _array(image)[:, ::-1]}))
        best = (-1.0, (0.0, 0.0, 0.0, 0.0))
        for stride in _STRIDES:
            classes, objects, boxes = (next(found)[0] for _ in _YUNET)
            classes, objects = classes[:, 0].clip(0, 1), objects[:, 0].clip(0, 1)
            cell = int((classes * objects).argmax())
            score = math.sqrt(float(classes[cell] * objects[cell]))
            if math.isnan(score):
                return score, best[1]
            if score > best[0]:
                row, column = divmod(cell, self.side // stride)
                right, down, *lengths = boxes[cell]
                width, height = (_length(stride, length) for length in lengths)
                left = stride * (column + float(right)) - width / 2
                best = score, (left, stride * (row + float(down)) - height / 2, width, height)
        return best


def recognise(inputs: Shapes, outputs: Shapes) -> Net | None:
    """Return the kind of a net with *inputs* and *outputs*; None for any other net."""
    if len(inputs) != 1:
        return None
    ((name, shape),) = inputs.items()
    if len(shape) != 4 or not _fits(shape[:2], (1, 3)):  # noqa: PLR2004 - images, channels, height, width
        return None
    sides = {side for side in shape[2:] if isinstance(side, int)} or {LONGEST_SIDE}
    side = min(sides)
    if len(sides) > 1 or not _STEP <= side <= _LARGEST or side % _STEP:
        return None
    maps: dict[str, tuple[int, ...]]
    if name == _INPUT and outputs.keys() == _CENTERFACE.keys():
        net: Net = CenterFace(side)
        cells = side // _STRIDE
        maps = {output: (1, channels, cells, cells) for output, channels in _CENTERFACE.items()}
    else:
        net = YuNet(side)
        counts = {stride: (side // stride) ** 2 for stride in _STRIDES}
        maps = {f"{one}_{stride}": (1, counts[stride], n) for stride in counts for one, n in _YUNET.items()}
    return net if all(output in outputs and _fits(outputs[output], maps[output]) for output in maps) else None


def _fits(shape: Sequence[int | str | None], expected: Sequence[int]) -> bool:
    """Return whether an output of *shape* may have the *expected* sizes."""
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(not isinstance(a, int) or a == b for a, b in pairs)


def find_face(net: Net, session: Any, image: Image.Image) -> Face:
    """Return the most likely face of *image*, in mode RGB, which *net* sees scaled to its longest side.

    The score is 0.5 at the threshold of the net and linear on both sides, so that scores of different nets
    can be compared with one limit. Raises ValueError for outputs that are not numbers.
    """
    scale = net.side / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    canvas = Image.new("RGB", (net.side, net.side))
    canvas.paste(image.resize((width, height), Image.Resampling.BILINEAR))
    raw, (left, top, across, down) = net.find(session, canvas)
    if any(map(math.isnan, (raw, left, top, across, down))):
        raise ValueError("its output is not a number")
    sides = (left / width, top / height, (left + across) / width, (top + down) / height)
    x, y, right, bottom = (min(max(side, 0.0), 1.0) for side in sides)
    return Face(_scaled(min(max(raw, 0.0), 1.0), net.threshold), (x, y, right, bottom))


def _scaled(score: float, threshold: float) -> float:
    below = score < threshold
    return score / threshold / 2 if below else 0.5 + (score - threshold) / (1 - threshold) / 2


def _length(stride: int, logarithm: float) -> float:
    """Return a side of a box in pixels; a net with other weights may have any output."""
    return stride * math.exp(min(float(logarithm), _MOST_LENGTH))


def _array(image: Image.Image) -> Any:
    """Return *image* as an array of 1 x 3 x height x width, from 0 to 255."""
    import numpy as np  # noqa: PLC0415 - onnxruntime needs it, and no other code

    return np.asarray(image, np.float32).transpose(2, 0, 1)[None]
