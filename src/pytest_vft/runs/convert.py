"""A conversion, from files and a target to files that the target takes, which are checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_vft.converting.plan import Images
from pytest_vft.errors import without_inner_frames
from pytest_vft.model import SPLITS, Report
from pytest_vft.reading.remote import Watch
from pytest_vft.report.conversion import Conversion
from pytest_vft.runs.config import Config
from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import ConversionRequest, read_request
from pytest_vft.runs.destinations import write_below
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.lint import Paths, run_groups, strings
from pytest_vft.runs.settings import Settings


def run_conversion(request: ConversionRequest, watch: Watch | None = None) -> Conversion:
    """Convert the files of *request*, and check the result as `vft check --provider` does.

    Raises UsageError, ConfigError, LintError if a worker dies, and OSError.
    """

    def write(out: Path, force: bool) -> Conversion:  # noqa: FBT001 - the signature is that of a callback
        result = convert_files(replace(request, out=out, force=force), watch)
        return replace(result, report=_check(request, result, watch)) if result.written else result

    def data(result: Conversion) -> list[str]:
        return [output.path for output in result.outputs] if result.written else []

    return write_below(
        request.out, [source.path for source in request.sources], write, data, force=request.force
    )


def _check(request: ConversionRequest, result: Conversion, watch: Watch | None) -> Report | None:
    """Return the check of the outputs of *result*; None without an example, or without a provider."""
    by_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    for source, output in zip(request.sources, result.outputs, strict=True):
        if output.kept:
            by_split[source.split].append(output.path)
    return check_outputs(request.settings, request.options, result.data_format, by_split, watch)


def check_outputs(
    settings: Settings,
    options: Mapping[str, Any],
    data_format: str,
    by_split: Mapping[str, Sequence[str]],
    watch: Watch | None,
) -> Report | None:
    """Return the check of files that were written, as `vft check --provider` does it.

    *settings* are for the provider, *options* those of the run, and *by_split* has the paths of the files.
    Return None without a file, and for a provider that does not read *data_format*.
    """
    if not any(by_split.values()) or data_format not in settings.provider.data_formats:
        return None
    checked = {"provider": settings.provider_id, "data_format": data_format, "config": settings.config}
    groups = find_groups(
        {**options, **checked, "image_root": ()},
        data=by_split["train"],
        validation=by_split["validation"],
        test=by_split["test"],
    )
    return run_groups(groups, watch=watch)


@without_inner_frames
def convert(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: Paths,
    to: str | os.PathLike[str],
    out: str | os.PathLike[str],
    validation: Paths = (),
    test: Paths = (),
    images: Images | None = None,
    image_prefix: str = "",
    bucket_owner: str | None = None,
    allow_loss: str | Sequence[str] = (),
    drop: bool = False,
    max_dropped: int | None = None,
    force: bool = False,
    data_format: str | None = None,
    image_roots: Paths = (),
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    url_budget: int | None = None,
    jobs: int | None = 1,
    config: Config | str | os.PathLike[str] | None = None,
) -> Conversion:
    """Convert files for a provider or into a data format, check the result and return what was done.

    *paths* are files, folders or globs, *to* is a provider or a data format, and *out* the folder to write
    into, under the same file names. *images* says how images are passed: "keep" as they are, "files" below
    *out*/images, "embed" inside of the examples; by default the first of these that the provider takes.
    *image_prefix* precedes the names of image files, as in "s3://bucket/folder/", and *bucket_owner* is the
    account that owns the bucket. *allow_loss* names losses that change training and do not keep an example
    from being written: "weight", "tools" ... An example that cannot be converted keeps everything from being
    written, unless *drop* sets it aside in FILE.rej, and at most *max_dropped* of them. *force* replaces
    files. *jobs* is the maximum number of processes, None for one per CPU. The other arguments are those of
    lint(). Raises UsageError, ConfigError, RuleFileError, OSError, and LintError if a worker dies.
    """
    options = {
        "to": os.fspath(to),
        "out": out,
        "validation_data": strings(validation),
        "test_data": strings(test),
        "images": images,
        "image_prefix": image_prefix,
        "bucket_owner": bucket_owner,
        "allow_loss": allow_loss,
        "drop": drop,
        "max_dropped": max_dropped,
        "force": force,
        "data_format": data_format,
        "image_root": strings(image_roots),
        "offline": offline,
        "allow_private": allow_private,
        "proxy": proxy,
        "url_budget": url_budget,
        "jobs": jobs,
        "config": config,
    }
    return run_conversion(read_request(options, strings(paths)))
