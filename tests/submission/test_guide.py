"""The guide leads from a table to a finished job, and its outputs are true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .fake_server import KEY, FakeServer, event

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "submit.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ENDPOINT = "https://discs.openai.azure.com"


def steady(text: str, url: str) -> str:
    """Leave out what differs between machines and versions: the address, sizes, the content of hashes.

    Each hash is replaced by its number, and its start in the name of a file by the same number.
    """
    text = text.replace(url, ENDPOINT)
    for number, found in enumerate(dict.fromkeys(re.findall(r"\b[0-9a-f]{64}\b", text)), start=1):
        text = text.replace(found, f"HASH{number}").replace(found[:12], f"START{number}")
    text = re.sub(r"^  \d\d:\d\d:\d\d  ", "  TIME  ", text, flags=re.MULTILINE)
    return re.sub(r"\d[\d,.]* (bytes|kB)", r"N \1", text).strip()


def assert_hash_is_true(run: Callable[..., str], command: str, folder: Path, expected: str) -> None:
    """Hold the hash of the plan against *expected*, if Pillow has made the same images as for the page."""
    run(*command.split(), endpoint=ENDPOINT)
    plan = json.loads((folder / "train.plan.json").read_text())
    if plan["request"]["files"][0]["sha256"] in expected:
        assert plan["plan"] in expected


def test_the_guide_is_true(fake: FakeServer, tmp_path: Path) -> None:
    url = fake.url.removesuffix("/v1")
    fake.script = [
        ("running", [event(1, "Fine-tuning job started")]),
        ("succeeded", [event(2, "The job has successfully completed")]),
    ]
    fake.job_end = {"fine_tuned_model": "gpt-4o-2024-08-06.ft-0e1f-discs", "trained_tokens": 16_044}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = kept | {"PATH": path, "AZURE_OPENAI_API_KEY": KEY}

    def run(*command: str, endpoint: str = url) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment | {"AZURE_OPENAI_ENDPOINT": endpoint},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # as on the terminal of a reader
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    compared = 0
    for kind, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "python":
            (tmp_path / "make_data.py").write_text(text, encoding="utf-8")
            run("python", "make_data.py")
        elif kind == "toml":
            (tmp_path / "vft.toml").write_text(text, encoding="utf-8")
        elif kind == "console":
            command, _, expected = text.removeprefix("$ ").partition("\n")
            if " plan " in command:
                assert_hash_is_true(run, command, tmp_path, expected)
            assert steady(run(*command.split()), url) == steady(expected, url)
            compared += 1
    assert compared == 3


def test_each_promise_has_its_tests() -> None:
    page = (GUIDE.parents[1] / "explanation" / "jobs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+ \| (`test_.+`) \|$", page, re.MULTILINE)
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))

    assert len(rows) > 10
    for row in rows:
        for name in re.findall("`(.+?)`", row):
            assert f"def {name}(" in tests
