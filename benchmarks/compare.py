"""Compare our work with its floor, interleaved, and print the ratio of the fastest runs.

    python benchmarks/compare.py data.jsonl [RUNS]                       linting at header depth
    python benchmarks/compare.py predictions.jsonl [RUNS] score          scoring predictions

Both sides run with malloc's trimming off: it otherwise adds 56,000 page faults to either
(https://man7.org/linux/man-pages/man3/mallopt.3.html).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "67108864"}


def run(script: str, data: str) -> dict[str, Any]:
    """Return what *script* measured on *data*."""
    command = [sys.executable, str(HERE / script), data]
    done = subprocess.run(command, env={**os.environ, **MALLOC}, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


SCRIPTS = {
    "lint": ("floor_header.py", "lint_header.py"),
    "score": ("floor_score.py", "score_predictions.py"),
}


def main(data: str, runs: str = "7", what: str = "lint") -> None:
    """Print the fastest of *runs* of each side, their spread and the ratio."""
    floor, ours = SCRIPTS[what]
    floors, lints = [], []
    for _ in range(int(runs)):
        floors.append(run(floor, data))
        lints.append(run(ours, data))
        assert floors[-1]["result"] == lints[-1]["result"]
    for name, measured in (("floor", floors), (what, lints)):
        seconds = sorted(one["seconds"] for one in measured)
        memory = max(one["peak"] - one["imports"] for one in measured)
        print(f"{name:<6} {seconds[0]:.3f} s CPU (to {seconds[-1]:.3f}), {memory} MB above its imports")
    ratio = min(one["seconds"] for one in lints) / min(one["seconds"] for one in floors)
    print(f"ratio  {ratio:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
