"""The blocks of code in the documentation, run as readers run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SCRIPTS = Path(sys.executable).parent


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def steady(text: str) -> str:
    """Remove what differs between runs and machines: times, sizes, versions, paths."""
    text = re.sub(r"\d+\.\d+ ?s\b", "N s", text)
    text = re.sub(r"\d[\d,.]* (bytes|kB|MB)", "N bytes", text)
    text = re.sub(
        r"^(platform|rootdir|plugins|cachedir|configfile|hypothesis).*\n", "", text, flags=re.MULTILINE
    )
    text = re.sub(r"=+", "=", text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip()


def run(command: str, folder: Path, scripts: Path = SCRIPTS, **variables: str) -> str:
    """Run *command* unchanged, with the vft and pytest in *scripts*, by default those of this Python."""
    path = f"{scripts}:/usr/bin:/bin"
    # pytest prints more if the variable CI is set than on the terminal of a reader.
    hidden = ("PYTEST_", "CI", "VFT_")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(hidden)}
    environment |= {"PATH": path, "COLUMNS": "80", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    environment["VFT_OFFLINE"] = "1"  # the buckets in guides are not read
    environment["PYTEST_ADDOPTS"] = "-p no:randomly -p no:sugar"  # they change each output
    done = subprocess.run(  # noqa: S602 - our own documentation, in a shell, as readers run it
        command,
        shell=True,
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def follow(page: str, folder: Path, scripts: Path = SCRIPTS, **variables: str) -> int:
    """Run the Python and console blocks of *page* in *folder*; return how many outputs were compared.

    A block of TOML is the configuration from there on. *scripts* and *variables* are those of run().
    """
    compared = 0
    for kind, text in blocks(page):
        if kind == "python":
            (folder / "make_data.py").write_text(text, encoding="utf-8")
            run("python make_data.py", folder, scripts, **variables)
        if kind == "toml":
            name = "pyproject.toml" if "[tool.vft" in text else "vft.toml"
            (folder / name).write_text(text, encoding="utf-8")
        if kind == "console":
            command, _, expected = text.removeprefix("$ ").partition("\n")
            printed = run(command, folder, scripts, **variables)
            if expected:
                assert steady(printed) == steady(expected)
                compared += 1
    return compared
