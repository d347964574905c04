"""The baseline: a file with known findings, which pass, while new ones fail the run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import BaselineUse, Finding, Report
from pytest_vft.regular_files import read_text
from pytest_vft.report.baseline import BaselineFile
from pytest_vft.report.findings import fingerprint
from pytest_vft.runs.config import relative_path
from pytest_vft.runs.known import told_apart
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import shown_path
from pytest_vft.writing import write_text

FORMAT = "vft-baseline/1"
DEFAULT = "vft-baseline.json"

# Numbers of findings by file, rule and fingerprint. Files are relative to the folder of the baseline.
Place = tuple[str, str, str]


def baseline_path(settings: Settings) -> Path | None:
    """Return the path of the baseline of *settings*, None if there is none.

    Raises ConfigError for a configured path outside the folder of the configuration.
    """
    config = settings.config
    if settings.baseline is not None:
        return Path(settings.baseline)
    if config.baseline is None:
        return Path(DEFAULT) if settings.writes_baseline else None
    path = config.folder / config.baseline
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(config.folder)):
        raise ConfigError(
            f'{config.path}: baseline "{config.baseline}" is outside its folder; '
            f"give --baseline={config.baseline} yourself if that is meant"
        )
    return Path(shown_path(str(path)))


def open_baseline(settings: Settings) -> Baseline | None:
    """Return the baseline of *settings*, None if there is none.

    Raises UsageError for a file that is missing, unless it is about to be written, or no baseline.
    """
    path = baseline_path(settings)
    if path is None:
        return None
    if settings.writes_baseline and not path.exists():
        return Baseline(path, {})
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; write it with vft check --write-baseline") from None
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return Baseline(path, _read(path, text))


def _read(path: Path, text: str) -> Mapping[Place, int]:
    """Return the findings in *text*, the content of a baseline. Raises UsageError for another content."""
    problem = UsageError(f"{path}: is not a baseline of vft; name another file, or remove it")
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise problem
        found = {
            (file, rule, digest): number
            for file, rules in content["findings"].items()
            for rule, digests in rules.items()
            for digest, number in digests.items()
        }
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise problem from None
    if not all(type(number) is int and number > 0 for number in found.values()):
        raise problem
    return found


@dataclass(frozen=True, slots=True)
class Baseline:
    """The findings that the file at *path* lists: their numbers by file, rule and fingerprint."""

    path: Path
    listed: Mapping[Place, int]

    def applied_to(self, report: Report, settings: Settings) -> Report:
        """Return *report*, of a run with *settings*, in which the findings that are listed are known.

        If the baseline is about to be written, all findings are known that may be.
        """
        names = self._names(report)
        left = Counter(self.listed)
        unreadable = {rule.id for rule in settings.rules if rule.stops}
        known: list[Finding] = []
        new: list[Finding] = []
        for finding in report.findings:
            place = _place(finding, names)
            if settings.writes_baseline:
                is_known = finding.rule not in unreadable  # such a file would never be checked
            else:
                is_known = left[place] > 0
                left[place] -= is_known
            (known if is_known else new).append(finding)
        gone: Mapping[Place, int] = {}
        if not settings.writes_baseline:
            judged = self._judged(report, settings, names)
            gone = {place: n for place, n in left.items() if n and self._was_looked_for(place, names, judged)}
        use = BaselineUse(str(self.path), gone)
        return replace(told_apart(report, known, new, kept_findings(settings)), baselines=(use,))

    def rewritten(self, report: Report, groups: Sequence[Settings]) -> Mapping[Place, int]:
        """Return the findings to write: those that *report* knows, and those that were not looked for."""
        names = self._names(report)
        judged = {one for settings in groups for one in self._judged(report, settings, names)}
        paths = {source.path for settings in groups for source in settings.sources}
        written = Counter(_place(finding, names) for finding in report.known if finding.path in paths)
        for place, number in self.listed.items():
            if not self._was_looked_for(place, names, judged):
                written[place] = max(number, written[place])
        return written

    def _names(self, report: Report) -> Mapping[str, str]:
        """Return the name of each file in the baseline, by path: relative to its folder, with slashes."""
        folder = os.path.abspath(self.path.parent)  # noqa: PTH100 - a link stays a link
        return {file.path: relative_path(file.path, folder) for file in report.files}

    def _judged(self, report: Report, settings: Settings, names: Mapping[str, str]) -> set[tuple[str, str]]:
        """Return the path and rule of each rule of *settings* that judged everything in a file of *settings*.

        A rule on the dataset did so only if all files of the baseline were read.
        """
        paths = {source.path for source in settings.sources}
        others = {name for name, _, _ in self.listed}.difference(names.values())
        has_all = not any(os.path.lexists(self.path.parent / name) for name in others)
        return {
            (file.path, rule)
            for file in report.files
            if file.path in paths and not file.stopped_by
            for rule, tally in (*file.tallies.items(), *(report.dataset.items() if has_all else ()))
            if not tally.unknown and rule not in settings.ignored[file.path]
        }

    def _was_looked_for(
        self, place: Place, names: Mapping[str, str], judged: Collection[tuple[str, str]]
    ) -> bool:
        """Return whether the finding at *place* would have been found: its file is gone, or was judged."""
        name, rule, _ = place
        paths = [path for path, known in names.items() if known == name]
        if not paths:
            return not os.path.lexists(self.path.parent / name)
        return any((path, rule) in judged for path in paths)


def _place(finding: Finding, names: Mapping[str, str]) -> Place:
    name = names[finding.path]
    return name, finding.rule, fingerprint(finding, name)


def kept_findings(settings: Settings) -> int:
    """Return the maximum number of findings to keep for each rule and file, 0 for all."""
    return settings.config.max_findings if settings.max_findings is None else settings.max_findings


def run_with_baselines(
    groups: Sequence[Settings], run: Callable[[Sequence[Settings]], list[Report]]
) -> list[Report]:
    """Return the reports of *groups*, of which *run* makes one each, with known findings told apart.

    Raises UsageError or ConfigError for an invalid baseline, before anything is read.
    """
    baselines = [open_baseline(settings) for settings in groups]
    if any(baseline and settings.sample for baseline, settings in zip(baselines, groups, strict=True)):
        raise UsageError("sample and baseline: a sample does not tell which findings are gone; leave one out")
    uncapped = [
        settings if baseline is None else replace(settings, max_findings=0)
        for settings, baseline in zip(groups, baselines, strict=True)
    ]
    return [
        report if baseline is None else baseline.applied_to(report, settings)
        for report, baseline, settings in zip(run(uncapped), baselines, groups, strict=True)
    ]


def write_baselines(groups: Sequence[Settings], report: Report) -> list[BaselineFile]:
    """Write the known findings of *report*, of runs with the settings *groups*, to their baselines.

    Raises UsageError for a baseline that is one of the files that were checked, and OSError.
    """
    by_path: dict[Path, list[Settings]] = {}
    for settings in groups:
        path = baseline_path(settings)
        if path is not None:
            by_path.setdefault(path, []).append(settings)
    written = []
    for path, using in by_path.items():
        baseline = open_baseline(using[0])
        assert baseline is not None  # noqa: S101 - it has a path
        listed = baseline.rewritten(report, using)
        write_text(path, _as_text(listed), inputs=[file.path for file in report.files])
        written.append(BaselineFile(str(path), sum(listed.values())))
    return written


def _as_text(listed: Mapping[Place, int]) -> str:
    findings: dict[str, dict[str, dict[str, int]]] = {}
    for (file, rule, digest), number in sorted(listed.items()):
        findings.setdefault(file, {}).setdefault(rule, {})[digest] = number
    return json.dumps({"format": FORMAT, "findings": findings}, indent=1) + "\n"
