"""Draw invented book covers and write the example datasets from them.

    python examples/draw_examples.py [FOLDER]

Writes FOLDER/books, which has no findings, and FOLDER/faulty, which has; FOLDER is by default the folder
of this script. The same version of Pillow writes the same bytes in every run: random numbers are
seeded, and the font is the one that Pillow includes.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import math
import random
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pytest_vft import FewShot, build_example, encode_image, write_jsonl

Example = dict[str, Any]
Draw = ImageDraw.ImageDraw


@dataclass(frozen=True)
class Book:
    """An invented book."""

    title: str
    author: str
    genre: str


BOOKS = (
    Book("A Compiler in Winter", "Odalys Ferncastle", "Computing"),
    Book("Lanterns Under Ice", "Corwin Ashpellow", "Fantasy"),
    Book("Soup Before Sunrise", "Maren Oddleif", "Cookery"),
    Book("Nine Ferries North", "Tobin Quillstrom", "Travel"),
    Book("The Marmalade Ledger", "Perpetua Vandrake", "Mystery"),
    Book("Moss for Flat Roofs", "Ilkka Brambleby", "Gardening"),
    Book("Bread Without Hurry", "Zoe Marlunde", "Cookery"),
    Book("Salt Roads of Ombria", "Hester Kwillow", "History"),
    Book("The Patient Oboe", "Lucan Strandevoll", "Music"),
    Book("Knots and Other Letters", "Wilfreda Tancke", "Poetry"),
    Book("Tides by Numbers", "Anselm Pikkering", "Science"),
    Book("Felt, Wool and Thimble", "Bettany Rusk-Oriol", "Craft"),
    Book("Slow Trains to Velm", "Jorun Halbeck", "Travel"),
    Book("The Clockmaker Lies", "Dacre Umberfield", "Mystery"),
    Book("Pears Against a Wall", "Sunniva Crale", "Gardening"),
    Book("Queues, Stacks and Tea", "Emeric Dovetree", "Computing"),
    Book("The Otter Parliament", "Thessaly Brook-Ames", "Fantasy"),
    Book("Pickles of Four Seas", "Ragnhild Posey", "Cookery"),
    Book("Bells Over Harrowmere", "Caspian Thorle", "Music"),
    Book("Rain, Twice Translated", "Yevgenia Lunt", "Poetry"),
    Book("How Lichens Keep Time", "Mortimer Ghisk", "Science"),
    Book("Baskets From the Marsh", "Idony Fallowell", "Craft"),
)
GENRES = tuple(sorted({book.genre for book in BOOKS}))
PALETTES = (  # paper, pattern, band
    ("#f4ead5", "#c8553d", "#2d3047"),
    ("#e3f0ea", "#419d78", "#1b4332"),
    ("#eef1fb", "#5c7cfa", "#1c2a5e"),
    ("#fdf0f3", "#c9587b", "#4a1a2c"),
    ("#fff6da", "#e0a526", "#5a3e00"),
)
QUESTIONS = (
    "Who wrote this book?",
    "What is the title of this book?",
    "What is the genre of this book?",
    "Is this a {genre} book?",
)
SYSTEM = "Answer the question about the book on the picture — the answer only, no further text."


# Covers


def draw_cover(book: Book, width: int) -> Image.Image:
    """Return the cover of *book*, three by four: title, pattern, genre band, author."""
    wide = 2 * width  # drawn at twice the size and scaled down: smooth edges, fewer bytes
    chance = random.Random(book.title)  # noqa: S311 - drawing, not cryptography
    paper, ink, band = PALETTES[int(chance.random() * len(PALETTES))]
    pattern = PATTERNS[int(chance.random() * len(PATTERNS))]

    cover = Image.new("RGB", (wide, wide * 4 // 3), paper)
    panel = Image.new("RGB", (wide, wide // 2), paper)
    pattern(ImageDraw.Draw(panel), panel.size, (ink, paper), chance)
    cover.paste(panel, (0, wide // 2))
    draw = ImageDraw.Draw(cover)
    draw.rectangle((0, wide, wide, wide * 1.15), fill=band)
    write_centred(draw, (wide / 2, wide * 0.26), textwrap.fill(book.title, 12), wide * 0.13, band)
    write_centred(draw, (wide / 2, wide * 1.075), book.genre.upper(), wide * 0.085, paper)
    write_centred(draw, (wide / 2, wide * 1.245), book.author, wide * 0.085, band)
    return cover.reduce(2)


def write_centred(draw: Draw, middle: tuple[float, float], text: str, size: float, ink: str) -> None:
    font = ImageFont.load_default(size)
    draw.multiline_text(middle, text, fill=ink, font=font, anchor="mm", align="center", spacing=2)


def stripes(draw: Draw, size: tuple[int, int], inks: tuple[str, str], chance: random.Random) -> None:
    width, height = size
    step = width / (3 + 3 * chance.random())
    lean = height * (chance.random() - 0.5)
    for number in range(-2, 8):
        left = number * step
        top = left + lean
        corners = ((left, height), (top, 0), (top + step / 2, 0), (left + step / 2, height))
        draw.polygon(corners, fill=inks[0])


def discs(draw: Draw, size: tuple[int, int], inks: tuple[str, str], chance: random.Random) -> None:
    width, height = size
    for _ in range(7):
        middle = (width * chance.random(), height * chance.random())
        draw.circle(middle, width * (0.04 + 0.06 * chance.random()), fill=inks[0])


def rings(draw: Draw, size: tuple[int, int], inks: tuple[str, str], chance: random.Random) -> None:
    width, height = size
    middle = (width * (0.2 + 0.6 * chance.random()), height * chance.random())
    for number in range(8, 0, -1):
        draw.circle(middle, number * width / 9, fill=inks[number % 2])


def peaks(draw: Draw, size: tuple[int, int], inks: tuple[str, str], chance: random.Random) -> None:
    width, height = size
    for number in range(5):
        middle, half = (number + 0.5) * width / 5, width * (0.1 + 0.1 * chance.random())
        top = height * 0.7 * chance.random()
        draw.polygon(((middle - half, height), (middle, top), (middle + half, height)), inks[0])


def waves(draw: Draw, size: tuple[int, int], inks: tuple[str, str], chance: random.Random) -> None:
    width, height = size
    length = width / (1.5 + 2 * chance.random())
    for middle in (height / 6, height / 2, height * 5 / 6):
        line = [(x, middle + height / 12 * math.sin(math.tau * x / length)) for x in range(width)]
        draw.line(line, fill=inks[0], width=width // 24)


PATTERNS = (stripes, discs, rings, peaks, waves)


# Questions


def question_about(book: Book, number: int) -> tuple[str, str]:
    """Return a question and its answer; *number* selects the type of question, one of four."""
    others = [genre for genre in GENRES if genre != book.genre]
    asked = book.genre if number % 8 < len(QUESTIONS) else others[number % len(others)]
    answers = (book.author, book.title, book.genre, "Yes" if asked == book.genre else "No")
    kind = number % len(QUESTIONS)
    return QUESTIONS[kind].format(genre=asked.lower()), answers[kind]


def shown(book: Book, number: int, width: int) -> FewShot:
    """Return a few-shot turn with an encoded image, which all examples share."""
    question, answer = question_about(book, number)
    return FewShot(f"Example: {question}", answer, encode_image(draw_cover(book, width), format="WEBP"))


def ask(
    number: int, book: Book, image: Image.Image | str, few_shot: Sequence[FewShot], *, answered: bool = True
) -> Example:
    question, answer = question_about(book, number)
    return build_example(
        f"Question [{number}]: {question}",
        answer if answered else None,
        image,
        system=SYSTEM,
        few_shot=few_shot,
        detail="low",
        quality=70,
    )


# The dataset without findings


def write_books(folder: Path) -> None:
    """Write three splits without a common image; the test split has no answers."""
    folder.mkdir(parents=True, exist_ok=True)
    few_shot = [shown(BOOKS[0], 1, width=72), shown(BOOKS[1], 3, width=72)]
    numbers = itertools.count(1)

    def examples(books: Sequence[Book], *, answered: bool = True) -> Iterator[Example]:
        for book, questions in zip(books, itertools.cycle((1, 2, 3, 2))):
            cover = draw_cover(book, width=144)
            for number in itertools.islice(numbers, questions):
                yield ask(number, book, cover, few_shot, answered=answered)

    write_jsonl(folder / "train.jsonl", examples(BOOKS[2:14]))
    write_jsonl(folder / "validation.jsonl", examples(BOOKS[14:18]))
    write_jsonl(folder / "test.jsonl", examples(BOOKS[18:22], answered=False))


# The faulty dataset: faults of the bytes of a line, of an example, of an image


def without_its_end(line: bytes) -> bytes:
    return line[:-2] + b"\n"


def in_windows_1252(line: bytes) -> bytes:
    return line.decode().encode("cp1252")  # the dash of the system prompt is not UTF-8 then


def without_a_role(example: Example) -> None:
    del example["messages"][-2]["role"]


def with_eleven_images(example: Example) -> None:
    content = example["messages"][-2]["content"]
    content += [image_part(draw_cover(book, width=40)) for book in BOOKS[1:10]]


def with_an_image_as_answer(example: Example) -> None:
    answer = example["messages"][-1]
    text = {"type": "text", "text": answer["content"]}
    answer["content"] = [text, image_part(draw_cover(BOOKS[10], width=40))]


def with_medium_detail(example: Example) -> None:
    example["messages"][-2]["content"][-1]["image_url"]["detail"] = "medium"


def in_broken_base64(cover: Image.Image) -> str:
    url = encode_image(cover, quality=70)
    return url[: len(url) // 2] + "*" + url[len(url) // 2 + 1 :]


def as_corrupt_png(cover: Image.Image) -> str:
    png = bytearray(saved(cover.quantize(8).convert("RGB"), "PNG"))
    start = png.index(b"IDAT") + 4
    png[start : start + 64] = b"\xff" * 64  # not the start of a zlib stream
    return data_url("image/png", png)


def as_cut_jpeg(cover: Image.Image) -> str:
    jpeg = saved(cover, "JPEG")
    return data_url("image/jpeg", jpeg[: len(jpeg) * 2 // 3])


def as_gif(cover: Image.Image) -> str:
    return data_url("image/gif", saved(cover.quantize(8), "GIF"))


def as_cmyk_jpeg(cover: Image.Image) -> str:
    return data_url("image/jpeg", saved(cover.convert("CMYK"), "JPEG"))


FAULTS_OF_LINES = {"line/invalid-json": without_its_end, "line/not-utf8": in_windows_1252}
FAULTS_OF_EXAMPLES = {
    "example/invalid-shape": without_a_role,
    "example/too-many-images": with_eleven_images,
    "message/assistant-image": with_an_image_as_answer,
    "image/invalid-detail": with_medium_detail,
}
FAULTS_OF_IMAGES = {
    "image/invalid-base64": in_broken_base64,
    "image/undecodable": as_corrupt_png,
    "image/truncated": as_cut_jpeg,
    "image/unsupported-format": as_gif,
    "image/unsupported-mode": as_cmyk_jpeg,
}


def write_faulty(folder: Path) -> None:
    """Write a dataset with one fault of each kind, and planted.json with the places of the faults."""
    folder.mkdir(parents=True, exist_ok=True)
    few_shot = [shown(BOOKS[0], 2, width=48)]
    faults = [
        *(None, None, *FAULTS_OF_LINES),
        *(None, None, *FAULTS_OF_EXAMPLES),
        *(None, *FAULTS_OF_IMAGES, None, None),
    ]
    train = [
        faulty_line(number, BOOKS[number], fault, few_shot) for number, fault in enumerate(faults, start=1)
    ]
    validation = [
        faulty_line(number, BOOKS[number], None, few_shot) for number in range(len(train) + 1, len(BOOKS))
    ]
    leak = 2
    validation.insert(leak - 1, train[0])
    planted = [
        {"path": "train.jsonl", "line": number, "rule": fault}
        for number, fault in enumerate(faults, start=1)
        if fault
    ]
    planted.append({"path": "validation.jsonl", "line": leak, "rule": "dataset/split-leak"})

    (folder / "train.jsonl").write_bytes(b"".join(train))
    (folder / "validation.jsonl").write_bytes(b"".join(validation))
    lines = ",\n".join(f"  {json.dumps(fault)}" for fault in planted)
    (folder / "planted.json").write_bytes(f"[\n{lines}\n]\n".encode())


def faulty_line(number: int, book: Book, fault: str | None, few_shot: Sequence[FewShot]) -> bytes:
    cover = draw_cover(book, width=72)
    image = FAULTS_OF_IMAGES[fault](cover) if fault in FAULTS_OF_IMAGES else cover
    example = ask(number, book, image, few_shot)
    if fault in FAULTS_OF_EXAMPLES:
        FAULTS_OF_EXAMPLES[fault](example)
    line = json.dumps(example, ensure_ascii=False).encode() + b"\n"
    return FAULTS_OF_LINES[fault](line) if fault in FAULTS_OF_LINES else line


def image_part(image: Image.Image) -> dict[str, Any]:
    url = encode_image(image, quality=70)
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def saved(image: Image.Image, format_: str) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, quality=70)
    return file.getvalue()


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw the example datasets.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args(arguments).folder
    write_books(folder / "books")
    write_faulty(folder / "faulty")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
