"""Only regular files are opened, folders are walked once, and nothing waits for a pipe."""

from __future__ import annotations

import glob
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pytest_vft import build_example, evaluate, lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.errors import ConfigError, EvaluationError, RuleFileError, UsageError, VftError
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.regular_files import read_bytes, read_start, read_text, regular
from pytest_vft.runs.config import load_config
from pytest_vft.runs.globs import find_files
from pytest_vft.runs.sources import expand

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no pipes in folders")

LINE = '{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}\n'
PREDICTION = '{"id": "1", "prediction": "Yes", "actual_answer": "Yes"}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a file, a pipe that nobody writes to, a socket and a link to a device."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text(LINE, encoding="utf-8")
    os.mkfifo("pipe")
    Path("device").symlink_to("/dev/zero")
    return tmp_path


@pytest.fixture
def a_socket() -> Iterator[str]:
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind("socket")
        yield "socket"


# Files


def test_regular_file_is_read() -> None:
    Path("link").symlink_to("file")

    for path in ("file", Path("link")):
        assert read_bytes(path) == LINE.encode()
        assert read_text(path) == LINE


def test_start_of_a_file_comes_with_the_size_of_the_whole() -> None:
    for again in (False, True):
        assert read_start("file", 5, again=again) == (LINE[:5].encode(), len(LINE))
        assert read_start("file", 1_000, again=again) == (LINE.encode(), len(LINE))
        for other in ("pipe", "device", ".", "gone"):
            with pytest.raises(OSError, match=r"regular file|directory"):
                read_start(other, 5, again=again)


def test_anything_else_is_not_opened(a_socket: str) -> None:
    for path in ("pipe", "device", a_socket):
        with pytest.raises(OSError, match=r"not a regular file: '\w+'$"):
            read_bytes(path)
    with pytest.raises(IsADirectoryError):
        read_bytes(".")
    with pytest.raises(FileNotFoundError):
        read_bytes("missing")


def test_pipe_that_takes_the_place_of_a_file_in_between_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    found = Path("file").stat()
    monkeypatch.setattr("pathlib.Path.stat", lambda _: found)

    with pytest.raises(OSError, match="not a regular file"):
        regular("pipe", os.O_RDONLY)

    assert len(list(Path("/dev/fd").iterdir())) == before


# Wherever a file is named


def test_pipe_among_data_is_a_finding_and_an_argument_is_refused(a_socket: str) -> None:
    assert a_socket
    Path("data").mkdir()
    Path("pipe").rename("data/pipe.jsonl")
    Path("data/train.jsonl").write_text(LINE, encoding="utf-8")

    found = [finding for finding in lint("data").findings if finding.rule == "file/unreadable"]

    assert [(finding.path, finding.message) for finding in found] == [
        ("data/pipe.jsonl", "cannot be read: not a regular file")
    ]
    with pytest.raises(UsageError, match=r"data/pipe\.jsonl: is not a regular file"):
        lint("data/pipe.jsonl")


READERS: dict[str, tuple[type[VftError], Callable[[], object]]] = {
    "configuration": (ConfigError, lambda: load_config(Path("pipe"))),
    "provider": (RuleFileError, lambda: lint("file", provider="./pipe")),
    "predictions": (EvaluationError, lambda: evaluate("pipe")),
    "test split": (EvaluationError, lambda: evaluate("predictions", test="pipe")),
}


@pytest.mark.parametrize(("error", "read"), READERS.values(), ids=READERS)
def test_pipe_is_an_error_that_names_it(error: type[VftError], read: Callable[[], object]) -> None:
    Path("predictions").write_text(PREDICTION, encoding="utf-8")

    with pytest.raises(error, match=r"^(\./)?pipe: .*file"):
        read()


def test_transcript_is_no_pipe() -> None:
    with pytest.raises(OSError, match="not a regular file"), open_transcript(Path("pipe")):
        pytest.fail("a pipe was read")


def test_image_to_encode_is_no_pipe() -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        build_example("What is this?", "A dog.", ["pipe"])


COMMANDS = {
    "check": "check pipe",
    "check, a configuration": "check file --config=pipe",
    "check, a provider": "check file --provider=./pipe",
    "show": "show pipe:1",
    "eval": "eval pipe",
    "eval, a split": "eval predictions --test=pipe",
    "eval, other predictions": "eval predictions --against=pipe",
    "eval, ids": "eval predictions --ids=@pipe",
    "rules": "rules --test=image/pipe.toml",
    "explain": "explain ./pipe",
    "preflight": "submit preflight file --plan=pipe",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_command_says_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("predictions").write_text(PREDICTION, encoding="utf-8")
    Path("image").mkdir()
    os.mkfifo("image/pipe.toml")

    assert main(command.split()) == 2

    assert "pipe" in "".join(capsys.readouterr())


def test_pipe_among_rules_is_an_error() -> None:
    Path("rules/image").mkdir(parents=True)
    os.mkfifo("rules/image/odd.toml")
    Path("vft.toml").write_text('rules = ["rules"]\n')

    with pytest.raises(RuleFileError, match=r"odd\.toml: not a regular file"):
        lint("file")


@pytest.mark.parametrize("name", ["vft.toml", "pyproject.toml"])
def test_configuration_beside_the_data_is_no_pipe(name: str) -> None:
    Path("pipe").rename(name)

    with pytest.raises(ConfigError, match=rf"{name}: not a regular file"):
        lint("file")


@pytest.mark.parametrize(
    "name", ["images.sqlite", "images.sqlite-journal", "images.sqlite-wal", "shards.sqlite"]
)
def test_cache_that_is_a_pipe_is_not_used(name: str) -> None:
    Path(".vft_cache").mkdir()
    os.mkfifo(f".vft_cache/{name}")
    line = json.dumps(build_example("What is this?", "A dog.", [data_url("png 24x24 rgb")]))
    Path("file").write_text(f"{line}\n" * 5_000, encoding="utf-8")  # a MiB, whose totals are kept

    (note,) = [note for note in lint("file").notes if "regular" in note]

    assert note.startswith(f".vft_cache/{name.partition('-')[0]} is not used: ")
    assert note.endswith(f"not a regular file: '.vft_cache/{name}'")


# Folders


@pytest.fixture
def circles(here: Path) -> Path:
    """Return a folder with two links to itself, so that its paths double at each depth."""
    data = here / "data"
    (data / "deep" / "deeper").mkdir(parents=True)
    (data / "deep" / "a.jsonl").write_text(LINE, encoding="utf-8")
    (data / "deep" / "deeper" / "b.jsonl").write_text(LINE, encoding="utf-8")
    (data / ".hidden").mkdir()
    (data / ".hidden" / "c.jsonl").write_text(LINE, encoding="utf-8")
    for name in ("one", "two"):
        (data / "deep" / name).symlink_to(data)
    return data


@pytest.mark.parametrize("pattern", ["data/**/*.jsonl", "**/*.jsonl", "./**/data/**/*.jsonl", "**/?.jsonl"])
def test_each_folder_is_searched_once(circles: Path, pattern: str) -> None:
    assert circles
    found = [os.path.normpath(path) for path in expand(pattern)]

    assert found == ["data/deep/a.jsonl", "data/deep/deeper/b.jsonl"]


def test_linked_folder_is_searched(here: Path, circles: Path) -> None:
    (here / "links").mkdir()
    (here / "links" / "data").symlink_to(circles)

    assert expand("links/**/a.jsonl") == ["links/data/deep/a.jsonl"]
    assert expand("**/a.jsonl") == ["data/deep/a.jsonl"]


def test_file_has_its_shortest_path(circles: Path) -> None:
    (circles / "z.jsonl").symlink_to(circles / "deep" / "a.jsonl")

    assert expand("data/**/*.jsonl") == ["data/deep/deeper/b.jsonl", "data/z.jsonl"]
    assert expand("data") == ["data/deep/deeper/b.jsonl", "data/z.jsonl"]


def test_shortest_path_counts_hard_links(here: Path) -> None:
    Path("a").mkdir()
    Path("b").mkdir()
    Path("file").rename("a/zz.jsonl")
    Path("b/hard.jsonl").hardlink_to("a/zz.jsonl")
    Path("a/up").symlink_to(here)

    for pattern in ("a/**/*.jsonl", "**/*.jsonl"):
        assert expand(pattern) == ["a/zz.jsonl"]
    assert expand("a/*/*/*.jsonl") == ["a/up/a/zz.jsonl"]


def test_folders_below_folders_of_different_depth_have_their_shortest_paths(here: Path) -> None:
    Path("x/1/2/3").mkdir(parents=True)
    Path("y/1/target").mkdir(parents=True)
    Path("file").rename("y/1/target/a.jsonl")
    Path("x/1/2/3/link").symlink_to(here / "y" / "1" / "target")

    assert expand("**/[13]/**/a.jsonl") == ["y/1/target/a.jsonl"]


@pytest.mark.parametrize("step", ["*", "[!_]*", "**", "**/*"])
def test_stars_over_linked_folders_end(circles: Path, step: str) -> None:
    for name in "xyz":
        (circles / name).symlink_to(circles)

    found = expand(f"data/{f'{step}/' * 31}*.jsonl")

    assert {Path(path).name for path in found} == {"a.jsonl", "b.jsonl"}


@pytest.mark.parametrize("step", ["*", "**"])
def test_stars_of_a_configuration_end(circles: Path, step: str) -> None:
    for name in "xyz":
        (circles / name).symlink_to(circles)
    Path("vft.toml").write_text(f'[data]\ntrain = "data/{f"{step}/" * 31}*.jsonl"\n', encoding="utf-8")

    assert [file.path for file in lint("data/deep/a.jsonl").files] == ["data/deep/a.jsonl"]


PATTERNS = [
    *("data/*/*.jsonl", "*/deep/*", "data/*/", "*", "./*/*/[ab].jsonl", "da*/de??/*.jsonl", "data/.h*/*"),
    *("**", "**/*", "data/**", "**/deep/*", "**/*/b.jsonl", "data/**/deeper/**/*.jsonl", "*/**/a.*"),
    *(
        "**/.hidden/*",
        "data/.*/**",
        "**/[ab].jsonl",
        "data//**/a.jsonl",
        "./**/a.jsonl",
        "data/../**/a.jsonl",
    ),
]


def _glob(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207 - what it is compared with


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_links_it_finds_what_glob_finds(circles: Path, pattern: str) -> None:
    for name in ("one", "two"):
        (circles / "deep" / name).unlink()
    for one in (pattern, f"{circles.parent}/{pattern}"):
        assert sorted(find_files(one)) == sorted(filter(os.path.isfile, _glob(one)))


@pytest.mark.parametrize("place", ["data", "data:1", "data/:3"])
def test_show_does_not_walk_a_folder(circles: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert circles
    assert main(["show", place]) == 2

    said = capsys.readouterr().err
    assert "is a folder; expected " in said
    assert "train.jsonl:12" in said
