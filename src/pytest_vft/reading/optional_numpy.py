"""numpy, which is not a dependency and is used where it is installed."""

from __future__ import annotations

from typing import Any


def find_numpy() -> Any | None:
    """Return the module numpy, None if it is not installed; importing it takes 0.1 s and 20 MB."""
    from pytest_vft.reading.interrupts import interrupts_held  # noqa: PLC0415 - as below

    try:
        with interrupts_held():  # the import raises ImportError instead of KeyboardInterrupt
            import numpy as np  # noqa: PLC0415 - for large datasets, where it is installed
    except ImportError:
        return None
    return np
