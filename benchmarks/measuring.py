"""CPU seconds and memory of one call, printed as JSON for compare.py."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable


def measured(call: Callable[[], int]) -> None:
    """Run *call*; print its result, its CPU seconds and the peak of memory in MB as JSON."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {
                "result": result,
                "seconds": round(seconds, 4),
                "peak": after.ru_maxrss // 1024,
                "imports": before.ru_maxrss // 1024,
            }
        )
    )
