"""Tokens of images by model family."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.catalogue.providers import find_family_tokens, load_provider
from pytest_vft.facts.families import FixedTokens, Formula, Resize, RowTokens, UnitTokens
from pytest_vft.resources import read_table

SIZES = ((64, 64), (336, 336), (640, 480), (1024, 768), (1920, 1080), (1000, 3000), (4000, 3000))
# What the processors of transformers 5.24.0 count for SIZES.
COUNTED: tuple[tuple[Formula, tuple[int, ...]], ...] = (
    (UnitTokens(unit=28, budgets=[(3136, 12845056)]), (4, 144, 391, 999, 2691, 3852, 15301)),
    (UnitTokens(unit=28, budgets=[(3136, 1003520)]), (4, 144, 391, 999, 1222, 1220, 1230)),
    (UnitTokens(unit=32, budgets=[(65536, 16777216)]), (64, 100, 300, 768, 2040, 2914, 11750)),
    (UnitTokens(unit=28, budgets=[(12544, 11760000)], frames=2), (9, 144, 391, 999, 2691, 3852, 7500)),
    (UnitTokens(unit=28, budgets=[(12544, 9633792)], frames=2), (9, 144, 391, 999, 2691, 3852, 6030)),
    (FixedTokens(least=258, most=258), (258,) * 7),
)
ROWS = (
    (RowTokens(patch=16, longest=1024), (20, 462, 1230, 3120, 2340, 1472, 3120)),
    (RowTokens(patch=28, longest=1540), (12, 156, 432, 1064, 1736, 1100, 2352)),
)


@pytest.mark.parametrize(("formula", "counted"), COUNTED, ids=str)
def test_formula_counts_as_the_processor(formula: Formula, counted: tuple[int, ...]) -> None:
    assert [formula.count(*size) for size in SIZES] == [(number, number) for number in counted]


@pytest.mark.parametrize(("formula", "counted"), ROWS, ids=str)
def test_rows_count_as_the_processor_however_an_image_is_turned(
    formula: Formula, counted: tuple[int, ...]
) -> None:
    for (width, height), number in zip(SIZES, counted, strict=True):
        least, most = formula.count(width, height)
        assert number in (least, most)
        assert formula.count(height, width) == (least, most)


def test_llamafactory_scales_first() -> None:
    resize = load_provider("llamafactory").resizes

    assert resize is not None
    assert resize(4000, 3000) == (886, 665)
    assert resize(640, 480) == (640, 480)


def tokens(provider: str, model: str | None, size: tuple[int | None, int | None]) -> tuple[int, int] | None:
    counter = load_provider(provider).image_tokens(model)
    return counter and counter.count(*size, "auto")


def test_family_is_found_by_the_name_of_a_model() -> None:
    large = (4000, 3000)

    assert tokens("trl", "Qwen/Qwen2.5-VL-7B-Instruct", large) == (1230, 15301)
    assert tokens("swift", "./models/qwen2.5-vl-tuned", large) == (1230, 15301)
    assert tokens("llamafactory", "Qwen/Qwen2.5-VL-7B-Instruct", large) == (768, 768)
    assert tokens("trl", "google/gemma-3-4b-it", large) == (258, 258)


def test_only_a_proved_formula_has_a_lower_bound() -> None:
    assert tokens("trl", "mistralai/Mistral-Small-3.1-24B-Instruct-2503", (64, 64)) == (0, 12)
    assert tokens("trl", "mistral-community/pixtral-12b", (64, 64)) == (20, 20)


def test_image_of_unknown_size_has_no_tokens_that_are_known() -> None:
    assert tokens("trl", "Qwen/Qwen3-VL-8B-Instruct", (None, None)) == (0, 0)


@pytest.mark.parametrize("model", [None, "allenai/Molmo-7B-D-0924", "google/gemma-3-1b-it"])
def test_other_models_are_unknown(model: str | None) -> None:
    assert tokens("trl", model, (64, 64)) is None


def test_models_of_a_provider_count_by_its_statements() -> None:
    assert tokens("openai", "gpt-4o-2024-08-06", (512, 512)) == (85, 765)


@given(
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    family=st.sampled_from(read_table("image-tokens.toml")["families"]),
    resize=st.sampled_from([None, Resize(min_pixels=1024, max_pixels=589824)]),
)
def test_any_image_has_a_range(
    width: int, height: int, family: dict[str, list[str]], resize: Resize | None
) -> None:
    counter = find_family_tokens(family["models"][0].strip("*"), resize)

    assert counter is not None
    least, most = counter.count(width, height, "auto")
    assert 0 <= least <= most
    assert counter.count(height, width, "auto") == (least, most)


NAMES = {
    "Qwen2-VL": "qwen2-vl",
    "Qwen3-VL": "qwen3-vl",
    "GLM-4.1V": "glm-4.1v",
    "InternVL2": "internvl2",
    "Gemma 3 and 3n": "gemma-3-4b",
    "LLaVA-1.5": "llava-1.5",
    "Pixtral 12B": "pixtral-12b",
    "Mistral Small 3.1 and 3.2": "mistral-small-3.1",
}


def test_the_table_of_families_is_true() -> None:
    page = (Path(__file__).parents[1] / "docs/explanation/tokens.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| family | a 1920 x 1080 image")
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in table.partition("\n\n")[0].split("\n")[2:]
    ]

    assert len(rows) == len(read_table("image-tokens.toml")["families"]) == len(NAMES)
    for families, least, most in rows:
        counted = tokens("trl", NAMES[families.partition(",")[0]], (1920, 1080))
        assert counted == (int(least.replace(",", "")), int(most.replace(",", "")))
