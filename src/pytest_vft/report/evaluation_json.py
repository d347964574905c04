"""The results of an evaluation as JSON, format vft-eval/1."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from pytest_vft.evaluation.accuracy import Accuracy
from pytest_vft.evaluation.comparison import Change, Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.text import safe

FORMAT = "vft-eval/1"


def render_results_json(results: Results) -> str:
    """Return *results* as JSON text, in ASCII so that answers cannot contain control characters."""
    # "#" occurs only in strings; CI runners obey "##[" anywhere in a line (see text.safe).
    return json.dumps(_results_data(results), indent=2).replace("##", "#\\u0023") + "\n"


def _results_data(results: Results) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "ok": results.ok,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        **_attributes(results, "predictions", "test", "against", "judge"),
        "matched_by": results.matched.how,
        "prediction_count": results.matched.predictions,
        "question_count": results.matched.questions,
        "irregular": asdict(results.matched.irregular),
        "gates": [_gate_data(gate) for gate in results.gates],
        "comparisons": [_comparison_data(comparison) for comparison in results.comparisons],
        "calibration": _calibration_data(results),
        "errors": [{"kind": kind, "message": safe(error, None)} for kind, error in results.errors.items()],
        "unscored": results.unscored,
        "spent": [asdict(spent) for spent in results.spending.entries],
    }


def _accuracy_data(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "accuracy": accuracy.share,
        **_attributes(accuracy, "right", "n", "questions", "images", "effective_n", "interval"),
    }


def _gate_data(gate: Gate) -> dict[str, Any]:
    return {
        **_attributes(gate, "kind", "ok", "causes", "metrics"),
        "normalise": gate.scoring.normalise,
        **_accuracy_data(gate.accuracy),
        **_attributes(gate, "minimum", "short_by", "confidence", "bound", "settled_by"),
        "confusions": [
            {"said": said, "truth": truth, "count": number}
            for (said, truth), number in gate.confusions.items()
        ],
        "ratings": gate.ratings,
        "ungraded": [{"id": mark.answer.id, "judge_said": mark.judge_said} for mark in gate.ungraded],
        "by": gate.by,
        "groups": [
            {**_attributes(group, "key", "value", "ok", "few"), **_accuracy_data(group.accuracy)}
            for group in gate.groups
        ],
        "wrong": [_mark_data(mark) for mark in gate.wrong],
        "near_misses": [{"id": mark.answer.id, "normalise": name} for mark, name in gate.near_misses],
        **_attributes(gate, "near_fields", "flips"),
    }


def _mark_data(mark: Mark) -> dict[str, Any]:
    answer, question = mark.answer, mark.answer.question
    return {
        **_attributes(answer, "id", "line"),
        "test_line": question.line if question else None,
        "image": question.image if question else None,
        "question": question.text if question else None,
        **_attributes(answer, "said", "truth"),
        "others": list(answer.others),
        "rating": mark.rating,
    }


def _calibration_data(results: Results) -> dict[str, Any] | None:
    if results.calibration is None:
        return None
    return {
        "labels": results.judge_labels,
        **_attributes(results.calibration, "n", "agreed", "same_verdict", "interval"),
        **_attributes(results.calibration, "kappa", "kappa_interval", "left_out"),
        "confusions": [
            {"people": people, "judge": judge, "count": number}
            for (people, judge), number in results.calibration.confusions.items()
        ],
    }


def _comparison_data(comparison: Comparison) -> dict[str, Any]:
    return {
        **_attributes(comparison, "kind", "ok", "causes"),
        "accuracy": _accuracy_data(comparison.accuracy),
        "against": _accuracy_data(comparison.against),
        **_attributes(comparison, "difference", "interval", "p"),
        **_attributes(comparison, "margin", "alpha", "confidence", "settled_by"),
        "fixed": [_change_data(change) for change in comparison.fixed],
        "broken": [_change_data(change) for change in comparison.broken],
        **_attributes(comparison, "ratings", "against_ratings", "disputed"),
    }


def _change_data(change: Change) -> dict[str, Any]:
    theirs = change.theirs
    return {**_mark_data(change.ours), "against_said": theirs.answer.said, "against_rating": theirs.rating}


def _attributes(record: object, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}
