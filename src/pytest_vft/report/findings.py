"""Findings as CI systems keep them: by paths of the repository, under names that last."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pytest_vft.model import Finding, Report


class RepositoryFinding(NamedTuple):
    """A finding with the path of its file in the repository, and the name that it keeps."""

    finding: Finding
    path: str
    fingerprint: str


def repository_findings(report: Report, most: int) -> tuple[list[RepositoryFinding], int]:
    """Return the first *most* findings of *report*, errors first, and how many more there are."""
    findings = report.findings
    paths = repository_paths(findings)
    names = fingerprints(findings, paths)
    named = [RepositoryFinding(one, paths[one.path], name) for one, name in zip(findings, names, strict=True)]
    named.sort(key=lambda one: one.finding.severity != "error")
    return named[:most], len(named[most:]) + dropped(report)


def repository_paths(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Return the path of each file of *findings* from the root of the repository, with slashes.

    The root is the nearest folder upwards from the current one that holds .git, else the current
    one; the path of a file outside is absolute.
    """
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    paths = {}
    for path in {finding.path for finding in findings}:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link stays a link
        inside = absolute.is_relative_to(root)
        paths[path] = (absolute.relative_to(root) if inside else absolute).as_posix()
    return paths


def fingerprints(findings: Sequence[Finding], paths: Mapping[str, str]) -> list[str]:
    """Return a name for each of *findings* that stays when its line moves.

    It is made of the rule, the file, the content of the example and the place in it; findings that
    have all of it in common, as those on equal lines, are numbered.
    """
    seen: Counter[str] = Counter()
    names = []
    for one in findings:
        content = "\0".join((one.rule, paths[one.path], one.example or "", one.pointer))
        digest = xxh3_128_hexdigest(content.encode("utf-8", "surrogatepass"))
        seen[digest] += 1
        names.append(f"{digest}:{seen[digest]}")
    return names


def dropped(report: Report) -> int:
    """Return how many findings of *report* were not kept."""
    return sum(rule.truncated for rule in report.rules)
