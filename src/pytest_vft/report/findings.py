"""Findings for CI systems: with paths relative to the repository and stable fingerprints."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pytest_vft.model import Finding, Report
from pytest_vft.reading.object_paths import is_object


class RepositoryFinding(NamedTuple):
    """A finding with the path of its file in the repository and its fingerprint; whether it is known."""

    finding: Finding
    path: str
    fingerprint: str
    known: bool


def repository_findings(report: Report, limit: int) -> tuple[list[RepositoryFinding], int]:
    """Return the first *limit* findings of *report* and the number of the others.

    Errors come first, and known findings last. Equal findings are numbered from the known ones on, so that
    a new one does not take the fingerprint of a known one.
    """
    findings = (*report.known, *report.findings)
    paths = repository_paths(finding.path for finding in findings)
    found = [
        RepositoryFinding(finding, paths[finding.path], name, number < len(report.known))
        for number, (finding, name) in enumerate(zip(findings, fingerprints(findings, paths), strict=True))
    ]
    found.sort(key=lambda one: (one.known, one.finding.severity != "error"))
    return found[:limit], len(found[limit:]) + dropped(report)


def repository_paths(files: Iterable[str]) -> Mapping[str, str]:
    """Return the path of each of *files*, relative to the root of the repository, with slashes.

    The root is the current folder or the nearest parent that contains .git, or else the current folder;
    the path of a file outside is absolute, and that of an object in object storage its URL.
    """
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    paths = {}
    for path in set(files):
        if is_object(path):
            paths[path] = path
            continue
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link stays a link
        inside = absolute.is_relative_to(root)
        paths[path] = (absolute.relative_to(root) if inside else absolute).as_posix()
    return paths


def by_file(findings: Iterable[Finding]) -> Mapping[str, Sequence[Finding]]:
    """Return *findings* by the paths of their files; a file without findings has no entry."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.path, []).append(finding)
    return found


def fingerprints(findings: Sequence[Finding], paths: Mapping[str, str]) -> list[str]:
    """Return a fingerprint for each finding that does not change when its line or element moves.

    Findings with equal fingerprints, such as those on equal lines, are numbered.
    """
    seen: Counter[str] = Counter()
    names = []
    for one in findings:
        digest = fingerprint(one, paths[one.path])
        seen[digest] += 1
        names.append(f"{digest}:{seen[digest]}")
    return names


def fingerprint(finding: Finding, path: str) -> str:
    """Return the fingerprint of *finding* in the file that is named *path*; equal findings have the same."""
    pointer = finding.pointer
    if finding.element is not None:
        pointer = pointer.removeprefix(f"/{finding.element}")
    content = "\0".join((finding.rule, path, finding.example or "", pointer))
    return xxh3_128_hexdigest(content.encode("utf-8", "surrogatepass"))


def dropped(report: Report) -> int:
    """Return the number of findings of *report* that were not kept."""
    return sum(rule.truncated for rule in report.rules)
