"""Plans for tests: all rules for OpenAI at full depth, with options for other settings."""

from __future__ import annotations

from typing import Any

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.selftest import case_provider
from pytest_vft.facts.tokens import TileTokens


def plan(**changes: Any) -> LintPlan:
    values: dict[str, Any] = {
        "rules": select_rules(shipped_rules(), case_provider()),
        "image_tokens": TileTokens(base=85, tile=170),
        "full": True,
        "max_findings": 0,
    }
    return LintPlan(**{**values, **changes})
