"""What was written as input of the Batch API, and what to do with it."""

from __future__ import annotations

import shlex

from pytest_vft.evaluation.batch import MOST_BYTES, MOST_REQUESTS, WrittenBatch
from pytest_vft.text import count, safe


def render_batch(written: WrittenBatch) -> str:
    """Return a line about *written* and the next step."""
    lines = [
        f"{safe(written.path, None)}  {count(written.requests, 'request')}, {written.bytes / 1e6:,.1f} MB"
    ]
    if written.requests > MOST_REQUESTS or written.bytes > MOST_BYTES:
        lines.append(
            f"warning: OpenAI takes at most {MOST_REQUESTS:,} requests and {MOST_BYTES / 1e6:,.0f} MB in one "
            "file; split the test split"
        )
    test = shlex.quote(safe(written.test, None))
    lines.append(f"next: make a batch of it, and judge its output: vft eval OUTPUT.jsonl --test={test}")
    return "\n".join(lines) + "\n"
