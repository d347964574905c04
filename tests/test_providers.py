"""A provider is one file: stated rules run, other rules are off, and mistakes are named."""
# ruff: noqa: E501 - tables of mistakes are read in lines

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import pytest_vft
from pytest_vft import RuleFileError, UsageError, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import load_rules, shipped_rules
from pytest_vft.catalogue.providers import (
    Provider,
    base_model,
    load_provider,
    provider_ids,
    read_provider_file,
)
from pytest_vft.catalogue.select import bind_rules, select_rules
from pytest_vft.checking.selftest import run_rule_tests
from pytest_vft.cli import main
from pytest_vft.formats.registry import data_formats
from pytest_vft.model import Source
from pytest_vft.resources import read_schema
from pytest_vft.runs import fetcher
from pytest_vft.runs.config import Config
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submit import connect, make_plan, read_submission

RULES = shipped_rules()
IMAGES = "example/too-many-images"
MODE = "image/unsupported-mode"
DATED = 'source  = "https://docs.acme.example/vision"\nchecked = 2026-11-25\n'
ACME = f"""
name = "Acme"

[rules."{IMAGES}"]
limits = {{ max_images = 2 }}
{DATED}
[rules."message/assistant-image"]
{DATED}"""
RULE = """
summary  = "An image has a side that is longer than the provider takes."
severity = "error"
message  = "image is {width}x{height}; each side may have at most {max_side} pixels"
advice   = "Scale it down."
why      = "The provider refuses it."
limits   = ["max_side"]

[when]
openable = { const = true }

[require]
width  = { maximum = { "$limit" = "max_side" } }
height = { maximum = { "$limit" = "max_side" } }
"""
CASE = """
[[cases]]
verdict = "%s"%s
lines = '''
{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "$image: %s"}}]}, \
{"role": "assistant", "content": "A dog."}]}
'''
"""
LIMIT = "\nlimits = { max_side = 16 }"
CASES = (
    CASE % ("pass", LIMIT, "png 16x16 rgb")
    + CASE
    % ("fail", LIMIT + '\nmessage = "image is 17x16; each side may have at most 16 pixels"', "png 17x16 rgb")
    + CASE
    % ("fail", LIMIT + '\nmessage = "image is 16x17; each side may have at most 16 pixels"', "png 16x17 rgb")
    + CASE % ("not_applicable", LIMIT, "gif 17x17 p")
)


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def own(text: str = ACME, name: str = "acme.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def provider(text: str = ACME) -> Provider:
    return read_provider_file(own(text), RULES)


def examples(*numbers: int, image: str = "png 16x16 rgb", path: str = "train.jsonl") -> str:
    """Write an example with so many images for each of *numbers*."""
    parts = [{"type": "image_url", "image_url": {"url": data_url(image)}}]
    write_jsonl(
        path,
        [
            {
                "messages": [
                    {"role": "user", "content": parts * number},
                    {"role": "assistant", "content": f"{at}."},
                ]
            }
            for at, number in enumerate(numbers)
        ],
    )
    return path


def problem(text: str) -> str:
    """Return what is wrong with the provider file *text*, without the file's name, which must lead."""
    path = own(text)
    with pytest.raises(RuleFileError) as caught:
        read_provider_file(path, RULES)
    assert str(caught.value).startswith(f"{path}:")
    return str(caught.value).removeprefix(f"{path}:").strip()


# What is stated


def test_only_what_a_provider_states_runs() -> None:
    bound = bind_rules(RULES, provider())

    stated = {id_ for id_, rule in RULES.items() if rule.limits or rule.claim} & bound.keys()
    assert stated == {IMAGES, "message/assistant-image"}
    assert bound[IMAGES].require == {"images": {"maximum": 2}}
    assert bound[IMAGES].source == "https://docs.acme.example/vision"
    assert bound[IMAGES].checked == date(2026, 11, 25)
    assert {"line/invalid-json", "image/truncated", "image/too-many-pixels"} <= bound.keys()


def test_data_is_checked_by_a_provider_file() -> None:
    own()

    report = lint(examples(2, 3), provider="./acme.toml")

    assert [(finding.rule, finding.line) for finding in report.findings if finding.severity == "error"] == [
        (IMAGES, 2)
    ]
    assert (report.provider, report.provider_name, report.model, report.cost) == ("acme", "Acme", None, None)
    assert {finding.skips for finding in report.findings} == {None}
    # no word of OpenAI's: 2 examples are enough here
    assert not {"file/too-few-examples", MODE, "image/too-large"} & {rule.id for rule in report.rules}


def test_provider_file_of_a_configuration_is_relative_to_it() -> None:
    own(name="conf/providers/acme.toml")
    own('provider = "providers/acme.toml"', "conf/vft.toml")

    assert lint(examples(3), config="conf/vft.toml").provider == "acme"


def test_command_line_takes_a_provider_file(capsys: pytest.CaptureFixture[str]) -> None:
    own()

    assert main(["check", examples(3), "--provider=./acme.toml", "--format=json", "--offline"]) == 1

    assert json.loads(capsys.readouterr().out)["model"] is None


def test_extended_provider_gives_rules_and_data_formats_and_nothing_else() -> None:
    extended = provider(f'extends = "openai"\nnot_stated = ["{MODE}", "image/not-public"]\n{ACME}')
    parent = load_provider("openai")

    assert extended.rules.keys() == parent.rules.keys() - {MODE, "image/not-public"} | {
        IMAGES,
        "message/assistant-image",
    }
    assert extended.rules[IMAGES].limits == {"max_images": 2}
    assert (extended.rules[IMAGES].stated_by, extended.rules["image/too-large"].stated_by) == (
        "acme",
        "openai",
    )
    assert list(extended.data_formats) == ["openai", "openai-preference"]
    assert (extended.closes, extended.models, extended.job_api) == (None, {}, None)
    assert parent.closes
    assert parent.job_api


def test_statement_of_a_child_replaces_the_whole_table() -> None:
    text = f"""
name = "Acme"
extends = "openai"
[rules."{MODE}"]
limits = {{ modes = ["RGB", "L"] }}
severity = "warning"
why = "Acme turns it to RGB."
{DATED}"""

    rule = bind_rules(RULES, provider(text))[MODE]

    assert rule.params == {"modes": ["RGB", "L"]}
    assert (rule.severity, rule.skips, rule.why) == ("warning", None, "Acme turns it to RGB.")
    assert bind_rules(RULES, load_provider("openai"))[MODE].skips == "invalid image format"


def test_rule_gives_way_to_provider_then_model_then_configuration() -> None:
    text = f"""
name = "Acme"
default_model = "small"
[rules."image/too-small"]
params = {{ min_side = 20 }}
{DATED}
[models.small]
{DATED}
[models.small.rules."image/too-small"]
params = {{ min_side = 30 }}
{DATED}"""
    acme, id_ = provider(text), "image/too-small"

    def side(of: Provider, **more: Any) -> Any:
        return bind_rules(RULES, of, **more)[id_].params["min_side"]

    assert side(load_provider("openai")) == 10
    assert side(acme) == 20
    assert side(acme.for_model("small")) == 30
    assert side(acme.for_model("small"), params={id_: {"min_side": 40}}) == 40


def test_configuration_may_state_a_limit() -> None:
    own()
    config = Config(provider="./acme.toml", params={MODE: {"modes": ["RGB"]}})

    report = lint(examples(1, image="png 16x16 l"), config=config)

    assert [finding.rule for finding in report.findings if finding.severity == "error"] == [MODE]


def test_rule_that_is_not_stated_cannot_be_selected_by_its_id() -> None:
    acme = provider()

    with pytest.raises(UsageError) as caught:
        select_rules(RULES, acme, select=["image/unsupported-mode"])
    assert str(caught.value) == (
        'image/unsupported-mode: Acme does not state modes; set it in [tool.vft.params]: "image/unsupported-mode" = '
        "{ modes = ... }"
    )
    with pytest.raises(UsageError, match=r"^image/not-public: Acme does not state it$"):
        select_rules(RULES, acme, select=["image/not-public"])
    for pattern in ("image", "image/*"):
        assert MODE not in {rule.id for rule in select_rules(RULES, acme, select=[pattern])}
    with pytest.raises(UsageError, match=r"^image/unsupported-m\*: Acme states nothing about these rules$"):
        select_rules(RULES, acme, select=["image", "image/unsupported-m*"])


def test_who_selected_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    own()
    path = examples(1)

    assert main(["check", path, "--provider=./acme.toml", f"--select={MODE}"]) == 2
    assert capsys.readouterr().err.startswith(f"vft: {MODE}: Acme does not state modes")
    own(f'provider = "./acme.toml"\nselect = ["{MODE}"]', "vft.toml")
    assert main(["check", path]) == 2
    assert re.match(rf"vft: .*vft\.toml: select: {MODE}: Acme does not state", capsys.readouterr().err)


def test_azure_does_not_state_what_is_known_of_openai_alone() -> None:
    azure, openai = (bind_rules(RULES, load_provider(id_)) for id_ in ("azure", "openai"))

    assert openai.keys() - azure.keys() == {"image/unfetchable-host", "example/image-in-preference"}
    assert azure["file/too-many-image-examples"].params == {"max_image_examples": 50_000}
    assert azure[IMAGES].params == {"max_images": 64}
    assert azure[MODE].skips == openai[MODE].skips


# Models


def test_model_that_is_fine_tuned_leads_to_its_base() -> None:
    openai, azure = load_provider("openai"), load_provider("azure")
    tuned = "ft:gpt-4o-2024-08-06:acme:books:AbCd1234"
    deployed = "gpt-4.1-2025-04-14.ft-0e208cf33a6a466994aff31a08aba678"

    assert [base_model(name) for name in (tuned, deployed, "gpt-4o")] == [
        "gpt-4o-2024-08-06",
        "gpt-4.1-2025-04-14",
        "gpt-4o",
    ]
    assert (openai.model(tuned), azure.model(deployed)) == (tuned, deployed)
    assert openai.describe(tuned) == openai.models["gpt-4o-2024-08-06"]
    assert azure.for_model(deployed).rules["example/too-many-tokens"].limits == {"max_tokens": 65_536}
    assert lint(examples(1), model=tuned).model == tuned
    with pytest.raises(
        UsageError, match=r"for model 'ft:gpt-4o-2024-08-07:a::1' \(did you mean 'gpt-4o-2024-08-06'"
    ):
        openai.model("ft:gpt-4o-2024-08-07:a::1")
    with pytest.raises(UsageError, match="for model 'ft:'"):
        openai.model("ft:")


def test_provider_without_models_takes_any() -> None:
    acme = provider()

    assert acme.any_model
    assert (acme.model(None), acme.model("Qwen/Qwen3-VL-8B")) == (None, "Qwen/Qwen3-VL-8B")
    assert acme.describe("Qwen/Qwen3-VL-8B").image_tokens is None


def test_any_model_goes_with_models() -> None:
    models = f'default_model = "small"\n[models.small]\ncontext = 4_096\n{DATED}'

    few = provider(f'name = "Acme"\n{models}')
    more = provider(f'name = "Acme"\nany_model = true\n{models}')

    assert few.describe("small").context == 4_096
    assert more.model("large") == "large"
    with pytest.raises(UsageError, match="Acme has no vision fine-tuning for model 'large'; known: small"):
        few.model("large")


def test_model_of_a_server_of_ones_own_is_not_known() -> None:
    settings = Settings(config=Config(), model_name="my-model", base_url="http://localhost:8000/v1")

    assert settings.model == "my-model"
    assert "example/too-many-tokens" not in {rule.id for rule in settings.rules}
    assert IMAGES in {rule.id for rule in settings.rules}


# Keys go to nobody that a file names


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            'job_api = { kind = "openai", base_url = "https://evil.example" }',
            "job_api.base_url: a provider file of your own cannot name an address that keys are sent to; give --base-url=URL",
        ),
        (
            'base_url = "https://evil.example"',
            "base_url: a provider file of your own cannot name an address that keys are sent to",
        ),
        ('key = "AWS_SECRET"', "key: a provider file of your own cannot name an environment variable"),
        (
            'key_hosts = ["evil.example"]',
            "key_hosts: a provider file of your own cannot name hosts that keys are sent to",
        ),
    ],
)
def test_own_file_cannot_say_where_keys_go(line: str, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    own(f'name = "Acme"\n\n{line}\n')

    assert main(["explain", "./acme.toml"]) == 2
    assert capsys.readouterr().err == f"vft: acme.toml:3: {what}\n"


def test_address_of_a_job_api_is_refused_in_the_line_of_its_table() -> None:
    text = 'name = "Acme"\n[job_api]\nkind = "openai"\nbase_url = "https://evil.example"\n'

    assert problem(text).startswith("2: job_api.base_url: ")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('[job_api]\nkind = "azure"', "job_api: version is required for kind azure"),
        ('[job_api]\nkind = "openai"\nversion = "1"', "job_api: version is required for kind azure"),
        ('[job_api]\nkind = "acme"', "job_api.kind"),
        ('upload_command = "acme upload"', "upload_command: does not contain {file}"),
    ],
)
def test_mistakes_in_how_jobs_are_made(lines: str, words: str) -> None:
    assert words in problem(f'name = "Acme"\n{lines}\n')


def test_no_key_goes_to_another_provider() -> None:
    own()
    sources = (Source(examples(1)),)
    settings = Settings(config=Config(), sources=sources, provider_id="./acme.toml")
    submission = read_submission(settings, base_url="https://api.openai.com/v1")
    environ = {"OPENAI_API_KEY": "sk-secret"}

    for go in (make_plan, connect):
        with pytest.raises(UsageError, match=r"^vft does not know a job API of Acme"):
            go(submission, environ)


@pytest.mark.parametrize("name", ["train.jsonl", "my train.jsonl"])
def test_without_a_job_api_the_own_upload_command_is_printed(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("acme.toml").write_text('name = "Acme"\nupload_command = "acme files upload {file} --check"\n')
    examples(1, path=name)
    examples(1, image="png 17x17 rgb", path="v.jsonl")

    assert main(["submit", "plan", name, "--validation-data=v.jsonl", "--provider=./acme.toml"]) == 2
    assert capsys.readouterr().err == (
        "vft: vft does not know a job API of Acme: upload the data with its own command: "
        f"acme files upload {shlex.quote(name)} --check && acme files upload v.jsonl --check\n"
    )
    assert main(["explain", "./acme.toml"]) == 0
    assert "acme files upload {file} --check" in capsys.readouterr().out


def test_no_upload_command_is_printed_for_data_with_errors(capsys: pytest.CaptureFixture[str]) -> None:
    own('upload_command = "acme upload {file}"\n' + ACME)

    assert main(["submit", "plan", examples(3), "--provider=./acme.toml"]) == 1
    assert "acme upload" not in capsys.readouterr().err


def test_submit_says_that_there_is_no_job_api(capsys: pytest.CaptureFixture[str]) -> None:
    own()

    assert main(["submit", "plan", examples(1), "--provider=./acme.toml"]) == 2
    assert capsys.readouterr().err.startswith("vft: vft does not know a job API of Acme")


# Mistakes


def changed(old: str, new: str) -> str:
    assert old in ACME
    return ACME.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed('name = "Acme"', ""), "the file has no key 'name' (The name of the provider in messages.)"),
        (changed("name =", "nam ="), "unknown key 'nam' (did you mean 'name'?)"),
        (changed("max_images = 2", "max_imgaes = 2"), "(did you mean 'max_images'?)"),
        (
            changed("max_images = 2", 'max_images = "2"'),
            f"rules.{IMAGES}.limits.max_images: it is '2'; expected a whole number",
        ),
        (
            changed("max_images = 2", "max_images = true"),
            f"rules.{IMAGES}.limits.max_images: it is true; expected a whole number",
        ),
        (
            changed("limits = { max_images = 2 }", ""),
            f"rules.{IMAGES}: does not state max_images; list unstated rules in not_stated",
        ),
        (changed(IMAGES, "example/too-many-imgaes"), f"(did you mean '{IMAGES}'?)"),
        (
            changed("limits =", "limts ="),
            f"rules.{IMAGES}: unknown key 'limts' (did you mean 'limits'?)",
        ),
        (
            changed("limits = { max_images = 2 }", "params = { max_images = 2 }"),
            "no parameter 'max_images', which is a limit; write it in limits",
        ),
        (
            changed(
                f'"{IMAGES}"]\nlimits = {{ max_images = 2 }}', '"image/too-small"]\nlimits = { min_side = 2 }'
            ),
            "no limit 'min_side', which is a parameter; write it in params",
        ),
        (
            changed(
                f'"{IMAGES}"]\nlimits = {{ max_images = 2 }}', '"image/too-small"]\nlimits = { min_sde = 2 }'
            ),
            "no limit 'min_sde' (did you mean 'min_side'?); the rule has no limits; params are min_side",
        ),
        (changed("2026-11-25", '"2026-11-25"'), "write a date, as in checked = 2026-11-21"),
        (changed("checked = 2026-11-25", ""), f"rules.{IMAGES} has no key 'checked'"),
        (
            changed("limits = {", 'severity = "eror"\nlimits = {'),
            f'rules.{IMAGES}.severity is "eror"; expected error or warning',
        ),
        (
            changed("limits = {", 'effect = "refuse"\nlimits = {'),
            f'rules.{IMAGES}.effect is "refuse"; expected refuses, loses or note',
        ),
        (f'extends = "opnai"\n{ACME}', "extends: no provider 'opnai' (did you mean 'openai'?); known: "),
        (f'extends = "../x"\n{ACME}', "extends: no provider '../x'; known: "),
        (
            f'not_stated = ["image/too-lagre"]\n{ACME}',
            "not_stated: no rule 'image/too-lagre' (did you mean 'image/too-large'?)",
        ),
        (f'not_stated = ["{IMAGES}"]\n{ACME}', f"not_stated: {IMAGES} also has a table in rules"),
        (f'closes = "2027-01-06"\n{ACME}', "closes: write a date, as in closes = 2026-11-21"),
        (f"closes_newcomers = 2027\n{ACME}", "closes_newcomers: write a date"),
        (f'data_formats = ["opnai"]\n{ACME}', 'data_formats.0 is "opnai"; expected openai, '),
        (f'trains_on = "everything"\n{ACME}', "trains_on is"),
        (f'default_model = "large"\n{ACME}', "default_model: no model 'large'"),
        (f"{ACME}\n[models.small]\n{DATED}", "the file has no default_model; it may be small"),
        (
            f'default_model = "smal"\n{ACME}\n[models.small]\n{DATED}',
            "default_model: no model 'smal' (did you mean 'small'?)",
        ),
        (
            f'default_model = "small"\n{ACME}\n[models.small]\n{DATED}[models.small.image_tokens]\nbase = 8\n{DATED}',
            "models.small.image_tokens: expected base and tile, or multiplier and budget",
        ),
        (
            f'default_model = "small"\n{ACME}\n[models.small]\n{DATED}clsoes = 2027-01-14',
            "models.small: unknown key 'clsoes' (did you mean 'closes'?)",
        ),
        (
            f'default_model = "small"\n{ACME}\n[models.small]\n{DATED}[models.small.rules."{MODE}"]\n{DATED}',
            f"models.small.rules.{MODE}: does not state modes",
        ),
        ("name = ", "not valid TOML: "),
    ],
)
def test_mistake_is_named_with_the_likely_intention(text: str, words: str) -> None:
    assert words in problem(text)


def test_rule_that_is_off_needs_no_limits() -> None:
    text = changed("limits = { max_images = 2 }", "off = true")

    assert IMAGES not in bind_rules(RULES, provider(text))


def test_provider_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RuleFileError, match=r"^none/acme.toml: no such provider file$"):
        lint(examples(1), provider="none/acme.toml")


def test_schema_agrees_with_the_record() -> None:
    properties = read_schema("provider.schema.json")["properties"]
    given = set(properties)
    assert set(properties["data_formats"]["items"]["enum"]) == set(data_formats())

    assert given | {"id"} == set(Provider._fields)


# A rule and a provider of one's own, without a line of Python


def test_rule_and_provider_from_a_folder() -> None:
    own(RULE + CASES, "mine/image/side-too-long.toml")
    own(
        f'name = "Acme"\nextends = "openai"\n[rules."image/side-too-long"]\nlimits = {{ max_side = 20 }}\n{DATED}',
        "mine/providers/acme.toml",
    )
    own('provider = "mine/providers/acme.toml"\nrules = ["mine"]', "vft.toml")

    (proof,) = run_rule_tests(load_rules(Path("mine")), RULES)
    report = lint(examples(*[1] * 10, image="png 20x21 rgb"))
    explained = pytest_vft.explain("image/side-too-long")

    assert (proof.problems, proof.survivors, proof.cases) == ((), (), 4)
    assert {finding.message for finding in report.findings if finding.severity == "error"} == {
        "image is 20x21; each side may have at most 20 pixels"
    }
    assert (
        "| Acme | max_side 20 | error | refuses | <https://docs.acme.example/vision> | 2026-11-25 |"
        in explained
    )
    assert "| OpenAI | not stated: off |" in explained
    with pytest.raises(UsageError, match=r"^image/side-too-long: OpenAI does not state max_side"):
        lint(examples(1), provider="openai", select=["image/side-too-long"])


def test_one_rule_file_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    own(RULE + CASES, "mine/image/side-too-long.toml")

    assert main(["rules", "--test=mine/image/side-too-long.toml"]) == 0
    assert capsys.readouterr().out == "PASSED  1 rule, 4 cases\n"


def test_case_that_lacks_a_limit_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    own(RULE + CASES.replace(LIMIT, "", 1), "mine/image/side-too-long.toml")

    assert main(["rules", "--test=mine"]) == 1
    assert "case pass-1: openai does not state max_side; write limits =" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'limits   = ["max_side"]',
            'limits   = ["max_sides"]',
            "no limit 'max_side' (did you mean 'max_sides'?)",
        ),
        ('limits   = ["max_side"]', 'limits   = ["max_side", "modes"]', "limits.modes: not used"),
        (
            'limits   = ["max_side"]',
            'limits   = ["max_side"]\nclaim = true',
            "claim: not allowed in a rule with limits",
        ),
        ('limits   = ["max_side"]', "limits   = []", "limits is empty"),
        (
            "[when]",
            '[below]\npath = "outsid_path"\nmessage = "In {folder}"\nadvice = "Go"\n[when]',
            "below.path: 'outsid_path' is not a fact that is a string (did you mean 'outside_path'?)",
        ),
        (
            "[when]",
            '[below]\npath = "outside_path"\nmessage = "In {path}"\nadvice = "Go"\n[when]',
            "below.message: {path} is not {folder}",
        ),
        ('limits   = ["max_side"]', "claim = true", "no limit 'max_side'"),
        ("[when]", "[params]\nmax_side = 3\n[when]", "params.max_side: also in limits"),
        ("{max_side}", "{max_sid}", "{max_sid} is not a fact, limit or parameter (did you mean 'max_side'?)"),
        ("[when]", 'skips = "x"\n[when]', "unknown key 'skips'"),
        (
            "limits   =",
            'bounds_fetch = "max_sid"\nlimits =',
            "bounds_fetch: 'max_sid' is not a number in limits",
        ),
        ("limits   =", 'waived_by = "x"\nlimits =', 'waived_by is "x"; expected allow_private'),
        (
            "max_side = 16",
            "max_sied = 16",
            "cases.0.limits.max_sied: no limit 'max_sied' (did you mean 'max_side'?)",
        ),
        ('limits   = ["max_side"]', "", "the file has no key 'source'"),
    ],
)
def test_mistake_about_a_limit_is_named(old: str, new: str, words: str) -> None:
    text = (RULE + CASES).replace(old, new, 1)
    own(text, "mine/image/side-too-long.toml")

    with pytest.raises(RuleFileError) as caught:
        load_rules(Path("mine"))

    assert words in str(caught.value)


# Code knows no rules


def literals(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_bytes())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_code_knows_no_rule_by_its_id() -> None:
    source = Path(pytest_vft.__file__).parent
    known = re.compile("|".join(map(re.escape, RULES)))

    named = {
        (path.name, text)
        for path in source.rglob("*.py")
        for text in literals(path)
        if known.search(text) and not text.startswith(("vft ", "# "))  # examples for people
    }

    assert not named


def test_rule_that_bounds_a_fetch_says_so() -> None:
    assert [rule.id for rule in RULES.values() if rule.bounds_fetch] == ["image/too-large"]
    assert [rule.id for rule in RULES.values() if rule.waived_by] == ["image/not-public"]


@pytest.mark.parametrize(
    ("stated", "most"),
    [("", fetcher.MAX_FETCHED), ('[rules."image/too-large"]\nlimits = { max_bytes = 2_000 }\n', 2_000)],
)
def test_no_more_of_an_image_is_fetched_than_the_provider_takes(stated: str, most: int) -> None:
    own(f'name = "Acme"\n{stated}' + (DATED if stated else ""))
    settings = Settings(config=Config(provider="acme.toml"), select=["line"])

    made: Any = fetcher.fetcher([settings], (), None)  # how much a server sends says nothing of it

    assert made.options["max_bytes"] == most


# Explained


def test_provider_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    own(f'extends = "openai"\nnot_stated = ["{MODE}"]\n{ACME}')

    assert main(["explain", "./acme.toml"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("acme: Acme; extends openai; no closing date stated\nstated\n")
    assert re.search(rf"^  {IMAGES} +max_images 2 \(docs\.acme\.example, 2026-11-25\)$", out, re.MULTILINE)
    assert re.search(r"^stated by openai$", out, re.MULTILINE)
    stated = load_provider("openai").rules
    unstated = [id_ for id_, rule in RULES.items() if (rule.limits or rule.claim) and id_ not in stated]
    assert f"\nnot stated: {len(unstated) + 1} rules are off\n" in out
    assert re.search(rf"^  {MODE} +modes$", out, re.MULTILINE)
    assert re.search(r"^  any +image tokens by family, where these are known$", out, re.MULTILINE)
    assert max(map(len, out.split("\n"))) <= 80


@pytest.mark.parametrize("id_", provider_ids())
def test_shipped_provider_is_explained(id_: str) -> None:
    text = pytest_vft.explain(id_)

    assert text.startswith(f"{id_}: ")
    assert all(model in text for model in load_provider(id_).models)
    told = {
        "axolotl": "type: chat_template",
        "bedrock-llama": "max_side 8,192",
        "bedrock-nova": "message/too-many-images max_images 10",
        "azure": "open to existing customers until at least 2027-04-01",
        "fireworks": "max_examples 3,000,000",
        "llamafactory": "max_tokens 2,048",
        "openai": "max_tokens 65,536",
        "swift": "example/may-be-too-long off",
        "together": "upload together files upload {file}",
        "trl": "max_tokens 1,024",
        "unsloth": "max_ratio 200",
        "vertex": "max_image_examples 300,000",
    }
    assert told[id_] in " ".join(text.split())


def test_scope_is_explained() -> None:
    text = pytest_vft.explain("image")

    listed = [id_ for id_, rule in RULES.items() if rule.scope == "image"]
    assert re.match(rf"image: {len(listed)} rules, \d+ facts\n", text)
    assert re.search(r"^  width +Width in pixels", text, re.MULTILINE)
    assert all(id_ in text for id_ in listed)


@pytest.mark.parametrize("text", ["\x1b[31m", "::error::x", "\u202e"])
def test_provider_file_of_a_stranger_is_harmless(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.dumps(text)
    own(
        f'name = {said}\n[rules."{IMAGES}"]\nlimits = {{ max_images = 2 }}\nskips = {said}\nwhy = {said}\n'
        f"source = {said}\nchecked = 2026-11-25\n"
    )

    assert main(["explain", "./acme.toml"]) == 0
    assert main(["explain", IMAGES, "--provider=./acme.toml"]) == 0
    assert main(["check", examples(3), "--provider=./acme.toml"]) == 1
    own(f'name = "Acme"\n{said} = 1\n')
    assert main(["explain", "./acme.toml"]) == 2

    captured = capsys.readouterr()
    for line in (captured.out + captured.err).split("\n"):
        assert not re.search("[\x00-\x1f\u202e]", line)
        assert not line.lstrip().startswith("::")


def test_model_of_a_provider_file_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    own(
        f"""
name = "Acme"
default_model = "small"
[models.small]
{DATED}
[models.small.image_tokens]
multiplier = 1.5
budget = 1536
{DATED}
[models.small.rules."{MODE}"]
limits = {{ modes = ["RGB", "L"] }}
source = "http://["
checked = 2026-11-25
[rules."{IMAGES}"]
limits = {{ max_images = 2 }}
source = "http://["
checked = 2026-11-25
"""
    )

    assert main(["explain", "./acme.toml"]) == 0

    out = " ".join(capsys.readouterr().out.split())
    assert "models (by default small) small an image is 1.5 tokens per patch, at most 1,536 patches" in out
    assert f'{MODE}: modes "RGB", "L"' in out
    assert f"{IMAGES} max_images 2 ([, 2026-11-25)" in out


# Schemas and lists


@pytest.mark.parametrize("name", ["rule", "provider", "config", "example"])
def test_schema_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0

    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    assert schema == pytest_vft.schema(name)
    assert schema["$id"] == f"urn:pytest-vft:{name}"
    assert all("description" in value or "$ref" in value for value in schema["properties"].values())


def test_rules_are_listed_with_their_values() -> None:
    rules = pytest_vft.list_rules(provider="azure", select=["example"])

    assert rules[IMAGES].params == {"max_images": 64}
    assert all(rule.scope == "example" or rule.stops for rule in rules.values())


def test_configured_folder_is_found_from_python() -> None:
    own(RULE + CASES, "mine/image/side-too-long.toml")
    own('rules = ["mine"]', "vft.toml")

    assert "image/side-too-long" in pytest_vft.explain("image")
    with pytest.raises(UsageError, match=r"^no provider 'azur' "):
        pytest_vft.list_rules(provider="azur")
    assert "image/side-too-long" not in pytest_vft.list_rules()
