"""Repair of what a check finds, from settings to what was written."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pytest_vft.errors import UsageError, without_inner_frames
from pytest_vft.fixing.result import FileTally, FixResult
from pytest_vft.model import Depth, Report, Source
from pytest_vft.outputs.aside import drop_limit
from pytest_vft.outputs.folder import finish_interrupted
from pytest_vft.outputs.names import check_in_place
from pytest_vft.reading.files import PARQUET
from pytest_vft.reading.local_images import image_roots
from pytest_vft.reading.remote import Watch
from pytest_vft.runs.combining import combine
from pytest_vft.runs.config import Config
from pytest_vft.runs.destinations import write_below
from pytest_vft.runs.fix_jobs import FileJob, FixOptions, Tell, count_mark, file_jobs, is_set_aside, outcomes
from pytest_vft.runs.fix_writing import write_files
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.lint import Paths, strings
from pytest_vft.runs.notes import group_notes
from pytest_vft.runs.run import run_all
from pytest_vft.runs.settings import Settings


def run_fix(
    groups: Sequence[Settings], options: FixOptions, *, tell: Tell | None = None, watch: Watch | None = None
) -> FixResult:
    """Check the sources of *groups*, repair what can be repaired, and check what was written.

    Raises UsageError, ConfigError, LintError and OSError; then nothing is written.
    """
    if not any(settings.sources for settings in groups):
        raise UsageError("no files: give some, or list them under [tool.vft.data] (vft.toml: [data])")
    if options.out is None:
        return _repair(groups, options, tell, watch)

    def write(out: Path, force: bool) -> FixResult:  # noqa: FBT001 - the signature is that of a callback
        return _repair(groups, replace(options, out=out, force=force), tell, watch)

    def data(result: FixResult) -> list[str]:
        return [output.path for output in result.outputs]

    paths = [source.path for settings in groups for source in settings.sources]
    return write_below(options.out, paths, write, data, force=options.force)


def _repair(
    groups: Sequence[Settings], options: FixOptions, tell: Tell | None, watch: Watch | None
) -> FixResult:
    if options.in_place:
        check_in_place(source.path for settings in groups for source in settings.sources)
    folders = _folders_in_place(groups) if options.in_place else ()
    for folder in folders:
        finish_interrupted(folder)
    reports: list[Report] = []
    jobs: list[FileJob] = []
    for settings in groups:
        report, new = file_jobs(settings, options, watch)
        reports.append(report)
        jobs += [job for job in new if job.needs.are_any]
    before = combine(reports, group_notes(groups))
    rules = {rule.id: rule for settings in groups for rule in settings.rules}
    if not jobs:
        for folder in folders:
            finish_interrupted(folder, discard=True)
        return FixResult(before=before, tallies={}, rules=rules)
    if not options.writes:
        return FixResult(
            before=before, tallies=_preview(jobs, options, tell), rules=rules, unsafe=options.unsafe
        )
    _check_written_as_read(jobs)
    result = write_files(jobs, options, tell)
    if result.refused or not result.outputs:
        return FixResult(before=before, tallies=result.tallies, refused=result.refused, rules=rules)
    empty = {output.path for output in result.outputs if not output.kept}  # there is nothing to check
    rewritten = [one for one in (_rewritten(one, result.paths, empty) for one in groups) if one.sources]
    after = combine(run_all(rewritten, watch=watch)) if rewritten else None
    return FixResult(
        before=before,
        tallies=result.tallies,
        after=after,
        outputs=result.outputs,
        rules=rules,
        unsafe=options.unsafe,
    )


def _folders_in_place(groups: Iterable[Settings]) -> Iterable[Path]:
    """Return the folders of the files of *groups*, those that links lead to."""
    return {Path(os.path.realpath(source.path)).parent for one in groups for source in one.sources}


def _check_written_as_read(jobs: Iterable[FileJob]) -> None:
    """Raise UsageError if one of *jobs* is a table or compressed, and would be written as plain lines."""
    for job in jobs:
        if job.file.opened.compression:
            raise UsageError(
                f"{job.path}: vft fix does not write compressed files, so nothing was written; unpack the "
                "file first, or let vft convert FILE --to=PROVIDER --out=DIR repair what it writes"
            )
        if job.file.opened.container == PARQUET:
            raise UsageError(
                f"{job.path}: vft fix does not write Parquet yet, so nothing was written; without --out and "
                "--in-place it shows what it would repair, and vft convert FILE --to=PROVIDER --out=DIR "
                "repairs what it writes"
            )


def _preview(jobs: Sequence[FileJob], options: FixOptions, tell: Tell | None) -> Mapping[str, FileTally]:
    """Return the tallies of *jobs*; nothing is written."""
    tallies = {}
    for job in jobs:
        tally = tallies[job.path] = FileTally()
        count_mark(job, tally)
        with ExitStack() as stack:
            for outcome in outcomes(job, stack):
                tally.add(outcome, aside=options.limit.drop and is_set_aside(job, outcome))
                if tell:
                    tell(job, outcome)
    return tallies


def _rewritten(settings: Settings, paths: Mapping[str, str], empty: Collection[str]) -> Settings:
    """Return *settings* for the files at their new *paths*, which are judged like those they come from.

    The new files that are *empty* are left out.
    """
    moved = [source._replace(path=paths.get(source.path, source.path)) for source in settings.sources]
    sources: list[Source] = [source for source in moved if source.path not in empty]
    folders = {folder for path in paths for folder in image_roots(path, ())}
    return replace(
        settings,
        sources=tuple(sources),
        origins={new: old for old, new in paths.items()},
        roots=(*settings.roots, *sorted(folders)),
    )


@without_inner_frames
def fix(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: Paths,
    validation: Paths = (),
    test: Paths = (),
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    unsafe: bool = False,
    drop: bool = False,
    max_dropped: int | None = None,
    force: bool = False,
    data_format: str | None = None,
    provider: str | os.PathLike[str] | None = None,
    model: str | None = None,
    select: str | Sequence[str] | None = None,
    extend_select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    depth: Depth = "auto",
    offline: bool | None = None,
    cache: bool = True,
    max_tokens: int | None = None,
    image_roots: Paths = (),
    config: Config | str | os.PathLike[str] | None = None,
) -> FixResult:
    """Repair files and return what was repaired, with the reports before and after.

    The repaired files are written into the folder *out*, or *in_place*; without both, nothing is written.
    *unsafe* repairs change what is trained on. With *drop*, examples that fail and cannot be repaired are set
    aside in FILE.rej, at most *max_dropped*; *force* replaces files in *out*. The other arguments are those
    of lint(). Raises UsageError, ConfigError, RuleFileError, LintError and OSError; then nothing is written.
    """
    options = FixOptions(
        out=Path(out) if out is not None else None,
        in_place=in_place,
        unsafe=unsafe,
        force=force,
        limit=drop_limit(drop=drop, most=max_dropped),
    )
    named = {
        "config": config,
        "data_format": data_format,
        "provider": provider,
        "model": model,
        "select": select,
        "extend_select": extend_select,
        "ignore": ignore,
        "depth": depth,
        "offline": offline,
        "no_cache": not cache,
        "max_tokens": max_tokens,
        "image_root": strings(image_roots),
        "jobs": 1,
    }
    groups = find_groups(named, strings(paths), validation=strings(validation), test=strings(test))
    return run_fix(groups, options)
