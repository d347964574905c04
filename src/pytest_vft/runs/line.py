"""A check of one line or element."""

from __future__ import annotations

import warnings
from dataclasses import replace

from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.model import Finding
from pytest_vft.reading.shards import Shard
from pytest_vft.runs.lint import make_plan
from pytest_vft.runs.records import make_finding
from pytest_vft.runs.settings import Settings


def run_line(settings: Settings, shard: Shard, line: int, prefix: str = "") -> tuple[Finding, ...]:
    """Return the findings on *shard*, which is line *line* of its file, or the element at *prefix* there."""
    measurers = needed_measurers(settings.rules)
    plan = replace(make_plan(settings, settings.rules), cache=None, measurers=measurers)
    linter = ShardLinter(plan, open_image_store(plan))
    by_id = {rule.id: rule for rule in settings.rules}
    shard = shard._replace(ignored=settings.ignored[shard.path])
    with warnings.catch_warnings(action="ignore"):
        totals = linter.lint(shard)
    return tuple(
        make_finding(
            by_id[found.rule],
            by_id[found.rule].severity,
            shard.path,
            found._replace(line=line, pointer=prefix + found.pointer),
        )
        for found in totals.findings
    )
