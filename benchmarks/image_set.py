"""Images to measure what images show with: photos out of packages, and drawn charts and documents.

Packages are fetched with apt and pip into a folder outside the repository, which holds no image.
"""

from __future__ import annotations

import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

# Debian packages with photos, and a wheel; drawings for children are left out.
DEBIAN = ("opencv-doc", "tuxpaint-stamps-default", "mate-backgrounds", "ukui-wallpapers")
WHEEL = "scikit-image==0.26.0"
DRAWN = ("cartoon", "alphabets", "symbols", "outlined", "abstract", "desktop", "math", "chessboard")
FOLDERS = (
    "deb/usr/share/doc/opencv-doc/examples/data",
    "deb/usr/share/tuxpaint/stamps",
    "deb/usr/share/backgrounds",
    "wheel/skimage/data",
)
SMALLEST, LARGEST = 200, 768  # pixels of the shorter and the longer side
LEAST_CONTRAST = 20  # of a photo: standard deviation of grey
WORDS = (
    "total",
    "invoice",
    "date",
    "the",
    "of",
    "amount",
    "for",
    "number",
    "and",
    "due",
    "net",
    "item",
    "paid",
)


def fetch(folder: Path) -> None:
    """Fetch and unpack the packages into *folder*, unless it has them."""
    for name in ("deb", "wheel", "packages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    packages = folder / "packages"
    for name in DEBIAN:
        if not list(packages.glob(f"{name}_*.deb")):
            run(["apt-get", "download", "-q", name], packages)
            (found,) = packages.glob(f"{name}_*.deb")
            run(["dpkg", "-x", str(found), str(folder / "deb")], packages)
    if not list(packages.glob("*.whl")):
        run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", WHEEL], packages)
        (wheel,) = packages.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "wheel", [n for n in archive.namelist() if "/data/" in n])


def run(command: Sequence[str], folder: Path) -> None:
    """Run *command* in *folder*."""
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def photos(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the name and content of each photo below *folder*, in RGB, on white, at most 768 pixels long."""
    for place in FOLDERS:
        for path in sorted((folder / place).rglob("*")):
            name = str(path.relative_to(folder))
            if path.suffix not in (".jpg", ".png") or any(word in name for word in DRAWN):
                continue
            image = on_white(Image.open(path))
            image.thumbnail((LARGEST, LARGEST))
            if min(image.size) >= SMALLEST and deviation(image) >= LEAST_CONTRAST:
                yield name, image


def on_white(image: Image.Image) -> Image.Image:
    """Return *image* in RGB, its transparent pixels white."""
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    ground.alpha_composite(shown)
    return ground.convert("RGB")


def deviation(image: Image.Image) -> float:
    """Return the standard deviation of grey."""
    from PIL import ImageStat  # noqa: PLC0415 - one use

    return ImageStat.Stat(image.convert("L")).stddev[0]


def charts(number: int, seed: int) -> Iterator[Image.Image]:
    """Yield *number* charts of data by *seed*: bars, lines, points and pies, as matplotlib draws them."""
    import matplotlib as mpl  # noqa: PLC0415 - 0.5 s

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after use()

    chance = random.Random(seed)  # noqa: S311 - no secret
    for at in range(number):
        figure, axes = plt.subplots(figsize=(6.4, 4.8), dpi=100)
        values = [chance.uniform(1, 100) for _ in range(chance.randint(4, 9))]
        kind = at % 4
        if kind == 0:
            axes.bar(range(len(values)), values)
        elif kind == 1:
            axes.plot(values)
        elif kind == 2:
            axes.scatter([chance.random() for _ in values], values)
        else:
            axes.pie(values)
        axes.set_title(" ".join(chance.choices(WORDS, k=3)))
        figure.canvas.draw()
        yield Image.frombytes("RGBA", figure.canvas.get_width_height(), figure.canvas.buffer_rgba()).convert(
            "RGB"
        )
        plt.close(figure)


def documents(number: int, seed: int) -> Iterator[Image.Image]:
    """Yield *number* pages with words by *seed*: letters and tables in two layouts."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    font = ImageFont.load_default(size=14)
    for at in range(number):
        page = Image.new("RGB", (620, 877), "white")
        draw = ImageDraw.Draw(page)
        draw.text(
            (60, 50), " ".join(chance.choices(WORDS, k=3)).title(), "black", ImageFont.load_default(size=28)
        )
        for row in range(chance.randint(18, 34)):
            top = 120 + 20 * row
            if at % 2:
                for column in range(4):
                    draw.text((60 + 130 * column, top), f"{chance.uniform(1, 999):.2f}", "black", font)
                draw.line((55, top - 2, 570, top - 2), "grey")
            else:
                draw.text((60, top), " ".join(chance.choices(WORDS, k=chance.randint(4, 11))), "black", font)
        yield page


def templates(number: int, seed: int) -> dict[str, list[Image.Image]]:
    """Return *number* images of each template with different content by *seed*, as they are and as scans.

    The scans have uneven light, blur and noise.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    flat = {
        "forms by hand": [filled_form(chance) for _ in range(number)],
        "receipts": [receipt(chance) for _ in range(number)],
        "screenshots of one program": [screen(chance) for _ in range(number)],
    }
    return flat | {f"{name}, scanned": [scan(image) for image in images] for name, images in flat.items()}


def filled_form(chance: random.Random) -> Image.Image:
    """Return a form with ten fields and handwriting, which is wavy lines."""
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((30, 30, 590, 80), (40, 70, 130))
    for row in range(10):
        top = 110 + 70 * row
        draw.text((40, top + 14), WORDS[row].title(), "black", ImageFont.load_default(size=16))
        draw.rectangle((180, top, 580, top + 46), outline="grey")
        end = chance.randint(240, 570)
        line = [(x, top + 23 + chance.uniform(-14, 14)) for x in range(190, end, 5)]
        draw.line(line, (20, 20, 120), 2)
    return page


def receipt(chance: random.Random) -> Image.Image:
    """Return a receipt of one shop with 14 items."""
    page = Image.new("RGB", (420, 800), (245, 244, 240))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=20)
    draw.text((110, 30), "Corner Shop", "black", ImageFont.load_default(size=34))
    for row in range(14):
        draw.text((25, 110 + 45 * row), chance.choice(WORDS).title(), "black", font)
        draw.text((310, 110 + 45 * row), f"{chance.uniform(1, 90):7.2f}", "black", font)
    return page


def screen(chance: random.Random) -> Image.Image:
    """Return the window of a program with a list."""
    window = Image.new("RGB", (1280, 800), (250, 250, 252))
    draw = ImageDraw.Draw(window)
    font = ImageFont.load_default(size=18)
    draw.rectangle((0, 0, 220, 800), (35, 39, 47))
    for row in range(14):
        top = 80 + 50 * row
        draw.rectangle((240, top, 1260, top + 42), "white", (220, 220, 225))
        draw.text((260, top + 10), " ".join(chance.choices(WORDS, k=3)), "black", font)
        draw.rectangle((1000, top + 9, 1090, top + 33), chance.choice(("green", "red", "orange")))
        draw.text((1130, top + 10), f"{chance.uniform(5, 900):.2f}", "black", font)
    return window


def scan(image: Image.Image) -> Image.Image:
    """Return *image* a little blurred, in light that falls from one side, with noise."""
    light = Image.linear_gradient("L").rotate(90).resize(image.size).point(lambda level: 150 + 0.4 * level)
    lit = ImageChops.multiply(image.filter(ImageFilter.GaussianBlur(0.7)), light.convert("RGB"))
    return Image.blend(lit, Image.effect_noise(image.size, 12).convert("RGB"), 0.06)
