"""Fuzz the targets with atheris: `python fuzz/run.py [--seconds=60] [--jobs=2] [TARGET...]`.

Each target runs in a process of its own, starts from its corpus in fuzz/corpus, and has an equal share of
the seconds. Inputs with new coverage stay in fuzz/found, one folder a target; a crash is written to
fuzz/crashes and ends the run with exit code 1. Needs `pip install atheris`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
NAMES = (
    *("line", "array", "openai-preference", "sharegpt", "llamafactory", "trl", "swift"),
    *("axolotl", "gemini", "bedrock"),
    *("jpeg", "rule", "provider", "config", "content_range", "predictions"),
)


def main() -> int:
    """Run each target for its share of the time; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together (default: 60)")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time (default: 2)")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in NAMES]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; expected one of {', '.join(NAMES)}")
    names = options.targets or NAMES
    share = max(1, options.seconds * options.jobs // len(names))
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = list(pool.map(lambda name: fuzz_in_process(name, share), names))
    return 1 if any(codes) else 0


def fuzz_in_process(name: str, seconds: int) -> int:
    """Run the target *name* for *seconds* and print its last figures; return its exit code."""
    found, crashes = HERE / "found" / name, HERE / "crashes"
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    command = [
        *(sys.executable, __file__.replace("run.py", "one.py"), name),
        *(f"-max_total_time={seconds}", "-max_len=16384", "-timeout=25", "-rss_limit_mb=2048"),
        *("-print_final_stats=1", f"-artifact_prefix={crashes}/{name}-"),
        *(str(found), str(HERE / "corpus" / name)),
    ]
    with tempfile.TemporaryFile("w+") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        log.seek(0)
        lines = log.read().splitlines()
    if code:
        print(f"{name}: FAILED", *lines[-60:], sep="\n")
        return code
    executed = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
    print(f"{name}: {executed} inputs in {seconds} s, no defect")
    return 0


if __name__ == "__main__":
    sys.exit(main())
