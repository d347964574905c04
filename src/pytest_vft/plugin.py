"""The pytest plugin: its options, and nothing more until one of them is given.

This module imports only pytest; what an option asks for is in pytest_vft.items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_vft.model import Report
    from pytest_vft.runs.live import Evaluator

_SUFFIXES = (".jsonl", ".ndjson")
# What asks for no datasets, and what does not as soon as there are predictions.
_SHAPING = ("vft_max_shown",)
_SHARED = ("vft_only", "vft_base_url", "vft_require_checked")
_EVAL = (
    ("test", "FILE", "the test split that the predictions answer"),
    ("min-accuracy", "N", "least share of right answers: 0.9, or closed=0.9,open=0.6"),
    ("baseline", "FILE", "predictions of another model: fail when those of --vft-eval are worse"),
    ("margin", "N", "by how much they may be worse (default: 0)"),
    ("alpha", "N", "below which p of McNemar's test they are (default: 0.05)"),
    ("confidence", "N", "ask for a proof at this level, as 0.95"),
    ("metric", "NAME", "exact, normalised_exact, token_f1 or judge (default: by kind)"),
    ("normalise", "NAME", "none, text, markdown or squad (default: text)"),
    ("min-f1", "N", "the token F1 from which an answer is right (default: 0.5)"),
    ("choices", "LIST", "actual answers, besides Yes and No, of closed questions"),
    ("by", "KEY", "each group by this key must reach the minimum, too"),
    ("min-n", "N", "answers from which a group counts (default: 20)"),
    ("ids", "IDS", "only these questions; @FILE: those listed there"),
    ("keys", "PAIRS", "keys of the predictions: id=KEY,predicted=KEY,actual=KEY"),
    ("id-pattern", "REGEX", r"finds the id in a question (default: \[(\d+)\])"),
    ("judge", "MODEL", "let this model rate open answers (network)"),
    ("judge-url", "URL", "where the judge is (default: as --vft-base-url)"),
    ("passing", "RATINGS", "ratings that are right (default: Very Similar,Mostly Similar)"),
    ("max-ungraded", "N", "share of answers that the judge may leave ungraded (default: 0.01)"),
    ("live", "MODEL", "ask this model first; FILE keeps its answers (network)"),
    ("concurrency", "N", "requests at a time (default: 8)"),
    ("timeout", "SECONDS", "of a request (default: 60)"),
    ("retries", "N", "of a request (default: 5)"),
    ("max-requests", "N", "questions asked in one run"),
    ("max-rate", "N", "questions a minute"),
    ("max-cost", "USD", "dollars spent in one run, at --vft-eval-prices"),
    ("prices", "IN,OUT", "dollars for a million tokens of prompts and of answers"),
)
_EVAL_FLAGS = (
    ("judge-images", "the judge sees the images, too"),
    ("judge-itself", "the judge may be the model whose answers it rates"),
)


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
    add("depth", choices=("auto", "header", "full"), help="how much of an image is decoded (default: auto)")
    add("offline", help="fetch no URLs (also: VFT_OFFLINE=1)", **flag)
    add("allow-private", help="fetch from private addresses, too", **flag)
    add("proxy", metavar="env", help="fetch through HTTP_PROXY and HTTPS_PROXY")
    add("jobs", type=int, metavar="N", help="processes that lint, at most (default: the CPUs there are)")
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
    add(
        "base-url",
        metavar="URL",
        help="the server of --vft-submit and --vft-eval (default: the provider's own)",
    )
    add("eval", metavar="FILE", help="judge these predictions; write =FILE")
    for name, metavar, what in _EVAL:
        add(f"eval-{name}", metavar=metavar, help=what.replace("%", "%%"))
    for name, what in _EVAL_FLAGS:
        add(f"eval-{name}", help=what, **flag)
    add("eval-report", metavar="FORMAT:FILE", help="write the verdicts to a file: json or text", **many)


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
