"""The minimum accuracies in the option --min-accuracy."""

from __future__ import annotations

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.scoring import KINDS, Kind
from pytest_vft.evaluation.statistics import check_share
from pytest_vft.naming import option
from pytest_vft.runs.option_values import read_number, read_pairs
from pytest_vft.text import nearest


def read_minima(text: str | None) -> dict[Kind, float]:
    """Return the minimum accuracy of each kind: "0.9" for both, or "closed=0.9,open=0.6"."""
    if text is None:
        return {}
    pairs = read_pairs("min-accuracy", text) if "=" in text else dict.fromkeys(KINDS, text)
    minima: dict[Kind, float] = {}
    for name, value in pairs.items():
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None:
            raise UsageError(
                f"{option('min-accuracy')}: no kind {name!r}{nearest(name, KINDS)}; known: {', '.join(KINDS)}"
            )
        minima[kind] = read_number("min-accuracy", value)
        check_share("min-accuracy", minima[kind])
    return minima
