"""Tell whether a vision fine-tuning dataset is fit to be trained on, before it is paid for.

Importing this package costs nothing: its names are resolved when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_vft.building import FewShot, build_example, write_jsonl
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
    from pytest_vft.runs.evaluation import (
        Evaluation,
        assert_min_accuracy,
        assert_not_worse_than,
        evaluate,
    )
    from pytest_vft.runs.lint import assert_clean, lint
    from pytest_vft.runs.reference import explain, list_rules, schema
    from pytest_vft.runs.submit import apply_job, cancel_job, follow_job, plan_job, preflight_job

    __version__: str

_HOMES = {
    "ConfigError": "errors",
    "Evaluation": "runs.evaluation",
    "EvaluationError": "errors",
    "FewShot": "building",
    "Finding": "model",
    "Judge": "evaluation.judge",
    "LintError": "errors",
    "Report": "model",
    "RuleFileError": "errors",
    "ServerError": "errors",
    "SubmissionError": "errors",
    "UsageError": "errors",
    "VftError": "errors",
    "VftWarning": "errors",
    "apply_job": "runs.submit",
    "assert_clean": "runs.lint",
    "assert_min_accuracy": "runs.evaluation",
    "assert_not_worse_than": "runs.evaluation",
    "build_example": "building",
    "cancel_job": "runs.submit",
    "encode_image": "encoding",
    "evaluate": "runs.evaluation",
    "follow_job": "runs.submit",
    "explain": "runs.reference",
    "lint": "runs.lint",
    "list_rules": "runs.reference",
    "plan_job": "runs.submit",
    "preflight_job": "runs.submit",
    "schema": "runs.reference",
    "write_jsonl": "building",
}

__all__ = [
    "ConfigError",
    "Evaluation",
    "EvaluationError",
    "FewShot",
    "Finding",
    "Judge",
    "LintError",
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
    "build_example",
    "cancel_job",
    "encode_image",
    "evaluate",
    "explain",
    "follow_job",
    "lint",
    "list_rules",
    "plan_job",
    "preflight_job",
    "schema",
    "write_jsonl",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms that only this needs

        return version("pytest-vft")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
