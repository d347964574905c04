"""No string from a dataset steers a terminal, a log or a CI runner."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping

import pytest

from pytest_vft.text import safe

from .project import Project, drawn

ATTACKS = [
    pytest.param("\x1b[31mred\x1b[0m", id="colour"),
    pytest.param("\x1b]0;title\x07", id="title"),
    pytest.param("\x9b31m", id="C1 control"),
    pytest.param("a\n::error file=x::owned", id="GitHub command"),
    pytest.param("::set-output name=x::owned", id="GitHub command at once"),
    pytest.param("a\r\n##[error]owned", id="Azure command"),
    pytest.param("##[group]", id="Azure command at once"),
    pytest.param("a\u202egnp.exe", id="right to left"),
    pytest.param("\u2066a\u2069", id="isolate"),
    pytest.param("a\u2028::error::owned", id="line separator"),
    pytest.param("a\u200b\ufeff", id="zero width"),
    pytest.param("nul\0", id="NUL"),
    pytest.param("\ud800", id="lone surrogate"),
    pytest.param("{x.__class__}{0}%s", id="template"),
    pytest.param("x" * 100_000, id="long"),
]
HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


def harm(text: str) -> list[str]:
    """Return what in *text* a terminal or a CI runner would obey."""
    return [*HARMFUL.findall(text), *COMMAND.findall(text)]


def output(project: Project, *arguments: str) -> str:
    """Return all that a run which fails puts out, and its reports."""
    result = project.run(
        *arguments, "-vv", "-rA", "--vft-report=text:report.txt", "--junitxml=junit.xml", "--vft-max-shown=0"
    )
    files = [(project.folder / name).read_text(encoding="utf-8") for name in ("report.txt", "junit.xml")]
    return "\n".join([result.stdout.str(), result.stderr.str(), *files])


def user(content: object, **more: object) -> dict[str, object]:
    return {"role": "user", "content": content, **more}


def image(url: object, **more: object) -> dict[str, object]:
    return user([{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url, **more}}])


PLACES: Mapping[str, Callable[[str], object]] = {
    "role": lambda text: {"messages": [{"role": text, "content": "?"}]},
    "name of a message": lambda text: {"messages": [user("?", name=[text])]},
    "type of a part": lambda text: {"messages": [user([{"type": text}])]},
    "detail": lambda text: {"messages": [image(drawn(), detail=text)]},
    "media type": lambda text: {"messages": [image(f"data:{text};base64,AAAA")]},
    "payload": lambda text: {"messages": [image(f"data:image/png;base64,{text}")]},
    "url": lambda text: {"messages": [image(text)]},
    "key of an example": lambda text: {text: 1, "messages": text},
    "key of a message": lambda text: {"messages": [{text: text, "role": "user", "content": {text: text}}]},
    "key of a tool call": lambda text: {
        "messages": [{"role": "assistant", "tool_calls": [{text: text, "type": text, "function": {text: 1}}]}]
    },
    "key of a tool": lambda text: {
        "messages": [user("?")],
        "tools": [{"type": text, "function": {"name": [text], "parameters": text, text: {text: 1}}}],
    },
    "value of a function": lambda text: {
        "messages": [user("?")],
        "functions": [{"name": {text: text}}, text],
    },
}


@pytest.fixture
def hostile(project: Project, text: str) -> Project:
    lines = [*(json.dumps(build(text)) for build in PLACES.values()), text, f'{{"messages": {text}}}']
    (project.folder / "train.jsonl").write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return project


@pytest.mark.parametrize("text", ATTACKS)
def test_failures_show_data_without_harm(hostile: Project) -> None:
    shown = output(hostile, "--vft-data=train.jsonl")

    assert not harm(shown)
    assert "\ntrain.jsonl:1: " in shown
    assert len(shown) < 60_000


@pytest.mark.parametrize("text", ATTACKS)
def test_warnings_show_data_without_harm(hostile: Project) -> None:
    rules = ("example/invalid-shape", "line/invalid-json", "image/invalid-detail", "image/invalid-base64")
    hostile.configure("[severity]\n" + "\n".join(f'"{rule}" = "warning"' for rule in rules))

    shown = output(hostile, "--vft-data=train.jsonl")

    assert not harm(shown)
    assert "train.jsonl:1: VftWarning: " in shown


def test_warnings_show_texts_of_rule_files_without_harm(project: Project) -> None:
    folder = project.folder / "mine" / "example"
    folder.mkdir(parents=True)
    (folder / "few-words.toml").write_text(r"""
summary  = "An example has few assistant messages."
severity = "warning"
message  = "\u001b[31m{assistant_messages}"
advice   = "\u001b[31mRed\u202e\n::error::"
why      = "A test needs it."
source   = "https://docs.acme.example"
checked  = 2026-11-25
require.assistant_messages = { minimum = 9 }
""")
    project.configure('rules = ["mine"]')
    project.write()

    shown = project.run("--vft-data=train.jsonl").stdout.str()

    assert "VftWarning: example/few-words: " in shown
    assert not harm(shown)


@pytest.mark.parametrize("text", ["\x1b[31mred"])
def test_what_is_harmful_is_shown_as_an_escape(hostile: Project) -> None:
    assert r'role is "\x1b[31mred"; expected system' in output(hostile, "--vft-data=train.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name",
    [
        "\x1b[31mred.jsonl",
        "::error file=x::owned.jsonl",
        "a\n::error file=x::owned.jsonl",
        "##[error]owned.jsonl",
        "a\u202elnosj.jsonl",
        "a\u2028b.jsonl",
    ],
)
@pytest.mark.parametrize("severity", ["error", "warning"])
def test_names_of_files_are_shown_without_harm(project: Project, name: str, severity: str) -> None:
    """They come from strangers, too, when a folder or glob is given."""
    project.write(name, grey=[3], remote=[1])
    project.configure(f'[severity]\n"image/unsupported-mode" = "{severity}"')

    shown = output(project, "--vft-data=*.jsonl")

    assert not harm(shown)
    assert safe(name, None) + ":3: " in shown
    assert not harm(project.run("--vft-data=*.jsonl", "--collect-only").stdout.str())


@pytest.mark.parametrize(
    "option",
    ["data", "provider", "model", "select", "config", "report", "only --vft-eval=x --vft-eval-keys"],
)
def test_usage_errors_are_one_harmless_line(project: Project, option: str) -> None:
    project.write()
    name, _, more = option.partition(" ")
    arguments = [f"--vft-{name}", *more.split()] if more else [f"--vft-{name}"]
    arguments[-1] += "=\x1b[31mx\n::error::owned\U000e0041##[error]y"

    result = project.run("--vft-data=train.jsonl", *arguments)

    shown = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not harm(shown)
    assert "INTERNALERROR" not in shown
    assert [line for line in shown.splitlines() if line.startswith("ERROR: vft: ")]


def test_broken_link_among_rules_is_one_line(project: Project) -> None:
    project.write()
    (project.folder / "mine/image").mkdir(parents=True)
    (project.folder / "mine/image/x.toml").symlink_to("nowhere")
    project.configure('rules = ["mine"]')

    result = project.run("--vft-data=train.jsonl")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "x.toml: is a link; expected an ordinary file or folder" in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_reasons_are_shown_without_harm(project: Project) -> None:
    project.write()
    project.configure('ignore = {"image" = "because \\u001b[31m\\n::error::owned"}')

    assert not harm(output(project, "--vft-data=train.jsonl"))
