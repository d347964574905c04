"""Plans to lint by: all rules for OpenAI, at full depth, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from pytest_vft.catalogue.files import read_schema
from pytest_vft.catalogue.foreign import read_foreign_formats
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.selftest import case_provider
from pytest_vft.checking.shard import LintPlan
from pytest_vft.facts.tokens import TileTokens


def plan(**changes: Any) -> LintPlan:
    values: dict[str, Any] = {
        "rules": select_rules(shipped_rules(), case_provider()),
        "schema": read_schema("example.schema.json"),
        "foreign": read_foreign_formats(),
        "image_tokens": TileTokens(base=85, tile=170),
        "full": True,
        "remotes": {},
        "ignored": {},
        "max_findings": 0,
    }
    return LintPlan(**{**values, **changes})
