"""Rule, provider and configuration files of strangers are data: they are bounded and harmless."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import pytest_vft
from pytest_vft.catalogue.cases import read_cases
from pytest_vft.catalogue.load import load_rules, shipped_rules
from pytest_vft.catalogue.markup import plain
from pytest_vft.catalogue.pages import page
from pytest_vft.catalogue.providers import read_provider_file
from pytest_vft.cli import main
from pytest_vft.errors import ConfigError, RuleFileError, UsageError, VftError
from pytest_vft.facts.scopes import fact_types
from pytest_vft.runs.config import load_config
from pytest_vft.text import Safe
from pytest_vft.toml import MAX_BYTES, MAX_ENTRIES

RULE = """
summary  = "An image is wide."
severity = "warning"
message  = "width is {width}"
advice   = "Crop it."
why      = "It is slow."
source   = "https://example.com"
checked  = 2026-11-21

[require]
width = { maximum = 64 }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, path: str = "mine/image/wide.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def load_with_cases() -> None:
    for rule in load_rules(Path("mine")).values():
        read_cases(rule)


def problem(text: str, path: str = "mine/image/wide.toml") -> str:
    write(text, path)
    with pytest.raises(RuleFileError) as caught:
        load_with_cases()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_ordinary_rule_is_accepted() -> None:
    write(RULE)

    assert list(load_rules(Path("mine"))) == ["image/wide"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 50_000, "is nested too deeply"),
        ("x = " + '{"a" = ' * 50_000, "is nested too deeply"),
        (".".join("a" * 100_000) + " = 1", "is nested too deeply"),
        (f"[{'.'.join('a' * 100_000)}]", "is nested too deeply"),
        ('"a" . ' * 50_000 + "a = 1", "is nested too deeply"),
        (
            "[require.width" + ".not" * 30 + "]\nmaximum = 1",
            "is nested too deeply; expected at most 20 levels",
        ),
        ("x = " + "1" * 5_000, "a number has too many digits"),
        ("x = 0x" + "f" * 5_000, "x has too many digits; expected an integer of 64 bits"),
        ("#" * (MAX_BYTES + 1), f"has more than {MAX_BYTES:,} bytes"),
        (
            RULE.replace("{ maximum = 64 }", f"{{ enum = {list(range(MAX_ENTRIES + 1))} }}"),
            "require.width.enum has 1,001 entries; expected at most 1,000",
        ),
        (RULE.replace("It is slow.", "x" * 10_001), "why has 10,001 characters; expected at most 10,000"),
        (RULE.replace("It is slow.", ""), "why is empty"),
        (
            RULE.replace("width is {width}", "{width} " * 21),
            "message has 21 placeholders; expected at most 20",
        ),
        (
            RULE.replace("{width}", "{width:}"),
            "message: '{width:}' is not a placeholder; expected {NAME}, {NAME:NOUN} or {NAME/100}",
        ),
        (
            RULE.replace("{width}", "{{width}} of {height}"),
            "message: '{{width}}' is not a placeholder; expected {NAME}, {NAME:NOUN} or {NAME/100}",
        ),
        (
            RULE.replace("width is {width}", "{width is {height}"),
            "message: '{width is {height}' is not a placeholder; expected {NAME}, {NAME:NOUN} or {NAME/100}",
        ),
        (
            RULE.replace("{width}", "{width"),
            "message: '{width' is not a placeholder; expected {NAME}, {NAME:NOUN} or {NAME/100}",
        ),
    ],
)
def test_rule_out_of_bounds_is_an_error(text: str, words: str) -> None:
    assert problem(text).endswith(words)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("png 16 rgb", "size is '16'; expected WIDTHxHEIGHT, as in 16x16"),
        ("png -1x16 rgb", "size is '-1x16'; expected WIDTHxHEIGHT"),
        ("png 0x16 rgb", "size is '0x16'; expected WIDTHxHEIGHT"),
        (f"png {'9' * 5_000}x1 rgb", "expected WIDTHxHEIGHT"),
        ("png 90000x90000 rgb", "has 8,100,000,000 pixels; expected at most 4,000,000"),
        ("jpeg 16x16 rgb bytes=9999999999", "bytes is '9999999999'; expected a number from 0 to 12,000,000"),
        ("jpeg 16x16 rgb cut=-5", "cut is '-5'; expected a number from 0 to 12,000,000"),
        ("jpeg 16x16 rgb tail=256", "tail is '256'; expected a number from 0 to 255"),
        ("gif 16x16 p frames=101", "frames is '101'; expected a number from 0 to 100"),
        ("gif 400x400 p frames=100", "has 16,000,000 pixels in 100 frames; expected at most 4,000,000"),
        ("pcx 70000x1 rgb", "Pillow cannot write PCX of mode rgb: "),
    ],
)
def test_image_out_of_bounds_is_an_error(token: str, words: str) -> None:
    assert words in problem(f"{RULE}\n[[cases]]\nverdict = 'pass'\nlines = '\"$image: {token}\"'\n")


def test_images_of_a_file_are_bounded_before_any_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_vft.catalogue.cases.draw", lambda _: pytest.fail("an image was drawn"))
    big, long = '"$image: jpeg 16x16 rgb bytes=11000000"', '"$image: webp 2000x2000 rgb"'

    for lines, words in (
        ([6 * big], "the images of its cases have 66,000,000 bytes; expected at most 64,000,000"),
        ([3 * big, 3 * big], "the images of its cases have 66,000,000 bytes; expected at most 64,000,000"),
        ([long] * 3, "the images of its cases have 12,000,000 pixels; expected at most 10,000,000"),
        (['"$image: png 1x1 l"' * 1_001], "has 1,001 images; expected at most 1,000"),
    ):
        cases = "".join(f"\n[[cases]]\nverdict = 'pass'\nlines = '{one}'\n" for one in lines)
        assert problem(RULE + cases) == words
    files = f"[{{ lines = '{long}' }}, {{ split = 'validation', lines = '{long}' }}]"
    images = "images = { 'a.png' = '$image: png 2000x2000 l' }"
    assert "pixels" in problem(f"{RULE}\n[[cases]]\nverdict = 'pass'\nfiles = {files}\n{images}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_images_within_bounds_take_little_memory() -> None:
    kinds = ("avif", "webp", "bmp", "tiff")
    image = "\n".join(f'"$image: {kind} 1500x1500 rgb"' for kind in kinds)
    write(f"{RULE}\n[[cases]]\nverdict = 'pass'\nlines = '''{image}'''\n")
    program = (
        "import re; from pathlib import Path;"
        "from pytest_vft.catalogue.load import load_rules; from pytest_vft.catalogue.cases import read_cases;"
        "[read_cases(rule) for rule in load_rules(Path('mine')).values()];"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 400_000  # KiB


def test_cases_and_keywords_are_bounded() -> None:
    case = "\n[[cases]]\nverdict = 'pass'\nlines = ''\n"
    assert problem(RULE + 201 * case) == "the file has 201 cases; expected at most 200"
    facts = [name for name, type_ in fact_types("image").items() if type_.name == "integer"]
    keywords = "minimum = 1\nmaximum = 9\nconst = 2\nenum = [2]\nnot = { const = 3 }\n"
    when = "".join(f"[when.{name}]\n{keywords}" for name in facts)
    assert re.fullmatch(r"when and require have \d+ keywords; expected at most 30", problem(RULE + when))


# Links


def test_links_in_a_folder_of_rules_are_refused() -> None:
    outside = write(RULE, "outside/image/wide.toml")
    for link, target in (
        ("mine/image/linked.toml", outside),
        ("mine/image/broken.toml", Path("nowhere")),
        ("mine/image/device.toml", Path("/dev/zero")),
        ("mine/message", outside.parent),
        ("mine/message", Path("nowhere")),
    ):
        write(RULE)
        os.symlink(os.path.abspath(target), link)  # noqa: PTH100, PTH211 - broken ones, too
        with pytest.raises(RuleFileError, match=rf"^{link}.*: is a link; expected an ordinary file"):
            load_rules(Path("mine"))
        Path(link).unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipe_among_rules_is_refused() -> None:
    write(RULE)
    os.mkfifo("mine/image/pipe.toml")

    with pytest.raises(RuleFileError, match=r"pipe\.toml: not a regular file"):
        load_rules(Path("mine"))


def test_link_to_a_folder_of_rules_is_accepted_of_a_person_only(capsys: pytest.CaptureFixture[str]) -> None:
    write(RULE, "elsewhere/image/wide.toml")
    Path("mine").symlink_to("elsewhere")

    assert list(load_rules(Path("mine"))) == ["image/wide"]
    assert main(["rules", "--test=mine"]) == 1  # it has no cases
    assert capsys.readouterr().out.startswith("image/wide: no cases")
    write('rules = ["mine"]', "vft.toml")
    assert main(["rules"]) == 2
    assert capsys.readouterr().err.endswith("vft.toml: rules: mine: is a link; expected a folder\n")


# Names


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a\x1b[31m", "a,b", "a:b", "a*", "a`b", "<b>", "a\u202e", "-x", ".", "a" * 101]
)
def test_name_of_a_rule_is_a_word(name: str) -> None:
    write(RULE, f"mine/image/{name}.toml")

    with pytest.raises(
        RuleFileError, match=r"expected a name of at most 100 letters, digits, '-', '_' and '\.'"
    ):
        load_rules(Path("mine"))
    with pytest.raises(RuleFileError, match="expected a name of at most 100 letters"):
        read_provider_file(write('name = "x"', f"{name}.toml"), shipped_rules())


def test_id_that_exists_already_is_not_tested(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(RULE, "mine/image/too-large.toml")

    assert main(["rules", "--test=mine"]) == 2
    assert capsys.readouterr().err == (
        f"vft: {path}: a rule image/too-large exists already; use another name\n"
    )


# Providers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = ""', "name is empty"),
        ('name = "x"\nnot_stated = ["file/large"]', "not_stated: has no effect without extends; remove it"),
        (
            'name = "x"\nextends = "azure"\nnot_stated = ["image/unfetchable-host"]',
            "not_stated: azure does not state image/unfetchable-host either; remove it",
        ),
        (
            (
                'name = "x"\n[rules."example/too-many-images"]\nlimits = { max_images = -1 }\n'
                'source = "https://example.com"\nchecked = 2026-11-21'
            ),
            "rules.example/too-many-images.limits.max_images: it is -1; expected at least 0",
        ),
        (
            (
                'name = "x"\n[models.m]\nsource = "https://example.com"\nchecked = 2026-11-21\n'
                '[models.m.training]\nprice = inf\nsource = "https://example.com"\nchecked = 2026-11-21'
            ),
            "models.m.training.price is inf; expected a finite number",
        ),
    ],
)
def test_provider_that_cannot_be_meant_is_refused(text: str, words: str) -> None:
    path = write(text, "acme.toml")

    with pytest.raises(RuleFileError, match=re.escape(f"acme.toml: {words}") + "$"):
        read_provider_file(path, shipped_rules())


# Configurations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 50_000, "is nested too deeply"),
        ("a" + ".a" * 50_000 + " = 1", "is nested too deeply"),
        ("max_findings = " + "1" * 5_000, "a number has too many digits"),
        (
            "max_findings = 0x" + "f" * 5_000,
            "max_findings has too many digits; expected an integer of 64 bits",
        ),
        ("[submit]\ntimeout = nan", "submit.timeout is nan; expected a finite number"),
        ('ignore = {"image" = " "}', "ignore.image is empty (write the reason as a string)"),
    ],
)
def test_configuration_out_of_bounds_is_an_error(text: str, words: str) -> None:
    for path, content in (("vft.toml", text), ("pyproject.toml", f"[tool.vft]\n{text}")):
        if path == "pyproject.toml" and text.startswith("["):
            continue
        write(content, path)
        with pytest.raises(ConfigError) as caught:
            load_config(Path(path))
        assert str(caught.value) == f"{path}: {words}"


def test_negative_parameter_in_a_configuration_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    write('[params]\n"image/face" = { max_score = -1 }', "vft.toml")
    write("", "train.jsonl")

    assert main(["check", "train.jsonl"]) == 2
    assert "image/face: parameter max_score is -1; expected at least 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rule", "name", "greatest"),
    [
        ("image/bright", "max_shades", 255),
        ("image/dark", "min_lights", 255),
        ("image/low-information", "min_entropy", 800),
        ("image/odd-aspect", "min_narrowness", 100),
        ("image/face", "max_score", 100),
        ("image/blurry", "min_contrast", 128),
        ("image/blurry", "min_sharpness", 100),
    ],
)
def test_parameter_beyond_the_scale_of_its_fact_is_an_error(
    rule: str, name: str, greatest: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write("", "train.jsonl")
    for value in (greatest, greatest + 1):
        write(f'[params]\n"{rule}" = {{ {name} = {value} }}', "vft.toml")
        main(["check", "train.jsonl"])
    words = f"{rule}: parameter {name} is {greatest + 1}; expected at most {greatest}"
    assert capsys.readouterr().err == f"vft: {Path.cwd() / 'vft.toml'}: {words}\n"


def test_negative_limit_in_a_configuration_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    write('[params]\n"example/too-many-images" = { max_images = -1 }', "vft.toml")
    write("", "train.jsonl")

    assert main(["check", "train.jsonl"]) == 2
    assert capsys.readouterr().err == (
        f"vft: {Path.cwd() / 'vft.toml'}: example/too-many-images: "
        "limit max_images is -1; expected at least 0\n"
    )


def test_broken_link_as_a_configuration_is_an_error() -> None:
    Path("vft.toml").symlink_to("nowhere")

    with pytest.raises(ConfigError, match=r"vft\.toml: No such file or directory$"):
        load_config()


def error_of(read: Callable[[Path], object], path: Path) -> VftError | None:
    try:
        read(path)
    except VftError as error:
        return error
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("[]{}=.,\"'\\#\n\r\0ax1_-: \ud800é") | st.characters(), max_size=200))
def test_any_text_is_read_or_an_error_of_ours(text: str) -> None:
    path = Path("any.toml")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    for read in (load_config, lambda path: read_provider_file(path, shipped_rules())):
        error = error_of(read, path)
        assert error is None or str(error).startswith("any.toml:")
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e]", str(error))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_an_error_of_ours(data: bytes) -> None:
    path = Path("any.toml")
    path.write_bytes(data)

    error = error_of(load_config, path)
    assert error is None or str(error).startswith("any.toml:")


# What is written of them

HOSTILE = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)><!-- <a href='//evil'>",
    "emphasis": "a*b*c _d_ __e__ ~~f~~ `g` ```h``` ***i*** snake_case_word",
    "addresses": "https://evil.example HTTP://evil.example www.evil.example ftp://evil me@evil.example @name",
    "characters": "&lt;b&gt; &#60;b&#62; &#x3c; &amp;lt; $x$ $$y$$ \\* \\_ \\a \\&lt;",
    "markdown": "[a](javascript:alert(1)) ![b](//evil) <http://evil> `` ` ``` [a]: //evil",
    "heading": "# Owned\n\n## Owned\n---\n```\n~~~\n> x\n- y\n1. z",
    "table": "a | b \\| c \\\\| <b>d</b>",
    "command": "::error::boom\n::error::boom\n##[error]boom",
    "escape": "\x1b[31mred\x9b\u202e\u00ad\U000e0041\ufff9",
}


def toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(text: str) -> str:
    """Return what a reader sees of Markdown without markup."""
    tokens = MARKDOWN.parse(text)
    assert {token.type for token in tokens} == {"paragraph_open", "inline", "paragraph_close"}
    (inline,) = (token for token in tokens if token.type == "inline")
    assert {child.type for child in inline.children or ()} <= {"text"}
    return inline.children[0].content if inline.children else ""


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if "\n" not in text])
def test_text_is_shown_as_it_is(text: str) -> None:
    shown = plain(f"x {text}")

    assert text_of(shown) == f"x {text}"
    # GitHub makes links of these.
    assert not re.search(r"(?i)(?<!\\):/|www\.|(?<!\\)@", shown)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("*_`~$&;#lt<>[]()!\\:/@.w ab")))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    shown = f"x{' '.join(text.split())}x"

    assert text_of(plain(shown)) == shown


def html_of(text: str) -> list[str]:
    """Return the HTML, links and images in Markdown, but for links to our own pages and addresses."""
    tokens = MARKDOWN.parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    found = [token.content for token in (*tokens, *inner) if token.type in ("html_block", "html_inline")]
    found += [str(child.attrs) for child in inner if child.type == "image"]
    hrefs = [str(child.attrs["href"]) for child in inner if child.type == "link_open"]
    return found + [href for href in hrefs if not re.match(r"https://|\w+/[\w.-]+\.md$", href)]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_pages_of_rules_show_text_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    rule = RULE
    for key in ("summary", "message", "advice", "why", "source"):
        rule = re.sub(f"^{key} .*$", lambda _, key=key: f"{key} = {toml(text)}", rule, flags=re.MULTILINE)
    rule = rule.replace("{ maximum = 64 }", f"{{ maximum = 64 }}\nmode = {{ enum = [{toml(text)}] }}")
    write(rule)
    write('rules = ["mine"]', "vft.toml")

    assert main(["rules", "--write-pages=pages"]) == 0
    assert main(["explain", "image/wide"]) == 0
    explained = capsys.readouterr().out
    for shown in (
        Path("pages/rules/image/wide.md").read_text(),
        Path("pages/rules/index.md").read_text(),
        explained,
    ):
        assert html_of(shown) == []
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u202e\ufff9\U000e0000-\U000e007f]", shown)
        assert not re.search(r"^\s*::|##\[", shown, re.MULTILINE)
    headings = re.findall("^#.*", Path("pages/rules/image/wide.md").read_text(), re.MULTILINE)
    harmless = RULE.replace("{ maximum = 64 }", '{ maximum = 64 }\nmode = { enum = ["RGB"] }')
    write(harmless, "harmless/image/wide.toml")
    ours = page(load_rules(Path("harmless"))["image/wide"])
    assert headings == re.findall("^#.*", ours, re.MULTILINE)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_providers_show_text_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = toml(text)
    write(
        f"name = {said}\nunread = [{said}]\ndefault_model = {said}\n[models.{said}]\nsource = {said}\n"
        f'checked = 2026-11-21\n[rules."example/too-many-images"]\nlimits = {{ max_images = 0 }}\n'
        f"skips = {said}\nwhy = {said}\nsource = {said}\nchecked = 2026-11-21\n",
        "acme.toml",
    )
    write(json.dumps({"messages": [{"role": "user", "content": "?"}]}) + "\n", "train.jsonl")

    assert main(["explain", "./acme.toml"]) == 0
    assert main(["check", "train.jsonl", "--provider=./acme.toml"]) == 1
    assert main(["check", "train.jsonl", "--provider=./acme.toml", "--model=x"]) == 2
    assert main(["explain", "example/too-many-images", "--config=nowhere.toml"]) == 2
    shown = "".join(capsys.readouterr())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u202e\ufff9\U000e0000-\U000e007f]", shown)
    assert not re.search(r"^\s*::|##\[", shown, re.MULTILINE)
    provider = read_provider_file(Path("acme.toml"), shipped_rules())
    assert html_of(page(shipped_rules()["example/too-many-images"], [provider])) == []


def test_subject_of_a_rule_is_a_noun() -> None:
    text = RULE.replace("width is {width}", "x").partition("[require]")[0]
    write(
        f"{text}[when]\nkind = {{ const = '<b>x</b>' }}\n[require]\ncopies = {{ maximum = 1 }}\n",
        "mine/dataset/x.toml",
    )

    assert load_rules(Path("mine"))["dataset/x"].subject == "dataset"


# Errors


def test_message_of_an_error_is_one_harmless_line() -> None:
    assert str(UsageError("a\nb \x1b[31m\U000e0041")) == r"a\x0ab \x1b[31m\U000e0041"
    assert str(UsageError("::error::x")) == r"\x3a:error::x"
    assert str(VftError(Safe("two\nlines"))) == "two\nlines"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pytest_vft.explain(None), "name is None; expected the name of a rule"),  # type: ignore[arg-type]
        (lambda: pytest_vft.schema(3), "no schema 3; known: rule, provider, example, config"),  # type: ignore[arg-type]
        (lambda: pytest_vft.show("train.jsonl", "1"), "line is '1'; expected a whole number"),  # type: ignore[arg-type]
    ],
)
def test_wrong_argument_is_named(call: Callable[[], Any], words: str) -> None:
    write("{}\n", "train.jsonl")

    with pytest.raises(UsageError, match=f"^{re.escape(words)}"):
        call()
