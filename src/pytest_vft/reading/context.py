"""What measuring needs besides the data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from pytest_vft.reading.local_images import LocalImages
from pytest_vft.reading.remote import LONG_AGO, Remote


class FetchContext(NamedTuple):
    """What was found behind URLs, the time, and local images.

    Without *files*, images at local paths are not opened; *buckets* says that those in object storage are
    fetched. URLs at private addresses may be fetched with *allow_private*.
    """

    remotes: Mapping[str, Remote]
    now: datetime = LONG_AGO
    files: LocalImages | None = None
    buckets: bool = False
    allow_private: bool = False
