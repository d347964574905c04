"""What the API of fine-tuning jobs takes and answers, read from rules/job.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pytest_vft.json_schema import schema_problems
from pytest_vft.resources import rules_root


@dataclass(frozen=True, slots=True, kw_only=True)
class JobApi:
    """Limits and words of the API.

    *settings* is a JSON schema; files over *plain_bytes* go up in parts of *part_bytes*; *errors* maps
    error codes to what they mean, *safety* the safety categories to what they are about.
    """

    settings: Mapping[str, Any]
    plain_bytes: int
    part_bytes: int
    skip_reasons: tuple[str, ...]
    errors: Mapping[str, str]
    safety: Mapping[str, str]


@cache
def job_api() -> JobApi:
    """Return what is documented."""
    content = tomllib.loads((rules_root() / "job.toml").read_text(encoding="utf-8"))
    return JobApi(
        settings={
            "type": "object",
            "additionalProperties": False,
            "properties": content["settings"]["properties"],
        },
        plain_bytes=content["upload"]["plain_bytes"],
        part_bytes=content["upload"]["part_bytes"],
        skip_reasons=tuple(content["skips"]["reasons"]),
        errors=content["errors"]["meaning"],
        safety=content["safety"]["categories"],
    )


def settings_problem(settings: Mapping[str, Any]) -> str | None:
    """Return what is wrong with *settings* of a job, naming the key; None if nothing is."""
    return next(schema_problems(job_api().settings, settings), None)
