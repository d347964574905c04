"""A bucket of an S3 server on loopback."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.store import S3Store

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAKEYOFTESTS", "AWS_SECRET_ACCESS_KEY": "secret/of+tests"}
_numbers = count(os.getpid() * 1000)


class Storage(NamedTuple):
    """A bucket, and the log of its server."""

    bucket: str
    log: Path

    @classmethod
    def new(cls, address: str, log: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
        """Return a new bucket of the server at *address*, which the environment then leads to."""
        environment = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            **KEYS,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bucket = f"tests-{next(_numbers)}"
        make = Request(f"{address}/{bucket}", method="PUT")  # noqa: S310 - a server on loopback
        urlopen(make).close()  # noqa: S310 - as above
        return cls(bucket, log)

    def put(self, key: str, content: bytes) -> str:
        """Write an object, and return its URL."""
        obstore.put(S3Store(self.bucket), key, content)
        return f"s3://{self.bucket}/{key}"

    def get(self, key: str) -> bytes:
        """Return the content of an object."""
        return bytes(obstore.get(S3Store(self.bucket), key).bytes())

    def keys(self) -> list[str]:
        """Return the keys of all objects, sorted."""
        return sorted(meta["path"] for batch in obstore.list(S3Store(self.bucket)) for meta in batch)

    def reads(self) -> int:
        """Return how many times objects of the bucket were read, as a whole or in part."""
        return self.log.read_text().count(f"GET /{self.bucket}/")
