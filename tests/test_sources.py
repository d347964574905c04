"""Which files a run reads: names, folders, globs, splits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import Source
from pytest_vft.runs.config import Config
from pytest_vft.runs.sources import expand, find_sources


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_nothing_named_and_nothing_configured_is_nothing() -> None:
    touch("train.jsonl")

    assert find_sources(Config()) == ()


def test_names_are_kept_as_they_were_written(folder: Path) -> None:
    touch("a.jsonl", "d/b.jsonl")

    given = ["./a.jsonl", "d/../d/b.jsonl"]
    assert [source.path for source in find_sources(Config(), given)] == given
    assert expand(str(folder / "a.jsonl")) == [str(folder / "a.jsonl")]


def test_order_is_the_one_given() -> None:
    touch("b.jsonl", "a.jsonl", "c.jsonl")

    sources = find_sources(Config(), ["b.jsonl"], train=["a.jsonl"], validation=["c.jsonl"])
    assert sources == (Source("b.jsonl"), Source("a.jsonl"), Source("c.jsonl", "validation"))


@pytest.mark.parametrize("given", ["d", "d/", "./d"])
def test_folder_is_searched_sorted_and_without_what_is_hidden(given: str) -> None:
    touch("d/b.jsonl", "d/a.ndjson", "d/z/y.JSONL", "d/.b.jsonl", "d/.git/c.jsonl", "d/c.json", "d/jsonl")

    found = [os.path.relpath(path, "d") for path in expand(given)]
    assert found == ["a.ndjson", "b.jsonl", "z/y.JSONL"]


def test_hidden_file_and_folder_are_read_when_they_are_named() -> None:
    touch(".hidden.jsonl", ".folder/a.jsonl")

    assert expand(".hidden.jsonl") == [".hidden.jsonl"]
    assert expand(".folder") == [".folder/a.jsonl"]


def test_glob_leaves_out_folders_and_what_is_hidden() -> None:
    touch("b.jsonl", "a.jsonl", ".c.jsonl", "d.jsonl/e.jsonl")

    assert expand("*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert expand("**/*.jsonl") == ["a.jsonl", "b.jsonl", "d.jsonl/e.jsonl"]
    assert expand("[ab].jsonl") == ["a.jsonl", "b.jsonl"]


def test_existing_name_is_no_glob() -> None:
    touch("[ab].jsonl", "a.jsonl", "run [1]/a.jsonl", "run 1/a.jsonl")

    assert expand("[ab].jsonl") == ["[ab].jsonl"]
    assert expand("run [1]") == ["run [1]/a.jsonl"]
    assert expand("*.jsonl", "run [1]") == ["run [1]/a.jsonl"]


def test_link_to_nothing_is_left_to_a_rule() -> None:
    Path("link.jsonl").symlink_to("nothing")

    assert expand("link.jsonl") == ["link.jsonl"]


def test_circle_of_links_is_walked_once() -> None:
    touch("d/a.jsonl")
    Path("d/d").symlink_to(Path("d").resolve())

    assert expand("d") == ["d/a.jsonl"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none.jsonl", "none.jsonl: no such file"),
        ("*.ndjson", "*.ndjson: no such file"),
        ("empty", "empty: the folder has no .jsonl or .ndjson files"),
        ("pipe", "pipe: is not a regular file; write its content to a file"),
        ("/dev/null", "/dev/null: is not a regular file"),
        ("a\0b.jsonl", "no such file"),
    ],
)
def test_what_is_not_there_is_a_usage_error(given: str, said: str) -> None:
    Path("empty").mkdir()
    os.mkfifo("pipe")

    with pytest.raises(UsageError) as raised:
        find_sources(Config(), [given])
    assert said in str(raised.value)


def test_file_named_twice_is_read_once_under_its_first_name() -> None:
    touch("d/a.jsonl")
    Path("link.jsonl").symlink_to("d/a.jsonl")

    assert find_sources(Config(), ["d/a.jsonl", "d", "link.jsonl"], train=["d/*"]) == (Source("d/a.jsonl"),)


@pytest.mark.parametrize("name", ["a.jsonl", "./a.jsonl", "link.jsonl"])
def test_file_in_two_splits_is_a_usage_error(name: str) -> None:
    touch("a.jsonl")
    Path("link.jsonl").symlink_to("a.jsonl")

    with pytest.raises(UsageError, match=r"jsonl: is given as train and as validation split$"):
        find_sources(Config(), ["a.jsonl"], validation=[name])


def test_file_without_a_split_has_that_of_the_configuration() -> None:
    touch("a.jsonl", "b.jsonl", "c.jsonl")
    config = Config(data={"validation": ["a.*"], "test": ["b.jsonl"]})

    assert find_sources(config, ["a.jsonl", "b.jsonl", "c.jsonl"]) == (
        Source("a.jsonl", "validation"),
        Source("b.jsonl", "test"),
        Source("c.jsonl", "train"),
    )
    assert find_sources(config, train=["a.jsonl"]) == (Source("a.jsonl", "train"),)


def test_configured_files_are_read_once_and_shown_from_here(folder: Path) -> None:
    touch("d/a.jsonl", "d/b.jsonl")
    config = Config(folder=folder, data={"train": ["d/a.jsonl", "d", str(folder / "d/b.jsonl")]})

    assert find_sources(config) == (Source("d/a.jsonl"), Source("d/b.jsonl"))


def test_configured_files_elsewhere_are_shown_in_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch("a.jsonl", "here/b.jsonl")
    config = Config(folder=folder, data={"train": ["*.jsonl"], "test": ["here/b.jsonl"]})
    monkeypatch.chdir(folder / "here")

    assert find_sources(config) == (Source(str(folder / "a.jsonl")), Source("b.jsonl", "test"))


@pytest.mark.parametrize("paths", [(), ("b.jsonl",)])
def test_configured_file_in_two_splits_is_an_error_of_the_configuration(paths: tuple[str, ...]) -> None:
    touch("a.jsonl", "b.jsonl")
    config = Config(path=Path("vft.toml"), data={"train": ["*.jsonl"], "test": ["a.jsonl"]})

    with pytest.raises(
        ConfigError, match=r"^vft\.toml: data: a\.jsonl: is given as train and as test split$"
    ):
        find_sources(config, paths)


def test_configured_file_that_is_not_there_is_missed_only_when_it_is_wanted() -> None:
    touch("a.jsonl")
    config = Config(path=Path("vft.toml"), data={"train": ["none"], "test": ["a.jsonl"]})

    assert find_sources(config, ["a.jsonl"]) == (Source("a.jsonl", "test"),)
    with pytest.raises(ConfigError, match=r"^vft\.toml: data\.train: none: no such file$"):
        find_sources(config)
