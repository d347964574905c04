"""Repair move-detail: the detail of an image is moved into its image_url."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_detail_inside(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the content *part* with its detail in image_url; None if another detail is there."""
    detail, inner = part.get("detail"), part.get("image_url")
    if (
        not isinstance(detail, str)
        or not isinstance(inner, dict)
        or inner.get("detail") not in (None, detail)
    ):
        return None
    rest = {key: value for key, value in part.items() if key != "detail"}
    return {**rest, "image_url": {**inner, "detail": detail}}
