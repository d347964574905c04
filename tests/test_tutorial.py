"""The tutorial, from top to bottom, with nothing but the wheel and the packages that it needs."""

from __future__ import annotations

from pathlib import Path

from build import ProjectBuilder
from documented import ROOT, blocks, follow, run
from requirements import link_packages, needed_by


def test_the_tutorial_is_true(tmp_path: Path) -> None:
    wheel = ProjectBuilder(ROOT).build("wheel", tmp_path / "wheel")
    link_packages(needed_by("pytest-vft") - {"pytest-vft"}, tmp_path / "needed")
    folder = tmp_path / "empty"
    folder.mkdir()
    # pip installs our wheel, and refuses if the linked packages do not satisfy what it needs.
    variables = {
        "PIP_FIND_LINKS": str(Path(wheel).parent),
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(tmp_path / "needed"),
    }
    ((_, install),) = [block for block in blocks("docs/tutorial.md") if block[0] == "sh"]

    assert "Successfully installed pytest-vft-" in run(install, folder, **variables)
    scripts = folder / ".venv" / "bin"
    (scripts / "pytest").write_text('#!/bin/sh\nexec python -m pytest "$@"\n')  # pytest is linked without it
    (scripts / "pytest").chmod(0o755)
    assert follow("docs/tutorial.md", folder, scripts, **variables) == 3
