"""Write a dataset to measure with: COUNT examples of one unique JPEG of about 27 kB each.

python benchmarks/make_data.py 10000 data.jsonl
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

from PIL import Image

from pytest_vft import build_example, write_jsonl


def examples(count: int) -> Iterator[dict[str, Any]]:
    """Yield *count* examples, the same ones each time."""
    for number in range(count):
        noise = random.Random(number).randbytes(64 * 48 * 3)  # noqa: S311 - noise, no secret
        picture = Image.frombytes("RGB", (64, 48), noise).resize((512, 384))
        yield build_example(
            f"Who wrote book {number}?",
            f"Danbo Lee {number}",
            picture,
            system="Answer from the picture.",
            detail="low",
            quality=45,
        )


if __name__ == "__main__":
    write_jsonl(sys.argv[2], examples(int(sys.argv[1])))
