"""The guide leads from a table to a finished job, and its outputs are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .fake_server import KEY, FakeServer, event

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "submit.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ENDPOINT = "https://discs.openai.azure.com"


def steady(text: str, url: str) -> str:
    """Leave out what differs between machines and versions: the address, hashes, sizes, how many rules."""
    text = re.sub(r"[0-9a-f]{12,}", "HASH", text.replace(url, ENDPOINT))
    return re.sub(r"\d[\d,.]* (bytes|kB|rules)", r"N \1", text).strip()


def test_the_guide_is_true(fake: FakeServer, tmp_path: Path) -> None:
    url = fake.url.removesuffix("/v1")
    fake.script = [
        ("running", [event(1, "Fine-tuning job started")]),
        ("succeeded", [event(2, "The job has successfully completed")]),
    ]
    fake.job_end = {"fine_tuned_model": "gpt-4o-2024-08-06.ft-0e1f-discs", "trained_tokens": 16_044}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = kept | {"PATH": path, "AZURE_OPENAI_ENDPOINT": url, "AZURE_OPENAI_API_KEY": KEY}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
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
