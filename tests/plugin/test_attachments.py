"""Images of failing examples in the reports of pytest-html and allure-pytest."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from html import unescape
from pathlib import Path

from PIL import Image

from .project import ONE_RULE, Project

DATA = ("--vft-only", "--vft-data=train.jsonl", ONE_RULE, "--vft-no-cache")
PYTEST_HTML = ("-p", "pytest_html.plugin", "-p", "pytest_metadata.plugin")
ALLURE = ("-p", "allure_pytest.plugin")


def images_of_html(path: Path) -> list[Image.Image]:
    """Return the images in a report that is one file."""
    (found,) = re.findall('data-jsonblob="([^"]*)"', path.read_text())
    tests = json.loads(unescape(found))["tests"]
    extras = [extra for results in tests.values() for result in results for extra in result["extras"]]
    return [Image.open(io.BytesIO(b64decode(one["content"].partition(",")[2]))) for one in extras]


def test_images_are_in_the_report_of_pytest_html(project: Project) -> None:
    project.write(grey=[3, 7])

    project.run_apart(*PYTEST_HTML, *DATA, "--html=report.html", "--self-contained-html")

    images = images_of_html(project.folder / "report.html")
    assert [image.format for image in images] == ["WEBP", "WEBP"]
    assert max(max(image.size) for image in images) <= 128


def test_images_are_in_the_report_of_workers(project: Project) -> None:
    project.write(grey=[3])

    project.run_apart(*PYTEST_HTML, *DATA, "--html=report.html", "--self-contained-html", "-n2")

    assert len(images_of_html(project.folder / "report.html")) == 1


def test_images_are_in_the_report_of_allure(project: Project) -> None:
    project.write(grey=[3])

    project.run_apart(*ALLURE, *DATA, "--alluredir=allure")

    results = [json.loads(path.read_text()) for path in Path("allure").glob("*-result.json")]
    attached = [one for result in results for one in result.get("attachments", ())]
    images = [one for one in attached if one["type"] == "image/webp"]
    assert [one["name"].startswith("train.jsonl:3, image 1, ") for one in images] == [True]
    with Image.open(Path("allure", images[0]["source"])) as image:
        assert image.format == "WEBP"


def test_nothing_is_attached_to_what_passes(project: Project) -> None:
    project.write()

    project.run_apart(*PYTEST_HTML, *DATA, "--html=report.html", "--self-contained-html")

    assert images_of_html(project.folder / "report.html") == []
