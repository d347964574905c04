"""Progress is shown on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vft.catalogue.cases import data_url
from pytest_vft.reading.remote import ReadProgress
from pytest_vft.report.progress import read_line

# The command and pytest as users start them, but in no hurry: they show progress at once.
CHECK = "from pytest_vft.cli import main; sys.exit(main(['check', '--no-cache', 'train.jsonl']))"
# pytest-sugar prints in another way.
PYTEST = (
    "import pytest; sys.exit(pytest.main("
    "['--vft-data=train.jsonl', '--vft-no-cache', '--color=no', '-p', 'no:sugar', '-p', 'no:randomly']))"
)
PLAN = "from pytest_vft.cli import main; sys.exit(main(['submit', 'plan', 'train.jsonl']))"
PROGRAM = "import sys; from pytest_vft.report import progress; progress.SHORT = {short}; {what}"
WHOLE = "#" * 20 + " 100 %"
SHOWN = re.compile(r"100 %  0 of 0 MB, [\d,]+ MB/s, 0 s left")


def run(folder: Path, what: str, *, short: float = 0, ci: str = "", terminal: bool = True) -> str:
    """Return what is written to a terminal, or to a pipe, by a run of *what*."""
    image = {"type": "image_url", "image_url": {"url": data_url("png 16x16 rgb")}}
    text = {"type": "text", "text": "What?"}
    messages = f'[{{"role": "user", "content": [{image}, {text}]}}, {{"role": "assistant", "content": "A"}}]'
    (folder / "train.jsonl").write_text(f'{{"messages": {messages}}}\n'.replace("'", '"'), encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM.format(short=short, what=what)]
    environment = {**os.environ, "CI": ci, "TERM": "xterm", "COLUMNS": "80", "VFT_OFFLINE": "1"}
    environment["PYTEST_ADDOPTS"] = "-p no:randomly -p no:sugar"  # on a terminal, sugar draws bars of its own
    if not terminal:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        return (done.stdout + done.stderr).decode()
    controller, end = pty.openpty()
    # What is written is read at once, since a terminal holds only a few kB.
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=end, stderr=end)
    os.close(end)
    written = b""
    try:
        while piece := os.read(controller, 65_536):
            written += piece
    except OSError:  # nobody has the other end any more
        pass
    os.close(controller)
    process.wait()
    return written.decode()


@pytest.mark.parametrize("what", [CHECK, PYTEST], ids=["check", "pytest"])
def test_pipes_ci_and_short_runs_show_nothing(tmp_path: Path, what: str) -> None:
    for shown in (
        run(tmp_path, what, terminal=False),
        run(tmp_path, what, ci="true"),
        run(tmp_path, what, short=60),
    ):
        assert "train.jsonl" in shown
        assert "MB/s" not in shown


@pytest.mark.parametrize("what", [CHECK, PYTEST, PLAN], ids=["check", "pytest", "plan"])
def test_terminals_show_bytes_rate_and_time_left(tmp_path: Path, what: str) -> None:
    assert SHOWN.search(run(tmp_path, what))


def test_pytest_goes_on_below(tmp_path: Path) -> None:
    """The progress line does not overwrite the output of pytest."""
    lines = re.split(r"\r?\n", run(tmp_path, PYTEST))

    (named,) = [number for number, line in enumerate(lines) if line.strip() == "train.jsonl"]
    (shown,) = [number for number, line in enumerate(lines) if SHOWN.search(line)]
    (others,) = [number for number, line in enumerate(lines) if re.search(r"^train\.jsonl [.sF]+ ", line)]
    assert named < shown < others
    assert lines[others - 1].endswith("\x1b[2K.")  # the line is cleared, and the first item has passed


@pytest.mark.parametrize(
    ("done", "seconds", "line"),
    [
        (250_000_000, 2.0, "#####---------------  25 %  250 of 1,000 MB, 125 MB/s, 6 s left"),
        (1_000_000_000, 4.0, f"{WHOLE}  1,000 of 1,000 MB, 250 MB/s, 0 s left"),
        (1_000_000_000, 0.0, f"{WHOLE}  1,000 of 1,000 MB, 1,000,000 MB/s, 0 s left"),
    ],
)
def test_line_has_a_bar_percent_bytes_rate_and_time_left(done: int, seconds: float, line: str) -> None:
    assert read_line(ReadProgress(done, 1_000_000_000), seconds) == line
