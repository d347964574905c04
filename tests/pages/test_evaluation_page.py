"""The page about an evaluation in a browser: nothing is requested, everybody can use it, data stays text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main

from .conftest import Open
from .judged import judge, write_everything
from .test_check_page import JENKINS, MARKUP


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page about an evaluation: page.html, and page/index.html."""
    folder = tmp_path_factory.mktemp("evaluation")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
        write_everything()
        options = ("--against=before.jsonl", "--min-accuracy=0.9", "--by=type", "--min-n=4")
        reports = ("--report=html:page.html", "--report=html:page", "--judge-labels=labels.jsonl")
        assert judge(*options, *reports) == 1
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with markup in names of files, groups and models, in questions, truths, answers and reasons."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        test, now, before = (f"{name}<img src=x onerror=alert(1)>&\"'.jsonl" for name in "tnb")
        lines = [build_example(f"{MARKUP} [{n}]", MARKUP, data_url("png 24x24 l")) for n in (0, 1, 2)]
        write_jsonl(test, [line | {MARKUP: MARKUP, "id": f"{n}{MARKUP}"} for n, line in enumerate(lines)])
        for path, said in ((now, f"No {MARKUP}"), (before, MARKUP)):
            write_jsonl(path, [{"id": f"{n}{MARKUP}", "prediction": f"{said}"} for n in (0, 1, 2)])
        options = ["--metric=normalised_exact", f"--by={MARKUP}", f"--choices={MARKUP}", "--min-n=1"]
        gates = ["--min-accuracy=0.9", f"--against={before}"]
        main(["eval", now, f"--test={test}", *options, *gates, "--report=html:page.html"])
    return folder / "page.html"


@pytest.fixture
def one_file(folder: Path) -> Path:
    return folder / "page.html"


def test_page_asks_for_nothing(one_file: Path, visit: Open) -> None:
    page, requests, console = visit(one_file)

    assert page.locator("h1").inner_text().split("\n")[0] == "FAILED"
    assert page.locator(".tile.failed").count() == 2
    assert page.locator(".chart svg.plot title").count() == page.locator(".chart svg.plot desc").count() > 6
    widths = page.eval_on_selector_all("svg.image use", "all => all.map(one => one.getBBox().width)")
    assert len(widths) == page.locator(".card").count() > 3
    assert min(widths) > 0
    assert requests == [one_file.as_uri()]
    assert console == []


def test_plots_have_one_axis(one_file: Path, visit: Open) -> None:
    page = visit(one_file).page
    centre = "one => one.getBoundingClientRect().x + one.getBoundingClientRect().width / 2"

    ticks, *plots = (
        page.eval_on_selector_all(selector, f"all => all.map({centre})")
        for selector in (
            ".axis text",
            *(f".chart tbody:nth-of-type({n}) tr:nth-child(2) .grid" for n in (1, 2)),
        )
    )
    assert len(ticks) > 2
    assert plots == [pytest.approx(ticks, abs=1.5)] * 2


def test_lists_and_kinds_are_filtered_without_script(one_file: Path, visit: Open) -> None:
    visited = visit(one_file, java_script_enabled=False)
    page = visited.page
    everything = visited.shown_cards

    page.locator("#show-fixed").uncheck()
    without_fixed = visited.shown_cards
    page.locator("#show-open").uncheck()

    assert everything > without_fixed > visited.shown_cards > 0
    page.get_by_role("button", name="Show all").click()
    assert visited.shown_cards == everything


def test_keys_search_and_links(one_file: Path, visit: Open) -> None:
    visited = visit(f"{one_file.as_uri()}#test.jsonl:9")
    page = visited.page

    assert page.locator(".card:target").is_visible()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == "test.jsonl:5"
    page.keyboard.press("/")
    page.keyboard.type("denies")
    assert 0 < visited.shown_cards < page.locator(".card").count()
    broken = page.eval_on_selector_all(
        "a[href^='#']", "all => all.filter(one => !document.getElementById(one.hash.slice(1))).length"
    )
    assert broken == 0
    assert visited.console == []


def test_nothing_is_cut_off_on_paper(one_file: Path, visit: Open) -> None:
    page = visit(one_file, viewport={"width": 760, "height": 1000}).page  # A4 with margins
    page.emulate_media(media="print")

    assert page.evaluate("document.documentElement.scrollWidth <= 760")
    assert page.locator(".matrix").count() == 2
    assert page.evaluate("[...document.querySelectorAll('.matrix')].every(one => one.offsetWidth <= 760)")
    assert not page.locator(".filters").is_visible()


def test_narrow_page_has_no_horizontal_scroll_bar(one_file: Path, visit: Open) -> None:
    page = visit(one_file, viewport={"width": 360, "height": 700}).page

    assert page.evaluate("document.documentElement.scrollWidth <= 360")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_page(
    one_file: Path, violations: Callable[..., list[str]], scheme: str
) -> None:
    assert violations(one_file, color_scheme=scheme) == []


def test_folder_works_in_jenkins(folder: Path, visit: Open, serve: Callable[[Path, str], str]) -> None:
    url = serve(folder / "page", JENKINS)
    visited = visit(f"{url}index.html")
    page = visited.page

    assert page.evaluate("document.querySelector('.tile').offsetHeight") > 0
    assert page.evaluate("getComputedStyle(document.querySelector('.plot circle')).fill") != "rgb(0, 0, 0)"
    page.locator(".card").last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].some(one => one.naturalWidth > 0)")
    assert all(request.startswith(url) for request in visited.requests)
    assert [text for text in visited.console if "sandbox" not in text] == []  # the script is not allowed


def test_text_of_strangers_is_only_text(hostile: Path, visit: Open) -> None:
    visited = visit(hostile)
    page = visited.page

    assert visited.requests == [hostile.as_uri()]
    assert visited.console == []
    assert page.locator(".card").count() == 3
    assert page.locator("img, iframe, object, link, [onerror], [onload]").count() == 0
    assert page.locator("script").count() == 1
    assert MARKUP in (page.locator(".question").first.text_content() or "")
    assert MARKUP in (page.locator(".chart").text_content() or "")
    assert "{{ 1 + 1 }}" in (page.locator("main").text_content() or "")
