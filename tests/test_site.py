"""The documentation as a site: built strictly, complete, and without requests to other servers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = [path.relative_to(ROOT / "docs") for path in ROOT.glob("docs/**/*.md")]
LOADING = {
    "src",
    "srcset",
    "poster",
    "data",
}  # attributes whose address a browser loads; href of link elements, too

pytest.importorskip("zensical")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of the project in *folder*, as the documentation says."""
    command = [Path(sys.executable).with_name("zensical"), "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


@pytest.fixture(scope="module")
def site(project: Path) -> Path:
    done = build(project)
    assert done.returncode == 0, done.stdout
    return project / "site"


def blocks(html: str) -> Counter[str]:
    """Return how often *html* has each kind of block."""
    return Counter(re.findall(r"<(h[1-6]|[uo]l|li|pre|table|tr|blockquote|img)\b", html))


class Loaded(HTMLParser):
    """Collects the addresses that a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_address = ("rel", "canonical") in attrs  # only tells the address of the page
        for name, value in attrs:
            if name in LOADING or (tag == "link" and name == "href" and not is_address):
                self.addresses.append(value or "")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_the_one_that_github_shows(site: Path, page: Path) -> None:
    """The dialects of Markdown differ, as in the indentation of lists."""
    place = page.parent if page.stem == "index" else page.with_suffix("")
    html = (site / place / "index.html").read_text(encoding="utf-8")
    (article,) = re.findall("<article.*?</article>", html, re.DOTALL)
    on_github = (
        MarkdownIt("commonmark").enable("table").render((ROOT / "docs" / page).read_text(encoding="utf-8"))
    )

    assert blocks(article) == blocks(on_github)


def test_the_search_finds_rules_providers_options_and_functions(site: Path) -> None:
    found = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]

    texts = {one["location"].partition("#")[0]: "" for one in found}
    for one in found:
        texts[one["location"].partition("#")[0]] += f"{one['title']} {one['text']}"
    assert "image/truncated" in texts["reference/rules/image/truncated/"]
    assert "Together" in texts["reference/providers/together/"]
    assert "--max-findings" in texts["reference/options/"]
    assert "lint" in texts["reference/python/"]


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        assert not [one for one in loaded.addresses if re.match(r"(?:https?:)?//", one)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_the_map_of_the_site_has_each_page_and_only_pages_are_published(site: Path) -> None:
    addresses = re.findall("<loc>(.*?)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))

    assert len(addresses) == len(set(addresses)) == len(PAGES)
    assert not list(site.rglob("*.py"))


def test_broken_links_are_found(project: Path, site: Path) -> None:
    assert site.is_dir()
    page = project / "docs" / "index.md"
    before = page.read_text(encoding="utf-8")
    page.write_text(
        f"{before}\n[one](tutorial.md#no-such-heading) [two](no-such-page.md)\n", encoding="utf-8"
    )

    done = build(project)

    page.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert "2 issues found" in done.stdout + done.stderr
