"""The results of an evaluation as JSON, format vft-eval/1."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.metadata import version
from typing import Any

from pytest_vft.evaluation.accuracy import Accuracy
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.text import safe

FORMAT = "vft-eval/1"


def render_results_json(results: Results) -> str:
    """Return *results* as JSON text; ASCII only, so that no answer can do harm."""
    # "#" stands in strings only; a CI runner obeys "##[" wherever it stands (see text.safe).
    return json.dumps(as_data(results), indent=2).replace("##", "#\\u0023") + "\n"


def as_data(results: Results) -> dict[str, Any]:
    """Return *results* as plain data."""
    irregular = results.matched.irregular
    return {
        "format": FORMAT,
        "ok": results.ok,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "predictions": results.predictions,
        "test": results.test,
        "baseline": results.baseline,
        "judge": results.judge,
        "matched_by": results.matched.how,
        "prediction_count": results.matched.predictions,
        "question_count": len(results.matched.answers),
        "irregular": {one.name: list(getattr(irregular, one.name)) for one in fields(irregular)},
        "gates": [_gate_data(gate) for gate in results.gates],
        "comparisons": [_comparison_data(comparison) for comparison in results.comparisons],
        "errors": [{"kind": kind, "message": safe(error, None)} for kind, error in results.errors.items()],
        "unscored": results.unscored,
    }


def _accuracy_data(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "accuracy": accuracy.share,
        "right": accuracy.right,
        "n": accuracy.n,
        "images": accuracy.images,
        "effective_n": accuracy.effective_n,
        "interval": list(accuracy.interval),
    }


def _gate_data(gate: Gate) -> dict[str, Any]:
    return {
        "kind": gate.kind,
        "ok": gate.ok,
        "causes": list(gate.causes),
        "metrics": list(gate.metrics),
        "normalise": gate.scoring.normalise,
        **_accuracy_data(gate.accuracy),
        "minimum": gate.minimum,
        "short_by": gate.short_by,
        "confidence": gate.confidence,
        "bound": gate.bound,
        "settled_by": gate.settled_by,
        "confusions": [
            {"said": said, "truth": truth, "count": number}
            for (said, truth), number in gate.confusions.items()
        ],
        "ratings": dict(gate.ratings),
        "ungraded": [mark.answer.id for mark in gate.ungraded],
        "by": gate.by,
        "groups": [
            {"value": group.value, "ok": group.ok, "few": group.few, **_accuracy_data(group.accuracy)}
            for group in gate.groups
        ],
        "wrong": [_mark_data(mark) for mark in gate.wrong],
        "near_misses": [{"id": mark.answer.id, "normalise": name} for mark, name in gate.near_misses],
    }


def _mark_data(mark: Mark) -> dict[str, Any]:
    answer = mark.answer
    return {
        "id": answer.id,
        "line": answer.line,
        "test_line": answer.question.line if answer.question else None,
        "image": answer.question.image if answer.question else None,
        "question": answer.question.text if answer.question else None,
        "said": answer.said,
        "truth": answer.truth,
        "rating": mark.rating,
    }


def _comparison_data(comparison: Comparison) -> dict[str, Any]:
    return {
        "kind": comparison.kind,
        "ok": comparison.ok,
        "causes": list(comparison.causes),
        "accuracy": _accuracy_data(comparison.accuracy),
        "baseline": _accuracy_data(comparison.baseline),
        "difference": comparison.difference,
        "interval": list(comparison.interval),
        "better": comparison.better,
        "worse": comparison.worse,
        "p": comparison.p,
        "margin": comparison.margin,
        "alpha": comparison.alpha,
        "confidence": comparison.confidence,
        "settled_by": comparison.settled_by,
        "lost": [mark.answer.id for mark in comparison.lost],
    }
