"""Fuzz targets: each takes any bytes, and raises an exception only if there is a defect.

A target writes its input to a file in a folder of its own, reads the file as a user would, and accepts
a report or an error of the package. Anything else is a defect: another exception, a control character
in a message, or a report that cannot be written.
"""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unicodedata import category

import orjson
from PIL import Image, UnidentifiedImageError

from pytest_vft import VftError, lint, show
from pytest_vft.catalogue.load import load_rules, shipped_rules
from pytest_vft.catalogue.providers import read_provider_file
from pytest_vft.evaluation.predictions import Keys, read_predictions
from pytest_vft.reading.arrays import cut_array, open_array, parse_element
from pytest_vft.reading.elements import read_elements
from pytest_vft.reading.files import ARRAY, OpenedFile
from pytest_vft.reading.jpeg import ordinary_header
from pytest_vft.report.formats import render
from pytest_vft.runs.config import load_config
from pytest_vft.web.requesting import declared_size

FORMATS = ("openai-preference", "sharegpt", "llamafactory", "trl", "swift", "axolotl", "gemini", "bedrock")

# Controls, surrogates, and separators of lines and paragraphs; other characters are only shown.
_HARMFUL = frozenset({"Cc", "Cs", "Zl", "Zp"})

Target = Callable[[bytes, Path], None]


def fuzz_line(data: bytes, folder: Path) -> None:
    """Check a file with these bytes; the report must be writable."""
    path = folder / "train.jsonl"
    path.write_bytes(data)
    try:
        report = lint(path, offline=True)
    except VftError as error:
        _check_message(error)
    else:
        _check_text(render(report, "text"))
        json.loads(render(report, "json"))


def fuzz_format(data_format: str, data: bytes, folder: Path) -> None:
    """Check and show a file of *data_format* with these bytes; report and example must be writable."""
    path = folder / "train.jsonl"
    path.write_bytes(data)
    try:
        report = lint(path, data_format=data_format, offline=True, cache=False)
        _check_text(render(report, "text"))
        _check_text(show(path, 1, data_format=data_format))
    except VftError as error:
        _check_message(error)


def fuzz_array(data: bytes, folder: Path) -> None:
    """Check an array with these bytes between brackets, whole and in shards: its elements are the same."""
    path = folder / "train.json"
    path.write_bytes(b"[" + data)
    opened = OpenedFile(1 + len(data), ARRAY, False, None)
    whole, first_line = open_array(str(path), "train", opened)
    elements = list(read_elements(whole))
    shards, starts, *_ = cut_array(str(path), "train", opened, 1)
    assert [first_line + element.line for element in elements] == list(starts)
    parts = [element for shard in shards for element in read_elements(shard)]
    assert [one[:2] for one in parts] == [one[:2] for one in elements], "shards change the elements"
    try:
        expected = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        pass
    else:
        assert [parse_element(element).value for element in elements] == expected, "the elements differ"
    fuzz_line(b"[" + data, folder)


def fuzz_jpeg(data: bytes, _folder: Path) -> None:
    """Compare our reader of ordinary JPEG headers with Pillow: the same mode and size, or none."""
    found = ordinary_header(data)
    if found is None or not data.startswith(b"\xff\xd8\xff"):
        return
    with warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                expected = (image.mode, *image.size)
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
            return  # a header that Pillow refuses, which full depth reports
    assert found == expected, f"{found} is not {expected}"


def fuzz_rule(data: bytes, folder: Path) -> None:
    """Load a rule file."""
    path = folder / "message" / "fuzzed.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    _expect_error_or_value(lambda: load_rules(path))


def fuzz_provider(data: bytes, folder: Path) -> None:
    """Load a provider file."""
    path = folder / "fuzzed.toml"
    path.write_bytes(data)
    _expect_error_or_value(lambda: read_provider_file(path, shipped_rules()))


def fuzz_config(data: bytes, folder: Path) -> None:
    """Load a configuration file."""
    path = folder / "vft.toml"
    path.write_bytes(data)
    _expect_error_or_value(lambda: load_config(path))


def fuzz_content_range(data: bytes, _folder: Path) -> None:
    """Read the size in a Content-Range header."""
    headers = {"Content-Range": data.decode("latin-1")}
    response: Any = SimpleNamespace(status=206, headers=headers, content_length=None)
    size = declared_size(response)
    assert size is None or size >= 0


def fuzz_predictions(data: bytes, folder: Path) -> None:
    """Read a file of predictions."""
    path = folder / "predictions.jsonl"
    path.write_bytes(data)
    _expect_error_or_value(lambda: read_predictions(str(path), Keys()))


TARGETS: Mapping[str, Target] = {
    "line": fuzz_line,
    **{name: partial(fuzz_format, name) for name in FORMATS},
    "array": fuzz_array,
    "jpeg": fuzz_jpeg,
    "rule": fuzz_rule,
    "provider": fuzz_provider,
    "config": fuzz_config,
    "content_range": fuzz_content_range,
    "predictions": fuzz_predictions,
}


def run_once(name: str, data: bytes) -> None:
    """Run the target *name* on *data* in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        TARGETS[name](data, Path(folder))


def _expect_error_or_value(call: Callable[[], object]) -> None:
    try:
        call()
    except VftError as error:
        _check_message(error)


def _check_message(error: VftError) -> None:
    text = str(error)
    assert "\n" not in text, f"the message has a line break: {text!r}"
    _check_text(text)


def _check_text(text: str) -> None:
    bad = sorted({char for char in text if char != "\n" and category(char) in _HARMFUL})
    assert not bad, f"the text has {bad!r}"
