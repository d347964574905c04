"""What a run is asked to do; every option here is --vft-OPTION under pytest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vft.cli.parser import one_of
from pytest_vft.model import DEPTHS, SEVERITIES

if TYPE_CHECKING:
    from pytest_vft.runs.settings import Settings


def add_run_options(parser: argparse.ArgumentParser, *, files: bool = True) -> None:
    """Add what a command is asked to do; what belongs to a lint of files only when it is one."""
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="vft.toml or pyproject.toml (default: found upwards)")
    add("--provider", metavar="NAME", help="whose limits hold (default: openai)")
    add("--model", metavar="NAME", help="the model to be trained")
    add(
        "--select", action="append", metavar="RULES", help="only these: ids, scopes or globs, comma-separated"
    )
    add("--ignore", action="append", default=[], metavar="RULES", help="not these")
    if not files:
        return
    add("--data", action="append", default=[], metavar="PATH", help="the same as FILE")
    add(
        "--validation-data", action="append", default=[], metavar="PATH", help="files of the validation split"
    )
    add("--test-data", action="append", default=[], metavar="PATH", help="files of the test split")
    add(
        "--fail-on",
        **one_of(*SEVERITIES),
        default="error",
        help="least severity that fails (default: error)",
    )
    add("--require-checked", action="store_true", help="fail for what could not be checked, too")
    add("--depth", **one_of(*DEPTHS), default="auto", help="how much of an image is decoded (default: auto)")
    add("--offline", action="store_true", help="fetch no URLs (also: VFT_OFFLINE=1)")
    add("--allow-private", action="store_true", help="fetch from private addresses, too")
    add("--proxy", metavar="env", help="fetch through HTTP_PROXY and HTTPS_PROXY")
    add("--no-cache", action="store_true", help="keep nothing in .vft_cache, use nothing of it")
    add("--jobs", type=int, metavar="N", help="processes at most (default: the CPUs there are)")
    add("--base-url", metavar="URL", help="has no effect on a check")


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Return what the options of every command say. Raises ConfigError for a broken configuration."""
    from pytest_vft.catalogue.select import listed  # noqa: PLC0415 - as above
    from pytest_vft.runs.config import load_config  # noqa: PLC0415 - as above
    from pytest_vft.runs.settings import Settings  # noqa: PLC0415 - `vft --help` needs none of it

    return Settings(
        config=load_config(arguments.config),
        provider_id=arguments.provider,
        model_name=arguments.model,
        select=None if arguments.select is None else listed(arguments.select),
        ignore=listed(arguments.ignore),
    )
