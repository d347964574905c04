"""Images, examples and files that are built, and the example datasets built with them."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat, PngImagePlugin

from pytest_vft import FewShot, UsageError, build_example, encode_image, evaluate, write_jsonl

EXAMPLES = Path(__file__).parents[1] / "examples"
URL = "https://example.com/cover.jpg"
ORIENTATION, CAMERA = 0x0112, 0x0110


def drawn(mode: str = "RGB", size: tuple[int, int] = (16, 12), seen: str = "teal") -> Image.Image:
    return Image.new("RGB", size, seen).convert(mode)


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def payload(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2], validate=True)


def decoded(url: str) -> Image.Image:
    """Return the image of a data URL, whose media type must be that of the image."""
    image = Image.open(io.BytesIO(payload(url)))
    image.load()
    assert url.startswith(f"data:{Image.MIME[image.format or '']};base64,")
    return image


def is_near(image: Image.Image, colour: tuple[int, ...], at: tuple[int, int] = (3, 3)) -> bool:
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    return len(found) == len(colour) and all(abs(a - b) < 6 for a, b in zip(found, colour, strict=True))


def question_about(images: Any, **options: Any) -> dict[str, Any]:
    """Return the user message about *images*."""
    message: dict[str, Any] = build_example("What is it?", "Tea", images, **options)["messages"][-2]
    return message


# Images


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_encodes_in_the_format_asked_for(format_: Any) -> None:
    image = decoded(encode_image(drawn(), format=format_))

    assert (image.format, image.mode, image.size) == (format_, "RGB", (16, 12))


def test_is_jpeg_by_default() -> None:
    assert encode_image(drawn()).startswith("data:image/jpeg;base64,/9j/")


def test_is_png_by_default_if_it_can_be_seen_through() -> None:
    image = decoded(encode_image(Image.new("RGBA", (8, 8), (200, 10, 10, 90))))

    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.getpixel((0, 0)) == (200, 10, 10, 90)


def test_an_opaque_alpha_channel_is_no_transparency() -> None:
    image = decoded(encode_image(drawn("RGBA")))

    assert (image.format, image.mode) == ("JPEG", "RGB")


def test_jpeg_puts_transparency_on_white() -> None:
    see_through = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    see_through.paste((200, 0, 0, 255), (0, 8, 16, 16))

    image = decoded(encode_image(see_through, format="JPEG"))

    assert is_near(image, (255, 255, 255))
    assert is_near(image, (200, 0, 0), at=(8, 14))


def test_webp_keeps_transparency() -> None:
    image = decoded(encode_image(Image.new("RGBA", (8, 8), (200, 10, 10, 0)), format="WEBP"))

    assert image.mode == "RGBA"


@pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
def test_less_quality_takes_fewer_bytes(format_: Any) -> None:
    noise = Image.effect_noise((64, 64), 80)

    assert len(encode_image(noise, format=format_, quality=20)) < len(
        encode_image(noise, format=format_, quality=95)
    )


def test_leaves_the_image_as_it_was() -> None:
    grey = drawn("L")
    grey.info["comment"] = b"mine"

    encode_image(grey)

    assert (grey.mode, grey.info) == ("L", {"comment": b"mine"})


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "P", "PA"])
def test_keeps_the_colour_of_every_colour_mode(mode: str) -> None:
    slate = drawn(seen="slategrey")  # pale enough to stand in each of them
    source = slate.quantize(4) if mode in {"P", "PA"} else slate

    image = decoded(encode_image(source.convert(mode), format="PNG"))

    assert image.mode == "RGB"
    assert is_near(image, (112, 128, 144))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La"])
def test_grey_becomes_rgb(mode: str) -> None:
    white = drawn("L", seen="white")
    through_alpha = white.convert("LA").convert(mode) if mode == "La" else white.convert(mode)

    image = decoded(encode_image(through_alpha, format="PNG"))

    assert image.mode == "RGB"
    assert image.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_alpha_becomes_rgba(mode: str) -> None:
    half = Image.new("LA", (8, 8), (200, 128))
    source = half.convert(mode) if mode in {"LA", "La"} else half.convert("RGBA").convert(mode)

    image = decoded(encode_image(source))

    assert image.mode == "RGBA"
    assert is_near(image, (200, 200, 200, 128))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("P", {"transparency": 0}),
        ("P", {"transparency": bytes([0, 255])}),
        ("RGB", {"transparency": (0, 128, 128)}),
        ("L", {"transparency": 90}),
        ("1", {"transparency": 0}),
    ],
)
def test_a_transparent_colour_becomes_rgba(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    image = drawn("RGB").quantize(2) if mode == "P" else drawn(mode)
    file = tmp_path / "cover.png"
    file.write_bytes(saved(image, "PNG", **options))
    with Image.open(file) as written:
        assert "transparency" in written.info

    image = decoded(encode_image(file, format="PNG"))

    assert image.mode == "RGBA"


DEEP = ["I;16", "I;16L", "I;16B", "I"]


def row(mode: str, levels: Sequence[float]) -> Image.Image:
    image = Image.new(mode, (len(levels), 1))
    for column, level in enumerate(levels):
        image.putpixel((column, 0), level)
    return image


def greys(image: Any) -> list[int]:
    """Return the values of the first row of *image*, encoded, which must be grey."""
    encoded = decoded(encode_image(image, format="PNG"))
    found = [encoded.getpixel((column, 0)) for column in range(encoded.width)]
    assert all(pixel == (pixel[0],) * 3 for pixel in found)  # type: ignore[index]  # RGB
    return [pixel[0] for pixel in found]  # type: ignore[index]  # as above


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([0, 128, 255], [0, 128, 255]),  # 8-bit values
        ([7, 50, 200], [7, 50, 200]),
        ([0, 2048, 4095], [0, 128, 255]),  # 12-bit values
        ([1000, 1050, 1100], [0, 128, 255]),
        ([0, 32768, 65535], [0, 128, 255]),
    ],
)
def test_grey_of_more_than_8_bits_is_stretched_and_8_bit_values_are_kept(
    mode: str, levels: list[int], expected: list[int]
) -> None:
    assert greys(row(mode, levels)) == expected


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize(
    ("level", "expected"), [(0, 0), (7, 7), (255, 255), (4095, 255), (32896, 128), (65535, 255)]
)
def test_an_image_of_one_value_keeps_the_scale_of_its_bits(mode: str, level: int, expected: int) -> None:
    assert greys(row(mode, [level, level])) == [expected, expected]


@pytest.mark.parametrize("levels", [[0, 2048, 4095], [7, 50, 200]])
def test_a_sixteen_bit_file_is_like_its_image(tmp_path: Path, levels: list[int]) -> None:
    deep = row("I;16", levels)
    (tmp_path / "deep.png").write_bytes(saved(deep, "PNG", transparency=levels[0]))
    (tmp_path / "deep.tif").write_bytes(saved(deep, "TIFF"))

    assert greys(tmp_path / "deep.png") == greys(tmp_path / "deep.tif") == greys(deep)


@pytest.mark.parametrize(
    ("mode", "levels"), [("I", [-70, 0, 70]), ("F", [0.0, 0.5, 1.0]), ("I", [1000, 51000, 101000])]
)
def test_a_mode_without_a_scale_is_stretched(mode: str, levels: list[float]) -> None:
    deep = Image.new(mode, (3, 1))
    for column, level in enumerate(levels):
        deep.putpixel((column, 0), level)

    image = decoded(encode_image(deep, format="PNG"))

    assert [image.getpixel((column, 0)) for column in range(3)] == [
        (level, level, level) for level in (0, 128, 255)
    ]


def test_a_flat_image_of_floats_is_black() -> None:
    assert greys(row("F", [0.5, 0.5])) == [0, 0]


# What else is an image


def handed(data: bytes, tmp_path: Path) -> Iterator[Any]:
    """Yield what stands for the file *data*: bytes, file objects, and rows of Hugging Face."""
    (tmp_path / "cover.png").write_bytes(data)
    written = io.BytesIO()
    written.write(data)
    yield from (data, bytearray(data), memoryview(data), io.BytesIO(data), written)
    yield (tmp_path / "cover.png").open("rb")
    yield {"bytes": data, "path": None}
    yield {"bytes": data, "path": "elsewhere.png"}
    yield {"bytes": None, "path": str(tmp_path / "cover.png")}
    yield {"path": tmp_path / "cover.png"}


@pytest.mark.parametrize("form", ["fit", "grey"])
def test_bytes_files_and_rows_are_like_the_path(tmp_path: Path, form: str) -> None:
    data = saved(drawn() if form == "fit" else drawn("L"), "PNG")
    (tmp_path / "given.png").write_bytes(data)
    expected = encode_image(tmp_path / "given.png")

    assert (payload(expected) == data) == (form == "fit")
    for image in handed(data, tmp_path):
        assert encode_image(image) == expected
        assert question_about(image) == question_about(tmp_path / "given.png")
        assert question_about([image, image]) == question_about([tmp_path / "given.png"] * 2)
        if hasattr(image, "close"):
            image.close()


class Array:
    """An array with the interface of NumPy's, and nothing else of it."""

    def __init__(self, shape: tuple[int, ...], typestr: str, data: bytes) -> None:
        size = int(typestr[2:])
        strides = tuple(math.prod(shape[axis + 1 :]) * size for axis in range(len(shape)))
        self.__array_interface__ = {"shape": shape, "typestr": typestr, "strides": strides, "version": 3}
        self._data = data

    def tobytes(self) -> bytes:
        return self._data

    def __getitem__(self, _: object) -> Array:
        """Return the first channel, of one."""
        return Array(self.__array_interface__["shape"][:2], self.__array_interface__["typestr"], self._data)


@pytest.mark.parametrize(
    ("array", "mode", "expected"),
    [
        (Array((8, 8, 3), "|u1", bytes([200, 10, 90]) * 64), "RGB", (200, 10, 90)),
        (Array((8, 8, 4), "|u1", bytes([200, 10, 90, 70]) * 64), "RGBA", (200, 10, 90, 70)),
        (Array((8, 8), "|u1", bytes([90]) * 64), "RGB", (90, 90, 90)),
        (Array((8, 8, 1), "|u1", bytes([90]) * 64), "RGB", (90, 90, 90)),
        (Array((8, 8), "<u2", (4095).to_bytes(2, "little") * 64), "RGB", (255, 255, 255)),
    ],
)
def test_an_array_is_an_image(array: Any, mode: str, expected: tuple[int, ...]) -> None:
    image = decoded(encode_image(array, format="PNG"))

    assert (image.mode, image.getpixel((3, 3))) == (mode, expected)
    assert (
        question_about(array, format="PNG")["content"][1:]
        == question_about([array], format="PNG")["content"][1:]
    )


def test_an_array_of_numpy_is_an_image() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros((8, 6, 3), "uint8")
    array[..., 0] = 200

    image = decoded(encode_image(array[::-1, ::2], format="PNG"))
    assert (image.size, image.getpixel((0, 0))) == ((3, 8), (200, 0, 0))
    assert greys(numpy.array([[0, 2048, 4095]], "uint16")) == [0, 128, 255]
    assert greys(numpy.array([[[7], [50], [200]]], "uint8")) == [7, 50, 200]
    assert greys(numpy.array([[0.0, 0.5, 1.0]], "float32")) == [0, 128, 255]
    assert greys(numpy.array([[False, True]])) == [0, 255]


@pytest.mark.parametrize(
    "array",
    [
        Array((8, 8, 3), "<f4", bytes(768)),
        Array((3, 8, 8), "|u1", bytes(192)),
        Array((8,), "|u1", bytes(8)),
        Array((8, 8), "|i1", bytes(64)),
    ],
)
def test_an_array_of_another_kind_is_named(array: Any) -> None:
    interface = array.__array_interface__
    kind = f"its shape is {interface['shape']} and its type {interface['typestr']}"

    with pytest.raises(UsageError, match=re.escape(f"the array cannot be encoded (TypeError: {kind}")):
        encode_image(array)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(odd: float) -> None:
    pixels = struct.pack("<4f", 0.0, odd, 1.0, 0.5)

    with pytest.raises(UsageError, match="values that are not numbers or are infinite"):
        encode_image(Array((2, 2), "<f4", pixels))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            b"\xff\xd8",
            "the image (2 bytes) cannot be encoded (UnidentifiedImageError: cannot identify image file)",
        ),
        (
            io.BytesIO(),
            "the image (0 bytes) cannot be encoded (UnidentifiedImageError: cannot identify image file)",
        ),
        ({"bytes": b"x", "path": "a.png"}, "a.png cannot be encoded (UnidentifiedImageError: "),
        ({"bytes": None, "path": None}, "an image is a mapping without bytes and path; expected {"),
        ({}, "an image is a mapping without bytes and path; expected {"),
        ({"bytes": 1}, "an image is of type int; expected a Pillow image, a path, bytes, "),
        ({"path": "missing.png"}, "missing.png cannot be encoded (FileNotFoundError: "),
        (io.StringIO("x"), "an image is of type StringIO; expected a Pillow image, a path, bytes, "),
    ],
)
def test_content_that_is_no_image_is_named(image: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        encode_image(image)


@pytest.mark.parametrize(
    ("format_", "mode"),
    [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("WEBP", "RGBA")],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_that_is_fit_is_used_byte_for_byte(
    tmp_path: Path, format_: str, mode: str, kind: Callable[[Path], str | Path]
) -> None:
    data = saved(Image.new(mode, (16, 12), (1, 2, 3, 40)[: len(mode)]), format_)
    (tmp_path / "cover").write_bytes(data)  # what it is stands in its bytes, not in its name

    url = encode_image(kind(tmp_path / "cover"), quality=1)

    assert url.startswith(f"data:image/{format_.lower()};base64,")
    assert payload(url) == data


def test_a_file_is_encoded_anew_if_a_format_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "cover.png").write_bytes(saved(drawn(), "PNG", compress_level=0))

    data = payload(encode_image(tmp_path / "cover.png", format="PNG"))

    assert data != (tmp_path / "cover.png").read_bytes()


@pytest.mark.parametrize(
    ("format_", "mode"),
    [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "P"), ("PNG", "LA"), ("GIF", "P"), ("TIFF", "RGB")],
)
def test_a_file_of_another_mode_or_format_is_encoded_anew(tmp_path: Path, format_: str, mode: str) -> None:
    (tmp_path / "cover").write_bytes(saved(drawn(mode), format_))

    image = decoded(encode_image(tmp_path / "cover"))

    assert (image.format, image.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "GIF"])
def test_of_several_frames_the_first_counts(tmp_path: Path, format_: str) -> None:
    later = [drawn(seen="white"), drawn(seen="black")]
    (tmp_path / "film").write_bytes(saved(drawn(), format_, save_all=True, append_images=later))

    image = decoded(encode_image(tmp_path / "film", format="PNG"))

    assert getattr(image, "n_frames", 1) == 1
    assert is_near(image, (0, 128, 128))
    assert payload(encode_image(tmp_path / "film")) != (tmp_path / "film").read_bytes()


def test_of_an_open_file_the_current_frame_counts() -> None:
    film = Image.open(io.BytesIO(saved(drawn(), "GIF", save_all=True, append_images=[drawn(seen="white")])))
    film.seek(1)

    assert is_near(decoded(encode_image(film)), (255, 255, 255))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags[CAMERA] = "Camera 9"
    return tags


TURNED = [  # Orientation, and where the corner that is white in the file stands when seen upright.
    (1, "top left"),
    (2, "top right"),
    (3, "bottom right"),
    (4, "bottom left"),
    (5, "top left"),
    (6, "top right"),
    (7, "bottom right"),
    (8, "bottom left"),
]


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "corner"), TURNED)
@pytest.mark.parametrize("opened", [False, True])
def test_exif_rotation_is_carried_out_and_exif_left_out(
    tmp_path: Path, format_: str, orientation: int, corner: str, *, opened: bool
) -> None:
    lying = Image.new("RGB", (64, 32), "black")
    lying.paste("white", (0, 0, 16, 16))
    file = tmp_path / "photo"
    file.write_bytes(saved(lying, format_, exif=exif(orientation)))

    image = decoded(encode_image(Image.open(io.BytesIO(file.read_bytes())) if opened else file))

    width, height = image.size
    assert (width, height) == ((64, 32) if orientation <= 4 else (32, 64))
    x = 8 if "left" in corner else width - 8
    y = 8 if "top" in corner else height - 8
    assert is_near(image, (255, 255, 255), at=(x, y))
    assert is_near(image, (0, 0, 0), at=(width - x, height - y))
    assert not image.getexif()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_not_carried_over(format_: Any) -> None:
    marked = drawn()
    marked.info |= {"comment": b"SECRET", "icc_profile": b"SECRET", "xmp": b"SECRET", "dpi": (7, 7)}

    assert b"SECRET" not in payload(encode_image(marked, format=format_))


def png_with_text() -> bytes:
    note = PngImagePlugin.PngInfo()
    note.add_text("Author", "SECRET")
    return saved(drawn(), "PNG", pnginfo=note)


def jpeg_with_iptc() -> bytes:
    block = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x06SECRET"
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    return saved(drawn(), "JPEG", extra=segment)


@pytest.mark.parametrize(
    "data",
    [
        saved(drawn(), "JPEG", xmp=b"<x>SECRET</x>"),
        saved(drawn(), "WEBP", xmp=b"<x>SECRET</x>"),
        jpeg_with_iptc(),
        png_with_text(),
    ],
    ids=["jpeg-xmp", "webp-xmp", "jpeg-iptc", "png-text"],
)
def test_a_file_with_metadata_is_encoded_anew(tmp_path: Path, data: bytes) -> None:
    assert b"SECRET" in data
    (tmp_path / "photo").write_bytes(data)

    assert b"SECRET" not in payload(encode_image(tmp_path / "photo"))


@pytest.mark.parametrize("name", ["jpeg", "JPG", "GIF", "", 1, ["PNG"]])
def test_unknown_format(name: Any) -> None:
    with pytest.raises(UsageError, match=f'format is {re.escape(repr(name))}; expected "JPEG", "PNG", "W'):
        encode_image(drawn(), format=name)


@pytest.mark.parametrize("quality", [0, 101, -1, 85.0, True, None, "85"])
def test_quality_out_of_range(quality: Any) -> None:
    with pytest.raises(UsageError, match=f"quality is {quality!r}; expected a whole number from 1 to 100"):
        encode_image(drawn(), quality=quality)


@pytest.mark.parametrize(("image", "kind"), [(None, "None"), (7, "of type int")])
def test_not_a_image(image: Any, kind: str) -> None:
    with pytest.raises(UsageError, match=f"an image is {kind}; expected a Pillow image"):
        encode_image(image)


@pytest.mark.parametrize("url", [URL, "data:image/png;base64,AAAA"])
def test_a_url_is_not_encoded(url: str) -> None:
    with pytest.raises(UsageError, match=r"a Pillow image, a path, bytes, .*, not a URL"):
        encode_image(url)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.png cannot be encoded \(FileNotFoundError: "):
        encode_image(tmp_path / "missing.png")


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path} cannot be encoded (")):
        encode_image(tmp_path)


def test_a_file_without_a_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")

    with pytest.raises(UsageError, match=r"notes\.txt cannot be encoded \(UnidentifiedImageError: "):
        encode_image(tmp_path / "notes.txt")


@pytest.mark.parametrize("format_", [None, "PNG"])
def test_a_truncated_file_is_refused(tmp_path: Path, format_: Any) -> None:
    data = saved(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])

    with pytest.raises(UsageError, match=r"cut\.jpg cannot be encoded \(OSError: .*truncated"):
        encode_image(tmp_path / "cut.jpg", format=format_)


def test_a_truncated_image_is_refused() -> None:
    data = saved(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")
    cut = Image.open(io.BytesIO(data[: len(data) // 2]))

    with pytest.raises(UsageError, match=r"the image \(RGB, 64x64\) cannot be encoded \(OSError: "):
        encode_image(cut)


def test_a_image_too_large_for_its_format_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the image \(RGB, 16384x1\) cannot be encoded"):
        encode_image(drawn(size=(16384, 1)), format="WEBP")


# Examples


def test_builds_the_smallest_example() -> None:
    assert build_example("What is it?", "Tea") == {
        "messages": [
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "Tea"},
        ]
    }


def test_builds_the_whole_example() -> None:
    example = build_example(
        "Who wrote this book?",
        "Ida Moss",
        URL,
        system="Answer briefly.",
        few_shot=[
            FewShot("Is this a book?", "Yes", "data:image/png;base64,AAAA"),
            ("Is this a poem?", "No", None),
            FewShot("Is this prose?", "Yes"),
        ],
        detail="low",
    )

    assert example == {
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Is this a book?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"},
                    },
                ],
            },
            {"role": "assistant", "content": "Yes", "weight": 0},
            {"role": "user", "content": "Is this a poem?"},
            {"role": "assistant", "content": "No", "weight": 0},
            {"role": "user", "content": "Is this prose?"},
            {"role": "assistant", "content": "Yes", "weight": 0},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Who wrote this book?"},
                    {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
                ],
            },
            {"role": "assistant", "content": "Ida Moss"},
        ]
    }


def test_a_test_split_leaves_the_answer_out() -> None:
    example = build_example("Who?", image=URL, few_shot=[("Who?", "Ida", URL)])

    assert [message["role"] for message in example["messages"]] == ["user", "assistant", "user"]


def test_an_empty_answer_is_an_answer() -> None:
    assert build_example("Who?", "")["messages"][-1] == {"role": "assistant", "content": ""}


@pytest.mark.parametrize("url", [URL, "http://example.com/a.png", "HTTPS://EXAMPLE.COM/A", "data:,"])
def test_a_url_is_used_as_it_is(url: str) -> None:
    assert question_about(url)["content"][1] == {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_images_keep_their_order(
    tmp_path: Path, kind: Callable[[list[Any]], list[Any] | tuple[Any, ...]]
) -> None:
    (tmp_path / "cover.png").write_bytes(saved(drawn(seen="navy"), "PNG"))

    content = question_about(
        kind([drawn(), tmp_path / "cover.png", str(tmp_path / "cover.png"), URL]), detail="auto"
    )["content"]

    urls = [part["image_url"]["url"] for part in content[1:]]
    cover = encode_image(tmp_path / "cover.png")
    assert content[0] == {"type": "text", "text": "What is it?"}
    assert urls == [encode_image(drawn()), cover, cover, URL]
    assert {part["image_url"]["detail"] for part in content[1:]} == {"auto"}


@pytest.mark.parametrize("images", [None, [], ()])
def test_a_turn_without_images_is_plain_text(images: Any) -> None:
    assert question_about(images) == {"role": "user", "content": "What is it?"}


def test_format_and_quality_reach_every_image() -> None:
    example = build_example(
        "Who?", "Ida", drawn(), few_shot=[("Who?", "Eve", drawn())], format="WEBP", quality=9
    )

    expected = encode_image(drawn(), format="WEBP", quality=9)
    for message in (example["messages"][0], example["messages"][2]):
        assert message["content"][1]["image_url"]["url"] == expected


@pytest.mark.parametrize("detail", ["medium", "", "LOW", 1, ["low"]])
def test_unknown_detail(detail: Any) -> None:
    with pytest.raises(UsageError, match=f'detail is {re.escape(repr(detail))}; expected "low", "high", "a'):
        build_example("Who?", "Ida", detail=detail)


@pytest.mark.parametrize("options", [{"format": "GIF"}, {"quality": 0}])
def test_arguments_are_checked_without_a_image(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        build_example("Who?", "Ida", URL, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": None}, "question is None; expected a str"),
        ({"question": ["Who?"]}, "question is of type list; expected a str"),
        ({"answer": 7}, "answer is of type int; expected a str"),
        ({"system": {}}, "system is of type dict; expected a str"),
        ({"few_shot": [("Who?", None, None)]}, "the answer of few_shot[0] is None; expected a str"),
        ({"few_shot": [(7, "Ida", None)]}, "the question of few_shot[0] is of type int; expected a str"),
        (
            {"few_shot": [("Who?", "Ida", None), ("Who?", "Eve")]},
            "few_shot[1] is of type tuple; expected FewShot(question, answer, image)",
        ),
        (
            {"few_shot": FewShot("Who?", "Ida")},
            "few_shot[0] is of type str; expected FewShot(question, answer, image)",
        ),
        ({"image": 7}, "an image is of type int; expected a Pillow image, a path, bytes, "),
        ({"image": [URL, None]}, "an image is None; expected a Pillow image, a path, bytes, "),
        (
            {"image": iter([URL])},
            "an image is of type list_iterator; expected a Pillow image, a path, bytes, ",
        ),
        ({"image": "missing.png"}, "missing.png cannot be encoded (FileNotFoundError: "),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        build_example(**{"question": "Who?", "answer": "Ida"} | arguments)


# Files


def test_writes_one_example_a_line(tmp_path: Path) -> None:
    examples = [build_example("Qui ?\n«\u2028»", "Zoë 😀"), {"messages": []}]

    assert write_jsonl(tmp_path / "train.jsonl", examples) == 2

    lines = (tmp_path / "train.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line) for line in lines[:2]] == examples
    assert lines[2:] == [b""]
    assert "Zoë 😀".encode() in lines[0]


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_takes_any_iterable_and_path(tmp_path: Path, kind: Callable[[list[Any]], Any]) -> None:
    assert write_jsonl(str(tmp_path / "train.jsonl"), kind([{"messages": []}] * 3)) == 3


def test_no_examples_are_an_empty_file(tmp_path: Path) -> None:
    assert write_jsonl(tmp_path / "train.jsonl", []) == 0
    assert (tmp_path / "train.jsonl").read_bytes() == b""


def test_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("old")

    write_jsonl(tmp_path / "train.jsonl", [{}])

    assert (tmp_path / "train.jsonl").read_bytes() == b"{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "train.jsonl")

    write_jsonl(tmp_path / "link.jsonl", [{}])

    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "train.jsonl").read_bytes() == b"{}\n"


def failing() -> Iterator[dict[str, Any]]:
    yield {}
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "train.jsonl"
    if before is not None:
        file.write_bytes(before)

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(file, failing())

    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if before is None else [before])


def looped() -> dict[str, Any]:
    example: dict[str, Any] = {}
    example["messages"] = [example]
    return example


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        ({"messages": {1, 2}}, "cannot be written as JSON: Object of type set"),
        ({"messages": float("nan")}, "cannot be written as JSON: Out of range float"),
        ({"messages": "\ud800"}, "cannot be written as JSON: 'utf-8' codec"),
        (looped(), "cannot be written as JSON: Circular reference"),
        ("messages", "is of type str; expected a dict"),
        (None, "is None; expected a dict"),
    ],
)
def test_an_example_that_is_no_json_object_is_named(tmp_path: Path, example: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=f"example 2 {reason}"):
        write_jsonl(tmp_path / "train.jsonl", [{}, example])

    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_jsonl(tmp_path / "missing" / "train.jsonl", [{}])


def test_importing_it_does_not_import_pillow() -> None:
    program = "import sys, pytest_vft.building; sys.exit('PIL' in sys.modules)"

    subprocess.run([sys.executable, "-c", program], check=True)


# The example datasets

BOOKS = ("books/train.jsonl", "books/validation.jsonl", "books/test.jsonl")
FAULTY = ("faulty/train.jsonl", "faulty/validation.jsonl")
PLANTED: list[dict[str, Any]] = json.loads((EXAMPLES / "faulty" / "planted.json").read_bytes())
PAYLOAD = re.compile(rb'base64,([^"]*)')


def examples(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / path).read_bytes().splitlines()]


def target_of(example: dict[str, Any]) -> dict[str, Any]:
    target: dict[str, Any] = [m for m in example["messages"] if m["role"] == "user"][-1]
    return target


def urls_of(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    return [p["image_url"]["url"] for p in content if p["type"] == "image_url"] if content else []


def planted_line(rule: str) -> bytes:
    place = next(fault for fault in PLANTED if fault["rule"] == rule)
    lines = (EXAMPLES / "faulty" / place["path"]).read_bytes().splitlines()
    return lines[place["line"] - 1]


def planted_image(rule: str) -> str:
    return urls_of(target_of(json.loads(planted_line(rule))))[-1]


@pytest.fixture(scope="session")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    subprocess.run([sys.executable, EXAMPLES / "draw_examples.py", folder], check=True)
    return folder


def look_alike(one: bytes, other: bytes) -> bool:
    """Say whether both payloads show nearly the same image, or both show none."""
    pixels = []
    for text in (one, other):
        try:
            with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
                pixels.append((image.format, image.mode, image.convert("RGB")))
        except (OSError, ValueError) as error:
            pixels.append(("broken", type(error).__name__, Image.new("RGB", (1, 1))))
    (*kind, image), (*other_kind, other_image) = pixels
    if kind != other_kind or image.size != other_image.size:
        return False
    return max(ImageStat.Stat(ImageChops.difference(image, other_image)).mean) < 4


@pytest.mark.parametrize("path", [*BOOKS, *FAULTY, "faulty/planted.json"])
def test_the_script_draws_the_shipped_examples(redrawn: Path, path: str) -> None:
    # Texts byte for byte, images by their looks: another Pillow may bring another encoder.
    shipped, drawn = (EXAMPLES / path).read_bytes(), (redrawn / path).read_bytes()

    assert PAYLOAD.sub(b"", drawn) == PAYLOAD.sub(b"", shipped)
    pairs = set(zip(PAYLOAD.findall(drawn), PAYLOAD.findall(shipped), strict=True))
    assert all(one == other or look_alike(one, other) for one, other in pairs)


def test_the_script_draws_the_same_bytes_on_each_run(redrawn: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "draw_examples.py", tmp_path], check=True)

    assert {path: (redrawn / path).read_bytes() for path in (*BOOKS, *FAULTY)} == {
        path: (tmp_path / path).read_bytes() for path in (*BOOKS, *FAULTY)
    }


def test_different_images_do_not_look_alike() -> None:
    covers = [PAYLOAD.findall(line)[-1] for line in (EXAMPLES / BOOKS[0]).read_bytes().splitlines()]

    assert not look_alike(covers[0], covers[1])
    assert not look_alike(covers[0], b"AAAA")


def test_the_examples_stay_small() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".pyc"]

    assert sum(path.stat().st_size for path in files) < 620_000


@pytest.mark.parametrize(("path", "count"), list(zip(BOOKS, (24, 8, 8), strict=True)))
def test_every_split_has_the_shape_of_the_notebook(path: str, count: int) -> None:
    split = examples(path)

    assert len(split) == count
    for example in split:
        roles = [message["role"] for message in example["messages"]]
        weights = [m.get("weight") for m in example["messages"] if m["role"] == "assistant"]
        answers = [] if "test" in path else [None]
        assert roles[:6] == ["system", "user", "assistant", "user", "assistant", "user"]
        assert weights == [0, 0, *answers]
        assert re.match(r"Question \[\d+\]: ", target_of(example)["content"][0]["text"])


def test_every_image_of_the_books_is_fit() -> None:
    images = {
        url
        for path in BOOKS
        for example in examples(path)
        for message in example["messages"]
        if message["role"] == "user"
        for url in urls_of(message)
    }

    assert len(images) == 22
    assert {decoded(url).mode for url in images} == {"RGB"}


def test_splits_share_no_target_and_no_image() -> None:
    splits = [examples(path) for path in BOOKS]
    numbered = Counter(target_of(e)["content"][0]["text"] for split in splits for e in split)
    images = [{urls_of(target_of(example))[0] for example in split} for split in splits]
    shown = {
        url
        for split in splits
        for example in split
        for message in example["messages"][:5]
        if message["role"] == "user"
        for url in urls_of(message)
    }

    assert max(numbered.values()) == 1
    assert len(set.union(*images)) == sum(map(len, images)) == 20
    assert not shown & set.union(*images)
    assert [len(split) for split in images] == [12, 4, 4]


def test_yes_and_no_are_both_answers() -> None:
    answers = Counter(example["messages"][-1]["content"] for example in examples(BOOKS[0]))

    assert answers["Yes"] == answers["No"] == 3


def test_one_fault_is_planted_of_each_kind() -> None:
    rules = [fault["rule"] for fault in PLANTED]
    places = [(fault["path"], fault["line"]) for fault in PLANTED]

    assert sorted(rules) == [
        "dataset/split-leak",
        "example/invalid-shape",
        "example/too-many-images",
        "image/invalid-base64",
        "image/invalid-detail",
        "image/truncated",
        "image/undecodable",
        "image/unsupported-format",
        "image/unsupported-mode",
        "line/invalid-json",
        "line/not-utf8",
        "message/assistant-image",
    ]
    assert len(set(places)) == len(places)


def test_the_other_lines_are_clean() -> None:
    planted = {(fault["path"], fault["line"]) for fault in PLANTED}
    for path in FAULTY:
        lines = (EXAMPLES / path).read_bytes().splitlines()
        clean = [
            json.loads(line)
            for number, line in enumerate(lines, start=1)
            if (Path(path).name, number) not in planted
        ]

        assert len(clean) == {"train": 7, "validation": 3}[Path(path).stem]
        for example in clean:
            roles = [message["role"] for message in example["messages"]]
            assert roles == ["system", "user", "assistant", "user", "assistant"]
            assert decoded(urls_of(target_of(example))[0]).mode == "RGB"


def test_planted_faults_of_lines() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(planted_line("line/invalid-json"))
    with pytest.raises(UnicodeDecodeError):
        planted_line("line/not-utf8").decode()
    assert json.loads(planted_line("line/not-utf8").decode("cp1252"))


def test_planted_faults_of_examples() -> None:
    roles = [message.get("role") for message in json.loads(planted_line("example/invalid-shape"))["messages"]]
    many = json.loads(planted_line("example/too-many-images"))
    answer = json.loads(planted_line("message/assistant-image"))["messages"][-1]
    detail = target_of(json.loads(planted_line("image/invalid-detail")))["content"][1]["image_url"]["detail"]
    leak = target_of(json.loads(planted_line("dataset/split-leak")))

    assert roles == ["system", "user", "assistant", None, "assistant"]
    assert sum(len(urls_of(m)) for m in many["messages"] if m["role"] == "user") == 11
    assert answer["role"] == "assistant"
    assert len(urls_of(answer)) == 1
    assert detail == "medium"
    assert leak == target_of(json.loads((EXAMPLES / FAULTY[0]).read_bytes().splitlines()[0]))


def test_planted_faults_of_images() -> None:
    with pytest.raises(ValueError, match="base64"):
        payload(planted_image("image/invalid-base64"))
    corrupt = payload(planted_image("image/undecodable"))
    assert corrupt.startswith(b"\x89PNG\r\n\x1a\n")
    assert corrupt.endswith(b"IEND\xaeB`\x82")
    with pytest.raises(OSError, match="broken data stream"):
        decoded(planted_image("image/undecodable"))
    assert Image.open(io.BytesIO(payload(planted_image("image/truncated")))).mode == "RGB"
    with pytest.raises(OSError, match="truncated"):
        decoded(planted_image("image/truncated"))
    assert decoded(planted_image("image/unsupported-format")).format == "GIF"
    assert decoded(planted_image("image/unsupported-mode")).mode == "CMYK"


# Test splits


def test_id_and_truth_become_keys_for_an_evaluation(tmp_path: Path) -> None:
    example = build_example("Is this a cookbook?", id=7, truth="Yes")

    assert list(example) == ["id", "truth", "messages"]
    assert (example["id"], example["truth"], len(example["messages"])) == (7, "Yes", 1)
    write_jsonl(tmp_path / "test.jsonl", [example])
    write_jsonl(tmp_path / "predictions.jsonl", [{"id": 7, "prediction": "yes"}])
    evaluation = evaluate(tmp_path / "predictions.jsonl", test=tmp_path / "test.jsonl")
    assert evaluation.assert_min_accuracy(1.0).ok


def test_id_may_stand_beside_an_answer() -> None:
    assert list(build_example("What?", "Tea", id="a-1")) == ["id", "messages"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"id": 1.5}, "id is of type float; expected a str or an int"),
        ({"id": True}, "id is of type bool; expected a str or an int"),
        ({"truth": 1}, "truth is of type int; expected a str"),
        ({"answer": "A", "truth": "A"}, "answer and truth are both given"),
    ],
)
def test_wrong_id_or_truth_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_example("What?", **options)
