"""The installed package is complete, whichever way it was installed."""

from __future__ import annotations

import json
import re
import site
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from build import ProjectBuilder
from packaging.requirements import Requirement
from requirements import needed_by

ROOT = Path(__file__).parents[1]
TIMEOUT = 120
MOST_BYTES = 90_000_000  # of a base install, without bytecode

PROBE = """
import importlib.resources, json, pytest_vft
from pytest_vft.resources import rules_root
root = rules_root()
print(json.dumps({
    "root": str(root),
    "rules": [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()],
    "templates": sorted(one.name for one in importlib.resources.files("pytest_vft").joinpath(
        "report/html/templates").iterdir()),
    "typed": importlib.resources.files("pytest_vft").joinpath("py.typed").is_file(),
    "version": pytest_vft.__version__,
}))
"""


@dataclass
class Installation:
    folder: Path
    editable: bool
    found: dict[str, Any]

    def run(self, script: str, *arguments: str) -> str:
        return run(in_environment("scripts", self.folder) / script, *arguments, cwd=self.folder)


def run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=True, timeout=TIMEOUT
    ).stdout


def in_environment(kind: str, folder: Path) -> Path:
    return Path(sysconfig.get_path(kind, scheme="venv", vars={"base": str(folder)}))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(ProjectBuilder(ROOT).build("sdist", tmp_path_factory.mktemp("sdist")))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(ProjectBuilder(ROOT).build("wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module", params=["wheel", "sdist", "editable"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A fresh environment outside the checkout that holds the package, installed in one way."""
    folder = tmp_path_factory.mktemp(f"from-{request.param}")
    match request.param:
        case "wheel":
            package = request.getfixturevalue("wheel")
        case "sdist":
            with tarfile.open(request.getfixturevalue("sdist")) as archive:
                # Python 3.11.0 to 3.11.3 have no filters.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(folder / "source")  # noqa: S202 - our own archive
            (source,) = (folder / "source").iterdir()
            package = ProjectBuilder(source).build("wheel", folder)
        case "editable":
            package = ProjectBuilder(ROOT).build("editable", folder)

    venv.create(folder, symlinks=True)
    python = in_environment("scripts", folder) / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    run(*pip, package, cwd=folder)
    # The packages that we depend on are borrowed from here;
    # an editable install of ourselves is not, since its own .pth file is not read from there.
    borrowed = in_environment("purelib", folder) / "borrowed.pth"
    borrowed.write_text("\n".join(site.getsitepackages()))

    found = json.loads(run(python, "-I", "-c", PROBE, cwd=folder))
    return Installation(folder, request.param == "editable", found)


def test_every_rule_is_found(installation: Installation) -> None:
    written = {
        path.relative_to(ROOT / "rules").as_posix()
        for path in (ROOT / "rules").rglob("*")
        if path.suffix in {".toml", ".json"}
    }

    assert written
    assert written == set(installation.found["rules"])


def test_rules_are_read_where_they_belong(installation: Installation) -> None:
    """An editable install sees an edited rule at once; any other one needs no checkout."""
    packaged = in_environment("purelib", installation.folder) / "pytest_vft" / "rules"
    expected = ROOT / "rules" if installation.editable else packaged

    assert expected == Path(installation.found["root"])


def test_templates_are_shipped(installation: Installation) -> None:
    templates = ROOT / "src" / "pytest_vft" / "report" / "html" / "templates"

    assert installation.found["templates"] == sorted(one.name for one in templates.iterdir())


def test_types_are_shipped(installation: Installation) -> None:
    assert installation.found["typed"]


def test_version_is_the_one_released(installation: Installation) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == installation.found["version"]


def test_command_runs(installation: Installation) -> None:
    assert "check" in installation.run("vft", "--help")


def test_plugin_is_known_to_pytest(installation: Installation) -> None:
    script = "import sys, pytest; sys.exit(pytest.main(['--help']))"

    assert "--vft-data" in installation.run("python", "-I", "-c", script)


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}

    assert {"pytest_vft"} == {top for top in tops if not top.endswith(".dist-info")}


def test_sdist_holds_what_the_tests_read(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/*.py"))
    read = set(re.findall(r'ROOT / "([.\w-]+)"', code))
    assert {"action.yml", "schemastore.json", "docs"} <= read
    others = {".ci/run", "CHANGELOG.md", "Dockerfile", "LICENSE", "README.md", "SECURITY.md", "fuzz"}
    assert read | others <= names | {name.partition("/")[0] for name in names}


def test_archives_are_accepted_by_the_index(sdist: Path, wheel: Path) -> None:
    """PyPI refuses a description that it cannot render; a wheel with stray files breaks other packages."""
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel, cwd=ROOT)
    run(sys.executable, "-m", "check_wheel_contents", wheel, cwd=ROOT)


def test_base_install_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    names = needed_by("pytest-vft")
    assert {"pillow", "openai"} <= names

    for name in names - {"pytest-vft"}:
        files = [Path(file.locate()) for file in distribution(name).files or () if file.suffix != ".pyc"]
        assert files, f"no list of the files of {name}"
        total += sum(file.stat().st_size for file in files)

    assert total <= MOST_BYTES


def test_all_has_all_extras_of_users() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (all_,) = map(Requirement, extras["all"])

    assert all_.extras == extras.keys() - {"all", "docs", "test"}
