"""Check vision fine-tuning datasets before training on them.

Public names are imported when they are first used, so importing the package itself is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_vft.building import FewShot, build_example, write_jsonl
    from pytest_vft.compatibility import ProviderComparison
    from pytest_vft.encoding import encode_image
    from pytest_vft.errors import (
        ConfigError,
        EvaluationError,
        LintError,
        RuleFileError,
        ServerError,
        SubmissionError,
        UsageError,
        VftError,
        VftWarning,
    )
    from pytest_vft.evaluation.judge import Judge
    from pytest_vft.model import Finding, Report
    from pytest_vft.runs.assertions import assert_min_accuracy, assert_not_worse_than
    from pytest_vft.runs.build import build_dataset
    from pytest_vft.runs.compare import compare_providers
    from pytest_vft.runs.convert import convert
    from pytest_vft.runs.evaluation import Evaluation, evaluate
    from pytest_vft.runs.fix import fix
    from pytest_vft.runs.lint import assert_clean, lint
    from pytest_vft.runs.reference import explain, list_rules, schema
    from pytest_vft.runs.submit import apply_job, cancel_job, follow_job, plan_job, preflight_job
    from pytest_vft.runs.view import show

    __version__: str

_MODULES = {
    "building": ("FewShot", "build_example", "write_jsonl"),
    "compatibility": ("ProviderComparison",),
    "encoding": ("encode_image",),
    "errors": (
        *("ConfigError", "EvaluationError", "LintError", "RuleFileError", "ServerError"),
        *("SubmissionError", "UsageError", "VftError", "VftWarning"),
    ),
    "evaluation.judge": ("Judge",),
    "model": ("Finding", "Report"),
    "runs.assertions": ("assert_min_accuracy", "assert_not_worse_than"),
    "runs.build": ("build_dataset",),
    "runs.compare": ("compare_providers",),
    "runs.convert": ("convert",),
    "runs.evaluation": ("Evaluation", "evaluate"),
    "runs.fix": ("fix",),
    "runs.lint": ("assert_clean", "lint"),
    "runs.reference": ("explain", "list_rules", "schema"),
    "runs.submit": ("apply_job", "cancel_job", "follow_job", "plan_job", "preflight_job"),
    "runs.view": ("show",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ConfigError",
    "Evaluation",
    "EvaluationError",
    "FewShot",
    "Finding",
    "Judge",
    "LintError",
    "ProviderComparison",
    "Report",
    "RuleFileError",
    "ServerError",
    "SubmissionError",
    "UsageError",
    "VftError",
    "VftWarning",
    "__version__",
    "apply_job",
    "assert_clean",
    "assert_min_accuracy",
    "assert_not_worse_than",
    "build_dataset",
    "build_example",
    "cancel_job",
    "compare_providers",
    "convert",
    "encode_image",
    "evaluate",
    "explain",
    "fix",
    "follow_job",
    "lint",
    "list_rules",
    "plan_job",
    "preflight_job",
    "schema",
    "show",
    "write_jsonl",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms, needed for the version only

        return version("pytest-vft")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
