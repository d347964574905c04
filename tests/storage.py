"""Buckets of servers on loopback for S3, Google Cloud Storage and Azure Blob Storage."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.store import AzureStore, GCSStore, S3Store

if TYPE_CHECKING:
    from obstore.store import ObjectStore

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAKEYOFTESTS", "AWS_SECRET_ACCESS_KEY": "secret/of+tests"}
# The account of all emulators: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_ACCOUNT = "devstoreaccount1"
_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_STORES = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
_numbers = count(os.getpid() * 1000)


class Storage(NamedTuple):
    """A bucket, the address and log of its server, and the scheme of its URLs: s3, gs or az."""

    bucket: str
    address: str
    log: Path
    scheme: str

    @classmethod
    def new(cls, address: str, log: Path, monkeypatch: pytest.MonkeyPatch, scheme: str = "s3") -> Storage:
        """Return a new bucket of the server at *address*, which the environment then leads to."""
        one = cls(f"tests-{next(_numbers)}", address, log, scheme)
        one.lead(address, monkeypatch)
        one.make()
        return one

    def make(self) -> None:
        """Make the bucket."""
        if self.scheme == "az":
            _make_container(self.address, self.bucket)
        else:
            _send(f"{self.address}/{self.bucket}", "PUT")

    def lead(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the environment lead to *address*."""
        account = self.log.parent / f"account-{urlsplit(address).port}.json"
        environment = {
            "s3": {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1", **KEYS},
            "gs": {"GOOGLE_SERVICE_ACCOUNT": str(account), "GOOGLE_ALLOW_HTTP": "true"},
            "az": {
                "AZURITE_BLOB_STORAGE_URL": address,
                "AZURE_STORAGE_USE_EMULATOR": "true",
                "AZURE_ALLOW_HTTP": "true",
            },
        }
        if self.scheme == "gs":
            empty = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
            account.write_text(json.dumps({"gcs_base_url": address, "disable_oauth": True} | empty))
        for name, value in environment[self.scheme].items():
            monkeypatch.setenv(name, value)

    @property
    def url(self) -> str:
        """The URL of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def _store(self) -> ObjectStore:
        return _STORES[self.scheme](self.bucket)

    def put(self, key: str, content: bytes) -> str:
        """Write an object, and return its URL."""
        obstore.put(self._store, key, content)
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes:
        """Return the content of an object."""
        return bytes(obstore.get(self._store, key).bytes())

    def keys(self) -> list[str]:
        """Return the keys of all objects, sorted."""
        return sorted(meta["path"] for batch in obstore.list(self._store) for meta in batch)

    def reads(self) -> int:
        """Return how many times objects of the bucket were read, as a whole or in part."""
        return self.log.read_text().count(f"GET /{self.bucket}/")

    def puts(self, folder: str) -> list[str]:
        """Return the names of objects in *folder* in the order of the requests that wrote them."""
        log = unquote(self.log.read_text())
        return re.findall(rf"(?:PUT|POST) (?:/{_ACCOUNT})?/{self.bucket}/{folder}([^ ?]*)", log)


class PostedStorage(Storage):
    """A bucket of a server that takes objects by the JSON API of Google Cloud Storage only.

    https://docs.cloud.google.com/storage/docs/json_api/v1
    """

    def make(self) -> None:
        """Make the bucket."""
        _send(
            f"{self.address}/storage/v1/b?project=tests", "POST", json.dumps({"name": self.bucket}).encode()
        )

    def put(self, key: str, content: bytes) -> str:
        """Write an object, and return its URL."""
        place = f"{self.address}/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={quote(key, '')}"
        _send(place, "POST", content)
        return f"{self.url}/{key}"


def _send(url: str, method: str, content: bytes | None = None, **headers: str) -> None:
    urlopen(Request(url, content, headers, method=method)).close()  # noqa: S310 - a server on loopback


def _make_container(address: str, name: str) -> None:
    # https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    dated = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in dated.items())]
    signed = "\n".join([*lines, f"/{_ACCOUNT}/{_ACCOUNT}/{name}", "restype:container"])
    key = base64.b64decode(_ACCOUNT_KEY)
    signature = base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).decode()
    headers = {**dated, "Authorization": f"SharedKey {_ACCOUNT}:{signature}", "Content-Length": "0"}
    _send(f"{address}/{_ACCOUNT}/{name}?restype=container", "PUT", **headers)
