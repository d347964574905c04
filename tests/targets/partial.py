"""Modules of packages that need a GPU's libraries or a cloud, loaded without these.

A package gets its folder and none of its own start-up code, and modules that are not needed get a stand-in.
The versions are fixed in .ci/targets, since another version may have its code elsewhere.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

Row = Mapping[str, Any]


def without_start(*names: str) -> None:
    """Make packages of *names*, the first of which is at the top, whose modules can be imported."""
    if names[0] in sys.modules:
        return
    top = find_spec(names[0])
    assert top is not None
    assert top.submodule_search_locations is not None
    folder = top.submodule_search_locations[0]
    for name in names:
        stand_in(name).__path__ = [os.path.join(folder, *name.split(".")[1:])]


def stand_in(name: str, **contents: Any) -> Any:
    """Make a module *name* with *contents*."""
    module = sys.modules[name] = ModuleType(name)
    module.__dict__.update(contents)
    return module


def opened(images: Iterable[Any]) -> int:
    """Open *images*, paths or data URLs, and return their number."""
    from PIL import Image

    number = 0
    for image in images:
        path = image["path"] if isinstance(image, Mapping) else image
        data = base64.b64decode(path.partition(",")[2], validate=True) if path.startswith("data:") else None
        with Image.open(io.BytesIO(data) if data else path) as one:
            one.convert("RGB")
        number += 1
    return number


def tags(texts: Iterable[Any]) -> int:
    return sum(text.count("<image>") for text in texts)


# LLaMA-Factory 0.9.5


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    FUNCTION = "function"
    OBSERVATION = "observation"


def llamafactory(rows: Iterable[Row], file: str) -> Iterator[int]:
    """Yield how many images each row has for LLaMA-Factory, by the description beside the file."""
    without_start("llamafactory", "llamafactory.data", "llamafactory.extras")
    stand_in("llamafactory.data.data_utils", Role=Role)
    stand_in("llamafactory.extras.logging", get_logger=_logger)
    converter = import_module("llamafactory.data.converter")
    described = json.loads(Path(file).with_name("dataset_info.json").read_bytes())
    (columns,) = (one for one in described.values() if one["file_name"] == Path(file).name)
    attributes = _dataset_attr(Path(converter.__file__).with_name("parser.py"))("file", dataset_name=file)
    attributes.join(columns)
    arguments = SimpleNamespace(media_dir=str(Path(file).parent))
    convert = converter.get_dataset_converter(attributes.formatting, attributes, arguments)
    for row in rows:
        aligned = convert(row)
        if not aligned["_prompt"]:
            raise ValueError("LLaMA-Factory drops the example")
        texts = [turn["content"] for turn in (*aligned["_prompt"], *aligned["_response"])]
        images = aligned["_images"] or []
        if tags(texts) != len(images):
            raise ValueError(f"{len(images)} images for {tags(texts)} tags")
        yield opened(images)


def _dataset_attr(parser: Path) -> Any:
    """Return the class DatasetAttr of *parser*, a module that needs the hub's client."""
    source = parser.read_text(encoding="utf-8")
    start, end = source.index("@dataclass\nclass DatasetAttr"), source.index("\n\n\ndef get_dataset_list")
    names = {"dataclass": dataclass, "Any": Any, "Literal": typing.Literal, "__name__": __name__}
    exec(source[start:end], names)  # noqa: S102 - a class of the package
    return names["DatasetAttr"]


# ms-swift 4.6.0


def swift(rows: Iterable[Row], _: str) -> Iterator[int]:
    """Yield how many images each row has for ms-swift; a row that raises is left out of the training."""
    without_start("swift", "swift.dataset", "swift.dataset.preprocessor", "swift.template")
    schemas = _module("swift.utils.schema_utils", "utils", "schema_utils.py")
    stand_in("modelscope.hub.utils.utils", get_cache_dir=str)
    stand_in(
        "swift.utils",
        TOOL_KEYS=schemas.TOOL_KEYS,
        remove_arrow_padding=schemas.remove_arrow_padding,
        **dict.fromkeys(("is_dist", "is_master", "safe_ddp_context"), lambda: False),
        get_logger=_logger,
    )
    named = dict.fromkeys(("Messages", "Tool"), Any)
    stand_in("swift.template.utils", messages_to_history=None, get_last_user_round=_last_user, **named)
    sys.modules["swift.template"].__dict__["history_to_messages"] = None
    inputs = import_module("swift.template.template_inputs").TemplateInputs
    preprocessor = import_module("swift.dataset.preprocessor.core").MessagesPreprocessor()
    for row in rows:
        done = preprocessor.preprocess({key: value for key, value in row.items() if value is not None})
        for check in (
            preprocessor._check_rejected_response,
            preprocessor._check_messages,
            preprocessor._cast_mm_data,
        ):
            check(done)
        chosen = inputs.from_dict(done).chosen
        if not isinstance(chosen.system, str | None):
            raise TypeError("the system message is no string")
        found = tags(message["content"] for message in chosen.messages)
        if found != len(chosen.images):
            raise ValueError(f"{len(chosen.images)} images for {found} tags")
        yield opened(chosen.images)


def _last_user(messages: Any, *, include_tool: bool = True) -> int:
    """Return the index of the last message of a user, as swift.template.utils does, which needs torch."""
    roles = ("user", "tool", "tool_response") if include_tool else ("user",)
    return max((n for n, message in enumerate(messages) if message["role"] in roles), default=-1)


def _module(name: str, *path: str) -> Any:
    """Return the module *name* of swift, whose package is not started."""
    source = Path(sys.modules["swift"].__path__[0], *path).read_text(encoding="utf-8")
    module = stand_in(name)
    exec(source, module.__dict__)  # noqa: S102 - a module of the package
    return module


# Nova Forge 1.4.10


def nova(file: str) -> int:
    """Return how many images Amazon's validator has opened; it raises for a file that it does not take."""
    parts = ("core", "dataset", "dataset.configs", "dataset.dataset_validator", "validation", "util")
    without_start("amzn_nova_forge", *(f"amzn_nova_forge.{part}" for part in parts))
    bucket = _Bucket(Path(file).parent)
    module = import_module("amzn_nova_forge.dataset.dataset_validator.dataset_validator")
    stand_in("pymediainfo", MediaInfo=SimpleNamespace(parse=_tracks))  # which needs a library in C
    module.boto3 = SimpleNamespace(client=lambda *_, **__: bucket)
    enums = import_module("amzn_nova_forge.core.enums")
    validator = import_module("amzn_nova_forge.dataset.dataset_validator.sft_dataset_validator")
    rows = (json.loads(line) for line in Path(file).read_bytes().splitlines())
    validator.SFTDatasetValidator().validate(rows, enums.Model.NOVA_LITE)
    return len(bucket.opened)


def _tracks(path: str) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        track = SimpleNamespace(track_type="Image", width=image.width, height=image.height)
    return SimpleNamespace(tracks=[track])


class _Bucket:
    """A client of S3 whose objects are files: "s3://bucket/images/..." is *folder*/images/..."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.opened: list[str] = []

    def _path(self, key: str) -> Path:
        return self._folder / key

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, int]:  # noqa: N803 - names of boto3
        self.opened.append(f"{Bucket}/{Key}")
        return {"ContentLength": self._path(Key).stat().st_size}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> dict[str, Any]:  # noqa: N803, ARG002 - as above
        start, end = re.findall(r"\d*", Range.partition("=")[2])[0:3:2]
        content = self._path(Key).read_bytes()[int(start or 0) :]
        return {"Body": io.BytesIO(content[: int(end) + 1] if end else content)}

    def download_fileobj(self, *, Bucket: str, Key: str, Fileobj: Any) -> None:  # noqa: N803, ARG002 - as above
        Fileobj.write(self._path(Key).read_bytes())


def _logger(*_: Any) -> Any:
    logger = logging.getLogger("target")
    logger.warning_rank0 = logger.warning_rank0_once = logger.info
    return logger
