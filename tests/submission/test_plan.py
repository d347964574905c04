"""A plan shows the requests that would be made, needs nothing, sends nothing, and is bound to its files."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import FilePurpose
from openai.types.fine_tuning import job_create_params
from pydantic import TypeAdapter

from pytest_vft.catalogue.cases import data_url
from pytest_vft.errors import ConfigError, SubmissionError, UnfitError, UsageError
from pytest_vft.model import Cost, Report, Source
from pytest_vft.report.submission import render_plan, render_plan_json
from pytest_vft.runs.config import Config, load_config
from pytest_vft.runs.run import run
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submission import make_plan, plan_path, read_submission
from pytest_vft.submission.job_api import job_api
from pytest_vft.submission.plan import (
    JobPlan,
    check_plan,
    default_epochs,
    estimate,
    read_expectation,
    read_plan,
)

from .conftest import strict, write_data

TODAY = date(2026, 11, 22)

pytestmark = pytest.mark.usefixtures("folder")


def plan_for(*paths: str, submit: dict[str, Any] | None = None, today: date = TODAY, **more: Any) -> JobPlan:
    """Return the plan for a training file and a validation file, with an environment that holds nothing."""
    splits = ("train", "validation")
    sources = tuple(
        Source(path, split) for path, split in zip(paths or ("train.jsonl",), splits, strict=False)
    )
    config = Config(submit=submit or {}, provider=more.pop("provider", "openai"))
    submission = read_submission(
        Settings(config=config, sources=sources), base_url=more.pop("base_url", None)
    )
    return make_plan(submission, more.pop("environ", {}), today=today, **more)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.usefixtures("no_network")
def test_a_plan_needs_no_network_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    assert [(request.method, request.url.partition("?")[0]) for request in plan_for().requests] == [
        ("GET", "https://api.openai.com/v1/files"),
        ("POST", "https://api.openai.com/v1/files"),
        ("GET", "https://api.openai.com/v1/files/file-1"),
        ("GET", "https://api.openai.com/v1/fine_tuning/jobs"),
        ("POST", "https://api.openai.com/v1/fine_tuning/jobs"),
    ]


SETTINGS = {
    "suffix": "books",
    "seed": 7,
    "epochs": 2,
    "batch_size": 4,
    "learning_rate_multiplier": 1.5,
    "metadata": {"team": "library"},
}


def test_the_requests_are_those_that_are_documented() -> None:
    write_data(Path("validation.jsonl"), examples=2)
    plan = plan_for("train.jsonl", "validation.jsonl", submit=SETTINGS)
    uploads = [request.body for request in plan.requests if request.url.endswith("/v1/files")]
    job = plan.requests[-1].body

    strict(job_create_params.JobCreateParams, job)
    for upload in uploads:
        TypeAdapter(FilePurpose).validate_python(upload["purpose"])
    assert [upload["file"] for upload in uploads] == [file.name for file in plan.request.files]
    assert job["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 1.5}},
    }
    assert (job["training_file"], job["validation_file"]) == ("file-1", "file-2")
    assert job["metadata"] == {
        "team": "library",
        "vft_plan": plan.request.digest,
        "vft_sha256": plan.request.files[0].sha256,
    }


def test_what_is_not_said_is_not_sent() -> None:
    assert plan_for().requests[-1].body.keys() == {"model", "training_file", "method", "metadata"}


def test_azure_is_asked_as_azure() -> None:
    plan = plan_for(provider="azure", base_url="https://books.openai.azure.com")

    posted = plan.requests[-1]
    assert posted.url == "https://books.openai.azure.com/openai/fine_tuning/jobs?api-version=2024-10-21"
    assert posted.headers["api-key"] == "***"
    assert plan.own_address


@pytest.mark.parametrize(
    ("limit", "value"),
    [("suffix", "x" * 64), ("seed", 2_147_483_647), ("epochs", 50), ("batch_size", 256)],
)
def test_the_utmost_is_accepted(limit: str, value: object) -> None:
    assert plan_for(submit={limit: value})


@pytest.mark.parametrize(
    ("submit", "words"),
    [
        ({"suffix": ""}, "suffix is empty"),
        ({"suffix": "x" * 65}, "suffix has 65 characters; expected at most 64"),
        ({"seed": -1}, "seed is -1; expected at least 0"),
        ({"seed": 2**31}, "seed is 2147483648; expected at most 2147483647"),
        ({"epochs": 51}, "epochs is 51; expected at most 50"),
        ({"epochs": "auto"}, "epochs is a string; expected a whole number"),
        ({"batch_size": 257}, "batch_size is 257; expected at most 256"),
        ({"learning_rate_multiplier": 0}, "learning_rate_multiplier is 0; expected more than 0"),
        ({"metadata": {str(n): "" for n in range(15)}}, "metadata has 15 keys; expected at most 14"),
        ({"metadata": {"key": "x" * 513}}, "metadata.key has 513 characters; expected at most 512"),
        ({"metadata": {"x" * 65: ""}}, "metadata has 65 characters; expected at most 64"),
        ({"sufix": "books"}, "unknown key 'sufix' (did you mean 'suffix'?)"),
    ],
)
def test_limits_are_checked_before_anything_else(submit: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_for(submit=submit)
    assert str(caught.value).endswith(f"submit: {words}")


def test_the_uploads_limit_is_that_of_the_rule() -> None:
    settings = Settings(config=Config())

    assert settings.bound["file/large"].params["max_bytes"] == job_api().plain_bytes


def test_data_with_errors_are_not_planned() -> None:
    write_data(Path("train.jsonl"), mode="L")

    with pytest.raises(UnfitError, match=r"not planned: 1 rule with errors \(image/unsupported-mode\)"):
        plan_for()


def test_a_missing_file_is_not_planned() -> None:
    with pytest.raises(UnfitError, match="file/unreadable"):
        plan_for("tran.jsonl")


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (["train", "train"], "a job needs exactly one training file; found 2"),
        (["validation"], "a job needs exactly one training file; found none"),
        (["train", "validation", "validation"], "a job takes at most one validation file; found 2"),
    ],
)
def test_a_job_has_one_file_of_each_kind(splits: list[Any], words: str) -> None:
    sources = tuple(Source(f"{number}.jsonl", split) for number, split in enumerate(splits))
    submission = read_submission(Settings(config=Config(), sources=sources))

    with pytest.raises(UsageError, match=words):
        make_plan(submission, {})


@pytest.mark.parametrize(
    ("today", "days"),
    [(date(2026, 11, 6), []), (date(2026, 11, 22), [45, 53]), (date(2027, 1, 6), [0, 8])],
)
def test_what_closes_soon_is_a_warning(today: date, days: list[int]) -> None:
    assert [closing.days for closing in plan_for(today=today).closings] == days


def test_what_is_closed_is_an_error_at_the_providers_own_address() -> None:
    later = date(2027, 1, 7)

    with pytest.raises(SubmissionError, match="OpenAI has not accepted new jobs since 2027-01-06"):
        plan_for(today=later)
    assert "this server may" in render_plan(plan_for(today=later, base_url="http://127.0.0.1:1/v1"))


def test_a_file_that_changes_meanwhile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lint(settings: Settings, **options: Any) -> Report:
        report = run(settings, **options)
        write_data(Path("train.jsonl"), examples=11)
        return report

    monkeypatch.setattr("pytest_vft.runs.submission.run", lint)

    with pytest.raises(SubmissionError, match=r"train.jsonl: changed during planning; plan again"):
        plan_for()


# saved plans


def save(plan: JobPlan) -> Path:
    path = plan_path("train.jsonl")
    path.write_text(render_plan_json(plan))
    return path


def test_a_saved_plan_says_what_it_proves() -> None:
    data = json.loads(save(plan_for()).read_text())

    assert (data["format"], data["dry_run"], data["server_validated"]) == ("vft-plan/1", True, False)
    assert data["request"]["files"][0]["sha256"] == plan_for().request.files[0].sha256
    assert "people, faces, children, CAPTCHAs (install pytest-vft[face])" in data["not_proved"]


def test_a_plan_of_the_same_job_fits() -> None:
    path = save(plan_for())

    check_plan(read_plan(path), plan_for(today=date(2026, 12, 1)).request, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: write_data(Path("train.jsonl"), examples=12), "train.jsonl changed"),
        (lambda: {"submit": {"suffix": "other"}}, "settings changed"),
        (lambda: {"base_url": "http://127.0.0.1:1/v1"}, "base_url changed"),
    ],
    ids=["file", "settings", "address"],
)
def test_a_plan_of_another_job_is_refused(change: Callable[[], dict[str, Any] | None], words: str) -> None:
    path = save(plan_for())
    more = change() or {}

    with pytest.raises(UsageError, match=f"{words}; plan again"):
        check_plan(read_plan(path), plan_for(**more).request, path)


NO_PLANS = [
    "",
    "[]",
    "{}",
    '{"format": "vft-report/1"}',
    '{"format": "vft-plan/1"}',
    '{"format": "vft-plan/1", "request": {"settings": 1}}',
    '{"format": "vft-plan/1", "request": {"settings": {}, "files": [1]}}',
]


@pytest.mark.parametrize("content", NO_PLANS)
def test_what_is_no_plan_is_said(content: str) -> None:
    Path("train.plan.json").write_text(content)

    with pytest.raises(UsageError, match="is not a plan"):
        read_plan(Path("train.plan.json"))


def test_a_plan_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="'vft submit plan' writes it"):
        read_plan(Path("train.plan.json"))


# what it will take


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(0, 25), (1, 25), (10, 10), (20, 5), (33, 3), (34, 3), (8_333, 3), (8_334, 2), (25_000, 1), (90_000, 1)],
)
def test_default_epochs_are_those_of_the_cookbook(examples: int, epochs: int) -> None:
    assert default_epochs(examples) == epochs


COST = Cost(
    tokens_at_least=1_000,
    tokens_at_most=2_000,
    price=25.0,
    price_date=date(2026, 11, 21),
    low_detail_at_least=500,
    low_detail_at_most=500,
)


def priced(plan: JobPlan, **changes: Any) -> JobPlan:
    report = replace(plan.report, cost=COST._replace(**changes))
    return replace(plan, report=report, estimate=estimate(report, plan.request.settings.epochs))


def test_tokens_and_price_are_ranges_over_all_epochs() -> None:
    text = render_plan(priced(plan_for()))

    assert (
        "10 epochs (the default): 10,000 to 20,000 tokens, $0.25 to $0.50 (price of 2026-11-21)\n"
        "  with detail low: 5,000 to 5,000 tokens, $0.12 to $0.13\n"
    ) in text


def test_epochs_that_were_asked_for_are_no_default() -> None:
    assert "\n2 epochs: 2,000 to 4,000 tokens, " in render_plan(priced(plan_for(submit={"epochs": 2})))


def test_tokens_without_a_price() -> None:
    text = render_plan(priced(plan_for(), price=None, price_date=None))

    assert "10 epochs (the default): 10,000 to 20,000 tokens\n" in text


def test_unknown_tokens_are_said() -> None:
    assert "tokens: not known\n" in render_plan(replace(plan_for(), estimate=None))


def test_expectations_are_read_back() -> None:
    plan = replace(priced(plan_for()), skips={"image too large": 2})

    assert read_expectation(read_plan(save(plan))) == plan.expectation
    assert "expected to be left out: 2 images: image too large" in render_plan(plan)


def test_skips_are_expected_where_a_rule_is_allowed_to_fail() -> None:
    write_data(Path("train.jsonl"), mode="L")
    Path("vft.toml").write_text('[severity]\n"image/unsupported-mode" = "warning"')
    settings = Settings(config=load_config(), sources=(Source("train.jsonl"),))

    plan = make_plan(read_submission(settings), os.environ, today=TODAY)

    assert plan.skips == {"invalid image format": 10}


def test_an_unknown_is_not_proved() -> None:
    line = Path("train.jsonl").read_text().splitlines()[0]
    url = line[line.index("data:") : line.index('"}}')]
    text = Path("train.jsonl").read_text().replace(url, "https://example.com/a.png", 1)
    Path("train.jsonl").write_text(text)

    assert "not proved: 1 image: offline (image/" in render_plan(plan_for())


def test_a_plan_counts_only_what_was_checked() -> None:
    Path("vft.toml").write_text(
        '[ignore]\n"image/too-large" = "known"\n[severity]\n"image/unsupported-mode" = "warning"\n'
    )
    text = Path("train.jsonl").read_text()
    url = text[text.index("data:") : text.index('"}}')]
    lines = text.replace(url, "https://example.com/a.png", 1).splitlines(keepends=True)
    lines[1] = lines[1].replace(url, data_url("png 24x24 l"))
    Path("train.jsonl").write_text("".join(lines))
    settings = Settings(config=load_config(), sources=(Source("train.jsonl"),))

    plan = make_plan(read_submission(settings), {}, today=TODAY)

    data, rules = json.loads(render_plan_json(plan)), {rule.id: rule.tally for rule in plan.report.rules}
    assert all(rules[id_].passed and not rules[id_].unknown for id_ in data["checks_passed"])
    assert {"image/too-large", "image/unreachable"} <= set(data["not_checked"])
    assert all(not rules[id_].checked for id_ in data["nothing_to_check"])
    results = ("checks_passed", "warnings", "not_checked", "nothing_to_check")
    both = ["image/unsupported-mode"]
    assert sorted(id_ for key in results for id_ in data[key]) == sorted([*rules, *both])
    assert set(both) == set(data["warnings"]) & set(data["not_checked"])
    passed, empty = len(data["checks_passed"]), len(data["nothing_to_check"])
    assert f"\nchecks passed: {passed} rules; {empty} rules had nothing to check\n" in render_plan(plan)
    assert f"\nnot checked, or only in part: {len(data['not_checked'])} rules (" in render_plan(plan)


def test_the_key_is_in_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
    plan = plan_for(environ=dict(os.environ))

    assert "secret" not in render_plan(plan) + render_plan_json(plan) + repr(plan)
    assert "authorization: Bearer ***" in render_plan(plan)


def test_openai_is_new_enough() -> None:
    assert int(openai.__version__.partition(".")[0]) >= 3
