"""The floor of header depth: the least Python that does the same work with the same libraries.

Reads each line, parses it, decodes the base64 of each picture and opens it with Pillow. Prints CPU
seconds (user and system) and the peak of memory, and what of it the imports took, in MB.
"""

from __future__ import annotations

import sys
from io import BytesIO

import orjson
import pybase64
from measuring import measured
from PIL.JpegImagePlugin import JpegImageFile


def floor(path: str) -> int:
    """Return the number of pictures in the file at *path*, each opened."""
    pictures = 0
    with open(path, "rb", buffering=1024 * 1024) as file:  # noqa: PTH123 - the least that does it
        for line in file:
            for message in orjson.loads(line)["messages"]:
                if isinstance(message["content"], list):
                    for part in message["content"]:
                        if part["type"] == "image_url":
                            url = part["image_url"]["url"]
                            data = pybase64.b64decode(url[url.index(",") + 1 :], validate=True)
                            pictures += JpegImageFile(BytesIO(data)).width > 0
    return pictures


if __name__ == "__main__":
    measured(lambda: floor(sys.argv[1]))
