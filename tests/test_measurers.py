"""What images show: measured once, by the measurers that a rule needs, and without a change of verdicts."""

from __future__ import annotations

import io
import pickle
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from pytest_vft import build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import draw
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.model import Source, Tally
from pytest_vft.reading.fingerprint import Fingerprints, Look, read_look
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.measurers import Measurer
from pytest_vft.reading.quality import Colours, Light, Sharpness

ALL: tuple[Measurer, ...] = (Colours(), Light(), Sharpness(), Fingerprints())
FILES = {
    "jpeg": draw("jpeg 700x520 rgb shows=shapes")[1],
    "grey jpeg": draw("jpeg 130x90 l shows=shapes")[1],
    "cmyk": draw("jpeg 130x90 cmyk shows=shapes")[1],
    "exif": draw("jpeg 130x90 rgb exif=rotated shows=shapes")[1],
    "png": draw("png 130x90 rgb shows=shapes")[1],
    "webp": draw("webp 130x90 rgb shows=shapes")[1],
}


def measure(data: bytes, *measurers: Measurer, full: bool = True) -> ImageMeasurements:
    (image,) = ImageReader(full, measurers=measurers or ALL).measure([data])
    return image


def columns(data: bytes, measurer: Measurer, *, full: bool = True) -> dict[str, object]:
    return dict(measure(data, measurer, full=full).content[measurer.id])


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


# Verdicts on damage do not depend on what else is measured


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(FILES)),
    cut=st.integers(0, 2_000),
    flip=st.integers(30, 10_000),
    measurers=st.sampled_from([ALL, ALL[:1], ALL[1:2], ALL[2:3]]),
)
def test_damage_is_the_same_whatever_is_measured(
    kind: str, cut: int, flip: int, measurers: tuple[Measurer, ...]
) -> None:
    data = bytearray(FILES[kind][: len(FILES[kind]) - cut])
    data[flip % len(data)] ^= 0xFF

    found = measure(bytes(data), *measurers)

    (alone,) = ImageReader(full=True).measure([bytes(data)])
    assert found._replace(content={}) == alone


# What is measured


@pytest.mark.parametrize("kind", FILES)
def test_columns_are_those_that_a_measurer_names(kind: str) -> None:
    for full in (True, False):
        content = measure(FILES[kind], full=full).content

        assert {id_: sorted(found) for id_, found in content.items()} == {
            one.id: sorted(one.columns) for one in ALL
        }
        pixels = [value for found in content.values() for value in found.values()]
        assert (None in pixels) is not full


def test_a_batch_is_measured_like_its_images_one_by_one() -> None:
    files = [*FILES.values(), b"not an image", FILES["jpeg"][:300]] * 9

    assert list(ImageReader(full=True, measurers=ALL).measure(files)) == [measure(data) for data in files]


def test_transparent_pixels_are_white() -> None:
    clear = saved(Image.new("RGBA", (80, 80), (0, 0, 0, 0)))

    assert columns(clear, Light()) == {"lights": 255, "shades": 255, "entropy": 0}


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "RGB", "RGBA", "LA"])
def test_grey_levels_are_those_of_any_mode(mode: str) -> None:
    half = Image.new("L", (80, 80), 128)
    image = (
        half.point(lambda level: level * 256, "I").convert("I;16") if mode == "I;16" else half.convert(mode)
    )

    lights = columns(saved(image), Light())["lights"]

    assert lights == (255 if mode == "1" else 128)


def test_image_turned_by_exif_has_the_fingerprint_of_the_one_that_it_shows() -> None:
    upright = Image.open(io.BytesIO(FILES["exif"])).transpose(Image.Transpose.ROTATE_270)

    turned, shown = (columns(data, Fingerprints()) for data in (FILES["exif"], saved(upright)))

    one, other = (read_look(b64decode(str(found["fingerprint"]))) for found in (turned, shown))
    assert (one.hash ^ other.hash).bit_count() <= 3
    assert one.is_like(other)


def disc(colour: tuple[int, int, int], size: tuple[int, int] = (640, 480)) -> Image.Image:
    image = Image.new("RGB", (640, 480), "white")
    ImageDraw.Draw(image).ellipse((180, 120, 420, 360), fill=colour)
    return image.resize(size)


def look(data: bytes, *measurers: Measurer) -> Look:
    found = measure(data, Fingerprints(), *measurers).content[Fingerprints().id]["fingerprint"]
    return read_look(b64decode(str(found)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_discs_of_equal_grey_are_told_apart_by_their_colours(kind: str) -> None:
    red, green = (saved(disc(colour), kind) for colour in [(255, 59, 80), (0, 184, 105)])
    assert list(look(red).levels) == pytest.approx(list(look(green).levels), abs=3)

    assert not look(red).is_like(look(green))
    assert look(red).is_like(look(saved(disc((255, 59, 80), (320, 240)), "JPEG")))


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (200, 150)])
def test_lines_of_equal_grey_are_told_apart_by_their_colours(size: tuple[int, int]) -> None:
    def circle(colour: tuple[int, int, int]) -> Image.Image:
        image = Image.new("RGB", (640, 480), "white")
        ImageDraw.Draw(image).ellipse((180, 120, 420, 360), outline=colour, width=5)
        return image

    red, green, grey = map(circle, [(200, 72, 60), (60, 135, 110), (110, 110, 110)])
    for one in (green, grey):
        assert not look(saved(red)).is_like(look(saved(one.resize(size), "JPEG")))
    assert look(saved(red)).is_like(look(saved(red.resize(size), "JPEG")))


def test_chart_in_grey_is_like_its_smaller_copy() -> None:
    chart, smaller = (saved(disc((80, 80, 80), size).convert("L")) for size in [(640, 480), (320, 240)])

    assert look(chart).is_like(look(smaller))


def test_tints_of_a_jpeg_without_luma_are_known() -> None:
    red, green = (disc(colour) for colour in [(255, 59, 80), (0, 184, 105)])
    file = io.BytesIO()
    red.save(file, "JPEG", keep_rgb=True, quality=95)

    assert look(file.getvalue()).is_like(look(saved(red, "JPEG")))
    assert not look(file.getvalue()).is_like(look(saved(green, "JPEG")))


def test_tiny_images_are_measured() -> None:
    for size in [(1, 1), (1, 9), (7, 7), (9, 1)]:
        assert measure(saved(Image.new("RGB", size, "red"))).content.keys() == {one.id for one in ALL}


# When it is measured


def test_measurers_are_those_of_the_bound_rules() -> None:
    rules = shipped_rules()

    assert needed_measurers([rules["image/too-small"], rules["image/truncated"]]) == ()
    assert needed_measurers([rules["image/dark"], rules["image/bright"]]) == (Light(),)
    assert needed_measurers([rules["image/blurry"]], [Source("train.jsonl", "train")]) == (Sharpness(),)


def test_measurers_can_be_sent_to_workers() -> None:
    assert pickle.loads(pickle.dumps(ALL)) == ALL  # noqa: S301 - our own


Open = Callable[..., ImageStore]


@pytest.fixture
def store(tmp_path: Path) -> Open:
    def opened(*measurers: Measurer) -> ImageStore:
        return ImageStore(full=True, cache=ImageCache(tmp_path, read_only=True), measurers=measurers)

    return opened


def remember(folder: Path, store: ImageStore) -> int:
    """Write what *store* has measured; return the number of images."""
    measured = store.pop_measured()
    with closing(ImageCache(folder)) as cache:
        cache.add(measured)
    store.close()
    return len(measured)


def test_a_second_run_measures_nothing(tmp_path: Path, store: Open) -> None:
    first = store(*ALL)
    found = [first.measure(data) for data in FILES.values()]
    assert remember(tmp_path, first) == len(FILES)

    second = store(*ALL)

    assert [second.measure(data) for data in FILES.values()] == found
    assert remember(tmp_path, second) == 0


def test_the_cache_keeps_what_other_runs_have_measured(tmp_path: Path, store: Open) -> None:
    for measurers in [(), (Light(),), (Colours(), Sharpness())]:
        one = store(*measurers)
        _, image = one.measure(FILES["png"])
        assert image.content.keys() == {measurer.id for measurer in measurers}
        assert remember(tmp_path, one) == 1

    for measurers in [(Light(), Sharpness()), (Colours(),), ()]:
        one = store(*measurers)
        _, image = one.measure(FILES["png"])
        assert image.content == measure(FILES["png"], *measurers).content if measurers else not image.content
        assert remember(tmp_path, one) == 0


def test_another_version_of_a_measurer_measures_anew(tmp_path: Path, store: Open) -> None:
    old = store(Light())
    old.measure(FILES["png"])
    remember(tmp_path, old)

    one = store(Light(id="light of another version"))
    _, image = one.measure(FILES["png"])

    assert image.content.keys() == {"light of another version"}
    assert remember(tmp_path, one) == 1


def test_rule_that_is_ignored_in_all_files_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.jsonl"
    write_jsonl(path, [build_example("What is this?", "A shape.", [FILES["jpeg"]])])
    looked: list[bytes] = []
    measure_one = Light.measure
    monkeypatch.setattr(Light, "measure", lambda *given: looked.append(b"") or measure_one(*given))

    report = lint(path, extend_select=["image/dark"], ignore=["image/dark"], offline=True, cache=False)

    (rule,) = (one for one in report.rules if one.id == "image/dark")
    assert (rule.tally, rule.reason, looked) == (Tally(), "on request", [])
    lint(path, extend_select=["image/dark"], offline=True, cache=False)
    assert looked
