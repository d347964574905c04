"""Writing of examples as Parquet, with the column of images marked for the library datasets.

pyarrow (extra "parquet") is imported when a Parquet file is converted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pybase64

IMAGES = "images"
_BATCH = 8 * 1024 * 1024  # bytes of lines in a row group


def write_parquet(lines: Path, file: BinaryIO) -> None:
    """Write the examples in the file *lines*, JSON Lines, to *file*; embedded images become bytes.

    Raises OSError.
    """
    import pyarrow  # noqa: ICN001, PLC0415 - for Parquet only
    from pyarrow import parquet  # noqa: PLC0415 - as above

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    images = pyarrow.schema([(IMAGES, pyarrow.list_(image))])
    schema = images
    for rows in _batches(lines):
        plain = [{key: value for key, value in row.items() if key != IMAGES} for row in rows]
        found = pyarrow.Table.from_pylist(plain).schema
        schema = pyarrow.unify_schemas([schema, found], promote_options="permissive")
    names = [*(name for name in schema.names if name != IMAGES), IMAGES]
    schema = pyarrow.schema([schema.field(name) for name in names], {"huggingface": _features(schema)})
    with parquet.ParquetWriter(file, schema) as writer:
        for rows in _batches(lines):
            for row in rows:
                row[IMAGES] = list(map(_image, row[IMAGES]))
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))


def _batches(lines: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the examples of the file *lines* in batches of some MiB."""
    batch: list[dict[str, Any]] = []
    size = 0
    with lines.open("rb", 1024 * 1024) as file:
        for line in file:
            batch.append(orjson.loads(line))
            size += len(line)
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _image(reference: str) -> dict[str, bytes | str | None]:
    if reference[:5].lower() == "data:":
        return {"bytes": pybase64.b64decode(reference.partition(",")[2]), "path": None}
    return {"bytes": None, "path": reference}


def _features(schema: Any) -> str:
    """Return the features of datasets for *schema*, as JSON: those of the images are of type Image.

    Source: https://pypi.org/project/datasets/4.0.0/, datasets/features/features.py, read 2026-11-29.
    """
    features = {
        field.name: [{"_type": "Image"}] if field.name == IMAGES else _feature(field.type) for field in schema
    }
    return json.dumps({"info": {"features": features}})


def _feature(kind: Any) -> Any:
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    if pyarrow.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pyarrow.types.is_list(kind):
        return [_feature(kind.value_type)]
    names = {"double": "float64"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}
