"""Repairs that need several steps, or a decision: each ends in a file that passes, or changes nothing."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_vft import build_example, fix, lint
from pytest_vft.cli import main

GREY = Image.linear_gradient("L").resize((40, 24))
COLOURS = Image.merge("RGB", [GREY, GREY.rotate(180), GREY.transpose(Image.Transpose.FLIP_TOP_BOTTOM)])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vft.toml").write_text('[ignore]\n"file/too-few-examples" = "a test"\n')


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write(payload: str, kind: str, *, name: str = "train.jsonl", end: str = "\n") -> str:
    example = build_example("What?", "It.", [f"data:image/{kind};base64,{payload}"])
    Path(name).write_text(json.dumps(example) + end, newline="")
    return name


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image_of(path: str) -> Image.Image:
    parts = json.loads(Path(path).read_text().splitlines()[0])["messages"][0]["content"]
    url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    return Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))


@pytest.mark.parametrize("lightest", [99, 40_099, 65_535])
def test_grey_of_16_bits_is_not_stretched(lightest: int) -> None:
    image = Image.frombytes(
        "I;16", (10, 10), b"".join((lightest - n).to_bytes(2, "little") for n in range(100))
    )

    assert fix(write(text(saved(image, "PNG")), "png"), in_place=True, cache=False).is_clean

    levels = image_of("train.jsonl").getchannel(0).tobytes()
    assert list(levels) == [round((lightest - n) / 257) for n in range(100)]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_without_a_scale_is_left(mode: str) -> None:
    path = write(text(saved(GREY.convert(mode), "TIFF")), "tiff")

    assert not fix(path, cache=False).is_needed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: "\n".join(text(data)[at : at + 76] for at in range(0, len(text(data)), 76)),
        lambda data: text(text(data).encode()),
    ],
    ids=["url-safe", "white space", "twice"],
)
@pytest.mark.parametrize(
    ("image", "kind"),
    [(COLOURS.convert("CMYK"), "JPEG"), (GREY, "PNG"), (COLOURS, "GIF")],
    ids=["CMYK", "L", "GIF"],
)
def test_base64_and_image_are_repaired_together(image: Image.Image, kind: str, spoil: Any) -> None:
    path = write(spoil(saved(image, kind)), kind.lower())

    assert fix(path, in_place=True, cache=False).is_clean
    assert not fix(path, cache=False).is_needed
    assert image_of(path).mode == "RGB"


def test_base64_of_a_damaged_image_stays_as_it_is() -> None:
    path = write(base64.urlsafe_b64encode(saved(GREY, "PNG")[:-30]).decode().rstrip("="), "png")
    before = Path(path).read_text()

    assert not fix(path, in_place=True, cache=False).is_needed
    assert Path(path).read_text() == before


def test_first_frame_of_a_gif_is_kept_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    data = saved(COLOURS, "GIF", save_all=True, append_images=[COLOURS.rotate(180)])
    path = write(text(data), "gif")

    assert main(["fix", path, "--no-cache"]) == 1
    assert "--unsafe: only the first of its 2 frames stays" in " ".join(capsys.readouterr().out.split())
    assert main(["fix", path, "--unsafe", "--no-cache"]) == 1
    assert "only with --unsafe" not in capsys.readouterr().out
    assert fix(path, in_place=True, unsafe=True, cache=False).is_clean


@pytest.mark.parametrize("irreversible", [False, True])
def test_exact_jpeg_2000_becomes_a_png(irreversible: bool) -> None:  # noqa: FBT001 - a parameter
    path = write(text(saved(COLOURS, "JPEG2000", irreversible=irreversible)), "jp2")

    fix(path, in_place=True, cache=False)

    assert image_of(path).format == ("JPEG" if irreversible else "PNG")


def test_detail_that_would_be_wrong_is_not_moved() -> None:
    example = build_example("What?", "It.", [f"data:image/png;base64,{text(saved(COLOURS, 'PNG'))}"])
    next(part for part in example["messages"][0]["content"] if part["type"] == "image_url")["detail"] = (
        "bogus"
    )
    Path("train.jsonl").write_text(json.dumps(example) + "\n")

    assert not fix("train.jsonl", cache=False).is_needed


def test_known_finding_stays_known_with_other_line_ends() -> None:
    payload = text(saved(GREY, "PNG"))
    main(["check", write(payload, "png"), "--write-baseline", "--no-cache"])

    assert (
        main(["check", write(payload, "png", end="\r\n"), "--baseline=vft-baseline.json", "--no-cache"]) == 0
    )


def test_baseline_may_be_a_link_to_nothing() -> None:
    Path("link.json").symlink_to("known.json")
    path = write(text(saved(GREY, "PNG")), "png")

    assert main(["check", path, "--write-baseline", "--baseline=link.json", "--no-cache"]) == 0
    assert main(["check", path, "--baseline=link.json", "--no-cache"]) == 0


def test_change_of_an_image_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    path = write(text(saved(COLOURS, "PNG", exif=turned)), "png")

    main(["fix", path, "--diff", "--no-cache"])

    assert "url  40x24 -> 24x40, orientation 6 -> orientation 1, " in capsys.readouterr().out


def test_a_preview_says_what_drop_sets_aside_and_that_the_mark_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = build_example("What?", "It.", [f"data:image/png;base64,{text(saved(COLOURS, 'PNG'))}"])
    bad = build_example("What?", "It.", ["data:image/png;base64,bm9uZQ=="])
    lines = f"{json.dumps(good)}\n{json.dumps(bad)}\n"
    Path("train.jsonl").write_text(f"\ufeff{lines}", encoding="utf-8")

    assert main(["fix", "train.jsonl", "--diff", "--drop", "--no-cache"]) == 1
    dropping = capsys.readouterr().out
    assert main(["fix", "train.jsonl", "--no-cache"]) == 1

    assert dropping.startswith("train.jsonl  byte-order mark removed (file/byte-order-mark)\n")
    assert dropping.count("byte-order mark removed") == 1
    assert "\n--drop would set aside 1 example\n" in dropping
    assert "set aside" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train.jsonl", "train.json"])
def test_all_examples_may_be_set_aside(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("bm9uZQ==", "png", name=name)
    if name.endswith("json"):
        Path(path).write_text(f"[{Path(path).read_text().strip()}]\n")

    code = main(["fix", path, "--out=fixed", "--drop", "--no-cache"])

    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, "PASSED  0 kept + 1 set aside = 1")
    assert Path("fixed", name).read_text().split() == (["[]"] if name.endswith("json") else [])


KILLED = """
import os, signal, sys
step = int(sys.argv.pop(1))
def watch(event, arguments):
    global step
    if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
        step -= 1
        if not step:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from pytest_vft.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("step", range(1, 9))
def test_killed_run_is_finished_by_the_next(step: int) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write(text(saved(GREY, "PNG")), "png", name=name)
    before = {name: Path(name).read_bytes() for name in ("a.jsonl", "b.jsonl")}
    command = ["fix", *before, "--in-place", "--no-cache", "--jobs=1", "--ignore=dataset/duplicate-example"]

    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(step), *command], check=False, capture_output=True
    )

    for name, content in before.items():
        if Path(name).read_bytes() != content:
            assert lint(name, cache=False).ok
    assert ended.returncode in (-9, 0)
    assert main(command) == 0
    assert sorted(map(str, Path().iterdir())) == ["a.jsonl", "b.jsonl", "vft.toml"]
    assert image_of("a.jsonl").mode == image_of("b.jsonl").mode == "RGB"
