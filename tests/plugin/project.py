"""A user's project: datasets, a configuration, and runs of pytest on them."""

from __future__ import annotations

import base64
import io
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Collection
from pathlib import Path
from zlib import crc32

import pytest
from PIL import Image

from pytest_vft import build_example, write_jsonl

# Three rules run always, for they say whether a file can be read: with this one a file has four items.
ONE_RULE = "--vft-select=image/unsupported-mode"

# What base64 makes of the first bytes of a PNG file.
PAYLOAD = "iVBORw0"

PYTEST_9 = pytest.version_tuple >= (9,)

# Slow enough for another worker to try the same.
_COUNTING = """
import time
import pytest_vft.items.lint

def counted(*arguments, lint=pytest_vft.items.lint.run_all, **options):
    with open("lints.txt", "a") as file:
        file.write("lint\\n")
    time.sleep(0.2)
    return lint(*arguments, **options)

pytest_vft.items.lint.run_all = counted
"""


def drawn(mode: str = "RGB", shade: int = 0, width: int = 16) -> str:
    """Return a small PNG of *mode* as a data URL."""
    file = io.BytesIO()
    Image.new("L", (width, 16), shade % 256).convert(mode).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class Project:
    """A folder, and pytest in it with no plugin loaded but ours."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.folder = pytester.path

    def write(
        self,
        name: str = "train.jsonl",
        *,
        examples: int = 10,
        grey: Collection[int] = (),
        remote: Collection[int] = (),
        about: str | None = None,
    ) -> Path:
        """Write a dataset without faults but on lines *grey*, whose images are not RGB.

        The images of lines *remote* stand behind URLs. Two files hold the same questions and
        images only if they are *about* the same.
        """
        width = 16 + crc32((about or name).encode()) % 1_000

        def image(line: int) -> str:
            if line in remote:
                return f"https://example.com/{line}.png"
            return drawn("L" if line in grey else "RGB", line, width)

        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(
            path,
            (
                build_example(f"What is {line} in {about or name}?", "A square.", image(line))
                for line in range(1, examples + 1)
            ),
        )
        return path

    def configure(self, toml: str) -> None:
        """Write the content of [tool.vft]."""
        (self.folder / "vft.toml").write_text(toml, encoding="utf-8")

    def run(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in this process."""
        with warnings.catch_warnings():
            warnings.resetwarnings()
            return self.pytester.runpytest_inprocess("-p", "vft", *arguments)

    def run_apart(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in a process of its own, with xdist at hand."""
        return self.pytester.runpytest_subprocess("-p", "vft", "-p", "xdist", *arguments)

    def outcomes(self, *arguments: str | Path) -> dict[str, str]:
        """Return the outcome of each item in the JUnit report of a run."""
        return self.outcomes_and_lines(*arguments)[0]

    def outcomes_and_lines(self, *arguments: str | Path) -> tuple[dict[str, str], list[str]]:
        """Return the outcome of each item in the JUnit report of a run, and the lines of its output."""
        lines = self.run_apart("--junitxml=junit.xml", *arguments).outlines
        cases = ET.parse(self.folder / "junit.xml").iter("testcase")  # noqa: S314 - written by pytest
        outcomes = {
            f"{case.get('classname')}::{case.get('name')}": next(
                (child.tag for child in case if child.tag != "properties"), "passed"
            )
            for case in cases
        }
        return outcomes, lines

    def ids(self, *arguments: str | Path) -> list[str]:
        """Return the ids of the items that *arguments* collect."""
        result = self.run("--collect-only", "-q", *arguments)
        return [line for line in result.outlines if "::" in line]

    def count_lints(self) -> None:
        """Have runs of this project count their lints."""
        self.pytester.makeconftest(_COUNTING)

    @property
    def lints(self) -> int:
        """How often data was linted, by all processes of all runs."""
        counted = self.folder / "lints.txt"
        return len(counted.read_text().splitlines()) if counted.exists() else 0
