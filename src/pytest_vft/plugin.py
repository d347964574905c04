"""The pytest plugin: its options, and nothing more until one of them is given.

This module imports only pytest and the table of options; what an option asks for is in pytest_vft.items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_vft.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_vft.model import Report
    from pytest_vft.runs.live import Evaluator

_SUFFIXES = (".jsonl", ".ndjson")
# What asks for no datasets, and what does not as soon as there are predictions.
_SHAPING = ("vft_max_shown",)
_SHARED = ("vft_only", "vft_base_url", "vft_require_checked")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of pytest, each one that a command has, too."""
    group = parser.getgroup("vft", "vision fine-tuning datasets")
    for option in OPTIONS:
        if option.pytest_name is not None:
            dest = option.pytest_name.removeprefix("--").replace("-", "_")
            group.addoption(option.pytest_name, dest=dest, **option.settings)


def pytest_configure(config: pytest.Config) -> None:
    """Register the part that does the work when anything asks for it."""
    config.addinivalue_line("markers", "vft: a rule on a dataset (collected by --vft-data)")
    judged = [argument for argument in config.args if "::eval/" in argument and _names_data(argument)]
    named = [argument for argument in config.args if _names_data(argument) and argument not in judged]
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

        config.pluginmanager.register(DatasetRun(config, named), "vft-run")
    # The runs collect them themselves: pytest refuses some, and forgets those below another argument.
    only, ours = config.getoption("vft_only"), {*named, *judged}
    config.args[:] = [argument for argument in config.args if not only and argument not in ours]


def _names_data(argument: str) -> bool:
    """Say whether *argument* is a data file, or an id that the run gave: vft::dataset/split-leak."""
    path, _, name = argument.partition("::")
    return path.lower().endswith(_SUFFIXES) or (path == "vft" and bool(name))


@pytest.fixture(scope="session")
def vft_lint() -> Callable[..., Report]:
    """Return pytest_vft.lint: paths and settings in, a report out."""
    from pytest_vft.runs.lint import lint  # noqa: PLC0415 - as above

    return lint


@pytest.fixture(scope="session")
def vft_eval() -> Evaluator:
    """Return pytest_vft.evaluate: predictions in, an evaluation to assert on out; .run asks a model."""
    from pytest_vft.runs.live import Evaluator  # noqa: PLC0415 - as above

    return Evaluator()
