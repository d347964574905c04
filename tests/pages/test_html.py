"""The page about a check, as text: what is in it, and its bounds."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from pytest_vft import build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.report.formats import Target, render, write
from pytest_vft.report.html import budget
from pytest_vft.report.layout import Display

GOOD = "png 24x24 rgb"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return tmp_path


def dataset(*specs: str, name: str = "train.jsonl") -> str:
    write_jsonl(name, [build_example(f"Which is {n}?", f"{n}", data_url(one)) for n, one in enumerate(specs)])
    return name


def page_of(*paths: str, **display: int | bool) -> str:
    report = lint(*paths, cache=False, image_roots=())
    return render(report, "html", Display(**display))


def images_in(page: str) -> list[Image.Image]:
    return [Image.open(BytesIO(b64decode(one))) for one in re.findall('data:image/webp;base64,([^"]*)', page)]


def test_page_of_sound_data_has_no_gallery_and_says_what_was_not_checked() -> None:
    page = page_of(dataset(*(f"png 24x{24 + n} rgb" for n in range(12))))

    assert "PASSED" in page
    assert "<article" not in page
    assert "people, faces, children" in page


def test_grey_of_16_bits_is_drawn_in_its_shades() -> None:
    file = BytesIO()
    levels = b"".join((256 * level).to_bytes(2, "little") for level in range(256))
    Image.frombytes("I;16", (256, 32), levels * 32).save(file, "PNG", transparency=100)
    url = f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
    line = build_example("What is it?", "A ramp.", data_url(GOOD))
    line["messages"][0]["content"][1]["image_url"]["url"] = url
    Path("train.jsonl").write_text(json.dumps(line))

    (image,) = images_in(page_of("train.jsonl"))

    assert (image.mode, image.size) == ("RGB", (128, 16))
    shades = [image.convert("L").getpixel((column, 8)) for column in range(128)]
    assert all(abs(shade - 2 * column) < 16 for column, shade in enumerate(shades))


def test_good_examples_are_shown_on_request() -> None:
    path = dataset(*(f"png {16 + n}x24 {'l' if n % 2 else 'rgb'}" for n in range(20)))

    page = page_of(path, good_examples=3)

    good = re.findall('<article class="card good train" id="train.jsonl:(\\d+)"', page)
    assert good == ["1", "7", "13"]


def test_images_are_reduced_and_left_out_on_request() -> None:
    path = dataset("png 300x150 l", GOOD)

    (image,) = images_in(page_of(path))
    assert (image.format, image.size) == ("WEBP", (128, 64))
    assert images_in(page_of(path, images=False)) == []


def test_no_byte_of_an_image_is_in_the_page() -> None:
    """Comments, EXIF and what follows an image could hold secrets."""
    file = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    Image.new("L", (40, 40)).save(file, "JPEG", exif=exif, comment=b"SECRET")
    for n, data in enumerate((file.getvalue() + b"SECRET", draw("webp 30x30 rgb")[1] + b"SECRET")):
        Path(f"{n}.img").write_bytes(data)
    rows = [
        {"messages": [{"role": "user", "content": "<image>What?"}], "images": [f"{n}.img"]} for n in (0, 1)
    ]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    report = lint("train.jsonl", cache=False)
    write(report, Target("html", Path("page")), Display(good_examples=2))

    written = [path.read_bytes() for path in Path("page").rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not any(b"SECRET" in content for content in written)


def test_image_outside_the_roots_is_in_no_report(folder: Path) -> None:
    (folder / "secret.png").write_bytes(draw("png 33x33 rgb")[1])
    inside = folder / "data"
    inside.mkdir()
    (inside / "link.png").symlink_to(folder / "secret.png")
    (inside / "own.png").write_bytes(draw("png 44x44 rgb")[1])
    rows = [
        {
            "messages": [
                {"role": "user", "content": "<image>What?"},
                {"role": "assistant", "content": f"{n}"},
            ],
            "images": [path],
        }
        for n, path in enumerate(("../secret.png", str(folder / "secret.png"), "link.png", "own.png"))
    ]
    (inside / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    report = lint("data/train.jsonl", cache=False)

    shown = images_in(render(report, "html", Display(good_examples=9)))
    assert [rule.id for rule in report.rules if rule.tally.failed][:1] == ["image/outside-root"]
    assert [image.size for image in shown] == [(44, 44)]
    write(
        lint("data/train.jsonl", cache=False, image_roots=["."]),
        Target("html", Path("page.html")),
        Display(good_examples=9),
    )
    assert {image.size for image in images_in(Path("page.html").read_text())} == {(44, 44), (33, 33)}


def test_bytes_are_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    path = dataset("png 30x30 l", GOOD)

    assert page_of(path) == page_of(path)
    assert "2023-11-14 22:13 UTC" in page_of(path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is 'yesterday'; expected seconds since 1970"):
        page_of(path)


def test_page_of_a_file_without_a_sound_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    write_jsonl(
        "train.jsonl",
        [
            build_example("&" * 3_000, "<" * 3_000, data_url(f"png {16 + n % 50}x{16 + n // 50} l"))
            for n in range(600)
        ],
    )

    page = page_of("train.jsonl")

    assert page.count("<article") <= 24 * page.count('<section class="gallery')
    assert "576 more lines without a card" in page
    assert len(page) < 500_000
    monkeypatch.setattr(budget, "_ROOM", 20_000)
    assert 0 < page_of("train.jsonl").count("<article") < 5


def test_folder_is_not_a_file_and_no_data_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    dataset(GOOD, name="train.html.jsonl")
    Path("report").write_text("mine")

    assert main(["check", "train.html.jsonl", "--report=html:report"]) == 2
    assert capsys.readouterr().err.startswith("vft: report")
    assert Path("report").read_text() == "mine"
    Path("data.html").write_bytes(Path("train.html.jsonl").read_bytes())
    assert main(["check", "data.html", "--report=html:data.html"]) == 2
    assert "data.html: this file is checked" in capsys.readouterr().err


def test_elements_of_an_array_have_links_and_commands() -> None:
    rows = [build_example(f"Which is {n}?", f"{n}", data_url(f"png 24x{24 + n} l")) for n in range(2)]
    Path("train.json").write_text(json.dumps(rows))

    page = page_of("train.json")

    assert 'id="train.json:#1"' in page
    assert "vft show &#39;train.json:#1&#39;" in page


def test_providers_are_compared_on_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    path = dataset(*(f"png 24x{24 + n} l" for n in range(12)))

    assert main(["providers", path, "--offline", "--format=html"]) == 0

    page = capsys.readouterr().out
    assert "providers can use the whole dataset" in page
    assert '<span class="chip refuses">refuses</span>' in page
    assert "12 images: mode is L; expected RGB or RGBA" in page
