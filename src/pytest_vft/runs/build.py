"""A build, from rows and images to splits that the target takes, which are checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pytest_vft.building import Detail
from pytest_vft.converting.plan import Images
from pytest_vft.errors import UsageError, without_inner_frames
from pytest_vft.model import SPLITS
from pytest_vft.reading.remote import Watch
from pytest_vft.report.build import BuiltDataset
from pytest_vft.runs.build_request import DEFAULT_TARGET, BuildRequest, read_build_request
from pytest_vft.runs.build_tables import build_tables
from pytest_vft.runs.config import Config
from pytest_vft.runs.convert import check_outputs
from pytest_vft.runs.destinations import write_below
from pytest_vft.runs.lint import Paths, strings
from pytest_vft.runs.sources import expand
from pytest_vft.tables.files import open_table, spool_table
from pytest_vft.tables.spool import undecoded
from pytest_vft.temporary import temporary_folder


def run_build(
    request: BuildRequest,
    paths: Sequence[str] = (),
    rows: Iterable[Mapping[str, Any]] | None = None,
    watch: Watch | None = None,
) -> BuiltDataset:
    """Build a dataset of the tables at *paths* or of *rows*, and check it as `vft check --provider` does.

    Raises UsageError, ConfigError, LintError if a worker dies, and OSError.
    """
    if rows is None and not paths:
        raise UsageError("no tables: give a CSV, JSON Lines, JSON or Parquet file")

    def write(out: Path, force: bool) -> BuiltDataset:  # noqa: FBT001 - the signature is that of a callback
        return _build(replace(request, out=out, force=force), paths, rows, watch)

    def data(result: BuiltDataset) -> list[str]:
        return [one.path for one in result.splits] if result.written else []

    return write_below(request.out, paths, write, data, force=request.force)


def _build(
    request: BuildRequest,
    paths: Sequence[str],
    rows: Iterable[Mapping[str, Any]] | None,
    watch: Watch | None,
) -> BuiltDataset:
    with temporary_folder() as folder:
        if rows is None:
            tables = [open_table(path, Path(folder)) for path in paths]
        else:
            tables = [spool_table(undecoded(rows), Path(folder), request.quality)]
        result = build_tables(request, tables, watch)
    if not result.written:
        return result
    by_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    for one in result.splits:
        by_split[one.split].append(one.path)
    report = check_outputs(request.settings, request.options, result.data_format, by_split, watch)
    return replace(result, report=report)


@without_inner_frames
def build_dataset(  # noqa: PLR0913 - all by keyword, each with a default
    rows: Paths | Iterable[Mapping[str, Any]],
    *,
    out: str | os.PathLike[str],
    to: str | os.PathLike[str] = DEFAULT_TARGET,
    question: str | None = None,
    answer: str | None = None,
    image: str | None = None,
    id: str | None = None,  # noqa: A002 - as in build_example
    split: str | Sequence[float] | None = None,
    by: str | None = None,
    stratify: str | None = None,
    near: bool = False,
    exact: bool = False,
    seed: int = 0,
    few_shot: int = 0,
    system: str | None = None,
    detail: Detail | None = None,
    quality: int | None = None,
    images: Images | None = None,
    image_prefix: str = "",
    bucket_owner: str | None = None,
    drop: bool = False,
    max_dropped: int | None = None,
    force: bool = False,
    image_roots: Paths = (),
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    url_budget: int | None = None,
    jobs: int | None = 1,
    config: Config | str | os.PathLike[str] | None = None,
) -> BuiltDataset:
    """Make training, validation and test files of *rows*, check them and return what was done.

    *rows* is the path of a CSV, JSON Lines, JSON or Parquet file, a list of paths, or an iterable of
    mappings, such as a datasets.Dataset or data_frame.to_dict("records"). *question*, *answer*, *image* and
    *id* are names of columns, dotted paths, or templates such as "[{id}] {question}"; by default columns with
    usual names. *split* are shares as in "80/10/10" or (80, 10, 10); all rows are train without it. Rows with
    the same image are in the same split, and so are rows with the same value of *by* and, with *near*, rows
    with images that look alike. The split of a row does not depend on other rows unless *exact* is given,
    which meets the shares exactly, or *stratify*, a column of whose values each split has the same shares.
    *few_shot* examples are moved out of train and shown before each question, after *system*, a text or
    @FILE. *detail* is that of all images; with a *quality*, each image is saved as a JPEG of this quality. A
    row that cannot be used keeps everything from being written, unless *drop* sets it aside. The other
    arguments are those of convert(). Raises UsageError, ConfigError, RuleFileError, OSError, and LintError if
    a worker dies.
    """
    options = {
        "to": os.fspath(to),
        "out": out,
        "question": question,
        "answer": answer,
        "image": image,
        "id": id,
        "split": split,
        "by": by,
        "stratify": stratify,
        "near": near,
        "exact": exact,
        "seed": seed,
        "few_shot": few_shot,
        "system": system,
        "detail": detail,
        "quality": quality,
        "images": images,
        "image_prefix": image_prefix,
        "bucket_owner": bucket_owner,
        "drop": drop,
        "max_dropped": max_dropped,
        "force": force,
        "image_root": strings(image_roots),
        "offline": offline,
        "allow_private": allow_private,
        "proxy": proxy,
        "url_budget": url_budget,
        "jobs": jobs,
        "config": config,
    }
    request = read_build_request(options)
    if isinstance(rows, str | os.PathLike):
        return run_build(request, table_paths([os.fspath(rows)]))
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, str | os.PathLike) for row in rows):
        return run_build(request, table_paths(list(map(os.fspath, rows))))
    return run_build(request, rows=cast("Iterable[Mapping[str, Any]]", rows))


def table_paths(given: Sequence[str]) -> list[str]:
    """Return the files that *given*, files or globs, stand for. Raises UsageError for a missing one."""
    return list(dict.fromkeys(path for one in given for path in expand(one)))
