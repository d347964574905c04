"""What a worker needs besides its shard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.model import Scope
from pytest_vft.reading.remote import LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LintPlan:
    """The settings of a run, the same for all shards, as plain data that can be pickled.

    *image_tokens* counts the tokens of an image, None if that is unknown; *full* decodes images whole;
    *max_findings* is how many findings are kept for each rule and file, 0 for all; *cache* is the
    folder with results of earlier runs; signed URLs are judged at the time *now*.
    """

    rules: tuple[Rule, ...]
    image_tokens: ImageTokens | None
    full: bool
    max_findings: int
    cache: Path | None = None
    now: datetime = LONG_AGO

    def rules_of(self, scope: Scope) -> tuple[Rule, ...]:
        """Return the rules of *scope*, in the order of their verdicts."""
        return tuple(rule for rule in self.rules if rule.scope == scope)
