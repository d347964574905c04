"""Documented limits and answers of the fine-tuning API, read from rules/job.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pytest_vft.json_schema import schema_problems
from pytest_vft.resources import read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class JobApi:
    """Limits and answers of the fine-tuning API.

    *settings* is a JSON Schema; files over *plain_bytes* are uploaded in parts of *part_bytes*; *errors*
    maps error codes to their meaning, *safety* safety categories to descriptions.
    """

    settings: Mapping[str, Any]
    plain_bytes: int
    part_bytes: int
    skip_reasons: tuple[str, ...]
    errors: Mapping[str, str]
    safety: Mapping[str, str]


@cache
def job_api() -> JobApi:
    """Return the content of rules/job.toml."""
    content = read_table("job.toml")
    properties = content["settings"]["properties"]
    return JobApi(
        settings={"type": "object", "additionalProperties": False, "properties": properties},
        plain_bytes=content["upload"]["plain_bytes"],
        part_bytes=content["upload"]["part_bytes"],
        skip_reasons=tuple(content["skips"]["reasons"]),
        errors=content["errors"]["meaning"],
        safety=content["safety"]["categories"],
    )


def settings_problem(settings: Mapping[str, Any]) -> str | None:
    """Return a message that names the first invalid key of the job settings *settings*, or None."""
    return next(schema_problems(job_api().settings, settings), None)
