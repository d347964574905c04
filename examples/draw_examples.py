"""Draw invented book covers and write the example datasets from them.

    python examples/draw_examples.py [FOLDER]

Writes FOLDER/books, which is clean, and FOLDER/faulty, which is not; FOLDER is by default the one
that this script stands in. The same version of Pillow draws the same bytes on every run: chance is
seeded, and the font is the one that Pillow brings along.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pytest_vft.building import Turn, build_example, encode_image, write_jsonl

Example = dict[str, Any]


@dataclass(frozen=True)
class Book:
    """A book that nobody wrote."""

    title: str
    author: str
    genre: str


BOOKS = (
    Book("Soup Before Sunrise", "Maren Oddleif", "Cookery"),
    Book("Nine Ferries North", "Tobin Quillstrom", "Travel"),
    Book("The Marmalade Ledger", "Perpetua Vandrake", "Mystery"),
    Book("Moss for Flat Roofs", "Ilkka Brambleby", "Gardening"),
    Book("A Compiler in Winter", "Odalys Ferncastle", "Computing"),
    Book("Lanterns Under Ice", "Corwin Ashpellow", "Fantasy"),
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
SYSTEM = "Answer the question about the book on the picture. Give the answer only."


# Covers


def draw_cover(book: Book, width: int = 192) -> Image.Image:
    """Return the cover of *book*: title, pattern, genre band, author; three wide to four high."""
    chance = random.Random(book.title)  # noqa: S311 - drawing, not cryptography
    paper, ink, band = PALETTES[int(chance.random() * len(PALETTES))]
    cover = Image.new("RGB", (width, width * 4 // 3), paper)
    draw = ImageDraw.Draw(cover)
    pattern = PATTERNS[int(chance.random() * len(PATTERNS))]
    cover.paste(pattern(width, width // 2, paper, ink, chance), (0, width // 2))
    write_centred(draw, width * 0.26, textwrap.fill(book.title, 12), width * 0.13, band)
    draw.rectangle((0, width, width, width * 1.15), fill=band)
    write_centred(draw, width * 1.075, book.genre.upper(), width * 0.085, paper)
    write_centred(draw, width * 1.245, book.author, width * 0.085, band)
    return cover


def write_centred(
    draw: ImageDraw.ImageDraw, height: float, text: str, size: float, ink: str
) -> None:
    middle = (draw.im.size[0] / 2, height)
    font = ImageFont.load_default(size)
    draw.multiline_text(middle, text, fill=ink, font=font, anchor="mm", align="center", spacing=1)


def stripes(width: int, height: int, paper: str, ink: str, chance: random.Random) -> Image.Image:
    panel = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(panel)
    step = width / (6 + 4 * chance.random())
    lean = height * (chance.random() - 0.5)
    for number in range(-3, 13):
        left = number * step
        corners = ((left, height), (left + lean, 0), (left + lean + step / 2, 0))
        draw.polygon((*corners, (left + step / 2, height)), fill=ink)
    return panel


def discs(width: int, height: int, paper: str, ink: str, chance: random.Random) -> Image.Image:
    panel = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(panel)
    for _ in range(9):
        middle = (width * chance.random(), height * chance.random())
        draw.circle(middle, width * (0.04 + 0.06 * chance.random()), fill=ink)
    return panel


def rings(width: int, height: int, paper: str, ink: str, chance: random.Random) -> Image.Image:
    panel = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(panel)
    middle = (width * (0.2 + 0.6 * chance.random()), height * chance.random())
    for number in range(10, 0, -1):
        draw.circle(middle, number * width / 12, fill=ink if number % 2 else paper)
    return panel


def peaks(width: int, height: int, paper: str, ink: str, chance: random.Random) -> Image.Image:
    panel = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(panel)
    for number in range(5):
        middle, half = (number + 0.5) * width / 5, width * (0.1 + 0.1 * chance.random())
        top = height * 0.7 * chance.random()
        draw.polygon(((middle - half, height), (middle, top), (middle + half, height)), fill=ink)
    return panel


def waves(width: int, height: int, paper: str, ink: str, chance: random.Random) -> Image.Image:
    panel = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(panel)
    length = width / (1.5 + 2 * chance.random())
    for row in range(4):
        middle = height * (row + 0.5) / 4
        swing = height / 12
        line = [(x, middle + swing * math.sin(math.tau * x / length)) for x in range(width)]
        draw.line(line, fill=ink, width=max(2, width // 32))
    return panel


PATTERNS = (stripes, discs, rings, peaks, waves)


# Questions


def question_about(book: Book, number: int) -> tuple[str, str]:
    """Return question and answer; four kinds take turns, and every other check is answered No."""
    other = next(genre for genre in GENRES[number % len(GENRES) :] + GENRES if genre != book.genre)
    asked = book.genre if number % 8 < 4 else other
    return (
        ("Who wrote this book?", book.author),
        ("What is the title of this book?", book.title),
        ("What is the genre of this book?", book.genre),
        (f"Is this a {asked.lower()} book?", "Yes" if asked == book.genre else "No"),
    )[number % 4]


def ask(number: int, image: Image.Image | str | list[Image.Image], book: Book) -> Example:
    """Return the example of that number, without context: question, picture and answer."""
    question, answer = question_about(book, number)
    numbered = f"Question [{number}]: {question}"
    return build_example(numbered, answer, image, system=SYSTEM, detail="low", quality=70)
