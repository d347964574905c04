"""Several providers in one option, as in --provider=together,trl.

Each has settings of its own, and its id follows that of each rule: example/mixed-content[together].
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_vft.catalogue.providers import is_provider_file
from pytest_vft.catalogue.select import listed, select_bound
from pytest_vft.errors import UsageError
from pytest_vft.model import Report
from pytest_vft.runs.settings import Settings


def provider_names(given: str | os.PathLike[str] | Sequence[str] | None, folder: str = "") -> list[str]:
    """Return the names of providers and paths of provider files in *given*, each once.

    A text is a list of names and paths with commas between them, or the path of one file. Paths are relative
    to *folder*.
    """
    if given is None:
        return []
    texts = [os.fspath(given)] if isinstance(given, str | os.PathLike) else given
    names: list[str] = []
    for text in texts:
        whole = is_provider_file(text) and Path(folder, text).is_file()
        names += [text] if whole else listed(text)
    return list(dict.fromkeys(str(Path(folder, name)) if is_provider_file(name) else name for name in names))


def by_provider(settings: Settings) -> list[Settings]:
    """Return *settings* once for each provider that they state. Raises UsageError for two with one id."""
    if settings.provider_id is not None:
        names = provider_names(settings.provider_id)
    else:
        names = provider_names(settings.config.provider, str(settings.config.folder))
    if len(names) < 2:  # noqa: PLR2004 - several
        return [settings]
    each = [replace(settings, provider_id=name) for name in names]
    ids = [one.provider.id for one in each]
    for id_ in ids:
        if ids.count(id_) > 1:
            raise UsageError(f"provider: {id_} is given twice; expected providers with different names")
    return _selecting([replace(one, several=ids) for one in each])


def _selecting(several: list[Settings]) -> list[Settings]:
    """Return *several* with the rules that each of them states among those selected by an option.

    Settings that state none of them are left out. Raises UsageError for a pattern that all of them refuse.
    """
    patterns = several[0].select
    if not patterns:
        return several
    stated: dict[str, list[str]] = {}
    for pattern in patterns:
        errors = []
        for one in several:
            try:
                select_bound(one.catalogue, one.bound, one.provider, [pattern])
                stated.setdefault(one.provider.id, []).append(pattern)
            except UsageError as error:
                errors.append(error)
        if len(errors) == len(several):
            raise errors[0]
    return [replace(one, select=stated[one.provider.id]) for one in several if one.provider.id in stated]


def label(settings: Settings) -> str:
    """Return what follows the ids of rules in a report of *settings*: [PROVIDER], or "" for one provider."""
    return f"[{settings.provider.id}]" if settings.several else ""


def split_id(rule_id: str) -> tuple[str, str]:
    """Return the id of a rule and the label that follows it in a report, if any."""
    id_, bracket, rest = rule_id.partition("[")
    return id_, bracket + rest


def labelled(report: Report, suffix: str) -> Report:
    """Return *report* with *suffix* after the id of each rule."""
    if not suffix:
        return report
    return replace(
        report,
        rules=tuple(rule._replace(id=rule.id + suffix) for rule in report.rules),
        findings=tuple(replace(finding, rule=finding.rule + suffix) for finding in report.findings),
        dataset={id_ + suffix: tally for id_, tally in report.dataset.items()},
        files=tuple(
            file._replace(
                tallies={id_ + suffix: tally for id_, tally in file.tallies.items()},
                bad_lines={id_ + suffix: lines for id_, lines in file.bad_lines.items()},
                gaps={id_ + suffix: numbers for id_, numbers in file.gaps.items()},
            )
            for file in report.files
        ),
    )
