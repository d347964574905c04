"""--since: git says which files are checked, and no change is no file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_vft import UsageError, build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.runs.changes import changed_files

GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set in hooks

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def paths(self) -> list[str]:
        return [file["path"] for file in json.loads(self.out)["files"]]


Check = Callable[..., Done]


def git(*arguments: str) -> None:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *settings, *arguments], check=True, capture_output=True)


def write(name: str, *, faults: int = 0) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    shades = ["png 24x24 l" if line < faults else "png 24x24 rgb" for line in range(10)]
    write_jsonl(
        name,
        [build_example(f"What is {n} of {name}?", "A.", data_url(shade)) for n, shade in enumerate(shades)],
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two datasets on the branch main, and the branch work."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        for name in GIT_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        write("a/train.jsonl", faults=1)
        write("b/other.jsonl", faults=1)
        Path(".gitignore").write_text(".vft_cache\nignored/\n")
        git("init", "-q", "-b", "main")
        git("add", ".")
        git("commit", "-q", "-m", "one")
        git("checkout", "-q", "-b", "work")
    return folder


@pytest.fixture(autouse=True)
def _copy(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(repository, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in GIT_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*arguments: str, form: str = "json") -> Done:
        return Done(main(["check", *arguments, f"--format={form}"]), *capsys.readouterr())

    return run


@pytest.mark.parametrize("files", [[], ["."], ["a/train.jsonl"], ["--data=b"]])
def test_no_change_is_no_file(check: Check, files: list[str]) -> None:
    done = check("--since=main", *files, form="text")

    assert done == (0, "", "vft: no dataset has changed since main: nothing to check\n")


def test_no_change_is_no_file_of_the_configuration_either(check: Check) -> None:
    Path("vft.toml").write_text('data = {train = "a/train.jsonl"}')

    assert check("--since=main", form="github").code == 0
    assert check(form="github").code == 1


def test_programs_get_a_report_without_files(check: Check, tmp_path: Path) -> None:
    done = check("--since=main", f"--report=sarif:{tmp_path}/out/report.sarif")

    assert (done.code, done.paths) == (0, [])
    assert json.loads((tmp_path / "out" / "report.sarif").read_bytes())["runs"][0]["results"] == []


def test_changed_and_new_files_are_checked(check: Check) -> None:
    write("a/train.jsonl", faults=2)  # not staged
    write("new/data.jsonl")  # unknown to git
    write("staged/data.ndjson")
    write("ignored/data.jsonl", faults=1)
    write(".hidden/data.jsonl", faults=1)
    write("notes.txt")
    git("add", "staged")

    done = check("--since=main")

    assert (done.code, done.paths) == (1, ["a/train.jsonl", "staged/data.ndjson", "new/data.jsonl"])


def test_committed_changes_of_the_branch_are_checked_and_those_of_the_other_not(check: Check) -> None:
    write("a/train.jsonl", faults=2)
    git("commit", "-q", "-a", "-m", "two")
    git("checkout", "-q", "main")
    write("b/other.jsonl", faults=2)
    git("commit", "-q", "-a", "-m", "three")
    git("checkout", "-q", "work")

    assert check("--since=main").paths == ["a/train.jsonl"]
    assert check("--since=HEAD").paths == []
    assert check("--since=HEAD~1").paths == ["a/train.jsonl"]


def test_removed_file_is_no_change(check: Check) -> None:
    Path("a/train.jsonl").unlink()

    assert check("--since=main").paths == []


def test_files_limit_the_changes_and_what_is_left_out_is_said(check: Check) -> None:
    write("a/train.jsonl")
    write("c/train.jsonl")

    done = check("a", "b", "--since=main", form="text")

    assert "a/train.jsonl" in done.out
    assert "c/train.jsonl" not in done.out
    assert "note: 1 file not checked: no change since" in done.out


def test_named_file_that_git_cannot_compare_is_checked(check: Check, tmp_path: Path) -> None:
    write("ignored/train.jsonl", faults=1)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.jsonl"
    write(str(elsewhere), faults=1)

    assert check("--since=main", "ignored/train.jsonl").paths == ["ignored/train.jsonl"]
    assert check("--since=main", "a/train.jsonl", str(elsewhere)).paths == [str(elsewhere)]
    assert check("--since=main", "ignored").paths == []


def test_file_of_a_submodule_that_is_named_is_checked(check: Check) -> None:
    write("module/train.jsonl", faults=1)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        git("-C", "module", *arguments)
    git("add", "module")
    git("commit", "-q", "-m", "module")

    assert check("--since=HEAD", "module/train.jsonl").paths == ["module/train.jsonl"]


def test_paths_are_shown_from_the_current_folder(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a/train.jsonl")
    write("c/d [1].jsonl")
    monkeypatch.chdir("c")

    assert check("--since=main").paths == ["d [1].jsonl"]
    assert sorted(changed_files("main")) == ["../a/train.jsonl", "d [1].jsonl"]
    assert changed_files("main", "../a") == ["train.jsonl", "../c/d [1].jsonl"]


def test_names_of_any_kind_are_kept(check: Check) -> None:
    write('ü "b"\t c.jsonl')

    assert check("--since=main").paths == ['ü "b"\t c.jsonl']


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("origin/main", "since: git does not know the revision origin/main; fetch it first"),
        ("--output=a", "since --output=a: expected a revision of git, such as origin/main"),
        ("lonely", "since: lonely and HEAD have no common commit; fetch the history"),
    ],
)
def test_revision_that_git_cannot_compare_is_an_error(check: Check, revision: str, said: str) -> None:
    git("checkout", "-q", "--orphan", "lonely")
    git("commit", "-q", "-m", "alone")
    git("checkout", "-q", "work")

    done = check(f"--since={revision}")

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_folder_without_repository_is_an_error(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "none")

    done = check("--since=main")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vft: since: there is no git repository here (fatal: not a git repository")


def test_without_git_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match=r"since: git cannot be run: No such file or directory"):
        changed_files("main")
