"""Whether a face can be seen in an image, by a net that the user's environment or configuration has.

Figures, and what such a net cannot tell: docs/explanation/image-content.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from PIL import Image

from pytest_vft.errors import LintError, UsageError, describe_os_error
from pytest_vft.reading.face_nets import EXPECTED, Face, Net, find_face, recognise
from pytest_vft.reading.interrupts import interrupts_held
from pytest_vft.reading.measurers import Columns
from pytest_vft.reading.views import DecodedImage, View
from pytest_vft.regular_files import regular

_LARGEST = 64 * 1024 * 1024  # bytes of a model; the known ones have 0.3 and 7 MB

# Sizes of the inputs and outputs of CenterFace as it was exported: ten images of 32 by 32 pixels. A size
# without a value is any size, and takes as many bytes in the file
# (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, TensorShapeProto).
_ANY = b"\n\x02\x12\0"
_CHANNELS_AND_SIDES = ((3, 32), (1, 8), (2, 8), (10, 8))

Box = tuple[float, float, float, float]


class FaceModel(NamedTuple):
    """A file with a net, and the SHA-256 of its content in hexadecimal."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Faces:
    """The most likely face of an image, found by *model*, which a process opens when it first measures."""

    model: FaceModel
    columns: tuple[str, ...] = ("face_score", "face_box")
    views: frozenset[View] = frozenset({"large"})

    @property
    def id(self) -> str:
        """The name, the version, and the beginning of the hash of the model."""
        return f"faces 4 {self.model.sha256[:16]}"

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the score, from 0 to 100, and the box of the most likely face in each of *images*."""
        return [self._measure(one) for one in images]

    def _measure(self, image: DecodedImage) -> Columns:
        if image.large is None:
            return dict.fromkeys(self.columns)
        score, box = _look(self.model, *_opened(self.model, os.getpid()), image.large)
        left, top, right, bottom = stored_box(box, image.orientation)
        x, y = round(left * image.width), round(top * image.height)
        width, height = round(right * image.width) - x, round(bottom * image.height) - y
        return {"face_score": int(100 * score), "face_box": f"{x},{y},{width},{height}"}


def _look(model: FaceModel, net: Net, session: Any, image: Image.Image) -> Face:
    """Return the most likely face of *image*. Raises LintError if the net fails."""
    try:
        return find_face(net, session, image)
    except Exception as error:  # noqa: BLE001 - there is no common class of the exceptions of onnxruntime
        raise LintError(f"{model.path}: cannot be run: {error}") from None


def stored_box(box: Box, orientation: int) -> Box:
    """Return *box*, sides of an upright image in shares of it, for the image as it is stored.

    *orientation* is that of EXIF, by which the image is turned upright.
    """
    left, top, right, bottom = box
    if orientation in (5, 6, 7, 8):  # rows are stored as columns
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 6, 7):
        top, bottom = 1 - bottom, 1 - top
    return left, top, right, bottom


def read_model(path: str | os.PathLike[str]) -> tuple[FaceModel, bytes]:
    """Return the model at *path* and its content. Raises OSError, UsageError for a file that is too large."""
    with open(path, "rb", opener=regular) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: has more than {_LARGEST:,} bytes; {EXPECTED}")
    return FaceModel(os.fspath(path), sha256(data).hexdigest()), data


@lru_cache(1)
def _opened(model: FaceModel, process: int) -> tuple[Net, Any]:
    """Return *model* opened in this *process*: a session does not survive a fork. Raises LintError."""
    del process  # part of the key of the cache
    try:
        same, data = read_model(model.path)
    except OSError as error:
        raise LintError(describe_os_error(error)) from None
    if same != model:
        raise LintError(f"{model.path}: has changed since the start of the check; start it again")
    return open_model(model, data)


def try_model(model: FaceModel, data: bytes) -> None:
    """Open *model* and run it once. Raises LintError if it cannot find faces."""
    _look(model, *open_model(model, data), Image.new("RGB", (1, 1)))


def open_model(model: FaceModel, data: bytes) -> tuple[Net, Any]:
    """Return the kind of *model* and a session that runs it. Raises UsageError for an unknown net."""
    with interrupts_held():  # the import of numpy in C raises ImportError instead of KeyboardInterrupt
        import onnxruntime  # noqa: PLC0415 - 80 ms, for runs that look for faces

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # processes are the parallelism
    options.enable_cpu_mem_arena = False  # which keeps memory
    options.log_severity_level = 4  # fatal: errors are raised as well
    try:
        session = onnxruntime.InferenceSession(_any_size(data), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - there is no common class of its exceptions
        raise UsageError(f"{model.path}: cannot be opened as an ONNX model: {error}") from None
    inputs, outputs = (
        {one.name: one.shape for one in some} for some in (session.get_inputs(), session.get_outputs())
    )
    net = recognise(inputs, outputs)
    if net is None:
        found = f"its input is {_words(inputs)}, its outputs are {_words(outputs)}"
        raise UsageError(f"{model.path}: is not a model that finds faces: {found}; {EXPECTED}")
    return net, session


def _words(shapes: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())[:500]


def _any_size(data: bytes) -> bytes:
    """Return the model *data*, which takes images of any size if it was exported for ten small images."""
    for channels, side in _CHANNELS_AND_SIDES:
        exported = b"".join(b"\n\x02\x08" + bytes([size]) for size in (10, channels, side, side))
        free = b"".join(
            (b"\n\x02\x12\0", b"\n\x02\x08" + bytes([channels]), b"\n\x02\x12\0", b"\n\x02\x12\0")
        )
        data = data.replace(exported, free)
    return data
