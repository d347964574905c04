"""Which files a run reads: names, folders, globs, splits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import Source
from pytest_vft.runs.config import Config
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.sources import expand, file_identity, find_sources, split_of_name


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
    config = Config(path=Path("vft.toml"), data={"train": ["*.jsonl"], "test": ["a*.jsonl"]})

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


# Splits by name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("latest.jsonl", None),
        ("contest.jsonl", None),
        ("trained.jsonl", None),
        ("devices.jsonl", None),
        ("evaluator.jsonl", None),
        ("data.jsonl", None),
        ("train-val.jsonl", None),
        ("bestätest.jsonl", None),
        ("train-00000-of-00002.jsonl", "train"),
        ("My Training.jsonl", "train"),
        ("validation.jsonl", "validation"),
        ("instances_val2017.jsonl", "validation"),
        ("VALID.jsonl", "validation"),
        ("books.dev.jsonl", "validation"),
        ("eval_v2.ndjson", "validation"),
        ("test.jsonl", "test"),
        ("books-test-3.jsonl", "test"),
        ("test/train.jsonl", "train"),
        ("test/data.jsonl", None),
    ],
)
def test_whole_words_of_the_file_name_name_a_split(name: str, split: str | None) -> None:
    assert split_of_name(name) == split


def test_name_decides_if_nothing_else_states_a_split() -> None:
    touch("train.jsonl", "validation.jsonl", "test.jsonl", "other.jsonl")
    config = Config(data={"train": ["test.jsonl"]})

    assert find_sources(config, ["."]) == (
        Source("./other.jsonl"),
        Source("./test.jsonl"),
        Source("./train.jsonl"),
        Source("./validation.jsonl", "validation", split_from_name=True),
    )


def test_option_states_a_split_whatever_the_name() -> None:
    touch("test.jsonl", "dev.jsonl", "val.jsonl")

    assert find_sources(Config(), data=["test.jsonl"], validation=["dev.jsonl"], test=["val.jsonl"]) == (
        Source("test.jsonl"),
        Source("dev.jsonl", "validation"),
        Source("val.jsonl", "test"),
    )


def test_names_decide_in_a_folder_or_glob_of_data() -> None:
    touch("d/train.jsonl", "d/test.jsonl")
    expected = (Source("d/test.jsonl", "test", split_from_name=True), Source("d/train.jsonl"))

    assert find_sources(Config(), data=["d"]) == expected
    assert find_sources(Config(), data=["d/*.jsonl"]) == expected


@pytest.mark.parametrize("whole", ["d", "d/*.jsonl", "**/*.jsonl"])
def test_file_given_by_its_own_path_wins_over_a_folder_or_glob(whole: str) -> None:
    touch("d/a.jsonl", "d/b.jsonl")
    expected = (Source("d/a.jsonl", "test"), Source("d/b.jsonl"))

    assert find_sources(Config(), [whole], test=["d/a.jsonl"]) == expected
    assert find_sources(Config(), test=["d/a.jsonl"], train=[whole]) == expected
    assert find_sources(Config(data={"train": [whole], "test": ["d/a.jsonl"]})) == expected


def test_stated_split_wins_over_that_of_a_name_or_folder() -> None:
    touch("d/held/val.jsonl", "d/held/x.jsonl", "d/train.jsonl")
    held = (Source("d/held/val.jsonl", "test"), Source("d/held/x.jsonl", "test"))

    assert find_sources(Config(), ["d/held/val.jsonl"], test=["d/held"]) == held
    assert find_sources(Config(), ["d/held/val.jsonl"], test=["d/held/val.jsonl"]) == held[:1]
    assert find_sources(Config(), ["d"], test=["d/held"]) == (*held, Source("d/train.jsonl"))


def test_two_folders_that_hold_a_file_are_a_usage_error() -> None:
    touch("d/e/a.jsonl")

    with pytest.raises(UsageError, match=r"d/e/a\.jsonl: is given as train and as test split$"):
        find_sources(Config(), train=["d"], test=["d/e"])


def test_hard_link_is_the_same_file(folder: Path) -> None:
    touch("a.jsonl", "b.jsonl")
    (folder / "hard.jsonl").hardlink_to("a.jsonl")

    assert find_sources(Config(), ["a.jsonl", "hard.jsonl"]) == (Source("a.jsonl"),)
    assert file_identity("a.jsonl") == file_identity("./hard.jsonl") != file_identity("b.jsonl")


def test_missing_file_is_itself() -> None:
    assert file_identity("no/../none.jsonl") == file_identity("none.jsonl") != file_identity("other.jsonl")


# The nearest configuration


def groups(*paths: str, **options: object) -> dict[str, tuple[str, list[str]]]:
    """Return the model and the files of each configuration."""
    found = find_groups(options, paths)
    return {
        os.path.relpath(one.config.path) if one.config.path else "none": (
            str(one.config.model),
            [source.path for source in one.sources],
        )
        for one in found
    }


def test_nearest_configuration_of_each_file_applies() -> None:
    touch("root.jsonl", "a/one.jsonl", "a/deep/two.jsonl", "b/three.jsonl", "b/plain/four.jsonl")
    Path("vft.toml").write_text('model = "root"')
    Path("a/vft.toml").write_text('model = "a"')
    Path("b/pyproject.toml").write_text('[tool.vft]\nmodel = "b"')
    Path("b/plain/pyproject.toml").write_text("[project]")

    assert groups("b/three.jsonl", "root.jsonl", "a", "b/plain/four.jsonl") == {
        "b/pyproject.toml": ("b", ["b/three.jsonl", "b/plain/four.jsonl"]),
        "vft.toml": ("root", ["root.jsonl"]),
        "a/vft.toml": ("a", ["a/deep/two.jsonl", "a/one.jsonl"]),
    }
    assert groups("a/one.jsonl", "root.jsonl", config="b/pyproject.toml") == {
        "b/pyproject.toml": ("b", ["a/one.jsonl", "root.jsonl"])
    }


def test_file_outside_any_configuration_has_that_of_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    touch("here/a.jsonl", "there/b.jsonl")
    Path("here/vft.toml").write_text('model = "here"')
    monkeypatch.chdir("here")

    assert groups("../there/b.jsonl", "a.jsonl") == {"vft.toml": ("here", ["../there/b.jsonl", "a.jsonl"])}


def test_configuration_holds_for_the_files_it_lists() -> None:
    touch("d/a.jsonl")
    Path("vft.toml").write_text('model = "root"\ndata = {train = "d"}')
    Path("d/vft.toml").write_text('model = "d"')

    assert groups() == {"vft.toml": ("root", ["d/a.jsonl"])}
    assert groups("d/a.jsonl") == {"d/vft.toml": ("d", ["d/a.jsonl"])}


def test_split_is_that_of_the_nearest_configuration() -> None:
    touch("d/a.jsonl", "b.jsonl")
    Path("vft.toml").write_text('data = {test = "**/*.jsonl"}')
    Path("d/vft.toml").write_text('data = {validation = "a.jsonl"}')

    splits = {
        source.path: source.split for one in find_groups({}, ["d", "b.jsonl"]) for source in one.sources
    }
    assert splits == {"d/a.jsonl": "validation", "b.jsonl": "test"}


def test_broken_configuration_near_a_file_is_an_error() -> None:
    touch("d/a.jsonl")
    Path("d/vft.toml").write_text("model = 1")

    with pytest.raises(ConfigError, match=r"d/vft\.toml: model is a number"):
        find_groups({}, ["d"])


def test_linked_file_has_the_configuration_beside_its_link(folder: Path) -> None:
    touch("store/a.jsonl")
    for name in ("store", "project"):
        Path(name).mkdir(exist_ok=True)
        Path(name, "vft.toml").write_text(f'model = "{name}"')
    Path("project/a.jsonl").symlink_to(folder / "store/a.jsonl")

    assert groups("project/a.jsonl") == {"project/vft.toml": ("project", ["project/a.jsonl"])}
