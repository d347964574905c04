"""Small nets with the inputs and outputs of those that find faces, as ONNX files written by hand.

A cell of the image that is red has a face: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

Shape = Sequence[int | str]
_FLOAT, _INTEGER = 1, 7  # TensorProto.DataType
_INTS = 7  # AttributeProto.AttributeType


def write_yunet(
    path: Path, *, side: int = 320, score: float = 1.0, inputs: str = "input", fails: bool = False
) -> str:
    """Write a net of the form of YuNet; red cells of 8 x 8 pixels have *score* and boxes e times as large.

    A net that *fails* can be opened, but not run.
    """
    cells = {stride: (side // stride) ** 2 for stride in (8, 16, 32)}
    nodes = [
        _node("Conv", [inputs, "weights"], ["map"], kernel_shape=[8, 8], strides=[8, 8]),
        _node("Reshape", ["map", "shape"], ["cls_8"]),
        _node("Identity", ["cls_8"], ["obj_8"]),
    ]
    # Channels are blue, green and red.
    tensors = [
        _floats("weights", [1, 3, 8, 8], [*[0.0] * 128, *[score / 255 / 64] * 64]),
        _integers("shape", [1, cells[8], 1]),
        _floats("box_8", [1, cells[8], 4], [0.5, 0.5, 1.0, 1.0] * cells[8]),
    ]
    nodes.append(_node("Identity", ["box_8"], ["bbox_8"]))
    outputs: dict[str, Shape] = {
        "cls_8": [1, cells[8], 1],
        "obj_8": [1, cells[8], 1],
        "bbox_8": [1, cells[8], 4],
    }
    for stride in (16, 32):
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4)):
            constant, output = f"no_{name}_{stride}", f"{name}_{stride}"
            tensors.append(_floats(constant, [1, cells[stride], width], [0.0] * cells[stride] * width))
            nodes.append(_node("Identity", [constant], [output]))
            outputs[output] = [1, cells[stride], width]
    shape: Shape = [1, 3, side, side]
    if fails:
        nodes.append(_node("Reshape", [inputs, "too small"], ["nothing"]))
        tensors.append(_integers("too small", [7, 7]))
        shape = ["n", 3, "height", "width"]
    path.write_bytes(_model(nodes, tensors, {inputs: shape}, outputs))
    return str(path)


def write_centerface(path: Path) -> str:
    """Write a net of the form of CenterFace, exported like it for images of 32 by 32 pixels."""
    reds = [1 / 255 / 16] * 16 + [0.0] * 32
    nodes, tensors, outputs = [], [], dict[str, Shape]()
    for name, channels, bias in (("537", 1, 0.0), ("538", 2, 2.0), ("539", 2, 0.0), ("540", 10, 0.0)):
        weights = reds if channels == 1 else [0.0] * 48 * channels
        tensors += [
            _floats(f"w{name}", [channels, 3, 4, 4], weights),
            _floats(f"b{name}", [channels], [bias] * channels),
        ]
        inputs = ["input.1", f"w{name}", f"b{name}"]
        nodes.append(_node("Conv", inputs, [name], kernel_shape=[4, 4], strides=[4, 4]))
        outputs[name] = [10, channels, 8, 8]
    path.write_bytes(_model(nodes, tensors, {"input.1": [10, 3, 32, 32]}, outputs))
    return str(path)


def write_other(path: Path) -> str:
    """Write a net that finds something else."""
    nodes = [_node("Identity", ["pixels"], ["classes"])]
    path.write_bytes(_model(nodes, [], {"pixels": [1, 3, 224, 224]}, {"classes": [1, 3, 224, 224]}))
    return str(path)


def _model(
    nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: dict[str, Shape], outputs: dict[str, Shape]
) -> bytes:
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"net"),
            *(_field(5, tensor) for tensor in tensors),
            *(_field(11, _value(*one)) for one in inputs.items()),
            *(_field(12, _value(*one)) for one in outputs.items()),
        ]
    )
    return _field(1, 8) + _field(8, _field(1, b"") + _field(2, 13)) + _field(7, graph)


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Sequence[int]) -> bytes:
    return b"".join(
        [
            *(_field(1, name.encode()) for name in inputs),
            *(_field(2, name.encode()) for name in outputs),
            _field(4, kind.encode()),
            *(
                _field(
                    5, _field(1, name.encode()) + b"".join(_field(8, n) for n in numbers) + _field(20, _INTS)
                )
                for name, numbers in attributes.items()
            ),
        ]
    )


def _floats(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    return _tensor(name, shape, _FLOAT, struct.pack(f"<{len(values)}f", *values))


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _tensor(name, [len(values)], _INTEGER, struct.pack(f"<{len(values)}q", *values))


def _tensor(name: str, shape: Sequence[int], kind: int, data: bytes) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, kind) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, shape: Shape) -> bytes:
    dims = (_field(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape)
    tensor = _field(1, _FLOAT) + _field(2, b"".join(_field(1, dim) for dim in dims))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    data = b""
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])
