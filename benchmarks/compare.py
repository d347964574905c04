"""Compare pytest-vft with the least code that does the same work, and print a Markdown table.

    python benchmarks/compare.py                          all comparisons, at their own sizes
    python benchmarks/compare.py header full              only these comparisons
    python benchmarks/compare.py header --examples=500 --runs=3
    python benchmarks/compare.py header --kind=png        with other images (see make_data.py)

Both sides run in new processes, in turns, in a new folder. malloc does not trim: trimming adds 56,000 page
faults to each side (https://man7.org/linux/man-pages/man3/mallopt.3.html).
The ratio is that of the fastest runs, with the smallest and largest ratio of a pair in brackets.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, NamedTuple

HERE = Path(__file__).parent
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "67108864"}
EMPTY = "def test_nothing():\n    pass\n"
REPORT = "report.txt"
FEW = 10

DATA = "{data}"  # the placeholder of the data file in a command

Command = tuple[str, ...]

PYTHON = (sys.executable,)
VFT = (str(Path(sys.executable).with_name("vft")),)
CHECK = (*VFT, "check", "--offline", "--no-cache")
# Other plugins would be loaded by both sides, and take longer to import than pytest.
OTHERS = [point.name for point in entry_points(group="pytest11") if point.name not in {"vft", "xdist"}]
PYTEST = (*PYTHON, "-m", "pytest", *(f"-pno:{name}" for name in ("cacheprovider", *OTHERS)))
DATASET = (
    "--vft-only",
    "--vft-offline",
    "--vft-no-cache",
    f"--vft-report=text:{REPORT}",
    f"--vft-data={DATA}",
)


def script(name: str, *arguments: str) -> Command:
    """Return the command that runs a script in this folder."""
    return (*PYTHON, str(HERE / name), *arguments)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sides, each with commands whose figures are added, on *examples* of *kind*.

    *measure* is CPU seconds of the "call" without its imports or of the whole "process", elapsed seconds
    ("clock"), or the peak of "memory" in MB. *target* is the maximum of our figure as a "ratio" to the
    floor, in "excess" of the floor, or "alone". *before* runs once and is not measured.
    """

    name: str
    title: str
    floor: Sequence[Command]
    ours: Sequence[Command]
    target: float | None = None
    measure: Literal["call", "process", "clock", "memory"] = "process"
    relation: Literal["ratio", "excess", "alone"] = "ratio"
    before: Sequence[Command] = ()
    kind: str = "unique"
    examples: int = 10_000
    floor_examples: int | None = None
    times: int = 1
    runs: int = 7


COMPARISONS = (
    Comparison(
        name="header",
        title="header depth",
        measure="call",
        floor=[script("floors.py", "header", DATA)],
        ours=[script("linting.py", "header", DATA)],
        target=1.4,
    ),
    Comparison(
        name="header-jobs",
        title="header depth, two processes",
        measure="clock",
        examples=100_000,
        runs=3,
        floor=[script("floors.py", "header", DATA)],
        ours=[(*CHECK, "--depth=header", "--jobs=2", DATA)],
        target=0.85,
    ),
    Comparison(
        name="full",
        title="full depth",
        floor=[script("floors.py", "full", DATA)],
        ours=[(*CHECK, "--depth=full", "--jobs=1", DATA)],
        target=1.1,
    ),
    Comparison(
        name="full-jobs",
        title="full depth, two processes",
        measure="clock",
        floor=[script("floors.py", "full", DATA)],
        ours=[(*CHECK, "--depth=full", "--jobs=2", DATA)],
        target=0.62,
    ),
    Comparison(
        name="gzip",
        title="gzip, full depth, as the plain file",
        measure="call",
        before=[script("pack.py", DATA, "gz")],
        floor=[script("linting.py", "full", DATA)],
        ours=[script("linting.py", "full", f"{DATA}.gz")],
        target=1.65,
    ),
    Comparison(
        name="zstd",
        title="Zstandard, full depth, as the plain file",
        measure="call",
        before=[script("pack.py", DATA, "zst")],
        floor=[script("linting.py", "full", DATA)],
        ours=[script("linting.py", "full", f"{DATA}.zst")],
        target=1.2,
    ),
    Comparison(
        name="fix",
        title="vft fix of a clean file, full depth",
        runs=3,
        floor=[(*CHECK, "--depth=full", "--jobs=1", DATA)],
        ours=[(*VFT, "fix", "--offline", "--no-cache", "--depth=full", "--jobs=1", "--out=fixed", DATA)],
        target=1.2,
    ),
    Comparison(
        name="providers",
        title="all providers, full depth, as one of them (trl)",
        measure="call",
        floor=[script("comparing.py", "full", DATA, "trl")],
        ours=[script("comparing.py", "full", DATA)],
        target=1.1,
    ),
    Comparison(
        name="looks",
        title="full depth with likeness and quality, as without",
        measure="call",
        floor=[script("linting.py", "full", DATA)],
        ours=[script("linting.py", "full", DATA, "looks")],
        kind="distinct",
        examples=5_000,
        target=1.15,
    ),
    Comparison(
        name="warm",
        title="full depth again, with the cache",
        measure="call",
        before=[script("linting.py", "full", DATA, "cache")],
        floor=[script("floors.py", "hashes", DATA)],
        ours=[script("linting.py", "full", DATA, "cache")],
        target=1.6,
    ),
    Comparison(
        name="few-shot",
        title="full depth, six of seven images on each line the same",
        measure="call",
        kind="few-shot",
        examples=721,
        floor=[script("floors.py", "distinct", DATA)],
        ours=[script("linting.py", "full", DATA)],
        target=1.2,
    ),
    Comparison(
        name="growth",
        title="header depth, ten times the examples",
        measure="call",
        runs=3,
        times=10,
        floor=[script("linting.py", "header", DATA)],
        ours=[script("linting.py", "header", DATA)],
        target=10.5,
    ),
    Comparison(
        name="memory",
        title="memory above that for ten examples, full depth, 1 GB",
        measure="memory",
        relation="excess",
        examples=27_000,
        runs=1,
        floor_examples=FEW,
        floor=[(*CHECK, "--depth=full", "--jobs=2", DATA)],
        ours=[(*CHECK, "--depth=full", "--jobs=2", DATA)],
        target=150,
    ),
    Comparison(
        name="memory-large",
        title="the same, header depth, 4 GB",
        measure="memory",
        relation="excess",
        examples=100_000,
        runs=1,
        floor_examples=FEW,
        floor=[(*CHECK, "--depth=header", "--jobs=2", DATA)],
        ours=[(*CHECK, "--depth=header", "--jobs=2", DATA)],
        target=170,
    ),
    Comparison(
        name="memory-faulty",
        title="the same, 350,000 findings",
        measure="memory",
        relation="excess",
        kind="faulty",
        examples=50_000,
        runs=1,
        floor_examples=FEW,
        floor=[(*CHECK, "--depth=full", "--jobs=2", DATA)],
        ours=[(*CHECK, "--depth=full", "--jobs=2", DATA)],
        target=160,
    ),
    Comparison(
        name="page",
        title="html report with 299 findings, beyond the check, seconds",
        relation="excess",
        kind="damaged",
        examples=20_000,
        runs=3,
        floor=[(*CHECK, "--jobs=1", DATA)],
        ours=[(*CHECK, "--jobs=1", "--report=html:report.html", DATA)],
        target=3,
    ),
    Comparison(
        name="pytest",
        title="pytest, compared with `vft check` plus pytest with one empty test",
        runs=5,
        floor=[(*CHECK, "--jobs=1", DATA), (*PYTEST, "test_empty.py")],
        ours=[(*PYTEST, "--vft-jobs=1", *DATASET)],
        target=1.05,
    ),
    Comparison(
        name="xdist",
        title="pytest -n 2, compared with the same two",
        runs=5,
        floor=[(*CHECK, "--jobs=1", DATA), (*PYTEST, "-n2", "test_empty.py")],
        ours=[(*PYTEST, "-n2", "--vft-jobs=1", *DATASET)],
        target=1.2,  # the workers' imports add to 1; a second scan would lead to 1.7
    ),
    Comparison(
        name="idle",
        title="pytest without options of the plugin, compared with pytest without the plugin",
        runs=15,
        floor=[(*PYTEST, "-pno:vft", "test_empty.py")],
        ours=[(*PYTEST, "test_empty.py")],
        target=1.02,
    ),
    Comparison(
        name="help",
        title="`vft --help`, seconds",
        relation="alone",
        runs=15,
        floor=[(*PYTHON, "-c", "pass")],
        ours=[(*VFT, "--help")],
        target=0.15,
    ),
    Comparison(
        name="start",
        title="`vft check` of ten examples, compared with two imports",
        examples=FEW,
        runs=15,
        floor=[(*PYTHON, "-c", "import orjson, PIL.JpegImagePlugin")],
        ours=[(*CHECK, "--jobs=1", DATA)],
        target=2.5,
    ),
    Comparison(
        name="build",
        title="rows and image files built, with the check, as encoding them in a loop",
        measure="call",
        runs=3,
        before=[script("building.py", DATA, "rows")],
        floor=[script("building.py", DATA, "loop")],
        ours=[script("building.py", DATA, "1")],
        target=1.2,
    ),
    Comparison(
        name="build-jobs",
        title="a build with two processes, compared with one",
        measure="clock",
        runs=3,
        before=[script("building.py", DATA, "rows")],
        floor=[script("building.py", DATA, "1")],
        ours=[script("building.py", DATA, "2")],
        target=0.65,
    ),
    Comparison(
        name="build-memory",
        title="memory of a build, two processes",
        measure="memory",
        relation="alone",
        runs=1,
        before=[script("building.py", DATA, "rows")],
        floor=[script("building.py", DATA, "loop")],
        ours=[script("building.py", DATA, "2")],
        target=200,
    ),
    Comparison(
        name="convert",
        title="data URLs converted to files, without the check",
        measure="call",
        floor=[script("floors.py", "files", DATA)],
        ours=[script("converting.py", DATA)],
        target=1.5,
    ),
    Comparison(
        name="convert-jobs",
        title="data URLs converted to files, without the check, two processes",
        measure="clock",
        floor=[script("floors.py", "files", DATA)],
        ours=[script("converting.py", DATA, "2")],
        target=1.5,
    ),
    Comparison(
        name="convert-check",
        title="data URLs converted to files with the check, compared with the row convert",
        measure="call",
        floor=[script("converting.py", DATA)],
        ours=[script("converting.py", DATA, "check")],
    ),
    Comparison(
        name="score",
        title="predictions judged",
        measure="call",
        kind="predictions",
        examples=100_000,
        floor=[script("floor_score.py", DATA)],
        ours=[script("score_predictions.py", DATA)],
    ),
)


RELATIONS: dict[str, Callable[[float, float], float]] = {
    "ratio": lambda floor, ours: ours / floor,
    "excess": lambda floor, ours: ours - floor,
    "alone": lambda _, ours: ours,
}
UNITS = {"call": "s CPU", "process": "s CPU", "clock": "s", "memory": "MB"}
HEAD = ("name", "what", "examples", "floor", "ours", "ratio or difference", "at most", "memory")


class Measured(NamedTuple):
    """Figures of one side: CPU and elapsed seconds, MB; *work* is the number of images per example."""

    call: float
    process: float
    clock: float
    memory: float
    work: float


class Bench:
    """Runs commands in *folder*, with data of *kind*, which is kept in the folder *data*."""

    def __init__(self, folder: Path, data: Path, kind: str) -> None:
        self._folder = folder
        self._data = data
        self._kind = kind
        (folder / "test_empty.py").write_text(EMPTY)

    def run(self, commands: Sequence[Command], examples: int) -> Measured:
        """Run *commands* in sequence and return the sums of their figures, and the maximum of memory."""
        took = [self._run(command, examples) for command in commands]
        return Measured(
            sum(one.call for one in took),
            sum(one.process for one in took),
            sum(one.clock for one in took),
            max((one.memory for one in took), default=0),
            sum(one.work for one in took),
        )

    def _run(self, command: Command, examples: int) -> Measured:
        reads = any(DATA in part for part in command)
        if reads:
            path = self._file(examples)
            command = tuple(part.replace(DATA, path) for part in command)
        report, output = self._folder / REPORT, self._folder / "output.txt"
        report.unlink(missing_ok=True)
        started = time.perf_counter()
        with output.open("w") as file:
            process = subprocess.Popen(command, cwd=self._folder, env=environment(), stdout=file, stderr=file)
            _, status, used = os.wait4(process.pid, 0)
        clock = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        call, work = read_output((report if report.exists() else output).read_text())
        # A lint may have findings. A command that reads data and counts no work has failed.
        if process.returncode > reads or (reads and not work):
            raise SystemExit(f"{' '.join(command)} failed ({process.returncode}):\n{output.read_text()}")
        return Measured(call, used.ru_utime + used.ru_stime, clock, used.ru_maxrss / 1024, work / examples)

    def _file(self, examples: int) -> str:
        """Return the path of a data file, which is written if it does not exist."""
        path = self._data / f"{self._kind}-{examples}.jsonl"
        if not path.exists():
            predictions = self._kind == "predictions"
            name, kinds = ("make_predictions.py", ()) if predictions else ("make_data.py", (self._kind,))
            subprocess.run(script(name, *kinds, str(examples), str(path)), check=True)
        return str(path)


def environment() -> dict[str, str]:
    """Return the environment of both sides: with bytecode, and without variables of a surrounding pytest."""
    foreign = ("PYTEST_", "PYTHONDONTWRITEBYTECODE")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**own, **MALLOC}


def read_output(output: str) -> tuple[float, int]:
    """Return the CPU seconds in *output* (0 if none), and the number of images or right answers."""
    if output.startswith("{"):
        measured = json.loads(output)
        return measured["seconds"], measured["result"]
    images = re.search(r" ([\d,]+) images?\b", output)  # the line of the file comes before all findings
    return 0, int(images[1].replace(",", "")) if images else 0


def compare(comparison: Comparison, bench: Bench) -> tuple[str, ...]:
    """Return the cells of the row of *comparison*, from the floor on."""
    examples = comparison.examples
    for number in (FEW, examples):
        bench.run(comparison.before, number)
    pairs = []
    for _ in range(comparison.runs):
        floor = bench.run(comparison.floor, comparison.floor_examples or examples)
        ours = bench.run(comparison.ours, examples * comparison.times)
        if floor.work and ours.work != floor.work:
            raise SystemExit(f"{comparison.name}: not the same work: {floor.work}, {ours.work} per example")
        pairs.append((floor, ours))
    few = ours if examples * comparison.times == FEW else bench.run(comparison.ours, FEW)
    memory = max(ours.memory for _, ours in pairs) - few.memory
    figures = [tuple(getattr(side, comparison.measure) for side in pair) for pair in pairs]
    best = max if comparison.measure == "memory" else min
    least = [best(side) for side in zip(*figures, strict=True)]
    related, unit = RELATIONS[comparison.relation], UNITS[comparison.measure]
    each = [related(*pair) for pair in figures]
    missed = comparison.target is not None and related(*least) > comparison.target
    return (
        *(f"{figure:.3g} {unit}" for figure in least),
        f"{related(*least):.3g} ({min(each):.3g} to {max(each):.3g})",
        f"{comparison.target or ''}{', missed' if missed else ''}",
        f"{memory:.0f} MB",
    )


def main() -> None:
    """Run the comparisons that the command line names, and print each row as soon as it is known."""
    known = {comparison.name: comparison for comparison in COMPARISONS}
    parser = argparse.ArgumentParser(
        description="Compare pytest-vft with the least code that does the same work."
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"comparisons: {', '.join(known)} (default: all)")
    add("--examples", type=int, metavar="N", help="number of examples (default: that of each comparison)")
    add(
        "--runs",
        type=int,
        metavar="N",
        help="number of runs of both sides (default: that of each comparison)",
    )
    add("--kind", help="kind of images, see make_data.py (default: that of each comparison)")
    add("--data", type=Path, metavar="DIR", help="folder of data files (default: a folder in /tmp)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"no comparison {', '.join(unknown)}; known: {', '.join(known)}")
    data = arguments.data or Path(tempfile.gettempdir(), "vft-benchmarks")
    data.mkdir(parents=True, exist_ok=True)
    given = {name: value for name in ("examples", "runs", "kind") if (value := getattr(arguments, name))}
    print(f"| {' | '.join(HEAD)} |\n{'| --- ' * len(HEAD)}|")
    for name in arguments.names or known:
        comparison = replace(known[name], **given)
        with tempfile.TemporaryDirectory() as folder:
            cells = compare(comparison, Bench(Path(folder), data.resolve(), comparison.kind))
        size = f"{comparison.examples:,} {comparison.kind}"
        print(f"| {' | '.join((name, comparison.title, size, *cells))} |", flush=True)


if __name__ == "__main__":
    main()
