"""Check vision fine-tuning datasets before training on them.

Public names are imported when they are first used, so importing the package itself is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors; the aliases mark public names
    from pytest_vft.building import FewShot as FewShot
    from pytest_vft.building import build_example as build_example
    from pytest_vft.building import write_jsonl as write_jsonl
    from pytest_vft.encoding import encode_image as encode_image
    from pytest_vft.errors import ConfigError as ConfigError
    from pytest_vft.errors import EvaluationError as EvaluationError
    from pytest_vft.errors import LintError as LintError
    from pytest_vft.errors import RuleFileError as RuleFileError
    from pytest_vft.errors import ServerError as ServerError
    from pytest_vft.errors import SubmissionError as SubmissionError
    from pytest_vft.errors import UsageError as UsageError
    from pytest_vft.errors import VftError as VftError
    from pytest_vft.errors import VftWarning as VftWarning
    from pytest_vft.evaluation.judge import Judge as Judge
    from pytest_vft.model import Finding as Finding
    from pytest_vft.model import Report as Report
    from pytest_vft.runs.evaluate import assert_min_accuracy as assert_min_accuracy
    from pytest_vft.runs.evaluate import assert_not_worse_than as assert_not_worse_than
    from pytest_vft.runs.evaluation import Evaluation as Evaluation
    from pytest_vft.runs.evaluation import evaluate as evaluate
    from pytest_vft.runs.lint import assert_clean as assert_clean
    from pytest_vft.runs.lint import lint as lint
    from pytest_vft.runs.reference import explain as explain
    from pytest_vft.runs.reference import list_rules as list_rules
    from pytest_vft.runs.reference import schema as schema
    from pytest_vft.runs.submit import apply_job as apply_job
    from pytest_vft.runs.submit import cancel_job as cancel_job
    from pytest_vft.runs.submit import follow_job as follow_job
    from pytest_vft.runs.submit import plan_job as plan_job
    from pytest_vft.runs.submit import preflight_job as preflight_job

    __version__: str

_NAMES = {
    "building": "FewShot build_example write_jsonl",
    "encoding": "encode_image",
    "errors": "ConfigError EvaluationError LintError RuleFileError ServerError SubmissionError UsageError "
    "VftError VftWarning",
    "evaluation.judge": "Judge",
    "model": "Finding Report",
    "runs.evaluate": "assert_min_accuracy assert_not_worse_than",
    "runs.evaluation": "Evaluation evaluate",
    "runs.lint": "assert_clean lint",
    "runs.reference": "explain list_rules schema",
    "runs.submit": "apply_job cancel_job follow_job plan_job preflight_job",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted([*_MODULE_OF, "__version__"])  # noqa: PLE0605 - computed from the table above


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms, needed for the version only

        return version("pytest-vft")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
