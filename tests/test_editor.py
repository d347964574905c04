"""What editors get: schemas that describe each key, and the entry for SchemaStore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import schema

ROOT = Path(__file__).parents[1]


def undescribed(part: Any, place: str = "") -> Iterator[str]:
    """Yield the places of the properties in *part* that have neither a description nor a reference."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    properties = part.get("properties", {})
    for name, one in properties.items() if isinstance(properties, dict) else ():
        if isinstance(one, dict) and not {"description", "$ref"} & one.keys():
            yield f"{place}/{name}"
    for name, one in part.items():
        yield from undescribed(one, f"{place}/{name}")


@pytest.mark.parametrize("name", ["rule", "provider", "config"])
def test_each_key_is_described(name: str) -> None:
    read = schema(name)

    assert read["$id"] == f"urn:pytest-vft:{name}"
    assert read["description"]
    assert list(undescribed(read)) == []


def test_schemastore_names_files_of_this_repository() -> None:
    (entry,) = json.loads((ROOT / "schemastore.json").read_text(encoding="utf-8"))

    _, _, path = entry["url"].partition("/pytest-vft/pytest-vft/main/")
    assert json.loads((ROOT / path).read_text(encoding="utf-8")) == schema("config")
    assert entry["fileMatch"] == ["vft.toml"]
