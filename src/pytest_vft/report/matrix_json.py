"""The comparison of providers as JSON, format vft-providers/1, which stays stable for other programs."""

from __future__ import annotations

from typing import Any

from pytest_vft.compatibility import Compatibility, ProviderComparison, Reason
from pytest_vft.model import Cost
from pytest_vft.report.json import harmless_json

FORMAT = "vft-providers/1"
_FILE_KEYS = ("path", "split", "data_format", "bytes", "lines", "examples", "images", "distinct_images")


def render_matrix_json(comparison: ProviderComparison) -> str:
    """Return *comparison* as JSON text."""
    return harmless_json(
        {
            "format": FORMAT,
            "depth": comparison.depth,
            "offline": comparison.offline,
            "files": [{key: getattr(file, key) for key in _FILE_KEYS} for file in comparison.files],
            "urls": comparison.urls,
            "providers": [_provider(one) for one in comparison.providers],
            "notes": list(comparison.notes),
        }
    )


def _provider(one: Compatibility) -> dict[str, Any]:
    tokens, cost = _tokens_and_cost(one.cost)
    return {
        "id": one.id,
        "name": one.name,
        "model": one.model,
        "verdict": one.verdict,
        "reasons": [_reason(reason) for reason in one.reasons],
        "after": one.after and one.after._asdict(),
        "tokens": tokens,
        "cost": cost,
        "closes": one.closes and one.closes.isoformat(),
        "closes_newcomers": one.closes_newcomers and one.closes_newcomers.isoformat(),
        "open_until": one.open_until and one.open_until.isoformat(),
        "not_stated": list(one.not_stated),
        "loader": one.loader and one.loader._asdict(),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "rule": reason.rule,
        "effect": reason.effect,
        "count": reason.number,
        "first": None if reason.path is None else {"path": reason.path, "line": reason.line},
        "message": reason.message,
    }


def _tokens_and_cost(cost: Cost | None) -> tuple[dict[str, int] | None, dict[str, Any] | None]:
    """Return the tokens of one epoch, and their price in US dollars; None for what is unknown."""
    if cost is None:
        return None, None
    tokens = {"at_least": cost.tokens_at_least, "at_most": cost.tokens_at_most}
    if cost.price is None:
        return tokens, None
    read = cost.price_date and cost.price_date.isoformat()
    dollars = {name: round(number * cost.price / 1_000_000, 6) for name, number in tokens.items()}
    return tokens, {**dollars, "currency": "USD", "checked": read}
