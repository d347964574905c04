"""vft show: one example for human eyes, its images as they are, and what the rules say of it."""

from __future__ import annotations

import base64
import bz2
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pytest

from pytest_vft import FewShot, UsageError, build_example, lint, write_jsonl
from pytest_vft import show as function
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.cli import main

GOOD = "png 24x24 rgb"


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.split("\n")


Show = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    def run(*arguments: str) -> Done:
        return Done(main(["show", *arguments]), *capsys.readouterr())

    return run


def write(*examples: Any) -> None:
    Path("train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")


def url_of(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


# What is seen


def test_messages_are_seen_and_images_described(show: Show) -> None:
    example = build_example(
        "Who wrote this?\n\nAnswer briefly.",
        "Maren Oddleif",
        [data_url("jpeg 32x24 rgb"), "https://example.com/a.png"],
        system="You know books.",
        few_shot=[FewShot("Who wrote that?", "Tobin Quillstrom", data_url("png 48x24 rgba"))],
        detail="low",
    )
    write_jsonl("train.jsonl", [example])
    sizes = [len(draw(token)[1]) for token in ("png 48x24 rgba", "jpeg 32x24 rgb")]

    done = show("train.jsonl:1")

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"train.jsonl:1  train, 3 images, {Path('train.jsonl').stat().st_size - 1:,} bytes\n"
        "/messages/0  system\n"
        "  You know books.\n"
        "/messages/1  user\n"
        "  Who wrote that?\n"
        f"  [image 1] PNG 48x24 RGBA, {sizes[0]:,} bytes, detail low\n"
        "/messages/2  assistant (weight 0)\n"
        "  Tobin Quillstrom\n"
        "/messages/3  user\n"
        "  Who wrote this?\n"
        "  \n"
        "  Answer briefly.\n"
        f"  [image 2] JPEG 32x24 RGB, {sizes[1]:,} bytes, detail low\n"
        "  [image 3] https://example.com/a.png, detail low\n"
        "/messages/4  assistant\n"
        "  Maren Oddleif\n"
        "\n"
        "no findings\n"
        "not judged: rules on files and the dataset; 1 image behind a URL, not fetched\n"
        "  (vft check judges them)\n"
    )


def test_frames_and_rotation_are_seen(show: Show) -> None:
    tokens = ["webp 24x24 rgb frames=3", "jpeg 24x24 rgb exif=rotated", GOOD]
    write_jsonl("train.jsonl", [build_example("What are these?", "Dogs.", [data_url(one) for one in tokens])])

    described = [line for line in show("train.jsonl:1").lines if line.startswith("  [image ")]

    assert described[0].endswith(" bytes, 3 frames, detail auto")
    assert described[1].endswith(" bytes, EXIF orientation 6, detail auto")
    assert described[2].endswith(" bytes, detail auto")


def test_image_that_decoders_warn_of_is_seen_without_a_word(show: Show) -> None:
    """Its header claims an animation of no frames; a warning would be an error here."""
    control = b"acTL" + bytes(8)
    chunk = (8).to_bytes(4) + control + crc32(control).to_bytes(4)
    _, data = draw(GOOD)
    write_jsonl(
        "train.jsonl", [build_example("What is this?", "A dog.", url_of(data[:33] + chunk + data[33:]))]
    )

    done = show("train.jsonl:1")

    assert "  [image 1] PNG 24x24 RGB, " in done.out
    assert done.lines[-3] == "no findings"


def test_calls_and_refusals_are_seen(show: Show) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"isbn": 1}'}}
    write(
        {
            "messages": [
                {"role": "user", "content": "Who wrote it?"},
                {"role": "assistant", "tool_calls": [call, call]},
                {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "Nobody."}]},
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "give_up", "arguments": "{}"},
                },
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot."}]},
            ]
        }
    )

    done = show("train.jsonl:1")

    assert done.lines.count('  calls look_up({"isbn": 1})') == 2
    assert "  calls give_up({})" in done.lines
    assert "  I cannot." in done.lines


def test_split_is_that_of_the_configuration(show: Show) -> None:
    Path("vft.toml").write_text('[data]\ntest = "*.jsonl"')
    write(build_example("Who wrote this?", None, data_url(GOOD)))

    done = show("train.jsonl:1")

    assert done.lines[0].startswith("train.jsonl:1  test, 1 image, ")
    assert done.lines[-3] == "no findings"


def image(image_url: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": image_url}]}


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ("text", ["", "  text"]),
        (["a", "list"], ["", "  ['a', 'list']"]),
        (None, ["", "  None"]),
        ("A" * 300, ["", f"  {'A' * 199}…"]),
        ({}, ["  no role"]),
        ({"role": "user"}, ["  user"]),
        ({"role": None, "content": 3}, ["  None", "  3"]),
        ({"role": ["user"], "content": {"type": "text"}}, ["  ['user']", "  {'type': 'text'}"]),
        ({"role": "user", "content": ["text", None, 3, {}]}, ["  user", "  text", "  3", "  {}"]),
        ({"role": "user", "content": [{"type": "text", "text": None}]}, ["  user"]),
        ({"role": "user", "content": [{"type": "text", "text": ["a"]}]}, ["  user", "  ['a']"]),
        (
            image("https://example.com"),
            ["  user", "  {'type': 'image_url', 'image_url': 'https://example.com'}"],
        ),
        (image({"url": 3}), ["  user", "  {'type': 'image_url', 'image_url': {'url': 3}}"]),
        (image({"url": "", "detail": None}), ["  user", "  [image 1] empty URL, detail None"]),
        (image({"url": "data:"}), ["  user", "  [image 1] unrecognised, 0 bytes, detail auto"]),
        (
            image({"url": "data:image/png;base64,@"}),
            ["  user", "  [image 1] data:image/png;base64,@, detail auto"],
        ),
        (image({"url": url_of(b"GIF89a")}), ["  user", "  [image 1] GIF, 6 bytes, detail auto"]),
        (image({"url": url_of(b"?")}), ["  user", "  [image 1] unrecognised, 1 byte, detail auto"]),
        (
            {"role": "user", "content": [{"data": "A" * 100_000}]},
            ["  user", f"  {{'data': '{'A' * 189}…"],
        ),
        (
            {"role": "user", "content": "data:image/png;base64," + "A" * 100_000},
            ["  user", f"  data:image/png;base64,{'A' * 1_977}…"],
        ),
        ({"role": "assistant", "weight": "heavy"}, ["  assistant (weight heavy)"]),
        ({"role": "assistant", "tool_calls": "look"}, ["  assistant"]),
        (
            {"role": "assistant", "tool_calls": [None, "look", {"function": "look"}, {"function": {}}]},
            ["  assistant", "  calls look", "  calls look", "  calls None(None)"],
        ),
        ({"role": "assistant", "function_call": "look"}, ["  assistant", "  calls look"]),
        (
            {"role": "assistant", "function_call": {"name": ["look"], "arguments": {"a": 1}}},
            ["  assistant", "  calls ['look']({'a': 1})"],
        ),
    ],
)
def test_odd_messages_are_seen_all_the_same(show: Show, message: Any, seen: list[str]) -> None:
    write({"messages": [message, {"role": "user", "content": "What is this?"}]})

    done = show("train.jsonl:1")

    first, *more = seen
    assert (done.code, done.err) == (0, "")
    assert done.lines[1 : len(seen) + 3] == [
        f"/messages/0{first}",
        *more,
        "/messages/1  user",
        "  What is this?",
    ]


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ('{"messages": [}', '  {"messages": [}'),
        ("not JSON at all", "  not JSON at all"),
        ('["a", "list"]', '  ["a", "list"]'),
        ("null", "  null"),
        ("", "  "),
        ("{}", "  {}"),
        ('{"messages": "none"}', '  {"messages": "none"}'),
        (
            '{"prefix": "a", "image": "b", "suffix": "c"}',
            '  {"prefix": "a", "image": "b", "suffix": "c"}',
        ),
        ('{"messages": "' + "A" * 1_000 + '"}', '  {"messages": "' + "A" * 185 + "…"),
    ],
)
def test_line_without_messages_is_seen_as_it_begins(show: Show, line: str, seen: str) -> None:
    Path("train.jsonl").write_text(f"{{}}\n{line}\n{{}}\n")

    done = show("train.jsonl:2")

    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == f"train.jsonl:2  train, 0 images, {len(line):,} byte{'s' * (len(line) != 1)}"
    assert done.lines[1] == seen


def test_bytes_that_are_not_utf8_are_seen_as_they_begin(show: Show) -> None:
    Path("train.jsonl").write_bytes(b"caf\xe9\n")

    assert show("train.jsonl:1").lines[1] == "  caf\ufffd"


def test_byte_order_mark_is_not_part_of_the_first_line(show: Show) -> None:
    write_jsonl("train.jsonl", [build_example("What is this?", "A dog.", data_url(GOOD))] * 2)
    content = Path("train.jsonl").read_bytes()
    Path("train.jsonl").write_bytes(b"\xef\xbb\xbf" + content)

    for line in (1, 2):
        done = show(f"train.jsonl:{line}")
        assert "  What is this?" in done.lines
        assert done.lines[0].endswith(f" {len(content) // 2 - 1:,} bytes")


# What the rules say


def test_findings_are_those_of_the_line_with_its_true_number(show: Show) -> None:
    faulty = build_example("What is this?", "A dog.", [data_url(GOOD), data_url("png 24x24 l")])
    write(*[build_example(f"{n}?", f"{n}.", data_url("png 24x24 p")) for n in range(5)], faulty, [], {})

    done = show("train.jsonl:6")

    assert done.lines[-8:] == [
        "",
        "error image/unsupported-mode",
        "  /messages/0/content/2  mode is L; expected RGB or RGBA (image 2)",
        "  do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps",
        "      transparency.",
        "",
        "not judged: rules on files and the dataset (vft check judges them)",
        "",
    ]
    assert show("train.jsonl:7").lines[3] == "error line/not-an-object"
    assert show("train.jsonl:7").lines[4].startswith("  line 7  ")


@pytest.mark.parametrize("blank", [b"\n", b"  \n", b"\t\r\n", b" "])
def test_blank_line_is_judged_as_by_a_check(show: Show, blank: bytes) -> None:
    write(build_example("One?", "1."), build_example("Two?", "2."))
    Path("train.jsonl").write_bytes(Path("train.jsonl").read_bytes() + blank)

    checked = [one for one in lint("train.jsonl", select="line").findings if one.line == 3]

    assert [one.rule for one in checked] == ["line/blank"]
    assert "warning line/blank\n  line 3  line is blank\n" in show("train.jsonl:3").out


def test_configuration_near_the_file_applies(show: Show) -> None:
    Path("data").mkdir()
    Path("data/vft.toml").write_text('severity = {"image/unsupported-mode" = "warning"}')
    write(build_example("One?", "1.", data_url("png 24x24 l")))
    Path("train.jsonl").rename("data/train.jsonl")

    assert "warning image/unsupported-mode" in show("data/train.jsonl:1").out
    assert "warning image/unsupported-mode" in function("data/train.jsonl", 1)


def test_findings_agree_with_those_of_a_check(show: Show) -> None:
    images = [GOOD, "png 24x24 l", "png 24x24 rgb cut=60", "gif 24x24 p", "jpeg 24x24 cmyk"]
    write(
        *[build_example("What is this?", "A dog.", [data_url(token), data_url(GOOD)]) for token in images],
        {},
    )

    report = lint("train.jsonl", ignore=["file", "dataset"])

    assert len({finding.rule for finding in report.findings}) == 4
    for line in range(1, 7):
        expected = {finding.rule for finding in report.findings if finding.line == line}
        assert {
            said.split()[1] for said in show(f"train.jsonl:{line}").lines if said.startswith("error ")
        } == expected


def test_what_is_to_be_done_is_said_once_a_rule(show: Show) -> None:
    write({"messages": [{"role": "robot", "content": 3}, {"role": "android", "content": 4}]})

    done = show("train.jsonl:1")

    assert done.out.count("example/invalid-shape") == 1
    assert done.out.count("  do: ") == 1
    assert done.out.count("role is") == 2


def test_selected_and_ignored_rules_hold_here_too(show: Show) -> None:
    write(build_example("What is this?", "A dog.", data_url("png 24x24 l")))

    assert "unsupported-mode" not in show("train.jsonl:1", "--ignore=image").out
    assert "unsupported-mode" not in show("train.jsonl:1", "--select=line").out
    Path("vft.toml").write_text('[ignore]\nimage = "grey is fine"')
    assert show("train.jsonl:1").lines[-3] == "no findings"


def test_function_returns_what_the_command_prints(show: Show) -> None:
    write("hi", {"messages": "no messages"})

    assert function("train.jsonl", 2, provider="azure") == show("train.jsonl:2", "--provider=azure").out
    for line, said in [(3, "no line 3; the file has 2 lines"), (0, "no line 0; lines are numbered from 1")]:
        with pytest.raises(UsageError, match=said):
            function(Path("train.jsonl"), line)


# Images


def test_images_are_saved_byte_for_byte(show: Show) -> None:
    others = [b"GIF89a" + bytes(20), b"BM" + bytes(20), b"II*\0" + bytes(20), b"what is this"]
    tokens = ["jpeg 24x24 l", "png 24x24 p", "webp 24x24 rgb", "png 24x24 rgb cut=60"]
    urls = [*map(data_url, tokens), *map(url_of, others), "https://example.com/a.png", "data:,@"]
    write({}, build_example("What are these?", "Dogs.", urls))

    done = show("train.jsonl:2", "--save=new/folder")

    suffixes = ["jpg", "png", "webp", "png", "gif", "bmp", "tiff", "bin"]
    saved = [Path(f"new/folder/train-2-{number}.{suffix}") for number, suffix in enumerate(suffixes, 1)]
    assert done.code == 0
    assert done.lines[-9:] == [*map(str, saved), ""]
    contents = [*(draw(token)[1] for token in tokens), *others]
    assert [path.read_bytes() for path in saved] == contents
    assert sorted(Path("new/folder").iterdir()) == sorted(saved)


def test_image_on_several_lines_gets_several_names(show: Show) -> None:
    write(*[build_example("What is this?", "A dog.", data_url(GOOD))] * 2)

    show("train.jsonl:1", "--save=out")
    show("train.jsonl:2", "--save=out")

    assert {path.name for path in Path("out").iterdir()} == {"train-1-1.png", "train-2-1.png"}


def test_nothing_is_saved_unless_asked_for(show: Show) -> None:
    write(build_example("What is this?", "A dog.", data_url(GOOD)))
    show("train.jsonl:1")

    assert [path.name for path in Path().iterdir()] == ["train.jsonl"]


# What cannot be shown


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            "train.jsonl",
            "train.jsonl: expected FILE:LINE, as in train.jsonl:12; a file alone needs --select or --sample",
        ),
        (":3", ":3: expected FILE:LINE, as in train.jsonl:12"),
        ("train.jsonl:", "train.jsonl:: expected FILE:LINE, as in train.jsonl:12"),
        ("train.jsonl:x", "train.jsonl:x: expected FILE:LINE, as in train.jsonl:12"),
        ("train.jsonl:0", "train.jsonl:0: expected FILE:LINE, as in train.jsonl:12"),
        ("train.jsonl:-1", "train.jsonl:-1: expected FILE:LINE, as in train.jsonl:12"),
        ("train.jsonl:4", "train.jsonl: no line 4; the file has 3 lines"),
        ("train.jsonl:4000", "train.jsonl: no line 4,000; the file has 3 lines"),
        ("one.jsonl:2", "one.jsonl: no line 2; the file has 1 line"),
        ("empty.jsonl:1", "empty.jsonl: no line 1; the file has 0 lines"),
        ("none.jsonl:1", "none.jsonl: no such file"),
        ("folder", "folder: is a folder; expected FILE:LINE, as in train.jsonl:12"),
        ("folder:1", "folder: is a folder; expected a file and a line, as in train.jsonl:12"),
        ("*.jsonl:1", "*.jsonl: is 4 files; give one"),
        ("packed.jsonl:1", "packed.jsonl: is bzip2; expected JSON Lines"),
    ],
)
def test_what_cannot_be_shown_is_a_usage_error(show: Show, place: str, said: str) -> None:
    write({}, {}, {})
    Path("one.jsonl").write_text("{}")
    Path("empty.jsonl").touch()
    Path("packed.jsonl").write_bytes(bz2.compress(b"{}"))
    for name in ("a", "b"):
        Path("folder").mkdir(exist_ok=True)
        Path(f"folder/{name}.jsonl").touch()

    assert show(place) == (2, "", f"vft: {said}\n")


def test_images_cannot_be_saved_in_a_file(show: Show) -> None:
    write(build_example("What is this?", "A dog.", data_url(GOOD)))

    done = show("train.jsonl:1", "--save=train.jsonl")

    assert (done.code, done.err) == (2, "vft: train.jsonl: File exists\n")


# Several examples


def questions(*numbers: int) -> None:
    write(*(build_example(f"Which is {n}?", f"{n}", data_url(GOOD)) for n in numbers))


def headings(done: Done) -> list[str]:
    return [line.split()[0] for line in done.lines if line.startswith("train.json")]


def test_lines_of_a_range_are_shown(show: Show) -> None:
    questions(1, 2, 3, 4)

    done = show("train.jsonl:2-3")

    assert headings(done) == ["train.jsonl:2", "train.jsonl:3"]
    assert "  Which is 3?" in done.lines
    assert headings(show("train.jsonl:3-99")) == ["train.jsonl:3", "train.jsonl:4"]
    assert show("train.jsonl:5-9").err == "vft: train.jsonl: no line 5; the last line is 4\n"


@pytest.mark.parametrize(
    "place", ["train.jsonl:3-2", "train.jsonl:0-2", "train.jsonl", "train.jsonl:1-", ":1-2"]
)
def test_range_names_lines(show: Show, place: str) -> None:
    questions(1)

    done = show(place)

    assert done.code == 2
    assert "expected FILE:LINE" in done.err


def test_elements_of_a_range_are_shown(show: Show) -> None:
    rows = [build_example(f"Which is {n}?", f"{n}", data_url(GOOD)) for n in range(4)]
    Path("train.json").write_text(json.dumps(rows))

    assert [line for line in show("train.json:#1-2").lines if "Which" in line] == [
        "  Which is 1?",
        "  Which is 2?",
    ]
    assert show("train.json:#7-9").err == "vft: train.json: no element 7; the last element is 3\n"
    questions(1)
    assert "is not a JSON array" in show("train.jsonl:#0-2").err


def test_examples_on_which_a_rule_fails_are_shown(show: Show) -> None:
    good, grey = data_url(GOOD), data_url("png 24x24 l")
    write(*(build_example(f"Which is {n}?", f"{n}", grey if n % 2 else good) for n in range(5)))

    done = show("train.jsonl", "--select=image/unsupported-mode")

    assert headings(done) == ["train.jsonl:2", "train.jsonl:4"]
    assert done.out.count("mode is L") == 2
    silent = show("train.jsonl", "--select=image/too-small")
    assert silent.out == "train.jsonl: the selected rules fail on no example\n"


def test_sample_is_the_same_each_time_and_in_order(show: Show) -> None:
    questions(*range(30))

    done = show("train.jsonl", "--sample=5")

    lines = [int(heading.rpartition(":")[2]) for heading in headings(done)]
    assert lines == sorted(set(lines))
    assert len(lines) == 5
    assert show("train.jsonl", "--sample=5") == done
    assert set(headings(show("train.jsonl:3-9", "--sample=2"))) <= {f"train.jsonl:{n}" for n in range(3, 10)}
    assert len(headings(show("train.jsonl", "--sample=99"))) == 30


def test_examples_are_written_as_a_page(show: Show) -> None:
    questions(1, 2, 3)

    done = show("train.jsonl:1-2", "--report=html:page.html")

    assert done.out == "2 examples of train.jsonl, 0 with findings: page.html\n"
    page = Path("page.html").read_text()
    assert page.count("<article") == 2
    assert "Which is 2?" in page
    assert (
        "data:image/webp"
        not in Path(
            show("train.jsonl:1", "--report=html:p", "--no-images").out and "p/index.html"
        ).read_text()
    )
    assert "expected html:FILE" in show("train.jsonl:1-2", "--report=json:page.json").err
