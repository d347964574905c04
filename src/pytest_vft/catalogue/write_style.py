"""What a provider demands of examples that are written for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple


class WriteStyle(NamedTuple):
    """What a provider demands of examples that are written for it, besides its data format.

    With *parts* all contents are lists, with *strings* those of preferences without images are strings, and
    with *one_system* a system message is the first message. *drops*
    are keys that it refuses. *ordered* examples start with a question and end with an answer. *bucket* is the
    scheme of the buckets in which it reads images. *no_tools* says why tools are not trained
    on, with the source.
    """

    parts: bool = False
    strings: bool = False
    one_system: bool = False
    drops: Sequence[str] = ()
    ordered: bool = False
    bucket: str = "s3"
    no_tools: str = ""
    source: str = ""
    checked: date | None = None
