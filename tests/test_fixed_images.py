"""Repaired images: pixels differ only where the repair says so; originals on disk stay as they are."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from pytest_vft import build_example, fix, lint
from pytest_vft.catalogue.providers import load_provider, provider_ids
from pytest_vft.cli import main
from pytest_vft.fixing.metadata import without_metadata
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation
from pytest_vft.formats.registry import load_writer
from pytest_vft.formats.writers.base import FileShape

IMAGE = Image.linear_gradient("L").resize((40, 24))
PICTURE = Image.merge("RGB", [IMAGE, IMAGE.rotate(180), IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vft.toml").write_text('[ignore]\n"file/too-few-examples" = "a test"\n')


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1, *, position: bool = False) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    if position:
        tags.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    return tags.tobytes()


def write(data: bytes, kind: str, **more: Any) -> str:
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    Path("train.jsonl").write_text(json.dumps({**build_example("What?", "It.", [url]), **more}) + "\n")
    return "train.jsonl"


def image_of(path: str) -> Image.Image:
    (message, *_) = json.loads(Path(path).read_text().splitlines()[0])["messages"]
    url = next(part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url")
    return Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))


def repaired(data: bytes, kind: str, **options: Any) -> Image.Image:
    assert fix(write(data, kind), out="fixed", cache=False, **options).is_clean
    return image_of("fixed/train.jsonl")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of the pixels of two images of one size, from 0 to 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (IMAGE, "PNG", {}),
        (PICTURE.quantize(16), "PNG", {}),
        (IMAGE.point(lambda level: 255 * (level > 99)).convert("1"), "PNG", {}),
        (PICTURE.quantize(16), "GIF", {}),
        (PICTURE, "BMP", {}),
        (PICTURE, "TIFF", {}),
    ],
)
def test_modes_and_formats_without_loss_keep_each_pixel(
    image: Image.Image, kind: str, options: dict[str, Any]
) -> None:
    assert difference(repaired(saved(image, kind, **options), kind.lower()), image) == 0


def test_transparency_stays() -> None:
    palette = Image.new("P", (8, 8))
    palette.info["transparency"] = 0

    image = repaired(saved(palette, "PNG", transparency=0), "png")

    assert (image.mode, image.getchannel("A").getextrema()) == ("RGBA", (0, 0))


@pytest.mark.parametrize(("image", "most"), [(IMAGE, 0.5), (PICTURE.convert("CMYK"), 2)])
def test_jpeg_stays_a_jpeg_of_about_its_size(image: Image.Image, most: float) -> None:
    data = saved(image, "JPEG", quality=77)

    new = repaired(data, "jpeg")

    assert (new.format, new.mode) == ("JPEG", "RGB")
    assert difference(new, Image.open(BytesIO(data))) < most


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    data = saved(PICTURE, kind, exif=exif(orientation))

    new = repaired(data, kind.lower())

    assert new.getexif().get(0x0112, 1) == 1
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    assert difference(new, upright) < (3 if kind == "JPEG" else 0.001)


def test_image_beside_boxes_is_turned_on_request_only() -> None:
    path = write(saved(PICTURE, "PNG", exif=exif(6)), "png", bbox=[1, 2, 3, 4])

    assert not fix(path, out="fixed", cache=False).is_needed
    assert fix(path, out="fixed", unsafe=True, cache=False).is_needed


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_metadata_go_without_a_change_of_pixels(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(PICTURE, kind, exif=exif(orientation, position=True), **options)

    new = Image.open(BytesIO(without_metadata(data, kind, orientation)))

    assert new.getexif().get_ifd(0x8825) == {}
    assert new.getexif().get(0x0112, 1) == orientation
    assert new.tobytes() == Image.open(BytesIO(data)).tobytes()


def test_truncated_jpeg_is_left_as_it_is() -> None:
    path = write(saved(IMAGE, "JPEG")[:-60], "jpeg")

    result = fix(path, out="fixed", cache=False)

    assert not result.is_needed
    assert not Path("fixed").exists()


def test_animation_keeps_its_first_frame_on_request() -> None:
    frames = [PICTURE, PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])

    assert not fix(write(data, "png"), cache=False).is_needed
    assert difference(repaired(data, "png", unsafe=True), PICTURE) == 0


def test_large_image_is_scaled_on_request() -> None:
    Path("vft.toml").write_text(
        Path("vft.toml").read_text() + '[params]\n"image/too-large" = { max_bytes = 2000 }\n'
    )
    noise = Image.effect_noise((200, 100), 90).convert("RGB")

    new = repaired(saved(noise, "JPEG"), "jpeg", unsafe=True)

    assert new.width == pytest.approx(2 * new.height, abs=2)
    assert len(saved(new, "JPEG", quality="keep")) <= 2_000


def test_local_images_become_new_files_and_the_array_stays_as_it_is_written() -> None:
    Path("data/pictures").mkdir(parents=True)
    images = [saved(IMAGE, "PNG", exif=exif(3)), saved(PICTURE, "PNG")]
    for number, data in enumerate(images):
        Path(f"data/pictures/{number}.png").write_bytes(data)
    turns = '[{"from": "human", "value": "<image>What?"},\n    {"from": "gpt", "value": "It."}]'
    text = "[\n" + ",\n\n".join(
        f'  {{"conversations": {turns}, "images" : [ "pictures/{number}.png" ]}}' for number in (0, 1, 0)
    ) + "\n]\n"  # fmt: skip
    Path("data/cards.json").write_text(text)

    result = fix("data/cards.json", out="fixed", cache=False)

    (new,) = Path("fixed/images").iterdir()
    assert Path("fixed/cards.json").read_text() == text.replace("pictures/0.png", f"images/{new.name}")
    assert [Path(f"data/pictures/{number}.png").read_bytes() for number in (0, 1)] == images
    assert difference(Image.open(new), IMAGE.rotate(180)) == 0
    assert result.after is not None
    assert lint("fixed/cards.json", image_roots="data", cache=False).findings == result.after.findings
    assert fix("data/cards.json", in_place=True, cache=False).is_clean
    assert Path("data/images", new.name).read_bytes() == new.read_bytes()


def test_numbers_add_up_when_examples_are_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    grey, broken = saved(IMAGE, "PNG"), saved(IMAGE, "PNG")[:-30]
    lines = [Path(write(data, "png")).read_text() for data in (grey, broken, saved(PICTURE, "PNG"))]
    Path("train.jsonl").write_text("\n" + "".join(lines))

    code = main(["fix", "train.jsonl", "--out=fixed", "--drop", "--no-cache"])

    assert (code, Path("fixed/train.jsonl.rej").read_text()) == (0, lines[1])
    assert Path("fixed/train.jsonl").read_text().splitlines(keepends=True)[1] == lines[2]
    assert capsys.readouterr().out.endswith("\nPASSED  2 kept + 1 set aside + 1 blank line removed = 4\n")


def test_preview_says_what_would_be_repaired_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.jsonl").write_text("\n" + Path(write(saved(IMAGE, "PNG"), "png")).read_text())
    before = sorted(Path().rglob("*"))

    code = main(["fix", "train.jsonl", "--diff", "--no-cache"])

    assert code == 1
    assert capsys.readouterr().out == (
        "train.jsonl:1  removed (line/blank)\n"
        "train.jsonl:2  /messages/0/content/1/image_url/url  40x24 L -> RGB, 1 kB -> 1 kB\n"
        "would repair 2 of 2 findings:\n"
        "  image/unsupported-mode  1 image  L -> RGB\n"
        "  line/blank               1 line  removed\n"
        "nothing was written: --out=DIR or --in-place writes, --diff shows each change\n"
    )
    assert sorted(Path().rglob("*")) == before


def test_clean_file_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(saved(PICTURE, "PNG"), "png")

    assert main(["fix", path, "--in-place", "--no-cache"]) == 0
    assert main(["fix", path, "--out=fixed", "--quiet", "--no-cache"]) == 0
    assert capsys.readouterr().out == "PASSED  nothing to repair: 1 example, 1 image\n"
    assert not Path("fixed").exists()


def test_line_with_a_key_twice_is_not_repaired(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(saved(IMAGE, "PNG"), "png")
    text = Path(path).read_text().replace('{"messages"', '{"tools": [], "tools": [], "messages"')
    Path(path).write_text(text)

    assert main(["fix", path, "--in-place", "--no-cache"]) == 1
    assert "image/unsupported-mode, 1 image: a key is on the line twice" in capsys.readouterr().out
    assert Path(path).read_text() == text


_REPAIRED = {
    *("image/unsupported-mode", "image/unsupported-format", "image/animated", "image/rotated-by-exif"),
    *("image/media-type-mismatch", "image/private-metadata", "image/unsupported-data-url"),
}

# Those that read images from a bucket only have none that could be repaired.
_PROVIDERS = [one for one in provider_ids() if {"data", "file"} & {*load_provider(one).transports}]


@pytest.mark.parametrize("provider", _PROVIDERS)
def test_images_are_repaired_for_each_provider(provider: str) -> None:
    small = PICTURE.resize((40, 40))
    images = [
        saved(small.convert("CMYK"), "JPEG"),
        saved(small, "WEBP", lossless=True),
        saved(small, "WEBP", save_all=True, append_images=[small.rotate(90)]),
        saved(small, "JPEG", exif=exif(6, position=True)),
    ]
    (data_format, *_) = load_provider(provider).data_formats
    writer = load_writer(data_format)
    with Path("train.jsonl").open("w") as file:
        for data in images:
            url = f"data:image/jpg;base64,{base64.b64encode(data).decode()}"
            question = ChatTurn("user", ["What?", ImagePart(1, url)], in_parts=True)
            conversation = Conversation([question, ChatTurn("assistant", ["It."])])
            file.write(json.dumps(writer.write(conversation, FileShape()).example) + "\n")
    options: Any = {"provider": provider, "data_format": data_format, "cache": False}
    before, _ = lint("train.jsonl", **options), fix("train.jsonl", out="fixed", unsafe=True, **options)
    after = lint("fixed/train.jsonl", **options)
    assert _REPAIRED & {finding.rule for finding in before.findings}
    assert not _REPAIRED & {finding.rule for finding in after.findings}
