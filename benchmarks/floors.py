"""Floors: the least Python code that does the work of a lint with the same libraries.

    python benchmarks/floors.py header FILE      each image opened
    python benchmarks/floors.py full FILE        each image decoded, JPEGs at an eighth of their size
    python benchmarks/floors.py distinct FILE    each distinct image decoded once
    python benchmarks/floors.py hashes FILE      each payload hashed, no image decoded
    python benchmarks/floors.py files FILE       distinct images written to files, and lines with their names

Each floor reads and parses the lines, and prints the figures of measuring.py; the result is the number of
images, including those behind URLs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from tempfile import TemporaryDirectory

import orjson
import pybase64
from measuring import measured
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from xxhash import xxh3_128_hexdigest, xxh3_128_intdigest

OPENERS: dict[str, Callable[[BytesIO], ImageFile]] = {
    "data:image/jpeg;base64": JpegImageFile,
    "data:image/jpg;base64": JpegImageFile,
    "data:image/png;base64": PngImageFile,
    "data:image/webp;base64": WebPImageFile,
}


def images(path: str) -> Iterator[tuple[str, str]]:
    """Yield head and payload of each image in the file at *path*; the payload of a URL is empty."""
    with open(path, "rb", buffering=1024 * 1024) as file:  # noqa: PTH123 - a floor uses the fastest call
        for line in file:
            for message in orjson.loads(line)["messages"]:
                if isinstance(message["content"], list):
                    for part in message["content"]:
                        if part["type"] == "image_url":
                            head, _, payload = part["image_url"]["url"].partition(",")
                            yield head, payload


def opened(head: str, payload: str) -> ImageFile:
    """Return the image that *payload* encodes, with its header read."""
    return OPENERS[head](BytesIO(pybase64.b64decode(payload, validate=True)))


def decode(head: str, payload: str) -> None:
    """Decode the image that *payload* encodes."""
    image = opened(head, payload)
    if isinstance(image, JpegImageFile):
        image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
    image.load()


def each(path: str, work: Callable[[str, str], object]) -> int:
    """Call *work* for each image; return the number of images."""
    done = 0
    for head, payload in images(path):
        if payload:
            work(head, payload)
        done += 1
    return done


def distinct(path: str) -> int:
    """Decode each distinct image; return the number of images."""
    seen: set[int] = set()
    done = 0
    for head, payload in images(path):
        key = xxh3_128_intdigest(payload.encode())
        if payload and key not in seen:
            decode(head, payload)
            seen.add(key)
        done += 1
    return done


def hashes(path: str) -> int:
    """Hash each payload; return the number of images."""
    done = 0
    for _, payload in images(path):
        xxh3_128_intdigest(payload.encode())
        done += 1
    return done


def files(path: str, folder: str) -> int:
    """Write each image of the file at *path* to *folder*, and each line with the names of its images.

    A name is the hash of the image, so an image that occurs twice is written once. Nothing is looked at,
    counted or judged, an error ends the loop, and files appear one by one. Return the number of images.
    """
    done = 0
    names: set[str] = set()
    with (
        open(path, "rb", buffering=1024 * 1024) as lines,  # noqa: PTH123 - as above
        open(f"{folder}/train.jsonl", "wb") as output,  # noqa: PTH123 - as above
    ):
        for line in lines:
            example = orjson.loads(line)
            for message in example["messages"]:
                for part in message["content"] if isinstance(message["content"], list) else ():
                    if part["type"] == "image_url":
                        payload = part["image_url"]["url"].partition(",")[2]
                        content = pybase64.b64decode(payload, validate=True)
                        name = f"{folder}/{xxh3_128_hexdigest(content)}.jpg"
                        if name not in names:
                            with open(name, "xb") as image:  # noqa: PTH123 - as above
                                image.write(content)
                            names.add(name)
                        part["image_url"]["url"] = name
                        done += 1
            output.write(orjson.dumps(example) + b"\n")
    return done


if __name__ == "__main__":
    floors: dict[str, Callable[[str], int]] = {
        "header": lambda path: each(path, opened),
        "full": lambda path: each(path, decode),
        "distinct": distinct,
        "hashes": hashes,
        "files": lambda path: files(path, folder),
    }
    with TemporaryDirectory(dir=".") as folder:  # removed after the measurement
        measured(lambda: floors[sys.argv[1]](sys.argv[2]))
