"""Repair zero-weight: a few-shot answer is read, but not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_weight(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return *message* with weight 0."""
    return {**message, "weight": 0}
