"""The page about a check in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pages.conftest import Open

from pytest_vft.cli import main

FAULTY = Path(__file__).parents[2] / "examples" / "faulty"
# The policy of Jenkins for files of a build
# (https://www.jenkins.io/doc/book/security/configuring-content-security-policy/, read 2026-11-29).
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
    return folder


@pytest.fixture
def one_file(folder: Path) -> Path:
    return folder / "page.html"


def test_page_says_what_is_wrong_and_asks_for_nothing(one_file: Path, visit: Open) -> None:
    page, requests, console = visit(one_file)

    assert page.locator("h1").inner_text().split("\n")[0] == "FAILED"
    assert "12 of 22 lines have errors" in page.locator("h1").inner_text()
    assert page.locator(".gallery.error-rule").count() == 12
    assert requests == [one_file.as_uri()]
    assert console == []
