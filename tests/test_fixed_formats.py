"""Repairs in every data format and for every provider: what is declared beside an image is repaired, too."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pytest_vft import UsageError, fix, lint
from pytest_vft.catalogue.providers import load_provider, provider_ids
from pytest_vft.cli import main

GREY = Image.linear_gradient("L").resize((40, 24))
COLOURS = Image.merge("RGB", [GREY, GREY.rotate(180), GREY.transpose(Image.Transpose.FLIP_TOP_BOTTOM)])
ROTATED = Image.Exif()
ROTATED[0x0112] = 6
ROTATED.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vft.toml").write_text('[ignore]\n"file/too-few-examples" = "a test"\n')


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def openai(url: str, **more: Any) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": url}, **more}
    user = {"role": "user", "content": [{"type": "text", "text": "What?"}, part]}
    return {"messages": [user, {"role": "assistant", "content": "It."}]}


def gemini(kind: str, key: str = "inlineData", **inner: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{key: {"mimeType": f"image/{kind}", **inner}}, {"text": "What?"}]
    return {"contents": [{"role": "user", "parts": parts}, {"role": "model", "parts": [{"text": "It."}]}]}


def bedrock(kind: str, **source: Any) -> dict[str, Any]:
    user = {"role": "user", "content": [{"image": {"format": kind, "source": source}}, {"text": "What?"}]}
    answer = {"role": "assistant", "content": [{"text": "It."}]}
    return {"schemaVersion": "bedrock-conversation-2024", "messages": [user, answer]}


def write(*examples: dict[str, Any]) -> str:
    Path("train.jsonl").write_text("".join(f"{json.dumps(example)}\n" for example in examples))
    return "train.jsonl"


PNG = saved(COLOURS, "PNG")
FAULTY = [
    PNG,
    saved(GREY, "JPEG", exif=ROTATED),
    saved(COLOURS.convert("CMYK"), "JPEG"),
    saved(COLOURS, "GIF", save_all=True, append_images=[GREY.convert("RGB")]),
    saved(COLOURS, "TIFF"),
    PNG[:-30],
    text(PNG).encode(),
    b"no image",
    b"",
]
URLS = ["s3://bucket/a%20b.png", "gs://bucket/a b.png", "nothing.png", "ftp://host/a.png", "data:,a", ""]
EXAMPLES = {
    "openai": [
        *(openai(f"data:image/jpg;base64,{text(data)}") for data in FAULTY),
        openai(f"data:image/png;base64,{base64.urlsafe_b64encode(PNG).decode()}\n", detail="low"),
        *map(openai, URLS),
    ],
    "gemini": [
        *(gemini("jpeg", data=text(data)) for data in FAULTY),
        *(gemini("png", "fileData", fileUri=url) for url in URLS),
    ],
    "bedrock": [
        *(bedrock("png", bytes=text(data)) for data in FAULTY),
        *(bedrock("png", s3Location={"uri": url}) for url in URLS),
    ],
}


PAIRS = [
    (provider, data_format)
    for provider in provider_ids()
    for data_format in EXAMPLES
    if data_format in load_provider(provider).data_formats
]


@pytest.mark.parametrize(("provider", "data_format"), PAIRS)
def test_every_fault_is_repaired_or_left_for_every_provider(provider: str, data_format: str) -> None:
    path = write(*EXAMPLES[data_format])

    result = fix(path, provider=provider, data_format=data_format, offline=True, unsafe=True, cache=False)

    assert result.is_needed


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (gemini("jpeg", data=text(PNG)), gemini("png", data=text(PNG))),
        (bedrock("jpeg", bytes=text(PNG)), bedrock("png", bytes=text(PNG))),
    ],
)
def test_media_type_beside_an_image_is_declared(wrong: dict[str, Any], right: dict[str, Any]) -> None:
    path = write(wrong)

    fix(path, in_place=True, cache=False)

    assert json.loads(Path(path).read_text()) == right
    assert not fix(path, cache=False).is_needed


@pytest.mark.parametrize("inline", [True, False])
def test_converted_image_is_declared_as_what_it_is(inline: bool) -> None:  # noqa: FBT001 - a parameter
    Path("a.tiff").write_bytes(saved(COLOURS, "TIFF"))
    data = text(Path("a.tiff").read_bytes())
    path = write(gemini("tiff", data=data) if inline else gemini("tiff", "fileData", fileUri="a.tiff"))
    before = lint(path, cache=False)

    result = fix(path, in_place=True, cache=False)

    part = json.loads(Path(path).read_text())["contents"][0]["parts"][0]
    assert part["inlineData" if inline else "fileData"]["mimeType"] == "image/png"
    assert result.after is not None
    assert {one.rule for one in result.after.findings} < {one.rule for one in before.findings}


TURNED = saved(COLOURS, "JPEG", exif=ROTATED)
COORDINATES = [
    '[{"box_2d": [10, 20, 30, 40]}]', "[10, 20, 30, 40]", "[[0.1,0.2,0.3,0.4]]", '{"x1": 10, "y1": 20}',
    "click(x=100, y=200)", "<click>100, 200</click>", '{"xmin": 10}', '{"left":10, "top":20}', '{"box": "a"}',
    '{"point": "a"}', "0 0.5 0.4 0.2 0.1\n1 0.5 0.4 0.2 0.1", "pyautogui.click(0.25, 0.5)", "100, 200",
    "bbox: 10, 20, 30, 40", "\u003cclick>", "{'x': 10, 'y': 20}", '<points x1="1.5" y1="2.5" alt="a">',
]  # fmt: skip
WORDS = [
    "It.", "It was 1995, 1996, 1997 and 1998.", "1,200", "[1]", "f(x) = 3", "2026-11-29 10:20",
    "A (1) and B (2)", "Left of the box, at the top: 12 of 50 points", "1. red 2. blue",
]  # fmt: skip


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    ("words", "turned"), [*((one, False) for one in COORDINATES), *((one, True) for one in WORDS)]
)
def test_image_is_turned_unless_words_may_be_coordinates(words: str, turned: bool, asked: bool) -> None:  # noqa: FBT001 - parameters
    example = openai(f"data:image/jpeg;base64,{text(TURNED)}")
    if asked:
        example["messages"][0]["content"][0]["text"] = words
    else:
        example["messages"][1]["content"] = words

    result = fix(write(example), select="image/rotated-by-exif", cache=False)

    assert result.is_needed is turned
    assert fix("train.jsonl", select="image/rotated-by-exif", unsafe=True, cache=False).is_needed


def test_table_is_shown_but_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    images = [{"bytes": TURNED, "path": None}]
    turns = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "It."}]
    pq.write_table(pa.table({"messages": [turns], "images": [images]}), "train.parquet")
    before = Path("train.parquet").read_bytes()

    assert fix("train.parquet", cache=False).is_needed
    for how in ("--in-place", "--out=fixed", "--out=fixed --drop"):
        assert main(["fix", "train.parquet", *how.split(), "--no-cache"]) == 2
        assert "does not write Parquet" in capsys.readouterr().err
    assert Path("train.parquet").read_bytes() == before
    assert not Path("fixed").exists()
    with pytest.raises(UsageError, match="vft convert"):
        fix("train.parquet", in_place=True, cache=False)
