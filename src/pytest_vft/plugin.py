"""The pytest plugin: options, hooks and fixtures.

This module imports only pytest and the table of options; pytest_vft.items is imported if it is needed.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentTypeError
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_vft.options import OPTIONS, RENAMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_vft.model import Report
    from pytest_vft.runs.live import Evaluator

_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst")
# Options that do not ask for datasets, and those that do not if predictions are given.
_SHAPING = ("vft_max_shown", "vft_no_images", "vft_good_examples")
_SHARED = ("vft_only", "vft_base_url", "vft_require_checked", "vft_data_format", "vft_image_root")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("vft", "vision fine-tuning datasets")
    for option in OPTIONS:
        if option.pytest_name is not None:
            dest = option.pytest_name.removeprefix("--").replace("-", "_")
            group.addoption(option.pytest_name, dest=dest, **option.settings)
    for command, old, new in RENAMED:
        prefix = f"--vft-{command}-"
        group.addoption(f"{prefix}{old}", help=SUPPRESS, type=partial(_refuse, f"{prefix}{new}"))


def _refuse(new_name: str, _: str) -> NoReturn:
    raise ArgumentTypeError(f"this option is now {new_name}")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugins that check datasets and judge predictions, if an argument asks for them."""
    config.addinivalue_line("markers", "vft: a rule on a dataset (collected by --vft-data)")
    judged = [argument for argument in config.args if "::eval/" in argument and _names_data(argument)]
    named = [argument for argument in config.args if _names_data(argument) and argument not in judged]
    others = [argument for argument in config.args if argument not in {*named, *judged}]
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    places = [argument.partition("::")[0] for argument in others] if given else []
    options = [name for name, value in vars(config.option).items() if name.startswith("vft_") and value]
    evaluating = bool(judged) or any(name.startswith("vft_eval") for name in options)
    silent = (*_SHAPING, *_SHARED) if evaluating else _SHAPING
    linting = bool(named) or any(name not in silent and not name.startswith("vft_eval") for name in options)
    if not linting and not evaluating:
        return
    if evaluating:
        from pytest_vft.items.evaluation import EvalRun  # noqa: PLC0415 - the plugin costs nothing when idle

        config.pluginmanager.register(EvalRun(config, judged), "vft-eval-run")
    if linting:
        from pytest_vft.items.datasets import DatasetRun  # noqa: PLC0415 - as above

        config.pluginmanager.register(DatasetRun(config, named, places), "vft-run")
    # The plugins collect these arguments: pytest rejects some, and drops those below another argument.
    config.args[:] = [] if config.getoption("vft_only") else others


def _names_data(argument: str) -> bool:
    """Return whether *argument* is a data file or the id of an item: vft::dataset/split-leak."""
    path, _, name = argument.partition("::")
    return path.lower().endswith(_SUFFIXES) or (path == "vft" and bool(name))


@pytest.fixture(scope="session")
def vft_lint() -> Callable[..., Report]:
    """Return pytest_vft.lint, which checks files and returns a report."""
    from pytest_vft.runs.lint import lint  # noqa: PLC0415 - as above

    return lint


@pytest.fixture(scope="session")
def vft_eval() -> Evaluator:
    """Return pytest_vft.evaluate, which returns an evaluation of predictions; its method run asks a model."""
    from pytest_vft.runs.live import Evaluator  # noqa: PLC0415 - as above

    return Evaluator()
