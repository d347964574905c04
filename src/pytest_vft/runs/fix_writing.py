"""Writing of repaired files, all or none."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.fixing.copying import EntryCopier
from pytest_vft.fixing.files import EntryOutcome
from pytest_vft.fixing.result import FileTally
from pytest_vft.formats.registry import load_format
from pytest_vft.output_summary import OutputSummary
from pytest_vft.outputs.aside import Aside, set_aside
from pytest_vft.outputs.folder import OutputFolder, OutputPart, output_folder
from pytest_vft.outputs.keys import part_key
from pytest_vft.outputs.names import output_targets
from pytest_vft.outputs.origin import origins
from pytest_vft.reading.files import ARRAY
from pytest_vft.reading.opening import open_data
from pytest_vft.runs.fix_jobs import FileJob, FixOptions, Tell, count_mark, findings_left, outcomes

_NOUNS = {
    "remove-line": "blank line",
    "remove-duplicate": "duplicate",
    "remove-leak": "leaked example",
}


class _UnchangedError(Exception):
    """A part is not written, because nothing could be repaired."""


class Written(NamedTuple):
    """The tallies of jobs, the new paths of their files, and what was written; see FixResult."""

    tallies: Mapping[str, FileTally]
    paths: Mapping[str, str]
    outputs: tuple[OutputSummary, ...]
    refused: int = 0


def write_files(jobs: Sequence[FileJob], options: FixOptions, tell: Tell | None) -> Written:
    """Write the repaired files of *jobs*, all or none."""
    by_path = {job.path: job for job in jobs}
    with ExitStack() as stack:
        targets = output_targets(by_path, options.out)
        folders = [stack.enter_context(output_folder(target, force=options.force)) for target in targets]
        tallies: dict[str, FileTally] = {}
        for folder in folders:
            for path, name in folder.names.items():
                tallies[path] = _write_part(folder, name, by_path[path], options, tell)
        aside = sum(tally.aside for tally in tallies.values())
        if not options.limit.allows(aside):
            return Written(tallies, {}, (), aside)
        if not any(tally.is_changed for tally in tallies.values()):
            return Written(tallies, {}, ())
        paths = {
            path: str(folder.path / name)
            for folder in folders
            for path, name in folder.names.items()
            if tallies[path].is_changed
        }
        outputs = tuple(_summary(new, tallies[path], by_path[path].rules) for path, new in paths.items())
        for folder in folders:
            folder.publish()
    return Written(tallies, paths, outputs)


def _write_part(
    folder: OutputFolder, name: str, job: FileJob, options: FixOptions, tell: Tell | None
) -> FileTally:
    """Write the part of *folder* that is made of the file of *job*, unless an interrupted run has done so."""
    settings = job.settings
    key = part_key(
        job.path, options.unsafe, options.limit, settings.provider.id, settings.model,
        [(rule.id, rule.params, rule.severity) for rule in settings.rules], job.needs, settings.image_roots,
        sorted(job.file.ignored), settings.depth, job.file.source,
    )  # fmt: skip
    facts = folder.finished(name, key)
    if facts is not None:
        return FileTally.from_facts(facts)
    tally, opened = FileTally(), job.file.opened
    in_array = opened.container == ARRAY
    count_mark(job, tally)
    with suppress(_UnchangedError), folder.part(name, key) as part, ExitStack() as stack:
        data = stack.enter_context(part.open(name))
        source = stack.enter_context(open_data(job.path))
        aside = stack.enter_context(set_aside(part, name, in_array=in_array))
        places = stack.enter_context(origins(part, name, in_array=in_array))
        copier = EntryCopier(data, source, opened, without_mark=bool(job.needs.byte_order_mark))
        for outcome in outcomes(job, stack):
            if _keeps(job, outcome, copier, part, aside):
                entry = outcome.entry
                places.add(job.path, str(entry.line) if entry.position is None else f"#{entry.position}")
            tally.add(outcome, aside=aside.number > tally.aside)
            if tell:
                tell(job, outcome)
        copier.end()
        part.facts |= tally.facts()
        if not tally.is_changed:
            raise _UnchangedError
    return tally


def _keeps(job: FileJob, outcome: EntryOutcome, copier: EntryCopier, part: OutputPart, aside: Aside) -> bool:
    """Write *outcome*, set it aside or leave it out; return whether it was written."""
    entry, repair = outcome.entry, outcome.repair
    findings = list(findings_left(job, outcome)) if repair and not outcome.removed else []
    if outcome.removed or findings:
        copier.leave_out(entry)
        if findings:
            source = job.file.source
            aside.add(entry, findings, load_format(source.data_format, source.layout))
        return False
    copier.keep(entry, repair.raw if repair else None)
    for name, content in repair.images.items() if repair else ():
        part.add_once(name, content)
    return True


def _summary(path: str, tally: FileTally, rules: Mapping[str, Rule]) -> OutputSummary:
    removed: dict[str, int] = {}
    for id_, number in tally.removed.items():
        noun = _NOUNS.get(rules[id_].fix or "", "entry")
        removed[noun] = removed.get(noun, 0) + number
    folder = os.path.dirname(path)  # noqa: PTH120 - text
    notes = (f"new images in {os.path.join(folder, 'images')}",) if tally.images else ()  # noqa: PTH118 - text
    return OutputSummary(
        path=path,
        total=tally.total,
        copied=tally.copied,
        changed=tally.changed,
        aside=tally.aside,
        removed=removed,
        notes=notes,
    )
