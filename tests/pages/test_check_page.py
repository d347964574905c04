"""The page about a check in a real browser."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from tests.pages.conftest import Open, Visit

from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main

FAULTY = Path(__file__).parents[2] / "examples" / "faulty"
# The policy of Jenkins for files of a build
# (https://www.jenkins.io/doc/book/security/configuring-content-security-policy/, read 2026-11-29).
MARKUP = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>{{ 1 + 1 }}\"' onload='x"
JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page about the faulty example data: page.html, and page/index.html."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FAULTY)
        reports = [f"--report=html:{folder / 'page.html'}", f"--report=html:{folder / 'page'}"]
        data = ["train.jsonl", "--validation-data=validation.jsonl", "--no-cache", "--good-examples=2"]
        assert main(["check", *data, *reports]) == 1
        assert main(["show", "train.jsonl:1-10", f"--report=html:{folder / 'show.html'}"]) == 0
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert main(["providers", "train.jsonl", "--offline", "--format=html"]) == 0
        (folder / "providers.html").write_text(printed.getvalue())
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with markup in every text of the data, and in names of files, rules and reasons."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("VFT_OFFLINE", "1")
        data = Path("<img src=x onerror=alert(1)>&\"'.jsonl")
        image = {"type": "image_url", "image_url": {"url": data_url("png 24x24 l"), "detail": MARKUP}}
        url = {"type": "image_url", "image_url": {"url": f"https://{MARKUP}"}}
        parts = [{"type": "text", "text": MARKUP}, image, url]
        chat = [{"role": "user", "content": parts}, {"role": "assistant", "content": MARKUP}]
        lines = [{"messages": chat}, {"messages": chat}, {MARKUP: MARKUP}, MARKUP]
        data.write_text("".join(json.dumps(line) + "\n" for line in lines) + MARKUP)
        Path("vft.toml").write_text(f"[ignore]\n'image/too-small' = {json.dumps(MARKUP)}\n")
        main(["check", str(data), "--no-cache", "--report=html:page.html", "--good-examples=1"])
    return folder / "page.html"


@pytest.fixture
def one_file(folder: Path) -> Path:
    return folder / "page.html"


def test_page_says_what_is_wrong_and_asks_for_nothing(one_file: Path, visit: Open) -> None:
    page, requests, console = visit(one_file)

    assert page.locator("h1").inner_text().split("\n")[0] == "FAILED"
    assert "12 of 22 lines have errors" in page.locator("h1").inner_text()
    assert "; 2 can be repaired: vft fix" in page.locator("h1").inner_text()
    assert page.locator(".gallery.error-rule").count() == 12
    assert requests == [one_file.as_uri()]
    assert console == []


def test_images_are_drawn_once(one_file: Path, visit: Open) -> None:
    page = visit(one_file).page
    names = page.eval_on_selector_all("svg.image use", "all => all.map(one => one.getAttribute('href'))")

    stored = page.eval_on_selector_all(".store image", "all => all.map(one => '#' + one.id)")
    assert len(names) > len(set(names)) == len(stored) == len(set(stored))
    sizes = page.eval_on_selector_all("svg.image use", "all => all.map(one => one.getBBox().width)")
    assert min(sizes) > 0


def test_checkboxes_filter_without_script(one_file: Path, visit: Open) -> None:
    visited = visit(one_file, java_script_enabled=False)
    page = visited.page
    everything = visited.shown_cards

    page.locator("#show-validation").uncheck()
    without_validation = visited.shown_cards
    page.locator(".filters summary").click()
    page.get_by_role("checkbox", name="image/truncated").uncheck()

    assert everything > without_validation > visited.shown_cards
    assert not page.locator("[id='image/truncated']").is_visible()
    page.locator("#show-error").uncheck()
    assert not page.locator(".gallery.error-rule").first.is_visible()
    page.get_by_role("button", name="Show all").click()
    assert visited.shown_cards == everything
    assert not page.locator("#search").is_visible()


def test_keys_and_search(one_file: Path, visit: Open) -> None:
    visited = visit(one_file)
    page = visited.page
    everything = visited.shown_cards

    def focused() -> str | None:
        return page.evaluate("document.activeElement.id")

    page.keyboard.press("j")
    first = focused()
    page.keyboard.press("j")
    assert first != focused()
    page.keyboard.press("k")
    assert first == focused() == "train.jsonl:3"
    page.keyboard.press("/")
    page.keyboard.type("cmyk")
    assert 0 < visited.shown_cards < everything
    assert page.locator("#found").inner_text() == f"{visited.shown_cards} of {everything}"
    assert not page.locator("[id='line/invalid-json'] h2").is_visible()
    page.keyboard.press("Enter")
    assert "CMYK" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert visited.shown_cards == everything
    assert visited.console == []


def test_name_of_a_severity_is_not_broken(visit: Open, tmp_path: Path) -> None:
    data = tmp_path / "small.jsonl"
    image = {"type": "image_url", "image_url": {"url": data_url("png 8x8 l")}}
    chat = [{"role": "user", "content": [image]}, {"role": "assistant", "content": "Yes"}]
    data.write_text(json.dumps({"messages": chat}))
    main(["check", str(data), "--no-cache", f"--report=html:{tmp_path / 'page.html'}"])

    chip = visit(tmp_path / "page.html", viewport={"width": 1200, "height": 900}).page.locator(
        ".overview .chip.warning"
    )
    rows = chip.evaluate_all(
        "all => all.map(one => new Set([...one.firstChild.data].map((_, at) => {"
        "const range = document.createRange(); range.setStart(one.firstChild, at);"
        "range.setEnd(one.firstChild, at + 1); return range.getBoundingClientRect().top})).size)"
    )
    assert rows
    assert set(rows) == {1}


def test_link_leads_to_the_card_of_a_line(one_file: Path, visit: Open) -> None:
    page = visit(f"{one_file.as_uri()}#train.jsonl:14").page

    assert page.locator(".card:target").is_visible()
    box = page.locator(".card:target").bounding_box()
    assert box is not None
    assert 0 < box["y"] < 400
    assert "image ends too early" in page.locator(".card:target").text_content()
    broken = page.eval_on_selector_all(
        "a[href^='#']", "all => all.filter(one => !document.getElementById(one.hash.slice(1))).length"
    )
    assert broken == 0


def test_examples_that_recur_stand_side_by_side(one_file: Path, visit: Open) -> None:
    card = visit(one_file).page.locator("[id='dataset/split-leak'] .card")

    left, right = (side.bounding_box() for side in card.locator(".side").all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    assert [link.text_content() for link in card.locator("h3 a").all()] == [
        "train.jsonl:1",
        "validation.jsonl:2",
    ]


def test_colours_follow_the_system_and_paper_is_white(one_file: Path, visit: Open) -> None:
    def background(visited: Visit) -> str:
        return visited.page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = visit(one_file, color_scheme="light"), visit(one_file, color_scheme="dark")
    assert sum(map(int, re.findall(r"\d+", background(light)))) > 700
    assert sum(map(int, re.findall(r"\d+", background(dark)))) < 120
    dark.page.emulate_media(media="print")
    assert background(dark) == "rgb(255, 255, 255)"
    assert not dark.page.locator(".filters").is_visible()


def test_rules_share_sheets_of_paper(one_file: Path, visit: Open) -> None:
    paper = visit(one_file).page.pdf(format="A4")

    assert paper.count(b"/Type /Page\n") < 10  # for 12 rules


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["page", "show", "providers"])
def test_everybody_can_use_the_page(
    folder: Path, violations: Callable[..., list[str]], name: str, scheme: str
) -> None:
    assert violations(folder / f"{name}.html", color_scheme=scheme) == []


def test_page_of_examples_hides_those_without_findings(folder: Path, visit: Open) -> None:
    visited = visit(folder / "show.html")

    assert visited.shown_cards == 10
    visited.page.get_by_label("no findings").uncheck()
    assert visited.shown_cards == 6
    assert visited.page.locator(".card").first.text_content()
    assert visited.console == []


def test_folder_works_in_jenkins(folder: Path, visit: Open, serve: Callable[[Path, str], str]) -> None:
    url = serve(folder / "page", JENKINS)
    visited = visit(f"{url}index.html", viewport={"width": 1280, "height": 900})
    page = visited.page

    assert page.evaluate("document.querySelector('.verdict').offsetHeight") > 0
    page.locator(".card").last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].some(one => one.naturalWidth > 0)")
    assert all(request.startswith(url) for request in visited.requests)
    everything = visited.shown_cards
    page.locator("#show-validation").uncheck()
    assert visited.shown_cards < everything
    assert [text for text in visited.console if "sandbox" not in text] == []  # the script is not allowed


def test_folder_works_from_a_disk(folder: Path, visit: Open) -> None:
    visited = visit(folder / "page" / "index.html")

    assert visited.console == []
    assert visited.page.locator("#search").is_visible()
    assert all(request.startswith((folder / "page").as_uri()) for request in visited.requests)


def test_text_of_strangers_is_only_text(hostile: Path, visit: Open) -> None:
    visited = visit(hostile)
    page = visited.page

    assert visited.requests == [hostile.as_uri()]
    assert visited.console == []
    assert page.locator("img, iframe, object, link, [onerror], [onload]").count() == 0
    assert page.locator("script").count() == 1
    assert MARKUP in (page.locator("dd").first.text_content() or "")
    assert "{{ 1 + 1 }}" in (page.locator("main").text_content() or "")
