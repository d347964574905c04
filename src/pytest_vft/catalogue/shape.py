"""The shape of a training example."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from pytest_vft.catalogue.foreign import ForeignFormats
from pytest_vft.catalogue.schema import SchemaError, describe, hint, place_name, schema_errors, validator_for
from pytest_vft.facts.example import MOST_FAULTS, Fault

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


class ExampleShape:
    """The shape of a training example, fast to check and explained place by place.

    jsonschema-rs answers yes or no in a microsecond; jsonschema finds the places, when it is no.
    """

    def __init__(self, schema: Mapping[str, Any], foreign: ForeignFormats) -> None:
        self._schema = schema
        self._foreign = foreign
        self.keys = frozenset(schema.get("properties", ()))
        self._fast = jsonschema_rs.validator_for(dict(schema))

    def is_valid(self, example: object) -> bool:
        """Return whether *example*, a JSON value, has the shape."""
        return self._fast.is_valid(example)

    def faults(self, example: object) -> list[Fault]:
        """Return each place where *example* has not the shape, one fault a place and cause."""
        foreign = self._foreign_example(example)
        if foreign:
            return [foreign]
        faults: dict[Fault, None] = {}
        try:
            for error in schema_errors(self._slow, example):
                faults[Fault(error.path, self._words(error))] = None
                if len(faults) == MOST_FAULTS:
                    break
        except RecursionError:  # jsonschema writes out each value that it refuses
            return [Fault((), "the example is nested too deeply")]
        return list(faults)

    @cached_property
    def _slow(self) -> Validator:
        return validator_for(self._schema)

    def _foreign_example(self, example: object) -> Fault | None:
        if not isinstance(example, dict):
            return None
        for shape in self._foreign.examples:
            keys = shape["keys"]
            if all(key in example for key in keys) and ("messages" in keys) == ("messages" in example):
                return Fault((), f"the example is {shape['name']}; {shape['advice']}")
        return None

    def _words(self, error: SchemaError) -> str:
        said = describe(place_name(error.path), error)
        part = self._foreign.parts.get(error.value) if _is_part_type(error.path, error.value) else None
        return f"{said} (it is {part['name']}: {part['advice']})" if part else said + hint(error.schema)


def _is_part_type(path: tuple[str | int, ...], value: object) -> bool:
    return path[2:3] == ("content",) and path[-1] == "type" and isinstance(value, str)
