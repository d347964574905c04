"""Write COUNT predictions for benchmarks: closed and open, nine of ten right.

python benchmarks/make_predictions.py 100000 predictions.jsonl
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

from pytest_vft import write_jsonl


def predictions(count: int) -> Iterator[dict[str, Any]]:
    """Yield *count* predictions, which are the same in every run."""
    noise = random.Random(0)  # noqa: S311 - noise, no secret
    for number in range(count):
        truth = noise.choice(["Yes", "No", f"Danbo Lee {number % 1_000}", "Cookery, Food & Wine"])
        said = truth if noise.random() < 0.9 else "Somebody else."
        yield {"example_id": number, "predicted_answer": said, "actual_answer": truth}


if __name__ == "__main__":
    write_jsonl(sys.argv[2], predictions(int(sys.argv[1])))
