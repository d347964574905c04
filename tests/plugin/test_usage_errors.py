"""A usage error ends the run with a message of one line and exit code 4."""

from __future__ import annotations

import pytest

from .project import Project

DATA = "--vft-data=train.jsonl"
NO_FILES = "no files: write --vft-data=PATH, or list them under [tool.vft.data]"


def error_of(result: pytest.RunResult) -> str:
    """Return the only line of a usage error."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not [line for line in result.outlines if line.strip()]
    (line,) = filter(None, result.errlines)
    assert line.startswith("ERROR: ")
    return line.removeprefix("ERROR: ")


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    project.write()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vft-data=tran.jsonl"], "tran.jsonl: no such file"),
        (["--vft-test-data=*.ndjson"], "*.ndjson: no such file"),
        (["tran.jsonl"], "tran.jsonl: no such file"),
        (["tran.jsonl::image/too-large"], "tran.jsonl: no such file"),
        (["--vft-only"], NO_FILES),
        (["vft::dataset/split-leak"], NO_FILES),
    ],
)
def test_missing_file_is_named(project: Project, arguments: list[str], words: str) -> None:
    assert error_of(project.run(*arguments)) == f"vft: {words}"


def test_folder_without_data_is_named(project: Project) -> None:
    (project.folder / "empty").mkdir()

    assert (
        error_of(project.run("--vft-data=empty")) == "vft: empty: the folder has no .jsonl or .ndjson files"
    )


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["--vft-provider=opnai"], "openai"),
        (["--vft-model=gpt-4o-2024-08-07"], "gpt-4o-2024-08-06"),
        (["--vft-select=image/too-larg"], "image/too-large"),
        (["--vft-select=imag"], "image"),
        (["--vft-ignore=image/too-larg"], "image/too-large"),
        (["train.jsonl::image/too-larg"], "image/too-large"),
        (["vft::dataset/split-leek"], "dataset/split-leak"),
    ],
)
def test_misspelt_name_is_answered_with_the_nearest(
    project: Project, arguments: list[str], nearest: str
) -> None:
    assert f"(did you mean {nearest!r}?)" in error_of(project.run(DATA, *arguments))


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("provider = ", "vft.toml: not valid TOML: "),
        ("providr = 'openai'", "vft.toml: unknown key 'providr' (did you mean 'provider'?)"),
        ("provider = 'opnai'", "(did you mean 'openai'?)"),
        ("provider = 1", "vft.toml: provider is a number; expected a string"),
        ("ignore = {'image/to-large' = 'why'}", "(did you mean 'image/too-large'?)"),
        ("per-file-ignores = {'*' = {'image/to-large' = 'why'}}", "(did you mean 'image/too-large'?)"),
        ("allow = {'image/to-large' = 1}", "(did you mean 'image/too-large'?)"),
        ("severity = {'image/to-large' = 'error'}", "(did you mean 'image/too-large'?)"),
        ("params = {'image/too-large' = {max_byte = 1}}", "(did you mean 'max_bytes'?)"),
        ("data = {train = 'tran.jsonl'}", "tran.jsonl: no such file"),
        ("rules = ['missing/']", "missing"),
    ],
)
def test_broken_configuration_is_named(project: Project, toml: str, words: str) -> None:
    project.configure(toml)

    arguments = ["--vft-only"] if toml.startswith("data") else [DATA]
    assert words in error_of(project.run(*arguments))


def test_missing_configuration_is_named(project: Project) -> None:
    assert error_of(project.run(DATA, "--vft-config=no.toml")) == "vft: no.toml: No such file or directory"


@pytest.mark.parametrize(
    "option",
    [
        "--vft-fail-on=never",
        "--vft-depth=deep",
        "--vft-max-shown=few",
        "--vft-submit=send",
        "--vft-jobs=two",
        "--vft-jobs=0",
    ],
)
def test_impossible_value_is_refused(project: Project, option: str) -> None:
    assert project.run(DATA, option).ret == pytest.ExitCode.USAGE_ERROR


def test_error_is_said_once_under_xdist(project: Project) -> None:
    assert error_of(project.run_apart("-n2", "--vft-data=tran.jsonl")) == "vft: tran.jsonl: no such file"


def test_help_lists_the_options(project: Project) -> None:
    result = project.run("--help")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["vision fine-tuning datasets:", "*--vft-data=PATH*"])
