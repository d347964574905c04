"""The pytest plugin: its options, and nothing more until one of them is given.

This module imports only pytest; what an option asks for is in pytest_vft.items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_vft.model import Report

_SUFFIXES = (".jsonl", ".ndjson")
_LATER = ("vft_eval", "vft_eval_min_accuracy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the --vft-* options; each is an option of `vft check`, too."""
    group = parser.getgroup("vft", "vision fine-tuning datasets")

    def add(name: str, **settings: object) -> None:
        dest = "vft_" + name.replace("-", "_")
        group.addoption(f"--vft-{name}", dest=dest, **settings)

    many = {"action": "append", "default": []}
    flag = {"action": "store_true", "default": False}
    add(
        "data",
        metavar="PATH",
        help="check this JSONL file, folder or glob (train split); write =PATH",
        **many,
    )
    add("validation-data", metavar="PATH", help="the same for the validation split", **many)
    add("test-data", metavar="PATH", help="the same for the test split (no answers wanted)", **many)
    add("only", help="collect nothing but datasets", **flag)
    add("provider", metavar="NAME", help="whose limits hold (default: openai)")
    add("model", metavar="NAME", help="the model to be trained")
    add("select", metavar="RULES", help="only these rules: ids, scopes or globs, comma-separated", **many)
    add("ignore", metavar="RULES", help="not these rules", **many)
    add("fail-on", choices=("error", "warning"), help="least severity that fails (default: error)")
    add("require-checked", help="fail for what could not be checked, too", **flag)
    add("depth", choices=("auto", "header", "full"), help="how much of a picture is decoded (default: auto)")
    add("offline", help="fetch no URLs (also: VFT_OFFLINE=1)", **flag)
    add("allow-private", help="fetch from private addresses, too", **flag)
    add("proxy", metavar="env", help="fetch through HTTP_PROXY and HTTPS_PROXY")
    add("jobs", metavar="N", help="has no effect in this version")
    add("no-cache", help="keep nothing in .vft_cache, use nothing of it", **flag)
    add("max-shown", type=int, default=10, metavar="N", help="findings shown a rule (0: all; default 10)")
    add(
        "report",
        metavar="FORMAT:FILE",
        help="write the report to a file: text, json, github, sarif, gitlab or markdown",
        **many,
    )
    add("config", metavar="FILE", help="vft.toml or pyproject.toml (default: found upwards)")
    add("submit", choices=("plan", "preflight", "apply"), help="a fine-tuning job: show it, ask, make it")
    add("yes", help="let --vft-submit=apply send data and make jobs, which cost money", **flag)
    add("base-url", metavar="URL", help="the server of --vft-submit (default: the provider's own)")
    add("eval", metavar="FILE", help="not in this version yet")
    add("eval-min-accuracy", metavar="N", help="not in this version yet")


def pytest_configure(config: pytest.Config) -> None:
    """Register the part that does the work when anything asks for it."""
    config.addinivalue_line("markers", "vft: a rule on a dataset (collected by --vft-data)")
    named = [argument for argument in config.args if _names_data(argument)]
    if not named and not _asked_for(config):
        return
    for dest in _LATER:
        if config.getoption(dest):
            raise pytest.UsageError(f"--{dest.replace('_', '-')} is not in this version yet")
    from pytest_vft.items.datasets import DatasetRun  # noqa: PLC0415 - the plugin costs nothing when idle

    config.pluginmanager.register(DatasetRun(config, named), "vft-run")
    # The run collects them itself: pytest refuses some, and forgets those below another argument.
    only = config.getoption("vft_only")
    config.args[:] = [argument for argument in config.args if not only and argument not in named]


def _asked_for(config: pytest.Config) -> bool:
    options = vars(config.option).items()
    return any(value for name, value in options if name.startswith("vft_") and name != "vft_max_shown")


def _names_data(argument: str) -> bool:
    """Say whether *argument* is a data file, or an id that the run gave: vft::dataset/split-leak."""
    path, _, name = argument.partition("::")
    return path.lower().endswith(_SUFFIXES) or (path == "vft" and bool(name))


@pytest.fixture(scope="session")
def vft_lint() -> Callable[..., Report]:
    """Return pytest_vft.lint: paths and settings in, a report out."""
    from pytest_vft.api import lint  # noqa: PLC0415 - as above

    return lint
