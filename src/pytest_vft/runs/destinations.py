"""Where outputs are written: a folder, or objects below a URL."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pytest_vft.errors import UsageError
from pytest_vft.fixing.result import FixResult
from pytest_vft.outputs.names import url_of
from pytest_vft.reading.object_paths import is_object, is_url
from pytest_vft.report.build import BuiltDataset
from pytest_vft.report.conversion import Conversion

_Result = TypeVar("_Result", Conversion, FixResult, BuiltDataset)


def write_below(
    out: Path,
    inputs: Iterable[str],
    write: Callable[[Path, bool], _Result],
    data: Callable[[_Result], Sequence[str]],
    *,
    force: bool,
) -> _Result:
    """Return the result of *write* for the folder *out* and *force*, or for objects below *out*, a URL.

    *inputs* are the files that are read, and *data* returns the paths of the data files that were written, of
    which there are none if nothing was. Raises UsageError, also if an upload fails.
    """
    url = url_of(out)
    if not is_object(url):
        if is_url(url):
            scheme = url.partition(":")[0]
            raise UsageError(f"--out={scheme}://...: expected a folder, or s3://..., gs://... or az://...")
        return write(out, force)
    from pytest_vft.outputs.upload import uploading  # noqa: PLC0415 - for object storage only

    with uploading(url, inputs, force=force) as upload:
        result = write(upload.folder, True)
        if written := data(result):
            beside = getattr(result, "side_files", ())
            upload.send(
                *({os.path.relpath(path, upload.folder) for path in paths} for paths in (written, beside))
            )
    moved: _Result = _moved(result, str(upload.folder), url)
    if isinstance(moved, FixResult):
        return moved
    done = f"copy {shlex.quote(f'{url}/images')} to {shlex.quote(f'{url}/images')}"
    # Other steps than copying need the files on this machine.
    return replace(moved, next=tuple(one for one in moved.next if one.startswith("copy ") and one != done))


def _moved(value: Any, old: str, new: str) -> Any:
    """Return *value*, plain data and records, with *new* in place of *old* in all texts."""
    if isinstance(value, str):
        return value.replace(f"{old}{os.sep}", f"{new}/").replace(old, new)
    if isinstance(value, tuple | list):
        items = [_moved(one, old, new) for one in value]
        if all(one is other for one, other in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, Mapping):
        moved = {key: _moved(one, old, new) for key, one in value.items()}
        return value if all(one is value[key] for key, one in moved.items()) else moved
    if is_dataclass(value) and not isinstance(value, type):
        before = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        changed = {name: now for name, one in before.items() if (now := _moved(one, old, new)) is not one}
        return replace(value, **changed) if changed else value
    return value
