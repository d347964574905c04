"""Text from data is hostile: no content and no name of a file is a command for a terminal or a CI runner."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from github_runner import read_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_vft import build_example, lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.model import Report
from pytest_vft.options import FORMATS
from pytest_vft.report.formats import render
from pytest_vft.report.html import page as html_page
from pytest_vft.report.layout import Display
from pytest_vft.text import safe

# Raw, they must not reach any output. A newline ends a line of ours, and nothing else does.
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
IMAGE = data_url("png 24x24 rgb")
TEMPLATES = Path(html_page.__file__).parent / "templates"

PAYLOADS = {
    "escape": "\x1b[2J\x1b[31mred",
    "c1 escape": "\x9b31mred",
    "nul": "a\0b",
    "bell and backspace": "\a\b\b\b",
    "return": "\rPASSED  18 rules fine",
    "newline": "\n::error file=app.py::boom",
    "separators": "\u2028::error::boom\u2029::error::boom\x85::error::boom\v::error::boom\f::error::boom",
    "command": "::error file=app.py,line=1::boom",
    "indented command": "   ::set-output name=token::boom",
    "command behind words": "word " * 12 + "::stop-commands::x " + "word " * 30 + " ::error::boom",
    "old command": "##[error]boom ###[group]x #[command] ##[add-mask]y",
    "command of Azure": "##vso[task.setvariable variable=token]boom",
    "bidi": "\u202eevil\u2066\u2069\u200f\u061c",
    "invisible": "\u200b\u2060\ufeff",
    "tags": "a\U000e0049\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065\U000e007f",
    "soft hyphens and annotations": "soft\xadhyphen \ufff9base\ufffatext\ufffb \u206a",
    "colour of rich": "[red]boom[/red] [link=https://example.com]x[/link]",
    "markup": "</details><script>alert(1)</script><img src=x onerror=alert(1)> ]]> <!-- &lt; -->",
    "links": "@user #1 [a](http://evil) ](http://evil) ![a](//evil) <http://evil> www.evil.com a@evil.com",
    "table": "a|b\\|c`d``e```f | `g` \\",
    "escapes of a command": "%0A::error::boom%0D%3A%2C%25",
    "template": "{message} {0.__class__} %s %(path)s $path",
    "formula": '=HYPERLINK("http://evil"),@SUM(1);\t-1+1',
    "formula after a tab": "\t+cmd|' /C calc'!A0",
    "not XML": "\ufffe\uffff",
    "long": "A" * 5_000,
}


def assert_harmless(text: str) -> None:
    assert CONTROL.findall(text) == []
    assert COMMAND.findall(text) == []


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


Run = Callable[..., int]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, and sees to it that nothing harmful is printed."""

    def run_it(*arguments: str) -> int:
        code = main(arguments)
        for text in capsys.readouterr():
            assert_harmless(text)
        return code

    return run_it


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": content, **more}, {"role": "assistant", "content": "A dog."}]
    }


def answer(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "What is this?"}, {"role": "assistant", **message}]}


def image(url: Any, **more: Any) -> dict[str, Any]:
    return user([{"type": "image_url", "image_url": {"url": url, **more}}])


def call(**function: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}", **function}}


def examples_with(text: str) -> Iterator[Any]:
    """Yield lines with *text* in each place that can hold a string."""
    yield text
    yield [text]
    yield {text: text}
    yield {"messages": text}
    yield {"messages": [text]}
    yield {"messages": {text: text}}
    yield {"instruction": text, "input": text, "output": text}
    yield {"messages": [{"role": text, "content": text}]}
    yield user(text)
    yield user(text, **{text: text})
    yield user(text, name=text)
    yield user([text])
    yield user([{text: text}])
    yield user([{"type": text, text: text}])
    yield user([{"type": "text", "text": text}])
    yield user([{"type": "text", "text": {text: text}}])
    yield user([{"type": "refusal", "refusal": text}])
    yield user([{"type": "image_url", "image_url": text}])
    yield image(text)
    yield image([text])
    yield image(IMAGE, detail=text)
    yield image(IMAGE, **{text: text})
    yield image(f"https://{text}")
    yield image(f"{text}://example.com")
    yield image(f"data:{text};base64,AAAA")
    yield image(f"data:image/png;{text},AAAA")
    yield image(f"data:image/png;base64,{text}")
    yield image(f"data:image/png;base64,{text * 100}")
    yield answer(content=text, weight=text)
    yield answer(content=[{"type": "text", "text": text}], refusal=text)
    yield answer(tool_calls=text)
    yield answer(tool_calls=[text])
    yield answer(tool_calls=[call(name=text, arguments=text)])
    yield answer(tool_calls=[{"id": text, "type": text, "function": text}])
    yield answer(function_call={"name": text, "arguments": text})
    yield answer(function_call=text)
    yield {
        **user("What is this?"),
        "tools": [{"type": text, "function": {"name": text, "description": text}}],
    }
    yield {**user("What is this?"), "functions": [{"name": text, text: text}]}
    yield {**user("What is this?"), text: text, "parallel_tool_calls": text}


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_text_in_any_place_of_an_example_is_harmless(run: Run, text: str) -> None:
    lines = [json.dumps(one) for one in examples_with(text)]
    Path("train.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    assert run("check", "train.jsonl", "--max-shown=0") == 1
    assert run("check", "train.jsonl", "--format=json") == 1
    for number in range(1, len(lines) + 1):
        assert run("show", f"train.jsonl:{number}") == 0


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_text_that_is_written_as_it_is_is_harmless(run: Run, text: str) -> None:
    """Raw in the file, not as JSON escapes: most of it breaks the JSON or the line."""
    lines = [json.dumps(one, ensure_ascii=False) for one in examples_with("HERE")]
    content = "\n".join(lines).replace("HERE", text)
    Path("train.jsonl").write_bytes(content.encode("utf-8", "surrogatepass"))

    assert run("check", "train.jsonl", "--max-shown=0") == 1
    assert run("check", "train.jsonl", "--format=json") == 1
    for number in (1, 2, 9):
        assert run("show", f"train.jsonl:{number}") == 0


@pytest.mark.parametrize(
    "escape", [r"\ud800", r"\udfff\ud800", r"\u0000", r"\u001b[31m", r"\u202e", r"\n::error::x"]
)
def test_json_escapes_are_harmless(run: Run, escape: str) -> None:
    lines = [json.dumps(one).replace("HERE", escape) for one in examples_with("HERE")]
    Path("train.jsonl").write_text("\n".join(lines), encoding="utf-8")

    assert run("check", "train.jsonl", "--max-shown=0") == 1
    assert run("check", "train.jsonl", "--format=json") == 1
    for number in range(1, len(lines) + 1):
        assert run("show", f"train.jsonl:{number}") == 0


def test_images_that_say_something_are_harmless(run: Run) -> None:
    starts = [text.encode("utf-8", "surrogatepass") for text in PAYLOADS.values()]
    starts += [b"\x89PNG\r\n\x1a\n" + start for start in starts] + [
        b"\xff\xd8\xff" + start for start in starts
    ]
    urls = ["data:image/png;base64," + base64.b64encode(start).decode() for start in starts]
    Path("train.jsonl").write_text("".join(json.dumps(image(url)) + "\n" for url in urls))

    assert run("check", "train.jsonl", "--max-shown=0") == 1
    assert run("show", "train.jsonl:1", "--save=out") == 0


# Reports that CI systems read


def assert_annotations(text: str) -> None:
    commands = read_log(text)
    assert len(commands) == len(text.splitlines()) <= 10
    for name, properties, data in commands:
        assert name in {"error", "warning"}
        assert properties.keys() <= {"file", "line", "title"}
        for value in (*properties.values(), *data.split("\ndo: ")):
            assert_harmless(value)
            assert len(value) <= 1_000


def strings(value: Any) -> Iterator[str]:
    """Yield the strings in *value*, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def assert_json(text: str) -> None:
    """Paths in it can be read back, so its strings may hold anything, escaped."""
    assert text.isascii()
    assert COMMAND.findall(text) == []
    assert read_log(text) == []


def assert_json_for_people(text: str) -> None:
    """CI systems show its strings; SARIF has links in plain text."""
    assert_json(text)
    for value in strings(json.loads(text)):
        assert_harmless(value)
        assert "](" not in value or "$schema" not in text


def assert_markdown(text: str) -> None:
    """Nothing but a heading, a table of words and code, our own HTML, and a block of code."""
    assert_harmless(text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert [token.content for token in tokens if token.type == "html_block"] == [
        "<details><summary>The whole report</summary>\n",
        "</details>\n",
    ]
    inner = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inner} <= {"text", "code_inline"}
    words = "".join(child.content for child in inner if child.type == "text")
    assert not re.search(r"[@#<>\[\]`|\\]|http|www|evil", words)
    for number, row in enumerate(cells(tokens)):
        assert [len(cell) for cell in row[:2]] == [1 if number else 0, 1]
        assert len(row) == 6


def cells(tokens: list[Token]) -> list[list[list[Token]]]:
    rows: list[list[list[Token]]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(token.children or [])
    return rows


def assert_junit(text: str) -> None:
    assert_harmless(text)
    root = ET.fromstring(text)  # noqa: S314 - written by us
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "properties", "property", "testsuite", "testcase", "failure", "skipped", "system-out")
    }
    for element in root.iter():
        assert_harmless("\n".join([element.text or "", *element.attrib.values()]))


def assert_csv(text: str) -> None:
    """No cell is a formula, and none is cut in two."""
    assert_harmless(text)
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert {len(row) for row in rows} == {9}
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"[=+\-@\t\r\n＝＋－＠]", cell.lstrip(" "))  # noqa: RUF001 - wide characters are meant


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script" and data.strip():
            self.scripts.append(data)


OUR_ELEMENTS = re.findall(
    r"[\w-]+",
    "a article b blockquote body button code dd defs details div dl dt fieldset footer form h1 "
    "h2 h3 h4 head header html i image input kbd label legend li main meta output p rect script "
    "section small span style summary svg table tbody td th thead title tr ul use ",
)
OUR_ATTRIBUTES = re.findall(
    r"[\w-]+",
    "aria-hidden aria-label aria-labelledby autocomplete charset checked class content hidden "
    "height href http-equiv id lang name preserveaspectratio rel role scope tabindex type "
    "viewbox width x y ",
)


def assert_html(text: str) -> None:
    """Nothing but our elements, attributes, links and script; style and script are those of any page."""
    assert_harmless(text)
    page = Elements(text)
    assert {tag for tag, _ in page.found} <= {*OUR_ELEMENTS}
    assert {name for _, attributes in page.found for name in attributes} <= {*OUR_ATTRIBUTES}
    links = [attributes["href"] or "" for tag, attributes in page.found if "href" in attributes]
    assert all(re.match("#|https://|data:image/webp;base64,", link) for link in links)
    assert page.scripts == [(TEMPLATES / "script.js").read_text(encoding="utf-8")]
    assert (TEMPLATES / "style.css").read_text(encoding="utf-8") in text


CHECKS: dict[str, Callable[[str], None]] = {
    "text": assert_harmless,
    "concise": assert_harmless,
    "junit": assert_junit,
    "csv": assert_csv,
    "json": assert_json,
    "github": assert_annotations,
    "sarif": assert_json_for_people,
    "gitlab": assert_json_for_people,
    "markdown": assert_markdown,
    "html": assert_html,
}


def assert_harmless_in_every_format(report: Report) -> None:
    for name in FORMATS:
        CHECKS[name](render(report, name, Display(most_shown=0)))


HOSTILE = PAYLOADS | {"lone surrogate": "a\ud800b\udfff"}


def hostile_report(text: str) -> Report:
    """Return what is found in a file that is named *text* and holds it everywhere."""
    name = os.fsdecode(text.replace("/", "|").replace("\0", "")[:200].encode("utf-8", "surrogatepass"))
    lines = "".join(json.dumps(one) + "\n" for one in examples_with(text))
    Path(f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return lint(f"{name}.jsonl")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_is_harmless_in_every_format(text: str) -> None:
    report = hostile_report(text)

    assert not report.ok
    assert_harmless_in_every_format(report)
    annotations = read_log(render(report, "github"))
    assert {one.properties.get("file") for one in annotations[:9]} == {safe(report.files[0].path, None)}


# Names of files

NAMES = {
    name: text.replace("/", "|").replace("\0", "")[:200].encode("utf-8", "surrogatepass")
    for name, text in PAYLOADS.items()
} | {"not UTF-8": b"caf\xe9\xff", "spaces": b"  ", "markup": b"[bold]x", "dash": b"--help"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("as_folder", [False, True], ids=["file", "folder"])
def test_name_of_a_file_is_harmless(run: Run, name: bytes, as_folder: bool) -> None:  # noqa: FBT001 - a parameter
    path = os.fsdecode(name + (b"/train.jsonl" if as_folder else b".jsonl"))
    grey = build_example("What is this?", "A dog.", [data_url("png 24x24 l")] * 2)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(json.dumps(one) + "\n" for one in (grey, "x", grey)))
    Path(f"{path}.gz.jsonl").write_bytes(b"\x1f\x8b")

    assert run("check", "--", path, f"{path}.gz.jsonl") == 1
    assert run("check", ".") == 1
    assert run("check", f"--validation-data={path}", "--", path) == 2
    assert run("check", "--format=json", "--", path) == 1
    assert run("show", "--save=out", "--", f"{path}:1") == 0
    assert run("show", "--", f"{path}:9") == 2
    assert run("check", "--", f"{path}.missing") == 2
    assert run("show", "--", f"{path}.gz.jsonl:1") == 2
    assert run("check", ".", f"--report=text:{path}/report.txt") == 2
    assert run("check", ".", "--report=text:report.txt", "--report=json:report.json") == 1
    for report in ("report.txt", "report.json"):
        assert_harmless(Path(report).read_text(encoding="utf-8"))


def test_names_in_a_report_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES.values():
        Path(os.fsdecode(name + b".jsonl")).touch()

    assert main(["check", ".", "--format=json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {os.fsencode(file["path"]) for file in report["files"]} == {
        b"./" + name + b".jsonl" for name in NAMES.values() if not name.startswith(b".")
    }


# Rules and configurations of strangers


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_rules_and_reasons_of_strangers_are_harmless(run: Run, text: str) -> None:
    # A JSON string is one of TOML, too, but for pairs of surrogates.
    said = json.dumps(text.replace("{", "(") + " ::error::x", ensure_ascii=False)
    rule = "\n".join(f"{key} = {said}" for key in ("summary", "message", "advice", "why", "source"))
    Path("mine/image").mkdir(parents=True)
    Path("mine/image/odd.toml").write_text(
        f'{rule}\nseverity = "error"\nchecked = 2026-11-21\n[require]\nwidth = {{ maximum = 1 }}\n',
        encoding="utf-8",
    )
    ignored = f'[ignore]\n"image/too-large" = {said}\n'
    Path("vft.toml").write_text(f'rules = ["mine"]\n{ignored}', encoding="utf-8")
    Path("train.jsonl").write_text(json.dumps(image(IMAGE)) + "\n")

    assert run("check", "train.jsonl") == 1
    assert_harmless_in_every_format(lint("train.jsonl"))
    assert run("show", "train.jsonl:1") == 0
    assert run("rules") == 0
    assert run("explain", "image/odd") == 0
    Path("vft.toml").write_text(f"[{said}]\n", encoding="utf-8")
    assert run("check", "train.jsonl") == 2


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_arguments_are_harmless(run: Run, text: str) -> None:
    Path("train.jsonl").touch()

    for option in ("provider", "model", "select", "depth", "format", "max-shown", "report", "config"):
        assert run("check", "train.jsonl", f"--{option}={text}") == 2
    assert run("explain", f"x{text}") == 2
    assert run(f"x{text}") == 2
    assert run("check", f"--{text}") == 2


# Any text


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters() | st.sampled_from("\x1b\0\r\n:#[ \u202e"), max_size=80))
def test_any_text_is_harmless(text: str) -> None:
    lines = [
        image(IMAGE, detail=text),
        user([{"type": text}]),
        {"messages": [{"role": text, "content": ""}]},
    ]
    Path("train.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    assert_harmless_in_every_format(lint("train.jsonl"))
