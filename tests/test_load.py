"""A mistake in a rule file is an error that names file, key and the likely intention."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from pytest_vft.catalogue.cases import data_url, draw, read_cases
from pytest_vft.catalogue.load import Rule, load_rules, shipped_rules
from pytest_vft.catalogue.providers import load_provider
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.compile import compile_check
from pytest_vft.checking.selftest import run_rule_tests
from pytest_vft.errors import RuleFileError
from pytest_vft.reading.images import measure_image
from pytest_vft.resources import read_schema, rules_root

RULE = """
summary  = "An image is not square."
severity = "warning"
message  = "is {width} x {height}; the most is {most}"
advice   = "Crop it."
why      = "Our model wants squares."
source   = "https://example.com/squares"
checked  = 2026-11-21

[params]
most  = 64
modes = ["RGB"]

[when]
openable = { const = true }
mode     = { enum = { "$param" = "modes" } }

[require]
width = { maximum = { "$param" = "most" } }
"""
EXAMPLE = (
    '{"messages": [{"role": "user", "content": [{"type": "image_url", '
    '"image_url": {"url": "$image: png 16x16 rgb"}}]}, {"role": "assistant", "content": "A dog."}]}'
)
CASES = f"""
[[cases]]
verdict = "pass"
lines = '''{EXAMPLE}'''

[[cases]]
verdict = "fail"
message = "is 16 x 16; the most is 15"
params = {{ most = 15 }}
lines = '''{EXAMPLE}'''
"""
FAULTS = """
summary  = "An example has a fault."
severity = "error"
message  = "{shape_faults}"
advice   = "Mend it."
why      = "It is refused."
source   = "https://example.com"
checked  = 2026-11-21
each     = "shape_faults"

[require]
shape_faults = { maxItems = 0 }
"""

# What is said of a keyword that does not fit a fact of some type.
NUMBERS = "not a keyword for integer facts; expected one of const, enum, maximum, minimum, not, type"
STRINGS = "not a keyword for string facts; expected one of const, enum, not, type"
BOOLEANS = "not a keyword for boolean facts; expected one of const, enum, not, type"
LISTS = "not a keyword for array facts; expected one of items, maxItems, minItems, not, type"


def write(folder: Path, text: str = RULE + CASES, place: str = "image/not-square.toml") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def replaced(old: str, new: str, text: str = RULE + CASES) -> str:
    assert text.count(old) >= 1
    return text.replace(old, new, 1)


def problem(folder: Path, text: str, place: str = "image/not-square.toml") -> str:
    """Return what is wrong with the rule file *text*, without the file's name, which must lead."""
    path = write(folder, text, place)
    with pytest.raises(RuleFileError) as caught:
        load_rules(folder)
    words = str(caught.value)
    assert words.startswith(f"{path}: ")
    return words.removeprefix(f"{path}: ")


def test_own_rule_is_loaded(tmp_path: Path) -> None:
    path = write(tmp_path)

    rule = load_rules(tmp_path)["image/not-square"]

    assert (rule.scope, rule.path, rule.params) == ("image", path, {"most": 64, "modes": ["RGB"]})
    assert [case.name for case in read_cases(rule)] == ["pass-1", "fail-2"]


def test_own_rule_runs_among_the_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path, re.sub("^mode.*\n", "", RULE, flags=re.MULTILINE) + CASES)

    (proof,) = run_rule_tests(load_rules(tmp_path), shipped_rules())

    assert proof.problems == ()
    assert proof.survivors == ("when.openable.const",)


def test_rules_come_from_the_widest_scope_to_the_narrowest(tmp_path: Path) -> None:
    write(tmp_path, place="image/b.toml")
    write(tmp_path, place="image/a.toml")
    write(tmp_path, FAULTS, place="example/z.toml")

    assert list(load_rules(tmp_path)) == ["example/z", "image/a", "image/b"]


@pytest.mark.parametrize(
    "text",
    [
        RULE,
        RULE + "\n[[ cases ]]\n" + CASES.partition("[[cases]]\n")[2],
        RULE + CASES,
        RULE.replace("Crop it.", "It is\\n[[cases]]"),
        RULE.replace('"Crop it."', '"""Write\n[[cases]]\nbelow."""'),
        "off = true\n" + RULE,
        "claim = true\n" + RULE,
        'bounds_fetch = "most"\n' + RULE,
        'waived_by = "allow_private"\n' + RULE,
        RULE + '\n[below]\npath = "outside_path"\nmessage = "It is in {folder}"\nadvice = "Go to {folder}"\n',
    ],
)
def test_what_a_rule_may_say_is_read(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)

    rule = load_rules(tmp_path)["image/not-square"]

    assert rule.require == {"width": {"maximum": {"$param": "most"}}}


@pytest.mark.parametrize(
    "fragment",
    [
        'width = { type = "integer", maximum = 64 }',
        "width = { enum = [8, 16] }",
        "width = { not = { const = 13, maximum = 20 } }",
        'mode = { const = "RGB" }',
        "openable = { enum = [true] }",
    ],
)
def test_condition_that_fits_its_fact_is_sound(tmp_path: Path, fragment: str) -> None:
    write(
        tmp_path,
        re.sub(r"\[params\].*", "[require]\n", RULE, flags=re.DOTALL).replace("{most}", "64") + fragment,
    )

    assert load_rules(tmp_path)


def test_tables_may_follow_cases_in_an_own_file(tmp_path: Path) -> None:
    top, params, conditions = RULE.partition("\n[params]")
    write(tmp_path, top + CASES + params + conditions)

    rule = load_rules(tmp_path)["image/not-square"]

    assert rule.params["most"] == 64
    assert len(read_cases(rule)) == 2


def test_providers_and_other_files_are_no_rules(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "name = 'x'", place="providers/own.toml")
    write(tmp_path, "not TOML", place="notes.toml")
    write(tmp_path, "{}", place="image/readme.md")

    assert list(load_rules(tmp_path)) == ["image/not-square"]


@pytest.mark.parametrize("key", ["summary", "severity", "message", "advice", "why", "source", "checked"])
def test_missing_key_is_named(tmp_path: Path, key: str) -> None:
    text = re.sub(rf"^{key} .*\n", "", RULE, flags=re.MULTILINE)

    assert problem(tmp_path, text).startswith(f"the file has no key '{key}'")


def test_missing_key_says_what_it_is_for(tmp_path: Path) -> None:
    assert problem(tmp_path, replaced("checked  = 2026-11-21\n", "")) == (
        "the file has no key 'checked' (The day on which the source was last read, a TOML date.)"
    )


def test_rule_requires_something(tmp_path: Path) -> None:
    text = RULE.partition("[require]")[0]

    assert problem(tmp_path, text).startswith("the file has no key 'require'")
    assert problem(tmp_path, text + "[require]\n") == "require is empty"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "checked ",
            'data_formats = ["opnai"]\nchecked ',
            "data_formats: no data format 'opnai' (did you mean 'openai'?)",
        ),
        ("width = { max", "widht = { max", "require.widht: no such fact of image (did you mean 'width'?)"),
        ("openable =", "opnable =", "when.opnable: no such fact of image (did you mean 'openable'?)"),
        ("width = { max", "text_length = { max", "require.text_length: no such fact of image"),
        ("{ maximum =", "{ maxmum =", "require.width: unknown key 'maxmum' (did you mean 'maximum'?)"),
        ("{ const =", "{ cosnt =", "when.openable: unknown key 'cosnt' (did you mean 'const'?)"),
        ("{ maximum =", "{ pattern =", "require.width: unknown key 'pattern'"),
        ("advice ", "advise ", "unknown key 'advise' (did you mean 'advice'?)"),
        ("checked ", "cheked ", "unknown key 'cheked' (did you mean 'checked'?)"),
        ("[require]", "[requires]", "unknown key 'requires' (did you mean 'require'?)"),
        ("[[cases]]", "[[case]]", "unknown key 'case' (did you mean 'cases'?)"),
        ("verdict =", "verdct =", "cases.0: unknown key 'verdct' (did you mean 'verdict'?)"),
        ('"warning"', '"warn"', 'severity is "warn"; expected error or warning'),
        (
            'verdict = "pass"',
            'verdict = "ok"',
            'cases.0.verdict is "ok"; expected pass, fail, unknown or not_applicable',
        ),
        (
            '"$param" = "most"',
            '"$param" = "mots"',
            "require.width.maximum: no parameter 'mots' (did you mean 'most'?)",
        ),
        (
            '{ "$param" = "most" }',
            '{ param = "most" }',
            'require.width.maximum: expected a value, { "$limit" = "NAME" } or { "$param" = "NAME" }',
        ),
        (
            '{ "$param" = "most" }',
            "{ }",
            'require.width.maximum: expected a value, { "$limit" = "NAME" } or { "$param" = "NAME" }',
        ),
        ("{width}", "{widht}", "message: {widht} is not a fact, limit or parameter (did you mean 'width'?)"),
        ("{width}", "{mode:mode}", "message: {mode:mode}: mode is not an integer"),
        ("{most}", "{max}", "message: {max} is not a fact, limit or parameter"),
        ("{most}", "{Most}", "message: {Most} is not a fact, limit or parameter (did you mean 'most'?)"),
        ("most  = 64", "most  = 64\nleast = 8", "params.least: not used"),
        ("most  = 64", "most  = 64\nmodez = []", "params.modez: not used (did you mean 'modes'?)"),
        (
            "checked  = 2026-11-21",
            'checked  = "2026-11-21"',
            "checked: write a date, as in checked = 2026-11-21",
        ),
        (
            "checked  = 2026-11-21",
            "checked  = 2026-11-21T08:00:00Z",
            "checked: write a date, as in checked = 2026-11-21",
        ),
        ('"Crop it."', "2026-11-21", "advice is a date; expected a string"),
        ('"Crop it."', "08:00:00", "advice is a date; expected a string"),
        ('"Crop it."', "nan", "advice is a number; expected a string"),
        (
            "checked  = ",
            'each = "shape_faults"\nchecked  = ',
            "each: 'shape_faults' is not a fact that lists faults",
        ),
        (
            "params = { most = 15 }",
            "params = { mots = 7 }",
            "cases.1.params.mots: no parameter 'mots' (did you mean 'most'?)",
        ),
        ('verdict = "pass"', "", "cases.0 has no key 'verdict' (The expected verdict of the rule.)"),
    ],
)
def test_misspelling_is_named_with_the_likely_intention(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert problem(tmp_path, replaced(old, new)) == words


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ('width = { maximum = "64" }', "require.width.maximum: '64'; expected a whole number"),
        ("width = { maximum = 64.5 }", "require.width.maximum: 64.5; expected a whole number"),
        ("width = { maximum = true }", "require.width.maximum: true; expected a whole number"),
        ("width = { maximum = [64] }", "require.width.maximum: [64]; expected a whole number"),
        ("width = { enum = 64 }", "require.width.enum: 64; expected a list of whole numbers"),
        (
            "width = { enum = [true, 2026-01-01] }",
            "require.width.enum: [true, 2026-01-01]; expected a list of whole numbers",
        ),
        ('width = { enum = [64, "65"] }', "require.width.enum: [64, '65']; expected a list of whole numbers"),
        ('width = { type = "string" }', "require.width.type: the fact is of type integer"),
        (
            'width = { type = "int" }',
            'require.width.type is "int"; expected integer, string, boolean or array',
        ),
        ("width = 64", "require.width is a number; expected an object (as in { maximum = 10 })"),
        ("width = { }", "require.width is empty (as in { maximum = 10 })"),
        ("width = { not = { maximum = '64' } }", "require.width.not.maximum: '64'; expected a whole number"),
        (
            "width = { not = { maxmum = 64 } }",
            "require.width.not: unknown key 'maxmum' (did you mean 'maximum'?)",
        ),
        ("mode = { const = 1 }", "require.mode.const: 1; expected a string"),
        ('mode = { const = ["RGB"] }', "require.mode.const: ['RGB']; expected a string"),
        ("mode = { maximum = 3 }", f"require.mode.maximum: {STRINGS}"),
        ("openable = { const = 1 }", "require.openable.const: 1; expected a boolean"),
        ("openable = { minimum = 1 }", f"require.openable.minimum: {BOOLEANS}"),
        ("width = { maxItems = 1 }", f"require.width.maxItems: {NUMBERS}"),
    ],
)
def test_condition_that_could_never_decide_is_an_error(tmp_path: Path, fragment: str, words: str) -> None:
    text = re.sub(r"\[params\].*", "[require]\n", RULE, flags=re.DOTALL).replace("{most}", "64") + fragment

    assert problem(tmp_path, text) == words


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ('"64"', "params.most: '64'; expected a whole number"),
        ("[64]", "params.most: [64]; expected a whole number"),
        ("64.0", "params.most: 64.0; expected a whole number"),
        ("true", "params.most is a boolean; expected a whole number, a string or an array"),
        ("2026-11-21", "params.most is a date; expected a whole number, a string or an array"),
    ],
)
def test_parameter_of_the_wrong_type_is_an_error(tmp_path: Path, param: str, words: str) -> None:
    assert problem(tmp_path, replaced("most  = 64", f"most  = {param}")) == words


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("splits = { items = { const = 1 } }", "require.splits.items.const: 1; expected a string"),
        ("splits = { maxItems = '1' }", "require.splits.maxItems: '1'; expected a whole number"),
        ("splits = { items = { maxItems = 1 } }", f"require.splits.items.maxItems: {STRINGS}"),
        ("splits = { const = ['train'] }", f"require.splits.const: {LISTS}"),
    ],
)
def test_conditions_on_lists_are_checked_too(tmp_path: Path, fragment: str, words: str) -> None:
    text = replaced("{shape_faults}", "{splits}", re.sub("each .*\n", "", FAULTS))
    text = text.replace("shape_faults = { maxItems = 0 }", fragment)

    assert problem(tmp_path, text, "dataset/own.toml") == words


def test_faults_are_no_strings(tmp_path: Path) -> None:
    text = replaced("maxItems = 0", 'items = { const = "x" }', FAULTS)

    assert problem(tmp_path, text, "example/own.toml").startswith(
        "require.shape_faults.items: not a keyword for"
    )


def test_each_names_a_fact_that_lists_faults(tmp_path: Path) -> None:
    assert problem(tmp_path, replaced('= "shape_faults"', '= "shape_fault"', FAULTS), "example/own.toml") == (
        "each: 'shape_fault' is not a fact that lists faults (did you mean 'shape_faults'?)"
    )


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (
            'verdict = "fail"\nlines = ""',
            "cases.0: a failing case needs a message; other cases must not have one",
        ),
        (
            'verdict = "pass"\nmessage = "x"\nlines = ""',
            "cases.0: a failing case needs a message; other cases must not have one",
        ),
        ('verdict = "pass"', "cases.0: needs one of lines, base64 and files"),
        ('verdict = "pass"\nlines = ""\nbase64 = ""', "cases.0: needs one of lines, base64 and files"),
        (
            'verdict = "pass"\nfiles = [{ split = "train" }]',
            "cases.0.files.0: needs one of lines, base64 and missing",
        ),
        (
            'verdict = "pass"\nfiles = [{ line = "" }]',
            "cases.0.files.0: unknown key 'line' (did you mean 'lines'?)",
        ),
        (
            'verdict = "pass"\nlines = ""\nsplit = "dev"',
            'cases.0.split is "dev"; expected train, validation or test',
        ),
    ],
)
def test_case_without_verdict_or_message_is_an_error(tmp_path: Path, case: str, words: str) -> None:
    assert problem(tmp_path, f"{RULE}\n[[cases]]\n{case}\n") == words


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("jpeg 16x16", "$image: jpeg 16x16: expected FORMAT WxH MODE"),
        ("jpeg 16x16 rbg", "no mode 'rbg' (did you mean 'rgb'?)"),
        (
            "jpeg 16x16 rgb byts=9",
            "$image: jpeg 16x16 rgb byts=9: unknown option 'byts' (did you mean 'bytes'?)",
        ),
        ("jpeg 16x16 rgb bytes=9", "the image already has "),
        ("jpeg 16x16 rgb exif=gsp", "no exif 'gsp' (did you mean 'gps'?)"),
        ("jpeg 16x16 rgba", "Pillow cannot write JPEG of mode rgba"),
        ("jpgg 16x16 rgb", "Pillow cannot write JPGG of mode rgb"),
        ("jpeg axb rgb", "$image: jpeg axb rgb: size is 'axb'; expected WIDTHxHEIGHT, as in 16x16"),
        ("gif 16x16 p bytes=5000", "a gif cannot be padded by "),
    ],
)
def test_token_that_makes_no_image_is_an_error(tmp_path: Path, token: str, words: str) -> None:
    path = write(tmp_path, replaced("$image: png 16x16 rgb", f"$image: {token}"))

    with pytest.raises(RuleFileError) as caught:
        read_cases(load_rules(tmp_path)["image/not-square"])

    assert str(caught.value).startswith(f"{path}: case pass-1: {words}")


@pytest.mark.parametrize("size", [1_000, 1_001, 1_002, 1_003, 70_000, 140_000])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_padded_image_has_just_that_size_and_is_sound(kind: str, size: int) -> None:
    media_type, data = draw(f"{kind} 16x16 rgb bytes={size}")

    assert media_type == f"image/{kind}"
    assert len(data) == size
    assert measure_image(data, full=True)[3:8] == ("RGB", 16, 16, "none", None)


@pytest.mark.parametrize(
    ("token", "has"),
    [
        ("jpeg 16x16 rgb exif=rotated", lambda image: image.getexif()[ExifTags.Base.Orientation] == 6),
        ("jpeg 16x16 rgb exif=upright", lambda image: image.getexif()[ExifTags.Base.Orientation] == 1),
        ("jpeg 16x16 rgb exif=upright", lambda image: 2 not in image.getexif().get_ifd(ExifTags.IFD.GPSInfo)),
        ("png 16x16 rgb exif=gps", lambda image: 2 in image.getexif().get_ifd(ExifTags.IFD.GPSInfo)),
        ("png 16x16 rgb frames=3", lambda image: image.n_frames == 3),
        ("gif 16x16 p frames=2", lambda image: image.n_frames == 2),
        ("webp 9x7 rgba", lambda image: (image.size, image.mode) == ((9, 7), "RGBA")),
    ],
)
def test_token_makes_the_image_that_it_describes(token: str, has: Callable[[Any], object]) -> None:
    with Image.open(io.BytesIO(draw(token)[1])) as image:
        assert has(image)


def test_token_may_cut_prolong_and_mislabel() -> None:
    _, whole = draw("png 16x16 rgb")

    assert draw("png 16x16 rgb cut=5") == ("image/png", whole[:-5])
    assert draw("png 16x16 rgb tail=2") == ("image/png", whole + b"\1\2")
    assert draw("png 16x16 rgb as=image/jpeg") == ("image/jpeg", whole)
    assert data_url("png 16x16 rgb") == f"data:image/png;base64,{base64.b64encode(whole).decode()}"


def test_case_of_broken_base64_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, RULE + '\n[[cases]]\nverdict = "pass"\nbase64 = "!"\n')

    with pytest.raises(RuleFileError, match="case pass-1: "):
        read_cases(load_rules(tmp_path)["image/not-square"])


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    assert re.match(r"not valid TOML: .* line 3\b", problem(tmp_path, replaced('"warning"', "warning")))


def test_file_that_is_no_utf8_is_no_toml(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(RULE.replace("Crop", "Rögne").encode("latin-1"))

    with pytest.raises(RuleFileError, match="not valid TOML: "):
        load_rules(tmp_path)


def test_misspelt_scope_is_named(tmp_path: Path) -> None:
    assert problem(tmp_path, RULE, "imagee/not-square.toml") == (
        "no scope 'imagee' (did you mean 'image'?); the folder of a rule must be one of "
        "file, line, example, message, image, dataset"
    )


def test_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match=re.escape(f"{tmp_path / 'mine'}: no such folder of rules")):
        load_rules(tmp_path / "mine")


@pytest.mark.parametrize("place", ["not-square.toml", "image/not-square.tml", "providers/own.toml"])
def test_folder_without_rules_is_an_error(tmp_path: Path, place: str) -> None:
    write(tmp_path, place=place)

    with pytest.raises(
        RuleFileError, match=re.escape(f"{tmp_path}: has no rules; a rule is a file SCOPE/NAME.toml")
    ):
        load_rules(tmp_path)


def test_no_rule_file_runs_code(tmp_path: Path) -> None:
    evil = "__import__('os').abort()"
    text = replaced('["RGB"]', f'["{evil}"]')
    write(tmp_path, text.replace("most", "f0"))

    (rule,) = select_rules(load_rules(tmp_path), load_provider("openai"))

    assert compile_check("image", [rule])({"openable": True, "mode": evil, "width": 65}) == (1,)


def test_schema_agrees_with_the_record() -> None:
    schema = read_schema("rule.schema.json")
    fields = {field.name: field for field in dataclasses.fields(Rule)}
    by_place = {"id", "scope", "path", "skips"}  # what it skips, a provider says
    needed = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    assert set(schema["properties"]) == set(fields) - by_place | {"cases"}
    assert set(schema["required"]) == needed - by_place


def test_shipped_rules_are_found() -> None:
    assert load_rules(rules_root()).keys() == shipped_rules().keys()
